"""How the application is served: what a stranger on the same network can and cannot do to it.

What needs a proxy in front, since Streamlit has no option for it: TLS, a Content-Security-Policy,
X-Frame-Options, hiding ``/_stcore/metrics``, and limits on connections from one address.
"""

from __future__ import annotations

import http.client
import re
import tomllib
import urllib.parse
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import ConnectionClosed

from tests.load.browser import opened
from tests.support.server import ROOT, alongside

CONFIGURED = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
FAULTY = """
import streamlit as st

st.slider("κ", 0.0, 1.0)
raise RuntimeError("the password is swordfish")
"""


def ask(
    server: str, path: str, method: str = "GET", headers: Mapping[str, str] = {}, body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (in small letters) and body of one request."""
    place = urllib.parse.urlsplit(server)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=20)
    try:
        connection.request(method, path, body=body or None, headers=dict(headers))
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, answer.read()
    finally:
        connection.close()


def knock(server: str, **headers: str) -> int:
    """The status with which the server answers a browser that wants a session; 101 lets it in."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "c3dvcmRmaXNoc3dvcmRmaQ==",
        "Sec-WebSocket-Protocol": "streamlit",
    }
    return ask(server, "/_stcore/stream", headers={**upgrade, **headers})[0]


def test_nothing_of_another_origin_may_read_or_connect(server: str) -> None:
    assert knock(server, Origin=server) == 101
    assert knock(server, Origin="http://evil.example") == 403
    status, headers, _ = ask(server, "/_stcore/health", headers={"Origin": "http://evil.example"})
    assert status == 200
    assert headers.get("access-control-allow-origin") != "*"
    assert headers.get("access-control-allow-origin") != "http://evil.example"


def test_a_named_host_lets_only_that_name_in(serve: Callable[..., str]) -> None:
    server = serve(ROOT / "app.py", STREAMLIT_SERVER_ALLOWED_HOSTS="lab.example.org")
    assert knock(server, Host="lab.example.org") == 101
    assert knock(server) == 403
    assert knock(server, Host="evil.example") == 403


def test_the_page_is_not_kept_by_caches_and_says_what_its_parts_are(server: str) -> None:
    status, headers, body = ask(server, "/")
    assert status == 200
    assert "no-cache" in headers["cache-control"]
    assert headers["content-type"].startswith("text/html")
    for path in sorted(set(_sources(body))):
        status, headers, _ = ask(server, "/" + path.lstrip("./"))
        assert status == 200, path


def _sources(page: bytes) -> list[str]:
    """Scripts and style sheets that the page loads; all of them lie on this server."""
    found = re.findall(rb'(?:src|href)="([^"]+\.(?:js|css))"', page)
    assert found
    assert not any(source.startswith((b"http", b"//")) for source in found)
    return [source.decode() for source in found]


@pytest.mark.parametrize(
    "path",
    [
        "/../app.py",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/../../app.py",
        "/app/static/../app.py",
        "/component/sde_lab.app.components.chart.plotlyjs/../../../etc/passwd",
        "/component/sde_lab.app.components.chart.plotlyjs/%2e%2e/%2e%2e/__init__.py",
        "/media/../../app.py",
        "/_stcore/../app.py",
    ],
)
def test_no_path_leads_to_a_file_of_the_machine(server: str, path: str) -> None:
    _, _, body = ask(server, path)
    assert b"set_page_config" not in body
    assert b"root:" not in body
    assert b"import " not in body or b"<!doctype html>" in body.lower()


def test_nothing_can_be_uploaded(server: str) -> None:
    for method in ("PUT", "POST"):
        status, _, _ = ask(server, "/_stcore/upload_file/x/y", method, body=b"0" * 1000)
        assert status in (400, 401, 403, 404, 405)
    assert CONFIGURED["server"]["maxUploadSize"] == 1


def test_a_message_beyond_the_limit_ends_its_connection_and_nothing_else(server: str) -> None:
    """A page's own messages are a few kilobytes."""

    async def flood() -> int:
        tab, _ = await opened(server)
        with suppress(ConnectionClosed):
            await tab.socket.send(b"\x00" * (CONFIGURED["server"]["maxWidgetStateSize"] * 2**20))
        with suppress(ConnectionClosed):
            while True:
                await tab.socket.recv()
        return int(tab.socket.close_code or 0)

    assert alongside(flood()) == 1009
    assert ask(server, "/_stcore/health")[0] == 200


def test_a_reader_cannot_stop_the_server(server: str) -> None:
    async def try_to() -> None:
        tab, _ = await opened(server)
        for message in (BackMsg(debug_shutdown_runtime=True), BackMsg(clear_cache=True)):
            await tab.socket.send(message.SerializeToString())
        assert (await tab.move()).charts
        await tab.socket.close()

    alongside(try_to())
    assert ask(server, "/_stcore/health")[0] == 200


def test_an_error_of_ours_is_told_to_the_log_and_not_to_the_page(
    serve: Callable[..., str], tmp_path: Path
) -> None:
    script = tmp_path / "faulty.py"
    script.write_text(FAULTY)
    server = serve(script)

    async def visit() -> tuple[list[str], str]:
        tab, answer = await opened(server)
        await tab.socket.close()
        return answer.errors, "".join(map(str, answer.elements))

    errors, page = alongside(visit())
    assert len(errors) == 1
    assert "redacted" in errors[0]
    for secret in ("swordfish", "RuntimeError", "faulty.py", "Traceback"):
        assert secret not in page
    assert "swordfish" in (tmp_path / "faulty.log").read_text()


def test_no_telemetry_is_asked_for(server: str) -> None:
    assert CONFIGURED["browser"]["gatherUsageStats"] is False

    async def visit() -> list[bool]:
        tab, _ = await opened(server)
        await tab.ask()
        wanted = []
        while (message := (await tab.next())[0]).WhichOneof("type") != "script_finished":
            if message.WhichOneof("type") == "new_session":
                wanted.append(message.new_session.config.gather_usage_stats)
        await tab.socket.close()
        return wanted

    assert alongside(visit()) == [False]


def test_the_server_listens_only_and_asks_nobody(server: str) -> None:
    """The browser tests hold the browser to the same; see ``WatchedBrowser`` in conftest."""
    port = urllib.parse.urlsplit(server).port
    owner = next(
        process
        for process in psutil.process_iter()
        if any(f"--server.port={port}" in part for part in process.cmdline())
    )
    far = [
        c.raddr.ip for c in owner.net_connections() if c.raddr and not c.raddr.ip.startswith("127.")
    ]
    assert far == []


def test_metrics_tell_no_more_than_counts(server: str) -> None:
    """They are public, unless a proxy hides them."""
    status, _, body = ask(server, "/_stcore/metrics")
    if status == 200:
        assert b"127.0.0.1" not in body
        assert str(ROOT).encode() not in body
