"""The chart of first-order predictions: what is drawn, what is hidden, and what it says."""

from __future__ import annotations

import base64
import json

import numpy as np
import plotly.graph_objects as go
import pytest

import sde_lab as lab
from sde_lab.figures.first_order import INTERVAL_LABEL, first_order_chart
from sde_lab.figures.serialize import figure_to_json
from sde_lab.figures.theme import Theme
from sde_lab.lessons import LESSONS
from sde_lab.studies.first_order import SHOWN_PATHS, FirstOrderStudy, first_order_study

THEMES = [Theme(dark, projector) for dark in (False, True) for projector in (False, True)]
LESSON = LESSONS["Predict with the Jacobian"]


@pytest.fixture(scope="module")
def study() -> FirstOrderStudy:
    return first_order_study(LESSON.scenario.replace(samples=50), LESSON.columns)


def uids(figure) -> set[str]:
    return {trace["uid"] for trace in figure["data"]}


def trace(figure, uid: str):
    (found,) = [one for one in figure["data"] if one["uid"] == uid]
    return found


def on_the_wire(figure, uid: str) -> np.ndarray:
    """The y of a trace, as the browser receives it."""
    sent = json.loads(figure_to_json(figure))["data"]
    (y,) = [one["y"] for one in sent if one["uid"] == uid]
    return np.frombuffer(base64.b64decode(y["bdata"]), dtype=np.dtype(y["dtype"]))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("hidden", [True, False])
def test_the_chart_is_valid_for_plotly(study: FirstOrderStudy, hidden: bool, theme: Theme) -> None:
    figure = first_order_chart(study, hidden, theme)
    go.Figure({"data": figure["data"], "layout": figure["layout"]})
    assert len(uids(figure)) == len(figure["data"])
    assert figure["layout"]["meta"]["time"] == []


def test_hidden_are_the_simulated_curves_and_where_the_prediction_holds(
    study: FirstOrderStudy,
) -> None:
    hidden, whole = (first_order_chart(study, answer, Theme()) for answer in (True, False))
    tangents = {f"{p}-{x}" for p in LESSON.columns for x in ("tangents", "mean-tangent", "now")}
    curves = {f"{p}-{x}" for p in LESSON.columns for x in ("paths", "mean")}
    assert uids(hidden) == tangents
    assert uids(whole) == tangents | curves
    assert [shape["type"] for shape in hidden["layout"]["shapes"]] == ["line", "line"]
    assert [s["type"] for s in whole["layout"]["shapes"]] == ["line", "rect", "line", "rect"]
    for axis, symbol in (("xaxis", "κ"), ("xaxis2", "σ")):
        assert hidden["layout"][axis]["title"]["text"] == symbol
        assert hidden["layout"][axis]["range"] == whole["layout"][axis]["range"]
    assert hidden["layout"]["yaxis"] == whole["layout"]["yaxis"]


def test_curves_tangents_and_interval_are_those_of_the_study(study: FirstOrderStudy) -> None:
    figure = first_order_chart(study, False, Theme())
    rects = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "rect"]
    for prediction, rect, axis in zip(study.predictions, rects, ("", "2"), strict=True):
        name, at = prediction.parameter.name, prediction.index
        curves = on_the_wire(figure, f"{name}-paths").reshape(SHOWN_PATHS, -1)
        np.testing.assert_allclose(curves[:, :-1].T, prediction.paths, rtol=1e-6)
        assert np.isnan(curves[:, -1]).all()
        np.testing.assert_allclose(
            on_the_wire(figure, f"{name}-now"), prediction.paths[at], rtol=1e-6
        )
        ends = on_the_wire(figure, f"{name}-mean-tangent")
        np.testing.assert_allclose(ends, prediction.predicted_mean[[0, -1]], rtol=1e-6)
        assert (rect["x0"], rect["x1"]) == prediction.interval
        assert rect["xref"] == f"x{axis}"
        assert all(one["xaxis"] == f"x{axis}" for one in figure["data"] if name in one["uid"])
    low, high = figure["layout"]["yaxis"]["range"]
    every = np.stack([prediction.paths for prediction in study.predictions[:1]])
    assert low < every.min() < every.max() < high


@pytest.mark.parametrize("theme", THEMES)
def test_simulated_is_solid_and_predicted_dashed_in_the_colour_of_the_parameter(
    study: FirstOrderStudy, theme: Theme
) -> None:
    figure = first_order_chart(study, False, theme)
    model = study.scenario.model_spec
    for name, axis in (("kappa", "xaxis"), ("sigma", "xaxis2")):
        colour = theme.parameter_colour(name, model)
        mean, tangent = trace(figure, f"{name}-mean"), trace(figure, f"{name}-mean-tangent")
        assert mean["line"] == {
            "color": theme.state,
            "width": 1.5 * theme.line,
            "dash": "solid",
            "simplify": False,
        }
        assert (tangent["line"]["color"], tangent["line"]["dash"]) == (colour, theme.dashed)
        for thick, thin in (("mean", "paths"), ("mean-tangent", "tangents")):
            widths = [trace(figure, f"{name}-{one}")["line"]["width"] for one in (thick, thin)]
            assert widths[0] > 2 * widths[1]
        assert figure["layout"][axis]["title"]["font"]["color"] == colour


def test_the_legend_names_each_kind_of_line_once(study: FirstOrderStudy) -> None:
    for hidden, expected in ((True, ["predicted"]), (False, ["simulated", "predicted"])):
        figure = first_order_chart(study, hidden, Theme())
        assert [one["name"] for one in figure["data"] if one["showlegend"]] == expected
        named = [s["name"] for s in figure["layout"]["shapes"] if s.get("showlegend")]
        assert named == ([] if hidden else [INTERVAL_LABEL])


def test_the_axis_tells_the_interval_in_words(study: FirstOrderStudy) -> None:
    layout = first_order_chart(study, False, Theme())["layout"]
    low, high = study.predictions[0].interval
    assert layout["xaxis"]["title"]["text"] == f"{low:.2f} ≤ κ ≤ {high:.2f}"
    assert layout["xaxis2"]["title"]["text"] == "0 ≤ σ ≤ 3"
    around_zero = first_order_study(LESSON.scenario.replace(samples=50), ["theta"])
    title = first_order_chart(around_zero, False, Theme())["layout"]["xaxis"]["title"]["text"]
    assert title == "−3 ≤ θ ≤ 3"


def test_without_a_spread_nothing_is_shaded() -> None:
    calm = first_order_study(LESSON.scenario.replace(parameters={"sigma": 0.0}), LESSON.columns)
    figure = first_order_chart(calm, False, Theme())
    assert all(shape["x0"] == shape["x1"] for shape in figure["layout"]["shapes"])
    assert not any(shape.get("showlegend") for shape in figure["layout"]["shapes"])
    assert figure["layout"]["xaxis"]["title"]["text"] == "κ"


def test_one_parameter_takes_the_whole_width() -> None:
    scenario = lab.Scenario("geometric_brownian_motion", samples=20)
    figure = first_order_chart(first_order_study(scenario, LESSON.columns), False, Theme())
    assert figure["layout"]["xaxis"]["domain"] == [0.0, 1.0]
    assert "xaxis2" not in figure["layout"]
    assert figure["layout"]["yaxis"]["title"]["text"] == "X at t = 1"


def test_an_unstable_end_of_the_slider_does_not_flatten_the_rest() -> None:
    """1 − κΔ is below −1 for κ > 4, and the last fifth of the slider is of the order of 10¹⁶."""
    scenario = lab.Scenario(x0=1.0, horizon=50.0, steps=100, samples=10)
    found = first_order_study(scenario, ["kappa"])
    paths, values = found.predictions[0].paths, found.predictions[0].values
    assert np.abs(paths[-1]).max() > 1e15
    low, high = first_order_chart(found, False, Theme())["layout"]["yaxis"]["range"]
    stable = paths[(values > 0.5) & (values < 3.5)]
    assert low < stable.min() < stable.max() < high
    assert high - low < 10 * np.ptp(stable)


def test_paths_that_diverge_are_gaps_of_a_finite_range() -> None:
    scenario = lab.Scenario(x0=1.0, horizon=100.0, steps=100, samples=10)
    found = first_order_study(scenario, ["kappa"])
    assert np.isnan(found.predictions[0].paths).any()
    figure = first_order_chart(found, False, Theme())
    assert np.isfinite(figure["layout"]["yaxis"]["range"]).all()
    json.loads(figure_to_json(figure))


def test_the_text_alternative_names_what_is_drawn() -> None:
    text = LESSON.figure.alt_text
    for word in ("κ", "σ", "predicted", "dashed", "simulated", "solid", "mean"):
        assert word in text
