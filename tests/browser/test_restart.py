"""The server dies in the middle of a class and comes back: every browser shows what it showed."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import CHARTS, DRAWN, numbers, press, settle, visit
from tests.support.server import ROOT, start_server, stop_server

STATE = '[data-testid="stApp"]'
CONNECTED = 'data-test-connection-state="CONNECTED"'


class Class:
    """A browser window on a server of its own, which can be killed and started again.

    Its log of errors is not looked at: it complains of the lost connection, as it should.
    """

    def __init__(self, page: Any, log: Path) -> None:
        self.page = page
        self._log = log
        self.address, self._process = start_server(ROOT / "app.py", log, {})

    def kill(self) -> None:
        """End the server without a word."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Start it at the same address, and wait until the window has its picture again."""
        port = urllib.parse.urlsplit(self.address).port
        _, self._process = start_server(ROOT / "app.py", self._log, {}, port)
        self.page.wait_for_selector(f"{STATE}[{CONNECTED}]", timeout=60_000)
        self.page.wait_for_function(DRAWN, timeout=60_000)
        settle(self.page)

    def end(self) -> None:
        """Stop the server for good; it must have raised nothing."""
        stop_server(self._process)
        assert "Traceback" not in self._log.read_text()


@pytest.fixture
def lesson(chromium: Any, tmp_path: Path) -> Iterator[Class]:
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    begun = Class(context.new_page(), tmp_path / "server.log")
    yield begun
    context.close()
    begun.end()


def test_a_browser_finds_its_picture_again_after_the_server_was_killed(lesson: Class) -> None:
    page = lesson.page
    visit(page, lesson.address)
    press(page, "κ", "ArrowRight", 5)
    press(page, "σ", "ArrowLeft", 4)
    press(page, "Time cursor", "PageDown", 2)
    link, figures, charts = page.evaluate("location.href"), numbers(page), page.evaluate(CHARTS)

    lesson.kill()
    page.wait_for_selector(f"{STATE}:not([{CONNECTED}])")
    lesson.restart()

    assert page.evaluate("location.href") == link
    assert numbers(page) == figures
    assert page.evaluate(CHARTS) == charts
    press(page, "κ", "ArrowLeft", 1)
    press(page, "κ", "ArrowRight", 1)
    assert numbers(page) == figures
    assert page.evaluate(CHARTS) == charts


def test_a_drag_says_once_that_the_server_is_gone_and_recovers(lesson: Class) -> None:
    """Streamlit disables every widget without a connection, the slider under the hand too."""
    page = lesson.page
    visit(page, lesson.address, "samples=100&steps=50")
    handle = page.get_by_role("slider", name=re.compile("^κ"))
    box = handle.locator("xpath=../..").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for offset in range(0, 60, 3):
        page.mouse.move(x + offset, y)
    page.wait_for_timeout(500)
    lesson.kill()
    shown = numbers(page)
    for offset in range(60, 150, 6):
        page.mouse.move(x + offset, y)
    lost = page.get_by_text("The connection to the server is gone")
    lost.wait_for()
    assert lost.count() == 1
    assert numbers(page) == shown
    page.mouse.up()

    lesson.restart()
    lost.wait_for(state="detached")
    before = numbers(page)
    press(page, "κ", "ArrowLeft", 3)
    assert numbers(page) != before
