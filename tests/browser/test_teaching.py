"""What a class needs, in a real browser: links that carry everything, lessons, sharing, phones."""

from __future__ import annotations

from typing import Any

import pytest

from sde_lab.app.components.share_dialog import qr_code_uri
from tests.support.browser import CHARTS, DRAWN, numbers, press, settle, visit

playwright = pytest.importorskip("playwright.sync_api")
Page = Any

GHOSTS = """() => JSON.stringify([...document.querySelectorAll('.lab-chart')].map(node =>
    node.data.filter(trace => /pinned/.test(trace.uid ?? '')).map(trace => trace.y.bdata)))"""


def opened_elsewhere(page: Page, browser: Any) -> Page:
    """The link of this page in another browser."""
    other = browser.window()
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


def test_a_hidden_answer_travels_in_the_link_and_waits_for_a_click(
    page: Page, server: str, browser: Any
) -> None:
    visit(page, server)
    exact = """() => [...document.querySelectorAll('.lab-chart')].every(node =>
        node.data.some(trace => /exact/.test(trace.uid ?? '')))"""
    anywhere = exact.replace("every", "some")
    assert page.evaluate(exact)
    page.get_by_text("Hide exact solution").click()
    page.wait_for_function(f"() => !({anywhere})()")
    settle(page)
    assert "exact" not in numbers(page)
    other = opened_elsewhere(page, browser)
    assert not other.evaluate(anywhere)
    assert other.evaluate(CHARTS) == page.evaluate(CHARTS)
    other.get_by_text("Hide exact solution").click()
    other.wait_for_function(exact)


def test_the_link_is_copied_and_drawn_as_a_code(server: str, browser: Any) -> None:
    page = browser.window(permissions=["clipboard-read", "clipboard-write"])
    visit(page, server)
    press(page, "κ", "PageUp")
    page.get_by_role("button", name="Share").click()
    page.get_by_role("img", name="QR code of the link").wait_for()
    link = page.evaluate("() => location.href")
    assert "kappa" in link
    assert page.get_by_label("Link to this page").input_value() == link
    page.get_by_role("button", name="Copy link").click()
    page.get_by_text("Copied.").wait_for()
    assert page.evaluate("() => navigator.clipboard.readText()") == link
    assert page.locator(".lab-share img").get_attribute("src") == qr_code_uri(link)


def test_without_a_clipboard_the_link_stands_there_selected(server: str, browser: Any) -> None:
    page = browser.window()
    visit(page, server, "ornstein_uhlenbeck.kappa=2.0")
    page.evaluate("""() => {
        Object.defineProperty(navigator, 'clipboard', {value: undefined});
        Document.prototype.execCommand = () => false;
    }""")
    page.get_by_role("button", name="Share").click()
    page.get_by_role("img", name="QR code of the link").wait_for()
    page.get_by_role("button", name="Copy link").click()
    page.get_by_text("Ctrl+C").wait_for()
    selected = "() => document.activeElement.value.slice(0, document.activeElement.selectionEnd)"
    assert page.evaluate(selected) == page.evaluate("() => location.href")


def test_a_lesson_travels_in_the_link_with_its_hidden_answer(
    page: Page, server: str, browser: Any
) -> None:
    page.goto(f"{server}/lessons")
    page.get_by_role("button", name="On the ridge").click()
    page.wait_for_function(DRAWN, timeout=60_000)
    settle(page)
    press(page, "σ", "ArrowRight", 2)
    other = opened_elsewhere(page, browser)
    assert other.get_by_role("heading").inner_text() == page.get_by_role("heading").inner_text()
    assert other.evaluate(CHARTS) == page.evaluate(CHARTS)
    assert numbers(other) == numbers(page)
    other.get_by_role("button", name="Show the answer").click()
    other.get_by_text("Less noise keeps paths near 0").wait_for()
    settle(other)
    third = opened_elsewhere(other, browser)
    assert third.get_by_text("Less noise keeps paths near 0").count() == 1
