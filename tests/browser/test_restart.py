"""The server dies in the middle of a class and comes back: every browser shows what it showed."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import CHARTS, DRAWN, numbers, press, settle, visit
from tests.support.server import ROOT, start_server, stop_server

STATE = '[data-testid="stApp"]'
LOST = "The connection to the server is gone"
CONNECTED = 'data-test-connection-state="CONNECTED"'


class Class:
    """Browser windows on a server of their own, which can be killed and started again.

    Their log of errors is not looked at: it complains of the lost connection, as it should.
    """

    def __init__(self, chromium: Any, log: Path) -> None:
        self._chromium = chromium
        self._log = log
        self.pages: list[Any] = []
        self.address, self._process = start_server(ROOT / "app.py", log, {})

    def open(self, query: str = "") -> Any:
        """Open the application in a browser of its own."""
        page = self._chromium.new_context(viewport={"width": 1280, "height": 720}).new_page()
        page.set_default_timeout(90_000)  # a server that has just started imports torch first
        visit(page, self.address, query)
        self.pages.append(page)
        return page

    def kill(self) -> None:
        """End the server without a word."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Start it at the same address, and wait until all windows have their pictures again."""
        port = urllib.parse.urlsplit(self.address).port
        _, self._process = start_server(ROOT / "app.py", self._log, {}, port)
        for page in self.pages:
            page.wait_for_selector(f"{STATE}[{CONNECTED}]", timeout=60_000)
            page.wait_for_function(DRAWN, timeout=60_000)
            settle(page)

    def end(self) -> None:
        """Close the windows and stop the server for good; it must have raised nothing."""
        for page in self.pages:
            page.context.close()
        stop_server(self._process)
        assert "Traceback" not in self._log.read_text()


@dataclass
class Restart:
    """What two windows showed before their server was killed, and without it; they live on.

    Attributes:
        reader: a window that waits.
        before: its link, figures and charts.
        hand: a window in which a slider was under the hand.
        shown: its figures when the server died, and after the hand had moved on.
        messages: how often it said that the connection is gone.
    """

    reader: Any
    before: tuple[str, str, list[str]]
    hand: Any
    shown: tuple[str, str]
    messages: int


def picture(page: Any) -> tuple[str, str, list[str]]:
    """The link of a window, its figures and its charts."""
    return page.evaluate("location.href"), numbers(page), page.evaluate(CHARTS)


@pytest.fixture(scope="module")
def restart(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restart]:
    """One server that was killed and started again: that takes longer than all else here."""
    lesson = Class(chromium, tmp_path_factory.mktemp("restart") / "server.log")
    reader = lesson.open()
    press(reader, "κ", "ArrowRight", 5)
    press(reader, "σ", "ArrowLeft", 4)
    press(reader, "Time cursor", "PageDown", 2)
    before = picture(reader)
    hand = lesson.open("samples=100&steps=50")
    handle = hand.get_by_role("slider", name=re.compile("^κ"))
    box = handle.locator("xpath=../..").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    hand.mouse.move(x, y)
    hand.mouse.down()
    for offset in range(0, 60, 3):
        hand.mouse.move(x + offset, y)
    hand.wait_for_timeout(500)

    lesson.kill()
    shown = numbers(hand)
    for offset in range(60, 150, 6):
        hand.mouse.move(x + offset, y)
    lost = hand.get_by_text(LOST)
    lost.wait_for()
    messages, still = lost.count(), numbers(hand)
    hand.mouse.up()
    reader.wait_for_selector(f"{STATE}:not([{CONNECTED}])")

    lesson.restart()
    yield Restart(reader, before, hand, (shown, still), messages)
    lesson.end()


def test_a_browser_finds_its_picture_again_after_the_server_was_killed(restart: Restart) -> None:
    page = restart.reader
    assert picture(page) == restart.before
    press(page, "κ", "ArrowLeft", 1)
    press(page, "κ", "ArrowRight", 1)
    # A server that has just started answers late: a timeout here is a picture that never came back.
    page.wait_for_function(
        f"charts => String(({CHARTS})()) === String(charts)", arg=restart.before[2]
    )
    assert picture(page)[1:] == restart.before[1:]


def test_a_drag_says_once_that_the_server_is_gone_and_recovers(restart: Restart) -> None:
    """Streamlit disables every widget without a connection, the slider under the hand too."""
    assert restart.messages == 1
    assert restart.shown[0] == restart.shown[1]
    page = restart.hand
    page.get_by_text(LOST).wait_for(state="detached")
    before = numbers(page)
    press(page, "κ", "ArrowLeft", 3)
    assert numbers(page) != before
