"""Share: the link to this very page, to copy and as a QR code drawn here, without any service."""

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
"""Letters of a link that are drawn; the code for more would be too fine for a phone to read."""

_mount = st.components.v2.component(
    "sde_lab_share",
    js=(_HERE / "share_dialog.js").read_text(encoding="utf-8"),
    css=(_HERE / "share_dialog.css").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def draw_share_button() -> None:
    """The button that opens the dialog."""
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
    """Nothing to do: the dialog is drawn again with what the browser told."""


def _reported_url() -> str:
    """The address that the browser reported, or "" as long as it has not."""
    state: Any = st.session_state.get(_KEY) or {}
    told = str(state.get("here") or "")
    return told if told.startswith(("http://", "https://")) and len(told) <= MAX_QR_CHARS else ""


def qr_code_uri(link: str) -> str:
    """A QR code as a data URI, "" without a link; level L, the coarsest squares."""
    if not link:
        return ""
    code = segno.make_qr(link, error="l", boost_error=False)
    return str(code.svg_data_uri(border=4, scale=4, dark="#000", light="#fff", omitsize=True))


def externally_reachable(link: str, accepts_external: bool, address: str | None) -> str:
    """The link as another machine can follow it.

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
    """Whether a host name means, on every machine, that machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _accepts_external() -> bool:
    bound = st.get_option("server.address")
    return bound is None or not _names_itself(str(bound))


def _own_address() -> str | None:
    """The configured name, or the address that packets to the outside would leave from.

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
