"""Who can use the page: rules of accessibility, phones, projectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.browser import DRAWN, settle, visit
from tests.support.server import ROOT

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
Page = Any

SERIOUS = ("serious", "critical")
VIOLATIONS = {"resultTypes": ["violations"]}
"""Of rules that hold, it need not list where: that takes longer than looking."""
TOLERATED: frozenset[tuple[str, str]] = frozenset()
"""Findings that Streamlit alone could mend, as (rule, a part of the selector). There are none."""
PAGES = sorted(
    path.stem for path in (ROOT / "sde_lab/app/routes").glob("[a-z]*.py") if path.stem != "main"
)


def bars(page: Page) -> list[str]:
    """What axe-core calls serious or critical, one line to a finding."""
    found = axe.Axe().run(page, options=VIOLATIONS).response
    assert len(found["passes"]) > 10
    return [
        f"{rule['id']} {node['target']}: {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
        if not any(rule["id"] == r and part in str(node["target"]) for r, part in TOLERATED)
    ]


def come(page: Page, server: str, name: str, query: str = "") -> None:
    """Open a page by its name and wait until it is still."""
    page.goto(f"{server}/{'' if name == 'explore' else name}?{query}")
    page.wait_for_selector('[data-testid="stSidebar"]', state="attached")
    page.wait_for_selector('[data-testid="stMain"] [data-testid="stElementContainer"]')
    settle(page)
    if name == "explore":
        page.wait_for_function(DRAWN, timeout=60_000)


def open_lesson(page: Page, title: str) -> None:
    page.get_by_role("button", name=title).click()
    page.wait_for_function(DRAWN, timeout=60_000)
    settle(page)


def lesson(page: Page, server: str) -> None:
    come(page, server, "lessons")
    open_lesson(page, "A kink and a jump")


def answered(page: Page, server: str) -> None:
    lesson(page, server)
    page.get_by_role("button", name="Show the answer").click()
    settle(page)


def shared(page: Page, server: str) -> None:
    come(page, server, "explore")
    page.get_by_role("button", name="Share").click()
    page.get_by_role("img", name="QR code of the link").wait_for()
    settle(page)


def menus(page: Page, server: str) -> None:
    come(page, server, "explore", "projector=true")
    page.get_by_role("button", name="Presets").click()
    page.get_by_text("Far from the mean").wait_for()
    settle(page)


def refused(page: Page, server: str) -> None:
    come(page, server, "explore", "pin=nonsense&hide=true&model=Heston")


STATES: dict[str, Callable[[Page, str], None]] = {
    f.__name__: f for f in (lesson, answered, shared, menus, refused)
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", [*PAGES, *STATES])
def test_nothing_serious_bars_anyone(server: str, browser: Any, state: str, scheme: str) -> None:
    page = browser.window(color_scheme=scheme)
    if state in STATES:
        STATES[state](page, server)
    else:
        come(page, server, state)
    assert not bars(page), "\n".join(bars(page))


def test_the_tool_finds_what_is_there_to_find(page: Page, server: str) -> None:
    visit(page, server)
    page.evaluate("""() => {
        const text = document.querySelector('.lab-figure .lab-value');
        text.style.color = '#b0b0b0';
        const image = document.createElement('img');
        image.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=';
        document.querySelector('.lab-figures').append(image);
    }""")
    found = " ".join(bars(page))
    assert "color-contrast" in found
    assert "image-alt" in found


PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
BOXES = """() => [...document.querySelectorAll('.lab-chart')].map(node => {
    const box = node.getBoundingClientRect();
    return [box.left, box.top, box.width, box.height];
})"""
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("state", ["explore", "lesson", "answered"])
def test_on_a_phone_controls_fold_away_and_charts_stack(
    server: str, browser: Any, state: str
) -> None:
    page = browser.window(**PHONE)
    STATES.get(state, lambda p, s: come(p, s, "explore"))(page, server)
    assert page.evaluate(OVERFLOW) <= 0
    sidebar = "() => document.querySelector('[data-testid=\"stSidebar\"]').getBoundingClientRect()"
    assert page.evaluate(f"{sidebar}.right") <= 0
    first, second = page.evaluate(BOXES)
    assert abs(first[0] - second[0]) < 2
    assert second[1] >= first[1] + first[3]
    for _, _, width, height in (first, second):
        assert width > 330
        assert height >= 300
    smallest = page.evaluate("""() => Math.min(...[...document.querySelectorAll('.lab-chart text')]
        .filter(text => text.textContent)
        .map(text => parseFloat(getComputedStyle(text).fontSize)))""")
    assert smallest >= 11
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("button", name="Reset", exact=True).wait_for()
    assert not bars(page), "\n".join(bars(page))


@pytest.mark.parametrize("across", [0.05, 0.5, 0.95])
def test_a_finger_on_a_chart_scrolls_the_page(server: str, browser: Any, across: float) -> None:
    page = browser.window(**PHONE)
    visit(page, server)
    scrolled = "() => document.querySelector('[data-testid=\"stMain\"]').scrollTop"
    ranges = """() => [...document.querySelectorAll('.lab-chart')].map(
        node => JSON.stringify([node.layout.xaxis.range, node.layout.yaxis.range]))"""
    home, (left, top, width, _) = page.evaluate(ranges), page.evaluate(BOXES)[0]
    assert page.evaluate(scrolled) == 0
    finger = page.context.new_cdp_session(page)

    def touch(kind: str, *points: dict[str, float]) -> None:
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.wait_for_timeout(16)

    x, y = left + across * width, top + 250
    touch("touchStart", {"x": x, "y": y})
    for move in range(1, 16):
        touch("touchMove", {"x": x, "y": y - 15 * move})
    touch("touchEnd")
    page.wait_for_timeout(300)
    assert page.evaluate(scrolled) > 150
    assert page.evaluate(ranges) == home


WORDS = """() => [...document.querySelectorAll(
    '[data-testid="stMain"] p, [data-testid="stMain"] h3, .lab-figure, .st-key-formula .katex')]
    .filter(node => node.getClientRects().length)
    .map(node => node.getBoundingClientRect())
    .filter(box => box.right > innerWidth || box.left < 0).length"""


@pytest.mark.parametrize("state", ["explore", "answered"])
def test_a_projector_shows_larger_letters_and_clips_none(
    server: str, browser: Any, state: str
) -> None:
    page = browser.window()
    come(page, server, "lessons" if state == "answered" else "explore", "projector=true")
    if state == "answered":
        open_lesson(page, "Itô or Stratonovich")
        page.get_by_role("button", name="Show the answer").click()
        settle(page)
    sizes = page.evaluate("""() => [...document.querySelectorAll('.lab-chart')].map(
        node => node.layout.font.size)""")
    assert min(sizes) >= 16
    text = page.evaluate("""() => Math.min(...[...document.querySelectorAll(
        '[data-testid="stMain"] p, .lab-figure span')].map(
            node => parseFloat(getComputedStyle(node).fontSize)))""")
    assert text >= 14
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate(WORDS) == 0
    lowest = max(top + height for _, top, _, height in page.evaluate(BOXES))
    assert lowest <= 720
