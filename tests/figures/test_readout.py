"""The readout: how estimates, their errors and their differences from exact values are written."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import sde_lab as lab
from sde_lab.figures.fan_chart import fan_chart
from sde_lab.figures.readout import (
    EXACT_Z_TOOLTIP,
    Z_TOOLTIP,
    ReadoutRow,
    readout_html,
    rows_at_cursor,
)
from sde_lab.figures.theme import Theme
from sde_lab.lessons import LESSONS
from sde_lab.summaries.chunked_run import simulate_summary
from sde_lab.theory.exact_laws import exact_laws
from tests.support.app_pages import opened, readout_of, widget


@pytest.mark.parametrize(
    ("value", "error", "exact", "text"),
    [
        (0.15, 0.1, 0.0, "exact 0, z = 1.5"),
        (-0.15, 0.1, 0.0, "exact 0, z = −1.5"),
        (-0.001, 0.1, 0.0, "exact 0, z = 0.0"),
        (0.3702, 0.0031, 0.3679, "exact 0.3679, z = 0.7"),
        (1.0, 0.0, 1.0, "exact 1"),
        (1.25, 0.0, 1.0, "exact 1, Δ = 0.25"),
        (1.0, math.nan, 0.5, "exact 0.5, too few effective samples"),
        (1.0, math.nan, math.nan, "too few effective samples"),
        (1.5, 0.1, 1.0, "exact 1, z = 5.0: step bias"),
        (0.1, 0.02, 1.908e-17, "exact 0, z = 5.0: step bias"),
        (0.0, 0.0, 1e-20, "exact 1e-20"),
        (1.0, 0.1, math.nan, ""),
        (math.nan, 0.1, 1.0, ""),
    ],
)
def test_a_difference_is_given_in_standard_errors(
    value: float, error: float, exact: float, text: str
) -> None:
    row = ReadoutRow("mean", None, value, error, exact)
    assert row.comparison == text
    assert (Z_TOOLTIP in readout_html([row], Theme())) == ("z = " in text)


def test_z_is_the_difference_over_the_standard_error() -> None:
    scenario = lab.Scenario(samples=400, steps=50)
    summary = simulate_summary(scenario)
    rows = rows_at_cursor(summary, exact_laws(scenario), 0, 50)
    assert [row.name for row in rows[:2]] == ["mean", "standard deviation"]
    found = [re.search(r"z = (−?\d+\.\d)", row.comparison) for row in rows]
    assert sum(match is not None for match in found) >= 4
    for row, match in zip(rows, found, strict=True):
        if match is not None:
            z = float(match[1].replace("−", "-"))
            assert z == pytest.approx((row.value - row.exact) / row.error, abs=0.051)


def test_where_paths_diverge_medians_and_their_share_stand_in_for_moments() -> None:
    scenario = lab.Scenario("logistic_growth", parameters={"sigma": 1.5}, horizon=10.0, samples=400)
    summary = simulate_summary(scenario)
    assert 0 < summary.exploded < 200
    rows = rows_at_cursor(summary, None, 0, 100)
    assert [row.name for row in rows[:2]] == ["median of finite paths", "diverged"]
    assert rows[0].text == f"{summary.states[0].quantiles[2, -1]:.4g}"
    assert rows[1].text == f"{100 * summary.exploded / 400:.2g} % of paths"
    assert all(row.name.startswith("median of ∂X/∂") for row in rows[2:])
    assert not any("±" in row.text or row.comparison or row.biased for row in rows)
    figure = fan_chart(summary, 0, None, None, 100, Theme())
    low, high = figure["layout"]["yaxis"]["range"]
    assert -10.0 < low < high < 50.0
    (histogram,) = [t for t in figure["data"] if t["uid"] == "histogram"]
    assert np.isnan(histogram["x"]).all()
    assert len(histogram["x"])  # without points Plotly gives its axis no place


def test_the_exact_law_gives_the_error_that_too_few_samples_cannot() -> None:
    """The first lesson on interpretations: kurtosis 3950 of the state, with 5000 samples."""
    scenario = LESSONS["Itô or Stratonovich"].scenario
    summary = simulate_summary(scenario)
    hidden = rows_at_cursor(summary, None, 0, len(summary.times) - 1)
    assert [row.comparison for row in hidden[:2]] == ["too few effective samples"] * 2
    exact = exact_laws(scenario, times=summary.times)
    mean, std = rows_at_cursor(summary, exact, 0, len(summary.times) - 1)[:2]
    assert mean.error == pytest.approx(math.sqrt(math.expm1(2.0) / 5000), rel=1e-6)
    assert abs(mean.z) < 3.0
    assert not mean.biased
    w = math.exp(2.0)
    kurtosis = w**4 + 2 * w**3 + 3 * w**2 - 3
    error = math.sqrt(math.expm1(2.0) * (kurtosis - 4997 / 4999) / 5000) / 2
    assert std.error == pytest.approx(error, rel=1e-6)
    assert mean.tooltip == EXACT_Z_TOOLTIP


def test_the_time_of_the_cursor_is_written_above_its_slider() -> None:
    app = opened(samples=20, steps=25, ornstein_uhlenbeck__horizon=2, cursor=50)
    # Halfway lies between two steps of 0.08: the figures are those of the first of the two.
    assert "t = 0.96" in [text.value for text in app.markdown]
    widget(app, "cursor").set_value(100).run()
    assert "t = 2" in [text.value for text in app.markdown]
    assert "standard deviation" in readout_of(app)
