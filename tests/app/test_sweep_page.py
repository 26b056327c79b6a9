"""The sweep page without a browser, its figures, its program, and the cluster it may use."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

import sde_lab as lab
from sde_lab import export
from sde_lab.app.components import slider_frames
from sde_lab.app.jobs.sweep_job import SLOT, SweepJob
from sde_lab.app.pages.sweep import LAST_SWEEP
from sde_lab.app.state.options import CUSTOM_MODEL_LABEL
from sde_lab.equations.examples import EXAMPLES, Example
from sde_lab.figures.serialize import figure_to_json
from sde_lab.figures.sweep_animation import (
    AnimationData,
    nearest_frame,
    sweep_animation,
    with_controls,
)
from sde_lab.figures.sweep_axis import SweepAxis
from sde_lab.figures.sweep_curve import SweepCurveData, sweep_curve
from sde_lab.figures.sweep_heatmaps import sweep_heatmaps
from sde_lab.figures.theme import Theme
from sde_lab.schemes import fitting_schemes
from sde_lab.sweeps import SweepRun
from tests.support.app_pages import APP

ROOT = Path(__file__).parents[2]
THEMES = [Theme(dark, projector) for dark in (False, True) for projector in (False, True)]
KAPPA = SweepAxis("kappa", "κ", (0.0, 0.5, 1.0, 1.5), colour_index=1)
SCHEME = SweepAxis(
    "scheme", "scheme", ("euler", "milstein_grad_free", "srk", "heun"), categorical=True
)


def opened(**query: Any) -> AppTest:
    """The page, with this in the address bar."""
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in query.items():
        app.query_params[name.replace("__", ".")] = str(value)
    app.run()
    return app.switch_page("sweep.py").run()


def widget(app: AppTest, key: str) -> Any:
    kinds = ("slider", "select_slider", "selectbox", "button")
    found = [w for kind in kinds for w in getattr(app, kind) if w.key == key]
    assert len(found) == 1, key
    return found[0]


def shown(app: AppTest) -> lab.SweepResult:
    assert not app.exception
    result: lab.SweepResult = app.session_state[LAST_SWEEP][1]
    return result


def test_the_default_sweep_is_what_the_library_computes() -> None:
    result = shown(opened())
    values = np.linspace(0, 5, 21).tolist()
    measures = ("mean", "std", "q05", "q25", "q50", "q75", "q95", "std slope")
    expected = lab.sweep(lab.Scenario(), {"kappa": values}, measures, ("kappa",), times=40)
    pd.testing.assert_frame_equal(result.table(), expected.table(), check_exact=True)


def test_the_sidebar_says_which_engine_computed_the_sweep() -> None:
    app = opened(samples=20, steps=25, engine="torchsde")
    assert shown(app).engine == "torchsde"
    assert any("Computed by torchsde: `sdeint` and tangents" in one.value for one in app.caption)
    result = replace(shown(app), engine="torchsde, compiled", engine_difference=3.2e-7)
    with mock.patch.object(SweepRun, "result", return_value=result):
        app.run()
    assert not app.exception
    (note,) = [one.value for one in app.caption if one.value.startswith("Computed by")]
    assert "Computed by: torchsde, compiled." in note
    assert "by 3.2e-07, relative" in note


@pytest.mark.parametrize("model", lab.MODELS)
def test_every_model_turns_everything(model: str) -> None:
    app = opened(model=lab.MODELS[model].title, samples=20, steps=25, sweep__points=6)
    box = widget(app, f"{model}.sweep.turn")
    columns = lab.MODELS[model].jacobian_columns
    assert len(box.options) == len(columns) + 4
    for name in (*columns, "horizon", "steps", "samples", "scheme"):
        widget(app, f"{model}.sweep.turn").set_value(name).run()
        assert not app.error
        assert shown(app).grid.names == (name,)
        assert shown(app).done.all()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_every_example_of_the_gallery_turns_everything(example: Example) -> None:
    query = {"model": CUSTOM_MODEL_LABEL, "equation": example.text}
    app = opened(**query, samples=5, steps=25, sweep__points=6)
    model = lab.parse_sde(example.text)
    key = f"{model.slug}.sweep.turn"
    for name in (*model.jacobian_columns, "horizon", "steps", "samples", "scheme"):
        widget(app, key).set_value(name).run()
        assert not app.error
        assert shown(app).grid.names == (name,)
        assert shown(app).done.all()
    turned = [point[0] for point in shown(app).grid.points]
    assert turned == list(fitting_schemes(model))


@pytest.mark.parametrize("model", ["ornstein_uhlenbeck", "heston", "double_well"])
def test_every_measure_can_be_looked_at(model: str) -> None:
    app = opened(model=lab.MODELS[model].title, samples=20, steps=25, sweep__points=6)
    second = lab.MODELS[model].parameters[1].name
    for other in ("nothing else", second):
        widget(app, f"{model}.sweep.and").set_value(other).run()
        for place in range(len(lab.MODELS[model].components)):
            for look in ("mean", "q05", *lab.MODELS[model].jacobian_columns):
                widget(app, f"{model}.sweep.look").set_value(f"{place}.{look}").run()
                assert not app.error
                assert shown(app).done.all()


def test_what_does_not_fit_is_refused_and_the_last_answer_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = opened(samples=100)
    before = shown(app)
    monkeypatch.setenv("SDE_LAB_MEMORY_GB", "0.001")
    widget(app, "samples").set_value(100_000).run()
    assert shown(app) is before
    assert "fit" in app.error[0].value


def test_exploded_paths_are_said() -> None:
    app = opened(model="Double well", steps=25, double_well__horizon=20, samples=200)
    assert "diverged" in app.warning[0].value
    assert "left out at" in app.warning[0].value


def test_a_halted_sweep_keeps_its_points_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sde_lab.sweeps.batching.MAX_BLOCK_POINTS", 2)
    app = opened(samples=50)
    step = SweepJob.step

    def stops_at_two(job: SweepJob) -> SweepRun | None:
        result = step(job)
        if len(job.run.plan.grid.points) == 6 and job.run.done >= 2:
            job.pause()
        return result

    monkeypatch.setattr(SweepJob, "step", stops_at_two)
    widget(app, "sweep.points").set_value(6).run()
    part = shown(app)
    assert 0 < part.done.sum() < 6
    assert any("are done and shown" in info.value for info in app.info)
    monkeypatch.undo()
    widget(app, "sweep.go_on").click().run()
    whole = lab.sweep(**app.session_state[LAST_SWEEP][0].sweep_kwargs)
    np.testing.assert_array_equal(shown(app).value, whole.value)


def test_moving_what_is_turned_asks_for_nothing_new() -> None:
    app = opened(samples=50)
    before = app.session_state[SLOT].run
    widget(app, "ornstein_uhlenbeck.kappa").set_value(3.0).run()
    assert app.session_state[SLOT].run is before
    widget(app, "ornstein_uhlenbeck.sigma").set_value(2.0).run()
    assert app.session_state[SLOT].run is not before
    again = opened(samples=50, ornstein_uhlenbeck__kappa=2.0)
    assert again.session_state[SLOT].run is before


def test_a_cluster_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("sde_lab.server.dask_cluster.CONNECT_TIMEOUT", "0.2s")
    monkeypatch.setenv("SDE_LAB_DASK", "tcp://127.0.0.1:9")
    app = opened(samples=50, seed=71)  # of a sweep that is known already, a cluster is not asked
    assert not app.exception
    assert "SDE_LAB_DASK" in app.error[0].value
    assert "no Dask scheduler answers there" in app.error[0].value
    monkeypatch.setenv("SDE_LAB_DASK", "nonsense://x")
    assert "SDE_LAB_DASK" in opened(samples=50, seed=72).error[0].value


def test_without_the_package_a_cluster_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDE_LAB_DASK", "tcp://127.0.0.1:8")
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "pip install distributed" in opened(samples=50, seed=73).error[0].value


def measured(points: int, *, known: bool = True) -> SweepCurveData:
    value = np.linspace(1.0, 2.0, points)
    exact = value + 0.01 if known else np.full(points, np.nan)
    error = np.full(points, 0.05)
    return SweepCurveData(
        "mean of X",
        "#0072b2",
        value,
        error,
        exact,
        np.full(points, 2.0),
        np.full(points, 0.1),
        "scene",
    )


def fans(points: int = 4, *, known: bool = True, times: int = 5) -> AnimationData:
    shape = (points, times)
    mean = np.arange(points)[:, None] + np.linspace(0, 1, times)
    edges = np.stack([mean - 2, mean - 1, mean + 1, mean + 2])
    hole = np.full(shape, np.nan)
    exact, exact_edges = (mean, edges) if known else (hole, np.stack([hole] * 4))
    return AnimationData(
        "x",
        np.tile(np.linspace(0, 1, times), (points, 1)),
        mean,
        edges,
        exact,
        exact_edges,
        "scene",
        np.zeros(points, dtype=bool),
    )


@pytest.mark.parametrize("theme", THEMES, ids=repr)
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("dial", [KAPPA, SCHEME], ids=["numbers", "names"])
def test_figures_are_valid_and_exact_is_dashed(theme: Theme, known: bool, dial: SweepAxis) -> None:
    now = 1.0 if dial is KAPPA else "srk"
    figures = [
        sweep_curve(dial, measured(4, known=known), now, theme),
        sweep_animation(dial, fans(known=known), now, theme),
        *sweep_heatmaps(dial, KAPPA, measured(16, known=known), (now, 0.7), theme),
    ]
    assert len(figures) == (5 if known else 4)
    for figure in figures:
        assert go.Figure(figure).data
        json.loads(figure_to_json(figure))
        uids = [trace["uid"] for trace in figure["data"]]
        assert len(set(uids)) == len(uids)
        for trace in figure["data"]:
            if trace["type"] == "scatter" and "exact" in trace["uid"]:
                assert trace["line"]["dash"] == theme.dashed
    exact = [t["uid"] for f in figures[:2] for t in f["data"] if "exact" in t["uid"]]
    assert exact == (["exact", "film-exact"] if known else [])


def test_strokes_pass_through_their_points_with_their_slopes() -> None:
    figure = sweep_curve(KAPPA, measured(4), 1.0, Theme())
    (strokes,) = (trace for trace in figure["data"] if trace["uid"] == "tangents")
    x, y = strokes["x"].reshape(4, 3), strokes["y"].reshape(4, 3)
    np.testing.assert_allclose((x[:, 0] + x[:, 1]) / 2, KAPPA.positions, atol=1e-6)
    np.testing.assert_allclose((y[:, 0] + y[:, 1]) / 2, measured(4).value, rtol=1e-6)
    np.testing.assert_allclose((y[:, 1] - y[:, 0]) / (x[:, 1] - x[:, 0]), 2.0, rtol=1e-5)
    assert all(later[0] > earlier[1] for earlier, later in pairwise(x))
    assert strokes["line"]["color"] == Theme().series_colour(1)
    names = sweep_curve(SCHEME, measured(4), "srk", Theme())["data"]
    assert not [trace for trace in names if trace["uid"] == "tangents"]
    assert names[0]["mode"] == "markers"


def test_an_error_that_cannot_be_stated_is_said_in_words_and_its_tangent_is_faint() -> None:
    known = measured(4)
    few = np.array([False, True, False, True])
    error = np.where(few, np.nan, known.error)
    doubtful = replace(known, error=error, slope_error=np.where(few, np.nan, 0.1))
    data = {t["uid"]: t for t in sweep_curve(KAPPA, doubtful, 1.0, Theme())["data"]}
    said = ["too few effective samples" in text for text in data["simulated"]["hovertemplate"]]
    assert said == few.tolist()
    assert [" ± " in text for text in data["simulated"]["hovertemplate"]] == (~few).tolist()
    # a gap in the area of errors, not a straight line across what is not known
    assert np.isnan(data["error"]["y"]).sum() == 1
    assert len(data["tangents"]["x"]) == len(data["tangents-few"]["x"]) == 2 * 3
    assert data["tangents-few"]["opacity"] < data["tangents"]["opacity"]
    assert data["tangents-few"]["line"]["dash"] == Theme().dotted
    reach = data["tangent-errors"]["y"].reshape(2, 6)
    half = (data["tangents"]["x"][1] - data["tangents"]["x"][0]) / 2
    np.testing.assert_allclose(reach[:, 1] - reach[:, 2], 2 * 2 * 0.1 * half, rtol=1e-4)
    maps = sweep_heatmaps(KAPPA, SweepAxis("sigma", "σ", (1.0,)), doubtful, (1.0, 1.0), Theme())
    for figure in maps:
        (texts,) = figure["data"][0]["hovertemplate"]
        assert ["too few effective samples" in text for text in texts] == few.tolist()


def test_axes_follow_the_points_whose_paths_do_not_diverge() -> None:
    driven = fans(known=False)
    driven.quantiles[:, 3] *= 1e30
    plain = sweep_animation(KAPPA, fans(), 1.0, Theme())["layout"]["yaxis"]["range"]
    for diverged in (False, True):
        marked = replace(driven, diverged=np.array([False, False, False, diverged]))
        found = sweep_animation(KAPPA, marked, 1.0, Theme())["layout"]["yaxis"]["range"]
        assert found[1] <= plain[1]
    curve = measured(4)
    curve.value[3] = 1e30
    high = sweep_curve(KAPPA, curve, 1.0, Theme())["layout"]["yaxis"]["range"][1]
    assert high < 4.0


def test_the_animation_starts_where_the_sidebar_stands_and_skips_what_is_not_done() -> None:
    whole = sweep_animation(KAPPA, fans(), 1.1, Theme())
    assert [frame["name"] for frame in whole["frames"]] == ["0", "0.5", "1", "1.5"]
    animation = whole["layout"]["meta"]["animation"]
    assert (animation["names"], animation["start"], animation["now"]) == (
        ["0", "0.5", "1", "1.5"],
        2,
        1.1,
    )
    mean = whole["data"][2]["y"]
    np.testing.assert_array_equal(mean, whole["frames"][2]["data"][2]["y"])
    part = fans()
    part.mean[1:] = np.nan
    part.quantiles[:, 1:] = np.nan
    figure = sweep_animation(KAPPA, part, 1.1, Theme())
    assert [frame["name"] for frame in figure["frames"]] == ["0"]
    assert nearest_frame(KAPPA, part, 1.5) == "0"
    part.mean[:] = part.quantiles[:] = np.nan
    assert go.Figure(sweep_animation(KAPPA, part, 1.1, Theme())).data


@pytest.mark.parametrize(
    ("value", "name"), [(-3.0, "0"), (0.74, "0.5"), (1.3, "1.5"), (7.0, "1.5"), (0.0, "0")]
)
def test_the_frame_under_the_hand_is_the_one_that_the_page_then_starts_at(
    value: float, name: str
) -> None:
    assert nearest_frame(KAPPA, fans(), value) == name
    animation = sweep_animation(KAPPA, fans(), value, Theme())["layout"]["meta"]["animation"]
    assert animation["names"][animation["start"]] == name


def test_a_file_has_controls_of_plotly_and_the_first_press_plays() -> None:
    figure = with_controls(sweep_animation(KAPPA, fans(), 1.1, Theme()), Theme())
    assert go.Figure({**figure, "frames": []}).layout.sliders[0].active == 2
    (player,) = figure["layout"]["updatemenus"]
    assert player["active"] == -1
    assert player["buttons"][0]["args"][0] == ["0", "0.5", "1", "1.5"]


def test_the_curve_has_a_frame_for_each_time_and_moves_only_what_differs() -> None:
    early, late = measured(4, known=False), replace(measured(4), value=np.arange(4.0))
    figure = sweep_curve(KAPPA, late, 1.0, Theme(), [early, late])
    uids = [trace["uid"] for trace in figure["data"]]
    assert {"error", "simulated", "exact", "tangents"} <= set(uids)
    first, last = (dict(zip(uids, frame["data"], strict=True)) for frame in figure["frames"])
    np.testing.assert_allclose(first["simulated"]["y"], early.value, rtol=1e-6)
    assert np.isnan(first["exact"]["y"]).all()
    assert set(first["simulated"]) == {"y"}
    for trace in figure["data"]:
        for key, values in last[trace["uid"]].items():
            np.testing.assert_array_equal(values, trace[key])
    assert figure["layout"]["meta"]["ranges"][1] == figure["layout"]["yaxis"]["range"]


def test_the_mark_of_the_current_value_is_there_beyond_the_axis_too() -> None:
    """So that it can be moved in; a name that is not listed has no place."""
    for now in (1.0, 9.0):
        (mark,) = sweep_curve(KAPPA, measured(4), now, Theme())["layout"]["shapes"]
        assert mark["x0"] == now
    assert not sweep_curve(SCHEME, measured(4), "other", Theme())["layout"]["shapes"]


def test_what_charts_show_at_each_value_of_a_slider_is_told_to_the_browser(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mounted: dict[str, Any] = {}
    monkeypatch.setattr(slider_frames, "_mount", lambda **given: mounted.update(given["data"]))
    slider_frames.draw_known_frames(
        lab.Scenario().model_spec,
        "sweep.at",
        {"sigma": 1.5, "cursor": 40},
        lambda name, value: {"map": {"y": value}} if name == "sigma" else {"curve": {"frame": "7"}},
    )
    assert mounted["token"] == ""
    moving = {one["class"]: one for one in mounted["sliders"] if one["frames"]}
    sigma, time = moving["st-key-ornstein_uhlenbeck-sigma"], moving["st-key-sweep-at"]
    assert len(moving) == 2 < len(mounted["sliders"])
    assert sigma["value"] == pytest.approx(1.5)
    assert len(sigma["frames"]["map"]["y"]) == sigma["count"]
    assert time["value"] == 40
    assert time["frames"] == {"curve": {"frame": ["7"] * 101}}


def test_maps_are_laid_out_as_the_grid_runs() -> None:
    across, up = SweepAxis("kappa", "κ", (0.0, 1.0)), SweepAxis("sigma", "σ", (0.0, 1.0, 2.0))
    value, exact, gap = sweep_heatmaps(across, up, measured(6), (0.5, 9.0), Theme())
    np.testing.assert_allclose(value["data"][0]["z"], measured(6).value.reshape(2, 3).T)
    np.testing.assert_allclose(gap["data"][0]["z"], -0.2, atol=1e-6)
    assert value["data"][0]["zmax"] == exact["data"][0]["zmax"]
    assert value["layout"]["meta"]["clicks"]
    (ring,) = value["layout"]["shapes"]
    assert ring["yanchor"] > value["layout"]["yaxis"]["range"][1]
    assert not [note for note in value["layout"]["annotations"] if "○" in note["text"]]
    _, error = sweep_heatmaps(across, up, measured(6, known=False), (0.5, 1.0), Theme())
    np.testing.assert_allclose(error["data"][0]["z"], 0.05, rtol=1e-6)
    assert len(error["layout"]["shapes"]) == 1


def test_one_value_alone_still_makes_axes() -> None:
    one = SweepAxis("kappa", "κ", (1.0,))
    assert one.axis(Theme())["range"] == [0.5, 1.5]
    assert go.Figure(sweep_curve(one, measured(1), 1.0, Theme())).data
    assert go.Figure(sweep_animation(one, fans(1), 1.0, Theme())).data


@pytest.mark.slow
@pytest.mark.parametrize("times", [None, 2, (0.25, 0.5)])
def test_the_program_prints_the_table(times: Any, tmp_path: Path) -> None:
    scenario = lab.Scenario("heston", samples=30, steps=20, seed=3)
    asked = {
        "over": {"rho": [-0.5, 0.1 + 0.2], "scheme": ["euler", "heun"]},
        "measures": ("mean", "q25", "crosses 1.1"),
        "sensitivities": ("rho",),
        "times": times,
    }
    program = export.sweep_script(scenario, **asked)
    printed = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    expected = lab.sweep(scenario, **asked).table()
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(printed)), expected, check_exact=True)


def test_an_animation_goes_into_the_page_that_needs_nothing_else() -> None:
    figure = sweep_animation(KAPPA, fans(), 1.0, Theme())
    page = export.to_html([figure], lab.Scenario(), note="Swept: <κ>.").decode()
    found = json.loads(page.split('id="figures">')[1].split("</script>")[0])
    assert len(found[0]["frames"]) == 4
    assert "Swept: &lt;κ&gt;.</p>" in page
