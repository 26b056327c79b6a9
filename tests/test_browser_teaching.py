"""What a class needs, in a real browser: links that carry everything, lessons, sharing, phones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import CHARTS, DRAWN, numbers, press, settle, visit

playwright = pytest.importorskip("playwright.sync_api")
Page = Any

GHOSTS = """() => JSON.stringify([...document.querySelectorAll('.lab-chart')].map(node =>
    node.data.filter(trace => /pinned/.test(trace.uid ?? '')).map(trace => trace.y.bdata)))"""


def opened_elsewhere(page: Page, browser: Any) -> Page:
    """The link of this page in another browser."""
    other = browser.new_page()
    other.goto(page.evaluate("() => location.href"))
    other.wait_for_function(DRAWN, timeout=60_000)
    settle(other)
    return other


def test_pinned_curves_travel_in_the_link(page: Page, server: str, browser: Any) -> None:
    visit(page, server, "samples=100&ornstein_uhlenbeck.theta=0.7")
    page.get_by_role("button", name="Pin", exact=True).click()
    page.get_by_role("button", name="Unpin").wait_for()
    settle(page)
    press(page, "κ", "PageUp")
    other = opened_elsewhere(page, browser)
    assert page.evaluate(GHOSTS) != "[[],[]]"
    assert other.evaluate(GHOSTS) == page.evaluate(GHOSTS)
    assert other.evaluate(CHARTS) == page.evaluate(CHARTS)
    assert numbers(other) == numbers(page)
    other.get_by_role("button", name="Unpin").click()
    other.wait_for_function("() => !location.href.includes('pin=')")
