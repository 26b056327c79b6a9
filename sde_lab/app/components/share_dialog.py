"""Share dialog: the link to the page, to copy and as a QR code made here, without any service."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import segno
import streamlit as st

_HERE = Path(__file__).parent
_KEY = "share"
MAX_QR_CHARS = 2000
"""Characters of a link up to which a QR code is drawn; finer ones a phone cannot read."""

_mount = st.components.v2.component(
    "sde_lab_share",
    js=(_HERE / "share_dialog.js").read_text(encoding="utf-8"),
    css=(_HERE / "share_dialog.css").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def draw_share_button() -> None:
    """Draw the button that opens the dialog."""
    if st.button("Share", key="share_button", icon=":material/qr_code_2:"):
        _dialog()


@st.dialog("Share this page", width="medium")
def _dialog() -> None:
    told = _reported_url()
    link = externally_reachable(told, _accepts_external(), _own_address())
    _mount(
        key=_KEY,
        data={"told": told, "link": link, "picture": qr_code_uri(link)},
        on_here_change=_nothing,
    )
    if link != told:
        st.caption(
            f"On another machine, “{urlsplit(told).hostname}” would be that machine itself, so the"
            f" link uses the network address of this server: {urlsplit(link).hostname}."
        )


def _nothing() -> None:
    """Do nothing: the callback is there so that a report of the browser reruns the dialog."""


def _reported_url() -> str:
    """Return the address that the browser reported, "" before it has."""
    state: Any = st.session_state.get(_KEY) or {}
    told = str(state.get("here") or "")
    return told if told.startswith(("http://", "https://")) and len(told) <= MAX_QR_CHARS else ""


def qr_code_uri(link: str) -> str:
    """Return a QR code as a data URI, "" without a link.

    Error correction is at level L: of all levels it gives the fewest and largest squares.
    """
    if not link:
        return ""
    code = segno.make_qr(link, error="l", boost_error=False)
    return str(code.svg_data_uri(border=4, scale=4, dark="#000", light="#fff", omitsize=True))


def externally_reachable(link: str, accepts_external: bool, address: str | None) -> str:
    """Return the link as another machine can follow it.

    Args:
        link: as the browser shows it, or "".
        accepts_external: whether the server answers other machines.
        address: this machine's name or address in the network, None without one.
    """
    parts = urlsplit(link)
    if not accepts_external or address is None or not _names_itself(parts.hostname or ""):
        return link
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=address + port).geturl()


def _names_itself(host: str) -> bool:
    """Return whether a host name is a loopback: on each machine it names that machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _accepts_external() -> bool:
    bound = st.get_option("server.address")
    return bound is None or not _names_itself(str(bound))


def _own_address() -> str | None:
    """Return the configured name, or the address from which packets to the outside would leave.

    Connecting a datagram socket sends nothing; 192.0.2.1 is reserved for documentation (RFC 5737).
    """
    named = str(st.get_option("browser.serverAddress") or "")
    if named and not _names_itself(named):
        return named
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None
