"""While a slider is dragged the board follows, and what it shows is what the server then sends."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest

import sde_lab as lab
from tests.support.browser import DRAWN, FOLLOWED, numbers, settle, thumb, visit

Page = Any

PICTURE = """() => {
    const seen = element => element.checkVisibility();
    const charts = [...document.querySelectorAll('.lab-chart')].map(node => {
        const curves = {};
        for (const group of node.querySelectorAll('.scatterlayer .trace, .lab-added')) {
            const uid = group.dataset.uid ?? [...group.classList]
                .find(name => name.startsWith('trace') && name !== 'trace').slice(5);
            const paths = [...group.querySelectorAll('path.js-fill, path.js-line')].filter(
                path => path.matches('.js-fill') || parseFloat(path.style.strokeWidth) > 0);
            const drawn = paths.map(path => path.getAttribute('d') ?? '')
                .filter(d => d.includes('L') || d.includes('H') || d.includes('V'));
            const points = [...group.querySelectorAll('path.point')].filter(seen)
                .map(path => path.getAttribute('transform'));
            if (drawn.length || points.length) curves[uid] = [drawn, points];
        }
        const lines = [...node.querySelectorAll('.shapelayer path')].map(p => p.getAttribute('d'));
        const notes = [...node.querySelectorAll('.annotation-text, .infolayer [class*="title"]')]
            .map(t => t.textContent);
        const bars = [...node.querySelectorAll('path.yerror')].filter(seen).map(path => {
            const {y, height} = path.getBBox();
            return [y, y + height];
        }).filter(([from, to]) => to - from > 0.5); // shorter ones are under their point
        const axes = Object.fromEntries(Object.entries(node._fullLayout)
            .filter(([name]) => /^[xy]axis\\d*$/.test(name))
            .map(([name, axis]) => [name, axis.range]));
        const faint = node.classList.contains('lab-approximate');
        return {curves, lines, notes, bars, axes, faint};
    });
    const text = what => [...document.querySelectorAll(what)].map(node => node.textContent);
    const words = text('.st-key-formulas .textrm, .st-key-time_cursor p');
    return {charts, words, figures: document.querySelector('.lab-figures').innerText};
}"""
TOKEN = "() => document.querySelector('.lab-connection').dataset.token"
"""Names what the page shows; it comes with each answer of the server."""
POSITIONS = """slider => {
    window.positions = new Set();
    window.pictures = new Set();
    const input = document.querySelector(`input[aria-label^="${slider}"]`);
    const look = () => {
        window.positions.add(input.value);
        window.pictures.add([...document.querySelectorAll('.lab-chart')]
            .map(node => [...node.querySelectorAll('path.js-line, path.js-fill')]
                .map(path => path.getAttribute('d'))).join());
        requestAnimationFrame(look);
    };
    look();
}"""
FEW = "samples=100&steps=50"


def polyline(d: str) -> np.ndarray:
    """The corners of an SVG path, (n, 2)."""
    corners, x, y = [], 0.0, 0.0
    for command, numbers_ in re.findall(r"([MLHV])([-\d.,e ]*)", d):
        values = [float(v) for v in re.findall(r"-?[\d.]+(?:e-?\d+)?", numbers_)]
        if command == "H":
            x = values[0]
        elif command == "V":
            y = values[0]
        else:
            x, y = values
        corners.append((x, y))
    return np.array(corners)


def distance(points: np.ndarray, line: np.ndarray) -> float:
    """The largest distance of these points from a polyline, in pixels."""
    start, along = line[:-1], np.diff(line, axis=0)
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    to = points[:, None] - start
    share = np.clip((to * along).sum(axis=2) / length, 0.0, 1.0)
    nearest = start + share[..., None] * along
    return float(np.sqrt(((points[:, None] - nearest) ** 2).sum(axis=2)).min(axis=1).max())


def lies_on(line: np.ndarray, other: np.ndarray) -> bool:
    """Whether the corners on the chart are within a pixel of another polyline.

    Those near the corner of the same number are: only the others are measured, against each part.
    Plotly cuts off what lies far beyond the chart.
    """
    far = (np.abs(line) < 1000).all(axis=1)
    if line.shape == other.shape:
        far &= np.hypot(*(line - other).T) >= 1.0
    return not far.any() or distance(line[far], other) < 1.0


def compare(frame: dict[str, Any], answer: dict[str, Any]) -> None:
    """Both show the same, to a pixel; text and numbers to the letter."""
    assert frame["figures"] == answer["figures"]
    assert frame["words"] == answer["words"]
    for shown, sent in zip(frame["charts"], answer["charts"], strict=True):
        assert shown["notes"] == sent["notes"]
        assert len(shown["bars"]) == len(sent["bars"]), (shown["bars"], sent["bars"])
        assert np.array(shown["bars"]) == pytest.approx(np.array(sent["bars"]), abs=0.6)
        for axis in sent["axes"]:
            if axis != "xaxis2" or len(sent["axes"]) > 4:
                assert shown["axes"][axis] == pytest.approx(sent["axes"][axis])
        for line, other in zip(shown["lines"], sent["lines"], strict=True):
            assert polyline(line) == pytest.approx(polyline(other), abs=0.5)
        assert set(shown["curves"]) == set(sent["curves"])
        for uid, (paths, points) in sent["curves"].items():
            own, own_points = shown["curves"][uid]
            assert len(own_points) == len(points), uid
            for a, b in zip(own_points, points, strict=True):
                at = [[float(v) for v in re.findall(r"-?[\d.]+", text)] for text in (a, b)]
                assert at[0] == pytest.approx(at[1], abs=0.5), uid
            if paths:
                ours, theirs = (polyline("".join(part)) for part in (own, paths))
                assert lies_on(ours, theirs), uid
                assert lies_on(theirs, ours), uid


def follow(page: Page, slider: str, pixels: int = 9) -> None:
    """Drag a slider by some pixels and let go; frame and answer must be the same picture."""
    handle, x, y = thumb(page, slider)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + pixels, y, steps=3)
    page.wait_for_function(FOLLOWED, arg=handle.element_handle())
    frame, value = page.evaluate(PICTURE), handle.get_attribute("aria-valuetext")
    former = page.evaluate(TOKEN)
    page.mouse.up()
    page.wait_for_function(f"former => ({TOKEN})() !== former", arg=former)
    settle(page)
    assert handle.get_attribute("aria-valuetext") == value
    compare(frame, page.evaluate(PICTURE))


@pytest.mark.parametrize("model", lab.MODELS)
def test_the_frame_at_release_is_the_picture_that_the_server_sends(
    page: Page, server: str, model: str
) -> None:
    spec = lab.MODELS[model]
    visit(page, server, urlencode({"model": spec.title}) + "&" + FEW)
    for parameter in (*spec.parameters, *spec.initial):
        follow(page, parameter.symbol)


VIEWS = {
    "phase portrait": ({"model": "Lotka–Volterra", "lotka_volterra.show": "phase portrait"}, "α"),
    "second component": ({"model": "Heston", "heston.show": "v"}, "κ"),
    "hidden answer": ({"hide": "true"}, "κ"),
    "presentation": ({"projector": "true"}, "σ"),
    "typed equation, symbols alike to a style sheet": (
        {"model": "Write your own…", "equation": "dx = (μ - κ*x)*dt + σ*dW"},
        "σ",
    ),
    "paths that diverge": ({"model": "Logistic growth", "logistic_growth.sigma": "1.4"}, "σ"),
    "stationary density": ({"model": "Double well"}, "a"),
    "long horizon, many steps": ({"steps": "400", "ornstein_uhlenbeck.horizon": "20"}, "σ"),
    "early cursor": ({"cursor": "3"}, "x₀"),
}


@pytest.mark.parametrize("view", VIEWS)
def test_frames_show_what_the_page_shows(page: Page, server: str, view: str) -> None:
    query, slider = VIEWS[view]
    visit(page, server, urlencode({"samples": "100", "steps": "50"} | query))
    follow(page, slider)


def test_a_pinned_scenario_stays_while_a_slider_moves(page: Page, server: str) -> None:
    visit(page, server, FEW)
    page.get_by_role("button", name="Pin").click()
    page.get_by_role("button", name="Unpin").wait_for()
    settle(page)
    follow(page, "θ", 20)


def test_a_lesson_follows_with_its_columns(page: Page, server: str) -> None:
    page.goto(f"{server}/lessons?lesson=The+start+fades")
    page.wait_for_selector(".lab-chart .main-svg")
    settle(page)
    follow(page, "κ")


@pytest.mark.parametrize(
    ("title", "slider"), [("A kink and a jump", "σ"), ("Predict with the Jacobian", "κ")]
)
def test_a_lessons_own_figure_follows(page: Page, server: str, title: str, slider: str) -> None:
    page.goto(f"{server}/lessons?" + urlencode({"lesson": title, "samples": 100}))
    page.wait_for_function(DRAWN, timeout=60_000)
    settle(page)
    before = page.evaluate(PICTURE)["charts"][1]
    follow(page, slider, 20)
    assert page.evaluate(PICTURE)["charts"][1]["curves"] != before["curves"]


def drag(page: Page, slider: str, offsets: list[int]) -> None:
    """Take a slider and move it by these pixels from where it was; the hand stays down."""
    _, x, y = thumb(page, slider)
    page.mouse.move(x, y)
    page.mouse.down()
    for offset in offsets:
        page.mouse.move(x + offset, y)


def test_every_curve_follows_and_every_position_has_its_picture(page: Page, server: str) -> None:
    """Positions are counted by the browser, and pictures too: a hand that is faster than the
    screen, or a machine that is busy with something else, lowers both alike."""
    visit(page, server, FEW)
    before = page.evaluate(PICTURE)
    there_and_back = [*range(0, 100, 3), *range(100, 0, -3)]
    drag(page, "κ", there_and_back)
    page.wait_for_timeout(1500)  # the frames that are still missing arrive
    page.evaluate(POSITIONS, "κ")
    drag_on = [box for offset in there_and_back for box in (offset,)]
    _, x, y = thumb(page, "κ")
    for offset in drag_on:
        page.mouse.move(x + offset, y)
    shown = page.get_by_role("slider", name=re.compile("^κ")).element_handle()
    page.mouse.move(x + 60, y)
    page.wait_for_function(FOLLOWED, arg=shown)
    positions, pictures = page.evaluate("() => [window.positions.size, window.pictures.size]")
    assert positions > 15
    assert pictures >= 0.8 * positions
    after = page.evaluate(PICTURE)
    page.mouse.up()
    assert before["figures"] != after["figures"]
    fixed = {"exact"}
    for chart, other in zip(before["charts"], after["charts"], strict=True):
        moved = {uid for uid in chart["curves"] if chart["curves"][uid] != other["curves"].get(uid)}
        assert moved >= set(chart["curves"]) - fixed


def test_frames_follow_a_finger_on_a_phone(browser: Any, server: str) -> None:
    page = browser.window(viewport={"width": 390, "height": 844}, has_touch=True)
    visit(page, server, FEW)
    page.locator('[data-testid="stExpandSidebarButton"]').click()
    handle, x, y = thumb(page, "σ")
    settle(page)
    handle, x, y = thumb(page, "σ")
    before = numbers(page)
    touch = page.context.new_cdp_session(page)

    def send(kind: str, *points: dict[str, float]) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    send("touchStart", {"x": x, "y": y})
    for offset in range(0, 40, 4):
        send("touchMove", {"x": x + offset, "y": y})
    page.wait_for_function(FOLLOWED, arg=handle.element_handle())
    frame = page.evaluate(PICTURE)
    former = page.evaluate(TOKEN)
    send("touchEnd")
    page.wait_for_function(f"former => ({TOKEN})() !== former", arg=former)
    settle(page)
    assert numbers(page) != before
    compare(frame, page.evaluate(PICTURE))


@pytest.mark.parametrize(
    ("slider", "pixels"), [("T", -20), ("Steps", 25), ("Samples", 25), ("Time", -25)]
)
def test_every_other_slider_moves_the_board_too(
    page: Page, server: str, slider: str, pixels: int
) -> None:
    visit(page, server, FEW + "&cursor=50")
    before = numbers(page)
    follow(page, slider, pixels)
    assert numbers(page) != before


def test_a_held_key_is_followed(page: Page, server: str) -> None:
    visit(page, server, FEW)
    handle, _, _ = thumb(page, "θ")
    handle.focus()
    page.wait_for_timeout(1000)  # frames around the thumb arrive
    before = page.evaluate(PICTURE)["charts"][0]["curves"]
    # The handlers of a key run before the next screen refresh, and no answer comes so soon.
    moved = handle.evaluate("""async input => {
        const press = kind => input.dispatchEvent(
            new KeyboardEvent(kind, {key: 'ArrowRight', code: 'ArrowRight', bubbles: true}));
        press('keydown');
        press('keydown');
        await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
        const shown = document.querySelector('.lab-connection').dataset.value;
        press('keyup');
        return [input.value, shown];
    }""")
    assert moved[0] != "0"
    assert float(moved[1]) == pytest.approx(float(moved[0]))
    settle(page)
    assert page.evaluate(PICTURE)["charts"][0]["curves"] != before


def test_a_slider_that_is_put_back_leaves_the_picture_as_it_was(page: Page, server: str) -> None:
    visit(page, server, FEW)
    before = page.evaluate(PICTURE)
    drag(page, "σ", [0, 20, 60, 30, 3, 0])
    page.mouse.up()
    settle(page)
    page.wait_for_timeout(500)
    after = page.evaluate(PICTURE)
    assert after["figures"] == before["figures"]
    for chart, other in zip(before["charts"], after["charts"], strict=True):
        assert set(chart["curves"]) == set(other["curves"])
        assert not other["faint"]
        for name, (low, high) in chart["axes"].items():  # they have grown at most
            assert other["axes"][name][0] <= low
            assert other["axes"][name][1] >= high


def test_a_chart_that_is_not_as_expected_waits_for_the_answer(page: Page, server: str) -> None:
    """If another version of Plotly keeps its axes elsewhere, the page does what it did before."""
    visit(page, server, FEW)
    page.evaluate("""() => document.querySelectorAll('.lab-chart').forEach(node => {
        const real = node._fullLayout;
        Object.defineProperty(node, '_fullLayout', {
            get: () => (new Error().stack.includes('drawChart') ? undefined : real),
            set: () => {},
        });
    })""")
    before = page.evaluate(PICTURE)
    drag(page, "σ", [5, 20, 40])
    page.wait_for_timeout(500)
    during = page.evaluate(PICTURE)
    assert [chart["curves"] for chart in during["charts"]] == [
        chart["curves"] for chart in before["charts"]
    ]
    former = page.evaluate(TOKEN)
    page.mouse.up()
    page.wait_for_function(f"former => ({TOKEN})() !== former", arg=former)
    settle(page)
    assert page.evaluate(PICTURE)["figures"] != before["figures"]


def test_who_asked_for_less_motion_sees_the_answer_alone(browser: Any, server: str) -> None:
    page = browser.window(reduced_motion="reduce")
    visit(page, server, FEW)
    before = page.evaluate(PICTURE)
    drag(page, "σ", [5, 20, 40])
    page.wait_for_timeout(500)
    assert page.evaluate(PICTURE) == before
    page.mouse.up()
