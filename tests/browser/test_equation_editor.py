"""An equation of one's own in a real browser, as a newcomer would type it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.browser import CHARTS, DRAWN, numbers, press, settle, visit

playwright = pytest.importorskip("playwright.sync_api")
Page = Any

TEXTBOOK = "dr = a*(b - r)*dt + sigma*sqrt(r)*dW"
"""Cox, Ingersoll and Ross (1985), as it stands in most books."""
EDITOR = "Your equation"


def write(page: Page, text: str) -> None:
    """Type a text in place of what stands there, key by key, and do nothing else."""
    area = page.get_by_role("textbox", name=EDITOR)
    area.click()
    area.press("Control+a")
    area.press_sequentially(text, delay=8)


def start(page: Page, server: str) -> None:
    """Find the last entry of the model picker."""
    visit(page, server)
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="Write your own").click()
    page.get_by_role("textbox", name=EDITOR).wait_for()
    settle(page)


def test_a_newcomer_types_a_textbook_equation_with_a_wrong_character_first(
    page: Page, server: str
) -> None:
    start(page, server)
    before = page.evaluate(CHARTS)
    write(page, TEXTBOOK.replace("r)*dt", "r]*dt"))
    message = page.locator(".lab-mistake")
    message.wait_for()
    settle(page)
    assert "line 1, column 14" in message.inner_text()
    excerpt, caret = message.locator("pre").first.inner_text().split("\n")[:2]
    assert excerpt[caret.index("^")] == "]"
    assert page.evaluate(CHARTS) == before  # the last good picture stays
    assert page.get_by_role("alert").count() == 0

    page.get_by_role("textbox", name=EDITOR).press("Control+Home")
    for _ in range(13):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Delete")
    page.keyboard.type(")")
    page.wait_for_function("() => /∂r.∂a/.test(document.querySelector('.lab-figures')?.innerText)")
    settle(page)
    assert message.count() == 0
    after = page.evaluate(CHARTS)
    assert len(after) == 2
    assert after[0] != before[0]
    assert after[1] != before[1]
    for symbol in ("∂r/∂a", "∂r/∂b", "∂r/∂σ", "∂r/∂r₀"):
        assert symbol in numbers(page)
    press(page, "^σ", "ArrowLeft", 3)
    press(page, "^b", "ArrowRight", 3)
    assert page.locator(".katex").first.is_visible()


def test_typing_keeps_the_caret_and_what_is_typed_meanwhile(page: Page, server: str) -> None:
    start(page, server)
    area = page.get_by_role("textbox", name=EDITOR)
    area.click()
    area.press("Control+a")
    area.press_sequentially("dx = -a*x*dt", delay=120)
    page.wait_for_timeout(700)
    area.press_sequentially(" + s*dW", delay=120)
    page.wait_for_function("() => /∂x.∂s/.test(document.querySelector('.lab-figures')?.innerText)")
    assert area.input_value() == "dx = -a*x*dt + s*dW"
    assert area.evaluate("node => node === document.activeElement")
    assert area.evaluate("node => node.selectionStart") == len("dx = -a*x*dt + s*dW")


def test_the_link_carries_the_equation_to_another_browser(
    page: Page, server: str, browser: Any
) -> None:
    start(page, server)
    write(page, "dx = -κ*x*dt + x**2*dW1 + σ₁*dW2; σ₁ = 0.2 in [0, 1]")
    page.wait_for_function("() => /∂x.∂σ₁/.test(document.querySelector('.lab-figures')?.innerText)")
    settle(page)
    press(page, "^κ", "ArrowRight", 4)
    link = page.evaluate("() => location.href")
    other = browser.window()
    other.goto(link)
    other.wait_for_function(DRAWN, timeout=60_000)
    settle(other)
    assert numbers(other) == numbers(page)
    assert other.evaluate(CHARTS) == page.evaluate(CHARTS)


def test_an_example_opens_at_its_own_values_and_closes_the_gallery(page: Page, server: str) -> None:
    start(page, server)
    press(page, "^σ", "ArrowRight", 3)
    page.get_by_role("button", name="Start from an example").click()
    page.get_by_role("button", name="Schlögl's chemical switch").click()
    page.wait_for_function("() => /∂x.∂k₄/.test(document.querySelector('.lab-figures')?.innerText)")
    settle(page)
    assert page.get_by_role("button", name="CKLS short rate").count() == 0
    sigma = page.get_by_role("slider", name=re.compile("^σ"))
    assert sigma.get_attribute("aria-valuetext") == "0.40"
    uids = "() => document.querySelector('.lab-chart').data.map(trace => trace.uid)"
    assert "stationary" in page.evaluate(uids)
    page.get_by_text("Analysis").click()
    page.get_by_text("1 (stable); 2 (unstable); 3 (stable)").wait_for()
    errors = page.locator(".katex-error")
    assert errors.count() == 0


WIDE = "dx%3Dsin(a*x)*sqrt(b%2Bx**2)*exp(-c*x**2)*dt%2Bsigma*dW"


def test_a_wide_equation_fits_a_phone(server: str, browser: Any) -> None:
    page = browser.window(viewport={"width": 390, "height": 844})
    visit(page, server, f"model=Write+your+own%E2%80%A6&equation={WIDE}")
    overflow = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0


def test_another_range_leaves_the_slider_and_the_link_says_where(
    page: Page, server: str, browser: Any
) -> None:
    start(page, server)
    write(page, "dx = -a*x*dt + dW; a = 1 in [0, 4]")
    page.wait_for_function("() => /∂x.∂a/.test(document.querySelector('.lab-figures')?.innerText)")
    settle(page)
    press(page, "^a", "ArrowRight", 5)
    moved = page.get_by_role("slider", name="a parameter").get_attribute("aria-valuetext")
    write(page, "dx = -a*x*dt + dW; a = 1 in [0, 2]")
    page.wait_for_function("() => /_0_2=/.test(location.href)")
    settle(page)
    handle = page.get_by_role("slider", name="a parameter")
    assert float(handle.get_attribute("aria-valuetext")) == float(moved)
    other = browser.window()
    other.goto(page.evaluate("() => location.href"))
    other.wait_for_function(DRAWN, timeout=60_000)
    settle(other)
    assert numbers(other) == numbers(page)
