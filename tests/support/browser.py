"""Drive the application in the system's Chromium."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

REQUIRED = "SDE_LAB_BROWSER"
"""Set to "required" where a missing browser must fail the tests, not skip them."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]
_PROBE = re.compile(r":\d+/[a-z_]+/_stcore/(health|host-config)$")
"""On a sub-page Streamlit first looks for its server below that page: 404, which browsers log."""
DRAWN = "() => document.querySelectorAll('.lab-chart .main-svg').length >= 2"
CHARTS = """() => [...document.querySelectorAll('.lab-chart')].map(
    node => JSON.stringify(node.data.map(trace => trace.y?.bdata ?? trace.y)))"""
FOLLOWED = """input => {
    const shown = document.querySelector('.lab-connection').dataset.value;
    return shown && Math.abs(shown - input.value) < 1e-9;
}"""
"""Whether the picture is that of the value which a slider has under the hand."""


def find_chromium() -> str | None:
    """Where the system's Chromium is, if it has one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def take(page: Page, label: str) -> bytes:
    """Download what a menu entry offers."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name=label).click()
    return Path(waiting.value.path()).read_bytes()


class WatchedBrowser:
    """Opens windows of Chromium and writes down what they must not do.

    Attributes:
        faults: console errors, uncaught exceptions, and requests that left this machine.
    """

    def __init__(self, chromium: Browser) -> None:
        self.faults: list[str] = []
        self._chromium = chromium
        self._contexts: list[BrowserContext] = []

    def new_context(self, **options: Any) -> BrowserContext:
        """A browser profile of its own, 1280 × 720 unless it says otherwise."""
        context = self._chromium.new_context(
            **{"viewport": {"width": 1280, "height": 720}, **options}
        )
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.faults.append(f"uncaught: {error.error}"))
        context.on("request", lambda request: self._asked(request.url))
        self._contexts.append(context)
        return context

    def new_page(self, **options: Any) -> Page:
        """A page in a profile of its own."""
        return self.new_context(**options).new_page()

    def close(self) -> None:
        """Close every window that was opened."""
        for context in self._contexts:
            context.close()

    def _heard(self, message: Any) -> None:
        if message.type == "error" and not _PROBE.search(message.location["url"]):
            self.faults.append(f"console: {message.text}")

    def _asked(self, url: str) -> None:
        local = ("http://127.0.0.1:", "http://localhost:", "ws://127.0.0.1:", "data:", "blob:")
        if not url.startswith(local):
            self.faults.append(f"request: {url}")


def visit(page: Page, server: str, query: str = "") -> None:
    """Open the page and wait until both charts are drawn."""
    page.goto(f"{server}/?{query}")
    page.wait_for_function(DRAWN, timeout=60_000)
    settle(page)


def settle(page: Page) -> None:
    """Wait until the script has finished."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    page.wait_for_timeout(250)


def numbers(page: Page) -> str:
    """The row of figures, as text."""
    return str(page.locator(".lab-figures").inner_text())


def press(page: Page, slider: str, key: str, times: int = 1) -> None:
    """Move a slider by keyboard and wait for the answer."""
    before = numbers(page)
    handle = page.get_by_role("slider", name=re.compile(slider))
    handle.focus()
    for _ in range(times):
        handle.press(key)
    page.wait_for_function(
        "before => document.querySelector('.lab-figures').innerText !== before", arg=before
    )
    settle(page)


def thumb(page: Page, slider: str) -> tuple[Any, float, float]:
    """A slider and the middle of its thumb."""
    handle = page.get_by_role("slider", name=re.compile(rf"^{re.escape(slider)}\s")).first
    handle.scroll_into_view_if_needed()
    box = handle.locator("xpath=../..").bounding_box()
    return handle, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
