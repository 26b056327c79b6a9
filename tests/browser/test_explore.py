"""The page in a real browser: what only a browser can show."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from typing import Any

import pandas as pd
import pytest

from tests.support.browser import CHARTS, DRAWN, numbers, press, settle, take, visit
from tests.support.server import ROOT

playwright = pytest.importorskip("playwright.sync_api")
Page = Any


def test_a_slider_changes_both_charts_in_place(page: Page, server: str) -> None:
    visit(page, server)
    page.evaluate("() => document.querySelectorAll('.lab-chart').forEach(n => n.kept = true)")
    before = page.evaluate(CHARTS)
    press(page, "κ", "ArrowRight", 6)
    after = page.evaluate(CHARTS)
    assert len(before) == len(after) == 2
    assert before[0] != after[0]
    assert before[1] != after[1]
    kept = "() => [...document.querySelectorAll('.lab-chart')].every(n => n.kept)"
    assert page.evaluate(kept)


def test_nothing_flashes_while_a_slider_moves(page: Page, server: str) -> None:
    visit(page, server)
    page.evaluate("""() => {
        window.blank = 0;
        const look = () => {
            for (const plot of document.querySelectorAll('.lab-chart')) {
                if (!plot.querySelector('.main-svg .scatterlayer path')) window.blank += 1;
            }
            if (document.querySelectorAll('.lab-chart').length < 2) window.blank += 1;
            requestAnimationFrame(look);
        };
        look();
    }""")
    press(page, "κ", "ArrowRight", 3)
    press(page, "σ", "ArrowLeft", 3)
    assert page.evaluate("() => window.blank") == 0


def test_zoom_survives_a_slider_and_links_the_time_axes(page: Page, server: str) -> None:
    visit(page, server)
    page.evaluate("""() => {
        const fan = document.querySelectorAll('.lab-chart')[0];
        return window.Plotly.relayout(fan, {'xaxis.range[0]': 0.25, 'xaxis.range[1]': 0.75});
    }""")
    ranges = """() => [...document.querySelectorAll('.lab-chart')].map(
        node => node._fullLayout.xaxis.range.map(v => Math.round(v * 100) / 100))"""
    page.wait_for_function(f"() => JSON.stringify(({ranges})()) === '[[0.25,0.75],[0.25,0.75]]'")
    press(page, "κ", "ArrowRight", 3)
    assert page.evaluate(ranges) == [[0.25, 0.75], [0.25, 0.75]]


def test_the_link_shows_the_same_numbers_in_another_browser(
    page: Page, server: str, browser: Any
) -> None:
    visit(page, server)
    press(page, "κ", "ArrowRight", 5)
    press(page, "σ", "ArrowLeft", 4)
    press(page, "Time cursor", "PageDown", 2)
    link = page.evaluate("() => location.href")
    assert "kappa" in link
    other = browser.window()
    other.goto(link)
    other.wait_for_function(DRAWN, timeout=60_000)
    settle(other)
    assert numbers(other) == numbers(page)
    assert other.evaluate(CHARTS) == page.evaluate(CHARTS)


def test_two_sessions_do_not_disturb_each_other(page: Page, server: str, browser: Any) -> None:
    visit(page, server)
    before = numbers(page)
    other = browser.window()
    visit(other, server)
    press(other, "κ", "End")
    assert numbers(page) == before
    assert numbers(other) != before


def test_keyboard_reaches_every_slider_end(page: Page, server: str) -> None:
    visit(page, server)
    for name in ("κ", "θ", "σ", "x₀"):
        press(page, f"^{name}", "End")
        press(page, f"^{name}", "Home")
    assert page.get_by_role("alert").count() == 0


def test_the_theme_follows_the_system_at_once(server: str, browser: Any) -> None:
    """Streamlit runs no script when the theme changes: charts stayed black on black."""
    page = browser.window(color_scheme="light")
    visit(page, server)
    ink = "() => parseInt(document.querySelector('.lab-chart').layout.font.color.slice(1, 3), 16)"
    for scheme in ("light", "dark", "light"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"() => ({ink})() < 128 === {str(scheme == 'light').lower()}")
        ground = page.evaluate(
            "() => getComputedStyle(document.querySelector('.stApp')).backgroundColor"
        )
        brightness = sum(int(v) for v in re.findall(r"\d+", ground)[:3]) / 3
        assert (brightness > 128) == (scheme == "light")


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_nothing_is_wider_than_the_window(server: str, browser: Any, width: int) -> None:
    page = browser.window(viewport={"width": width, "height": 720})
    visit(page, server)
    overflow = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0


def test_downloads_parse_and_the_program_prints_the_same_numbers(page: Page, server: str) -> None:
    visit(page, server, "ornstein_uhlenbeck.kappa=2.0&samples=500")
    page.get_by_role("button", name="Download").click()
    table = pd.read_csv(io.BytesIO(take(page, "CSV")))
    parquet = pd.read_parquet(io.BytesIO(take(page, "Parquet")))
    pd.testing.assert_frame_equal(table, parquet, check_exact=False, rtol=1e-12)
    text = take(page, "HTML").decode()
    assert "Plotly.newPlot" in text
    assert "Ornstein" in text
    program = take(page, "Python").decode()
    printed = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    end = table[table["time"] == table["time"].max()].set_index("quantity")
    for quantity in ("x", "dx_dkappa"):
        value = float(end.loc[quantity, "mean"])
        assert any(
            abs(float(found) - value) <= 2e-4 * max(1.0, abs(value))
            for found in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", printed)
        ), (quantity, value, printed)


def test_a_chart_has_a_text_alternative(page: Page, server: str) -> None:
    visit(page, server)
    labels = page.get_by_role("figure").evaluate_all("all => all.map(n => n.ariaLabel)")
    assert any("Fan chart" in (label or "") for label in labels)
    assert any("parameter" in (label or "") for label in labels)


def test_phase_portrait_of_a_two_dimensional_model(page: Page, server: str) -> None:
    visit(page, server, "model=Lotka%E2%80%93Volterra")
    page.get_by_role("radio", name="phase portrait").click()
    settle(page)
    titles = page.evaluate("""() => {
        const layout = document.querySelector('.lab-chart').layout;
        return JSON.stringify([layout.xaxis.title, layout.yaxis.title]);
    }""")
    names = json.loads(titles)
    assert "prey" in json.dumps(names)
    assert "predator" in json.dumps(names)


def test_a_pinned_run_stays_as_a_grey_ghost(page: Page, server: str) -> None:
    visit(page, server, "samples=100")
    page.get_by_role("button", name="Pin", exact=True).click()
    page.get_by_role("button", name="Unpin").wait_for()
    settle(page)
    press(page, "κ", "End")
    ghosts = """() => [...document.querySelectorAll('.lab-chart')].map(
        node => node.data.filter(trace => /pinned/.test(trace.uid ?? '')).length)"""
    assert all(count > 0 for count in page.evaluate(ghosts))
    page.get_by_role("button", name="Unpin").click()
    page.wait_for_function(f"() => ({ghosts})().every(count => count === 0)")


def test_a_long_run_can_be_stopped_and_keeps_what_it_has(page: Page, server: str) -> None:
    visit(page, server)
    page.goto(f"{server}/?steps=3200&samples=100%E2%80%AF000&scheme=Heun%20%C2%B7%20Stratonovich")
    page.get_by_role("progressbar").wait_for(timeout=60_000)
    page.wait_for_function("() => /samples, about/.test(document.body.innerText)", timeout=60_000)
    page.get_by_role("button", name="Stop here").click()
    page.wait_for_function(DRAWN, timeout=60_000)
    settle(page)
    assert page.get_by_role("progressbar").count() == 0
    assert "±" in numbers(page)
    assert page.get_by_text("of the 100,000 samples asked for").count() == 1


def test_the_cursor_moves_the_law_and_the_figures(page: Page, server: str) -> None:
    visit(page, server)
    law = "() => document.querySelector('.lab-chart').layout.annotations[0].text"
    assert page.evaluate(law) == "density of X<sub>t</sub> at t = 1"
    press(page, "Time cursor", "Home")
    assert page.evaluate(law) == "density of X<sub>t</sub> at t = 0"
    assert "cursor=0" in page.evaluate("() => location.href")
