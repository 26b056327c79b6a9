"""The sweep page in a real browser: one knob and two, the animation, a stop, files, a click."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sde_lab as lab
from tests.support.browser import FOLLOWED, settle, take, thumb
from tests.support.server import ROOT

playwright = pytest.importorskip("playwright.sync_api")
Page = Any

MEAN = "ornstein_uhlenbeck.sweep.look=mean%20of%20X"
TWO = f"ornstein_uhlenbeck.sweep.and=%CF%83%20%20volatility&ornstein_uhlenbeck.x0=1.5&{MEAN}"
CURVE = """() => {
    const trace = document.querySelector('.lab-chart')._fullData.find(t => t.uid === 'simulated');
    return [...trace.y];
}"""
ANIMATION = """() => {
    const node = [...document.querySelectorAll('.lab-chart')].at(-1);
    const mean = node._fullData.find(trace => trace.uid === 'film-mean');
    const slider = document.querySelector('.lab-animation input');
    return [[...mean.y], Number(slider.value), Number(slider.max) + 1];
}"""
MARKS = """() => [...document.querySelectorAll('.lab-chart .shapelayer path')].map(
    path => path.getBoundingClientRect()).map(({x, y}) => [x, y])"""
MAPS = """() => [...document.querySelectorAll('.lab-chart')].map(
    node => [...(node._fullData?.[0].z ?? [])].flatMap(row => [...row]))"""


def visit(page: Page, server: str, query: str = "", charts: int = 2) -> None:
    """Open the page by its address and wait until its charts are drawn and the sweep is done."""
    page.goto(f"{server}/sweep?{query}")
    drawn = "count => document.querySelectorAll('.lab-chart ._fullData, .lab-chart .main-svg')"
    page.wait_for_function(f"{drawn}.length >= count", arg=charts, timeout=60_000)
    settle(page)


def choose(page: Page, box: str, option: re.Pattern[str]) -> None:
    """Pick from a list."""
    page.get_by_role("combobox", name=re.compile(box)).click()
    page.get_by_role("option", name=option).click()
    page.wait_for_timeout(300)
    settle(page)


def test_one_knob_is_turned_and_the_link_says_so(page: Page, server: str, browser: Any) -> None:
    page.goto(server)
    page.get_by_role("link", name="Sweep").click()
    page.wait_for_function("() => document.querySelector('.lab-animation')")
    settle(page)
    choose(page, "Sweep parameter", re.compile("^θ"))
    choose(page, "Quantity", re.compile("^mean of X$"))
    values = np.linspace(-3, 3, 21).round(10).tolist()
    expected = lab.sweep(lab.Scenario(), {"theta": values}, ("mean",)).curve("x", "mean").value
    page.wait_for_function(f"() => Math.abs(({CURVE})()[20] - {expected[-1]}) < 1e-4")
    np.testing.assert_allclose(page.evaluate(CURVE), expected, rtol=1e-5, atol=1e-6)
    slider = page.get_by_role("slider", name=re.compile("θ {1,2}from, to")).first
    slider.press("PageUp")
    page.wait_for_function("() => location.href.includes('sweep.theta')")
    page.wait_for_timeout(500)
    settle(page)
    link = page.evaluate("() => location.href")
    other = browser.window()
    other.goto(link)
    other.wait_for_function(f"() => document.querySelector('.lab-chart')?._fullData && ({CURVE})()")
    settle(other)
    assert other.evaluate(CURVE) == page.evaluate(CURVE)
    assert page.evaluate(CURVE)[0] != expected[0]


@pytest.mark.parametrize("look", ["", MEAN], ids=["std", "mean"])
def test_the_strokes_have_the_slope_of_the_curve(page: Page, server: str, look: str) -> None:
    """In numbers, from what is drawn: each stroke against the differences of the curve."""
    visit(page, server, f"ornstein_uhlenbeck.x0=2.0&sweep.points=51&{look}")
    drawn = page.evaluate("""() => ['simulated', 'tangents'].map(uid => {
        const {x, y} = document.querySelector('.lab-chart')._fullData.find(t => t.uid === uid);
        return [[...x], [...y].map(v => Number.isFinite(v) ? v : null)];
    })""")
    (x, y), (sx, sy) = (np.array(part, dtype=float) for part in drawn)
    starts, ends = np.arange(0, len(sx), 3), np.arange(1, len(sx), 3)
    slopes = (sy[ends] - sy[starts]) / (sx[ends] - sx[starts])
    middle = (sx[ends] + sx[starts]) / 2
    found = np.interp(middle, x, np.gradient(y, x))
    assert len(slopes) == 13
    np.testing.assert_allclose(slopes[1:-1], found[1:-1], atol=0.02)


def test_the_animation_runs_in_the_browser_alone(page: Page, server: str, browser: Any) -> None:
    visit(page, server, "sweep.points=11")
    page.evaluate("() => document.querySelectorAll('.lab-chart').forEach(n => n.kept = true)")
    before, active, frames = page.evaluate(ANIMATION)
    assert (active, frames) == (2, 11)
    # Under the hand on the sidebar's slider, animation and mark are where the answer then has them.
    during, answer = follow(page, "κ", 60, f"() => [({ANIMATION})(), ({MARKS})()]")
    assert during[0] == answer[0]
    assert during[1][0] == pytest.approx(answer[1][0], abs=0.5)
    assert 2 < answer[0][1] < 10
    curve = page.evaluate(CURVE)
    during, answer = follow(page, "Time", -120, CURVE)
    assert during == answer != curve
    before = page.evaluate(ANIMATION)[0]
    page.context.set_offline(True)
    slider = page.get_by_role("slider", name="κ", exact=True)
    slider.press("End")
    page.wait_for_function(f"() => ({ANIMATION})()[1] === 10")
    page.wait_for_function(f"before => ({ANIMATION})()[0][40] !== before", arg=before[40])
    after = page.evaluate(ANIMATION)[0]
    assert slider.get_attribute("aria-valuetext") == "5"
    page.get_by_role("button", name="Play").press("Enter")  # from the end: it starts over
    page.get_by_role("button", name="Pause").press("Enter")
    page.get_by_role("button", name="Play").wait_for()
    slider.press("End")
    page.wait_for_function(f"after => ({ANIMATION})()[0][40] === after", arg=after[40])
    page.context.set_offline(False)
    page.wait_for_timeout(300)
    handle = page.get_by_role("slider", name=re.compile("^σ"))
    handle.press("PageUp")
    page.wait_for_function(f"before => ({ANIMATION})()[0][40] !== before", arg=after[40])
    assert page.evaluate(ANIMATION)[1] == 10
    assert page.evaluate("() => [...document.querySelectorAll('.lab-chart')].every(n => n.kept)")


def test_the_animation_stands_at_the_sidebars_value_when_all_is_computed(
    page: Page, server: str
) -> None:
    """Heston's sweep comes in parts: the first frame that is there is the lowest value of μ."""
    visit(page, server, "model=heston&seed=7")
    page.wait_for_function(
        "() => document.querySelector('.lab-animation input').max === '20'", timeout=60_000
    )
    settle(page)
    assert page.evaluate(ANIMATION)[1] == 7  # of −0.5, −0.425, …: 0.025 and 0.1 are as near to 0.05


def follow(page: Page, slider: str, pixels: int, look: str) -> tuple[Any, Any]:
    """Drag a slider of the page by some pixels; what is seen before and after it is let go."""
    settle(page)
    former, (handle, x, y) = page.evaluate(look), thumb(page, slider)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + pixels, y, steps=4)
    page.wait_for_function(FOLLOWED, arg=handle.element_handle())
    changed = f"former => JSON.stringify(({look})()) !== JSON.stringify(former)"
    page.wait_for_function(changed, arg=former)
    page.wait_for_timeout(300)  # a frame may still be drawn
    seen = page.evaluate(look)
    page.mouse.up()
    page.wait_for_timeout(300)
    settle(page)
    return seen, page.evaluate(look)


def test_two_knobs_make_maps_and_a_click_opens_a_point(page: Page, server: str) -> None:
    visit(page, server, TWO + "&sweep.points=11", charts=3)
    over = {
        "kappa": np.linspace(0, 5, 11).tolist(),
        "sigma": np.linspace(0, 3, 11).round(10).tolist(),
    }
    result = lab.sweep(lab.Scenario(x0=1.5), over, ("mean",)).curve("x", "mean")
    value, exact, gap = (np.array(table, dtype=float) for table in page.evaluate(MAPS))
    np.testing.assert_allclose(value, result.value.reshape(11, 11).T.ravel(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(exact, result.exact.reshape(11, 11).T.ravel(), rtol=1e-5, atol=1e-6)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = ((result.value - result.exact) / result.error).reshape(11, 11).T.ravel()
    np.testing.assert_allclose(gap[11:], apart[11:], rtol=1e-4, atol=1e-4)
    for slider, pixels in (("κ", 60), ("σ", 30)):
        during, answer = follow(page, slider, pixels, MARKS)
        assert len(answer) == 3
        np.testing.assert_allclose(during, answer, atol=0.5)
    place = page.evaluate("""() => {
        const node = document.querySelector('.lab-chart');
        const box = node.getBoundingClientRect(), {xaxis, yaxis} = node._fullLayout;
        const [x, y] = [xaxis._offset + xaxis.l2p(3.5), yaxis._offset + yaxis.l2p(0.9)];
        return [box.left + x, box.top + y];
    }""")
    page.mouse.move(*place)
    page.wait_for_timeout(200)
    page.mouse.click(*place)
    page.wait_for_selector(".lab-figures", timeout=30_000)
    settle(page)
    assert "/sweep" not in page.evaluate("() => location.pathname")
    for name, shown in (("κ", "3.50"), ("σ", "0.90"), ("x₀", "1.5")):
        handle = page.get_by_role("slider", name=re.compile(f"^{name}"))
        assert handle.get_attribute("aria-valuetext") == shown
    assert "kappa=3.5" in page.evaluate("() => location.href")
    paths = lab.simulate(lab.Scenario(x0=1.5, parameters={"kappa": 3.5, "sigma": 0.9}))
    assert f"{float(paths.values[-1].mean()):.3f}" in page.locator(".lab-figures").inner_text()


def test_a_stop_keeps_what_is_done_and_the_rest_can_follow(page: Page, server: str) -> None:
    page.goto(f"{server}/sweep?{TWO}&sweep.points=101&samples=2%E2%80%AF000")
    page.wait_for_function(
        "() => /[1-9][0-9]* of 10,201 points/.test(document.body.innerText)", timeout=60_000
    )
    page.get_by_role("button", name="Stop here").click()
    page.get_by_role("button", name="Continue").wait_for(timeout=30_000)
    settle(page)
    done = int(re.search(r"([\d,]+) of the 10,201", page.inner_text("body"))[1].replace(",", ""))
    assert 0 < done < 10_201
    kept = f"() => ({MAPS})()[0].filter(Number.isFinite).length"
    page.wait_for_function(f"count => ({kept})() === count", arg=done)
    page.get_by_role("button", name="Download").click()
    table = pd.read_csv(io.BytesIO(take(page, "CSV")))
    assert len(table) == done
    page.keyboard.press("Escape")
    page.get_by_role("slider", name=re.compile("Grid points")).press("Home")
    page.wait_for_function(f"() => ({kept})() === 36", timeout=30_000)


def test_files_parse_and_the_program_prints_the_table(
    page: Page, server: str, browser: Any, tmp_path: Path
) -> None:
    visit(page, server, "ornstein_uhlenbeck.x0=2.0&sweep.points=6&samples=200")
    page.get_by_role("button", name="Download").click()
    table = pd.read_csv(io.BytesIO(take(page, "CSV")))
    parquet = pd.read_parquet(io.BytesIO(take(page, "Parquet")))
    pd.testing.assert_frame_equal(table, parquet, check_exact=False, rtol=1e-12)
    assert table["kappa"].unique().tolist() == [0, 1, 2, 3, 4, 5]
    assert set(table["quantity"]) == {"x", "dx_dkappa"}
    program = take(page, "Python").decode()
    printed = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(printed)), table, check_exact=True)
    offline = browser.new_context(offline=True).new_page()
    saved = tmp_path / "animation.html"
    saved.write_bytes(take(page, "HTML"))
    offline.set_content(saved.read_text(encoding="utf-8"))
    offline.wait_for_function("() => document.querySelectorAll('.main-svg').length >= 4")
    assert "Swept: κ at 6 points from 0 to 5" in offline.inner_text("body")
    drawn = (
        "() => [...document.getElementById('chart1')._fullData.find(t => t.uid === 'film-mean').y]"
    )
    before = offline.evaluate(drawn)
    offline.evaluate("() => Plotly.animate('chart1', ['5'], {frame: {redraw: false}})")
    offline.wait_for_function(
        f"before => JSON.stringify(({drawn})()) !== before", arg=json.dumps(before)
    )
    assert offline.evaluate("() => document.querySelectorAll('.slider-group').length") == 1
    # One press plays, the next pauses.
    shown = "() => document.getElementById('chart1')._fullLayout.sliders[0].active"
    offline.evaluate("() => Plotly.animate('chart1', ['1'], {frame: {redraw: false}})")
    offline.wait_for_function(f"() => ({shown})() === 1")
    button = offline.locator(".updatemenu-button")
    button.click()
    offline.wait_for_function(f"() => ({shown})() === 2")
    button.click()
    offline.wait_for_timeout(250)
    paused = offline.evaluate(shown)
    offline.wait_for_timeout(500)
    assert offline.evaluate(shown) == paused


def test_the_sidebar_stays_alive_while_a_sweep_runs(server: str, browser: Any) -> None:
    page = browser.new_context().new_page()
    page.goto(f"{server}/sweep?{TWO}&sweep.points=51&samples=2%E2%80%AF000")
    page.wait_for_function("() => /of 2,601 points/.test(document.body.innerText)", timeout=60_000)
    page.get_by_role("slider", name=re.compile("^x₀")).press("Home")
    page.wait_for_function("() => location.href.includes('x0=-3')", timeout=20_000)
    page.get_by_role("slider", name=re.compile("Grid points")).press("Home")
    page.wait_for_function(f"() => ({MAPS})()[0]?.length === 36", timeout=30_000)
    settle(page)
    expected = -3.0
    assert page.evaluate(MAPS)[0][0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("query", ["", TWO], ids=["one", "two"])
def test_it_fits_the_window(server: str, browser: Any, width: int, query: str) -> None:
    page = browser.window(viewport={"width": width, "height": 720})
    visit(page, server, query)
    overflow = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
    boxes = page.locator(".lab-chart").evaluate_all(
        "all => all.map(n => n.getBoundingClientRect())"
    )
    labels = page.get_by_role("figure").evaluate_all("all => all.map(n => n.ariaLabel)")
    assert len(labels) == len(boxes) == (3 if query else 2)
    assert all(labels)
    if width == 1280:
        assert max(box["bottom"] for box in boxes) <= 720


@pytest.mark.parametrize(
    "name", ["model", "sweep.points", "sweep.at", "ornstein_uhlenbeck.sweep.turn"]
)
def test_nonsense_in_the_link_still_makes_a_page(page: Page, server: str, name: str) -> None:
    visit(page, server, f"{name}=%3Cscript%3Enan")
    assert page.get_by_role("alert").count() == 0


def test_a_link_with_an_earlier_label_is_rewritten_to_the_present_one(
    page: Page, server: str
) -> None:
    earlier = "ornstein_uhlenbeck.sweep.and=%CF%83%20%20another%20description"
    visit(page, server, f"{earlier}&sweep.points=6")
    page.wait_for_function(
        "() => new URLSearchParams(location.search).get('ornstein_uhlenbeck.sweep.and')"
        f" === 'σ  {lab.MODELS['ornstein_uhlenbeck'].parameters[-1].description}'"
    )
    assert len(page.evaluate(MAPS)[0]) == 36
