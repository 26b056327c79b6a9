"""The server dies in the middle of a class and comes back: every browser shows what it showed."""

from __future__ import annotations

import re
import urllib.parse
from pathlib import Path
from typing import Any

from tests.support.browser import CHARTS, DRAWN, numbers, press, settle, visit
from tests.support.server import ROOT, start_server, stop_server

STATE = '[data-testid="stApp"]'
CONNECTED = 'data-test-connection-state="CONNECTED"'


def test_a_browser_finds_its_picture_again_after_the_server_was_killed(
    chromium: Any, tmp_path: Path
) -> None:
    """Its log of errors is not looked at: it complains of the lost connection, as it should."""
    log = tmp_path / "server.log"
    address, process = start_server(ROOT / "app.py", log, {})
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    try:
        page = context.new_page()
        visit(page, address)
        press(page, "κ", "ArrowRight", 5)
        press(page, "σ", "ArrowLeft", 4)
        press(page, "Time cursor", "PageDown", 2)
        link, figures, charts = page.evaluate("location.href"), numbers(page), page.evaluate(CHARTS)

        process.kill()
        process.wait()
        page.wait_for_selector(f"{STATE}:not([{CONNECTED}])")
        port = urllib.parse.urlsplit(address).port
        _, process = start_server(ROOT / "app.py", log, {}, port)
        page.wait_for_selector(f"{STATE}[{CONNECTED}]", timeout=60_000)
        page.wait_for_function(DRAWN, timeout=60_000)
        settle(page)

        assert page.evaluate("location.href") == link
        assert numbers(page) == figures
        assert page.evaluate(CHARTS) == charts
        press(page, "κ", "ArrowLeft", 1)
        press(page, "κ", "ArrowRight", 1)
        assert numbers(page) == figures
        assert page.evaluate(CHARTS) == charts
    finally:
        context.close()
        stop_server(process)
    assert "Traceback" not in log.read_text()


def test_a_drag_says_once_that_the_server_is_gone_and_recovers(
    chromium: Any, tmp_path: Path
) -> None:
    """Streamlit disables every widget without a connection, the slider under the hand too."""
    log = tmp_path / "server.log"
    address, process = start_server(ROOT / "app.py", log, {})
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    try:
        page = context.new_page()
        visit(page, address, "samples=100&steps=50")
        handle = page.get_by_role("slider", name=re.compile("^κ"))
        box = handle.locator("xpath=../..").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        for offset in range(0, 60, 3):
            page.mouse.move(x + offset, y)
        page.wait_for_timeout(500)
        process.kill()
        process.wait()
        shown = numbers(page)
        for offset in range(60, 150, 6):
            page.mouse.move(x + offset, y)
        lost = page.get_by_text("The connection to the server is gone")
        lost.wait_for()
        assert lost.count() == 1
        assert numbers(page) == shown
        page.mouse.up()

        port = urllib.parse.urlsplit(address).port
        _, process = start_server(ROOT / "app.py", log, {}, port)
        page.wait_for_selector(f"{STATE}[{CONNECTED}]", timeout=60_000)
        page.wait_for_function(DRAWN, timeout=60_000)
        settle(page)
        lost.wait_for(state="detached")
        before = numbers(page)
        press(page, "κ", "ArrowLeft", 3)
        assert numbers(page) != before
    finally:
        context.close()
        stop_server(process)
