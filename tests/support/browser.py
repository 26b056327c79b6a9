"""Drive the application in the system's Chromium."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urljoin

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

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
VIEWPORT: ViewportSize = {"width": 1280, "height": 720}
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
SETTLED = """async () => {
    const busy = () => {
        const app = document.querySelector('[data-testid="stApp"]');
        const charts = [...document.querySelectorAll('.lab-chart')];
        return app?.dataset.testScriptState !== 'notRunning'
            || charts.some(({sdeLab, clientWidth}) => clientWidth && sdeLab.pending);
    };
    const end = Date.now() + 60000;
    for (let quiet = 0; quiet < 6; quiet += 1) {
        await new Promise(resolve => setTimeout(resolve, 50));
        if (busy()) quiet = -1;
        if (Date.now() > end) throw new Error('the page has not settled within a minute');
    }
    await Promise.all([...document.querySelectorAll('.lab-chart')].map(n => n.sdeLab.work));
}"""
"""Wait until nothing happens for 0.3 s, longer than the 0.2 s for which a slider keeps its value.
Counted in the window itself: where the machine is busy, its clock and the page's wait together."""


def find_chromium() -> str | None:
    """Where the system's Chromium is, if it has one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def take(page: Page, label: str) -> bytes:
    """Download what a menu entry offers."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name=label).click()
    return Path(waiting.value.path()).read_bytes()


class Windows:
    """Browser profiles that outlive a test, one window in each, for this process.

    A window that has shown the application once opens it again in half the time: its scripts are
    in memory, compiled. What a test may leave behind is wiped before the next one gets the window.
    """

    def __init__(self, chromium: Browser) -> None:
        self.chromium = chromium
        self.faults: list[str] = []
        self._free: dict[str, list[Page]] = {}

    def take(self, kind: dict[str, Any]) -> Page:
        """A window with these options of its profile, as good as new."""
        free = self._free.setdefault(repr(sorted(kind.items())), [])
        if free:
            return free.pop()
        context = self.chromium.new_context(**kind)
        watch(context, self.faults)
        return context.new_page()

    def put_back(self, kind: dict[str, Any], page: Page) -> None:
        """Wipe a window for the next test; where that fails, the next one gets a new one."""
        try:
            _wipe(page)
        except Exception:
            page.context.close()
            raise
        self._free[repr(sorted(kind.items()))].append(page)


def _wipe(page: Page) -> None:
    """Leave the application, and forget what it and the test stored or changed."""
    context = page.context
    context.set_offline(False)
    page.mouse.up()
    page.mouse.move(0, 0)
    for other in context.pages:
        if other is not page:
            other.close()
    if page.url.startswith("http"):
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        context.clear_cookies()
        # A page of the same server: the process that holds the compiled scripts stays.
        page.goto(urljoin(page.url, "/_stcore/health"))


def watch(context: BrowserContext, faults: list[str]) -> None:
    """Write down console errors, uncaught exceptions, and requests that leave this machine."""

    def heard(message: Any) -> None:
        if message.type == "error" and not _PROBE.search(message.location["url"]):
            faults.append(f"console: {message.text}")

    def asked(request: Any) -> None:
        local = ("http://127.0.0.1:", "http://localhost:", "ws://127.0.0.1:", "data:", "blob:")
        if not request.url.startswith(local):
            faults.append(f"request: {request.url}")

    context.on("console", heard)
    context.on("weberror", lambda error: faults.append(f"uncaught: {error.error}"))
    context.on("request", asked)


class WatchedBrowser:
    """Opens windows of Chromium for one test, and writes down what they must not do.

    Attributes:
        faults: console errors, uncaught exceptions, and requests that left this machine.
    """

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self.faults = windows.faults
        self.faults.clear()
        self._contexts: list[BrowserContext] = []
        self._taken: list[tuple[dict[str, Any], Page]] = []

    def new_context(self, **options: Any) -> BrowserContext:
        """A browser profile that no other test has used, 1280 × 720 unless it says otherwise."""
        context = self._windows.chromium.new_context(**{"viewport": VIEWPORT, **options})
        watch(context, self.faults)
        self._contexts.append(context)
        return context

    def window(
        self,
        *,
        viewport: ViewportSize = VIEWPORT,
        color_scheme: Literal["light", "dark"] = "light",
        reduced_motion: Literal["reduce", "no-preference"] = "no-preference",
        **kind: Any,
    ) -> Page:
        """A window that earlier tests may have used, in a profile that this test has for itself.

        Args:
            viewport: its size.
            color_scheme: what the system asks for.
            reduced_motion: what the system asks for.
            kind: the profile's other options; windows are shared among tests of the same kind.
        """
        page = self._windows.take(kind)
        self._taken.append((kind, page))
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=color_scheme, reduced_motion=reduced_motion)
        return page

    def close(self) -> None:
        """Close what was opened for this test, and wipe what others will use."""
        for context in self._contexts:
            context.close()
        for kind, page in self._taken:
            self._windows.put_back(kind, page)


def visit(page: Page, server: str, query: str = "") -> None:
    """Open the page and wait until both charts are drawn."""
    page.goto(f"{server}/?{query}")
    page.wait_for_function(DRAWN, timeout=60_000)
    settle(page)


def settle(page: Page) -> None:
    """Wait until the script has finished and the charts are drawn."""
    page.evaluate(SETTLED)


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
