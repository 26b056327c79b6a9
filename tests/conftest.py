"""What the tests share: one thread of torch, a server, and a browser that tolerates no error."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

import hypothesis
import pytest
import torch
from streamlit.components.v2.component_manager import BidiComponentManager

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

T = TypeVar("T")
ROOT = Path(__file__).parents[1]
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
START_SECONDS = 90.0
_PROBE = re.compile(r":\d+/[a-z_]+/_stcore/(health|host-config)$")
"""On a sub-page Streamlit first looks for its server below that page: 404, which browsers log."""
DRAWN = "() => document.querySelectorAll('.lab-chart .main-svg').length >= 2"
CHARTS = """() => [...document.querySelectorAll('.lab-chart')].map(
    node => JSON.stringify(node.data.map(trace => trace.y?.bdata ?? trace.y)))"""

# One engine for all summaries, here and in the server's processes: "auto" changes over to a kernel
# as soon as it is compiled, and then the last bits change. Its own tests name their engine.
os.environ["SDE_LAB_ENGINE"] = "torchsde"

SLOW_FOLDERS = ("browser", "fuzz", "load", "server")
"""Folders of tests that start servers, processes or browsers, or try thousands of inputs."""
SLOW_FILES = (
    "test_app.py",
    "test_benchmark.py",
    "test_convergence.py",
    "test_engines.py",
    "test_equation_editor.py",
    "test_gradients_page.py",
    "test_kernels.py",
    "test_lessons.py",
    "test_sdeint_jacobian.py",
    "test_sweep_page.py",
    "test_torch_defaults.py",
)
"""Files that go through every model, scheme or example of the gallery, a second or so for each."""
BROWSER_FIXTURES = {"browser", "chromium", "page", "server", "serve"}

hypothesis.settings.register_profile("sde_lab", deadline=None, derandomize=True)
hypothesis.settings.load_profile("sde_lab")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests as ``slow`` or ``fast``.

    Slow are those of servers, browsers and processes, and in ``SLOW_FILES`` all cases of a test but
    its first: so the fast ones still pass once through everything.
    """
    seen: set[str] = set()
    for item in items:
        name = item.nodeid.partition("[")[0]
        repeated = item.path.name in SLOW_FILES and name in seen
        seen.add(name)
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.path.parent.name in SLOW_FOLDERS or fixtures & BROWSER_FIXTURES or repeated:
            item.add_marker("slow")
        if item.get_closest_marker("slow") is None:
            item.add_marker("fast")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """As in the application, where every session is a thread of its own."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _no_installed_components() -> Iterator[None]:
    """AppTest looks through every package of this environment for components, at each of its runs:
    far longer than the run itself, and there are none."""
    with mock.patch.object(BidiComponentManager, "discover_and_register_components"):
        yield


@pytest.fixture(autouse=True)
def _defaults() -> Iterator[None]:
    """No test leaves another default precision, or a seed that others would follow, behind."""
    precision, state = torch.get_default_dtype(), torch.random.get_rng_state()
    yield
    torch.set_default_dtype(precision)
    torch.random.set_rng_state(state)


@pytest.fixture(autouse=True)
def _main_module() -> Iterator[None]:
    """Put ``__main__`` back: AppTest leaves its script there, perhaps a temporary file that is
    gone, and every process that a later test spawns would begin by running it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start an application of one's own, ``serve(script, **environment)``: its address."""
    running = []

    def start(script: Path, **environment: str) -> str:
        address, process = start_server(script, tmp_path / f"{script.stem}.log", environment)
        running.append(process)
        return address

    yield start
    for process in running:
        stop_server(process)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the application, started as the README says; its log must stay clean."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    address, process = start_server(ROOT / "app.py", log, {})
    yield address
    stop_server(process)
    assert "Traceback" not in log.read_text(), log.read_text()


def start_server(
    script: Path, log: Path, environment: dict[str, str], port: int | None = None
) -> tuple[str, subprocess.Popen[bytes]]:
    """Serve a Streamlit script on this machine, on a free port unless told: address and process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = port or probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    command += ["--server.headless=true", f"--server.port={port}", "--server.address=127.0.0.1"]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=sink, stderr=sink
        )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + START_SECONDS
    while not _healthy(address):
        if process.poll() is not None or time.monotonic() > deadline:
            stop_server(process)
            pytest.fail(f"the server did not start:\n{log.read_text()}")
        time.sleep(0.1)
    return address, process


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def stop_server(process: subprocess.Popen[bytes]) -> None:
    """End a server, by force if it does not listen."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def find_chromium() -> str | None:
    """Where the system's Chromium is, if it has one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def take(page: Page, label: str) -> bytes:
    """Download what a menu entry offers."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name=label).click()
    return Path(waiting.value.path()).read_bytes()


def alongside(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread of its own: Playwright keeps an event loop in the tests' own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, driven without a window."""
    executable = find_chromium()
    if executable is None:
        reason = "no Chromium on this machine (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true" or os.environ.get(REQUIRED) == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=SWITCHES)
        yield browser
        browser.close()


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


@pytest.fixture
def browser(chromium: Browser) -> Iterator[WatchedBrowser]:
    """A browser whose windows may neither log an error nor ask anything of another machine."""
    watched = WatchedBrowser(chromium)
    yield watched
    watched.close()
    assert not watched.faults, "\n".join(watched.faults)


@pytest.fixture
def page(browser: WatchedBrowser) -> Page:
    """An empty page of that browser."""
    return browser.new_page()


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
