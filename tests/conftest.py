"""What the tests share: one thread of torch, a server, and a browser that tolerates no error."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import hypothesis
import pytest
import torch
from streamlit.components.v2.component_manager import BidiComponentManager

from tests.support.browser import REQUIRED, SWITCHES, WatchedBrowser, Windows, find_chromium
from tests.support.kernels import compiled_once, equation_of
from tests.support.programs import Programs
from tests.support.server import ROOT, start_server, stop_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


# One engine for all summaries, here and in the server's processes: "auto" changes over to a kernel
# as soon as it is compiled, and then the last bits change. Its own tests name their engine.
os.environ["SDE_LAB_ENGINE"] = "torchsde"
# Kernels are compiled afresh: one from disk could be of an earlier state of the code.
os.environ["SDE_LAB_KERNEL_CACHE"] = "off"

SLOW_FOLDERS = ("browser", "fuzz", "load", "server")
"""Folders of tests that start servers, processes or browsers, or try thousands of inputs."""
SLOW_FILES = (
    "test_app.py",
    "test_benchmark.py",
    "test_convergence.py",
    "test_engines.py",
    "test_equation_editor.py",
    "test_first_order.py",
    "test_foreign_modules.py",
    "test_gradients_page.py",
    "test_kernel_cache.py",
    "test_kernels.py",
    "test_lessons.py",
    "test_no_number_misleads.py",
    "test_named_jacobian.py",
    "test_sdeint_jacobian.py",
    "test_second_derivative.py",
    "test_sweep_page.py",
    "test_torch_defaults.py",
)
"""Files that go through every model, scheme or example of the gallery, a second or so for each."""
ONE_PROCESS_FILES = (
    "test_crowd.py",
    "test_executors.py",
    "test_restart.py",
    "test_slider_frames.py",
    "test_sweep_executors.py",
    "test_worker_process.py",
)
"""Files whose tests share servers, windows or processes, which take longer to start than the tests.
All others that use the server or the browser share them too, in another process."""
SHARED_FIXTURES = {"browser", "chromium", "page", "server"}
BROWSER_FIXTURES = {*SHARED_FIXTURES, "serve"}

hypothesis.settings.register_profile("sde_lab", deadline=None, derandomize=True)
hypothesis.settings.load_profile("sde_lab")


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups afterwards
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
        if (group := _group_of(item)) is not None:
            item.add_marker(pytest.mark.xdist_group(group))
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.path.parent.name in SLOW_FOLDERS or fixtures & BROWSER_FIXTURES or repeated:
            item.add_marker("slow")
        if item.get_closest_marker("slow") is None:
            item.add_marker("fast")


def _group_of(item: pytest.Item) -> str | None:
    """Name the tests that run in one process; None where a test may run in any."""
    if item.path.name in ONE_PROCESS_FILES:
        return item.path.stem
    if SHARED_FIXTURES & set(getattr(item, "fixturenames", ())):
        return "browser"
    return equation_of(item)


@pytest.fixture(scope="session", autouse=True)
def _kernels_are_compiled_once() -> Iterator[None]:
    """Compile no kernel twice in this process, and as many as there are tests of."""
    with compiled_once(), mock.patch("sde_lab.compiled.object_code.MAX_COMPILED", 10_000):
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """As in the application, where every session is a thread of its own."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def _imports_are_no_garbage() -> None:
    """Take what has been imported so far out of the search for garbage.

    Streamlit searches after each of its runs, and the benchmark before each of its trials: 0.2 s a
    time among the objects of torch, numba and sympy, which live as long as the process.
    """
    gc.collect()
    gc.freeze()


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
def programs() -> Iterator[Programs]:
    """Where programs run by themselves, but for the imports."""
    started = Programs()
    yield started
    started.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the application, started as the README says; its log must stay clean."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    address, process = start_server(ROOT / "app.py", log, {})
    yield address
    stop_server(process)
    assert "Traceback" not in log.read_text(), log.read_text()


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


@pytest.fixture(scope="session")
def windows(chromium: Browser) -> Windows:
    """Windows that one test after the other uses."""
    return Windows(chromium)


@pytest.fixture
def browser(windows: Windows) -> Iterator[WatchedBrowser]:
    """A browser whose windows may neither log an error nor ask anything of another machine."""
    watched = WatchedBrowser(windows)
    yield watched
    watched.close()
    assert not watched.faults, "\n".join(watched.faults)


@pytest.fixture
def page(browser: WatchedBrowser) -> Page:
    """An empty window of that browser."""
    return browser.window()
