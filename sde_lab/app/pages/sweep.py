"""Sweep: a quantity of the simulation over a grid of one parameter or two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from sde_lab.app.components.chart import draw_chart
from sde_lab.app.components.download_menu import draw_sweep_download_menu
from sde_lab.app.components.page_values import open_explore
from sde_lab.app.components.sidebar import draw_engine_note
from sde_lab.app.components.slider_frames import draw_known_frames
from sde_lab.app.components.style import current_theme
from sde_lab.app.components.sweep_controls import draw_sweep_controls
from sde_lab.app.components.time_slider import draw_time_slider
from sde_lab.app.jobs.sweep_job import SLICE_SECONDS, SweepJob, draw_queue_placeholder, get_job
from sde_lab.app.state.current_scenario import (
    LAST_SCENARIO,
    current_or_last_valid,
    current_scenario,
)
from sde_lab.app.state.sweep_request import SweepRequest
from sde_lab.app.state.url_state import widget_key
from sde_lab.errors import ScenarioError
from sde_lab.figures.sweep_animation import (
    AnimationData,
    nearest_frame,
    sweep_animation,
    with_controls,
)
from sde_lab.figures.sweep_curve import SweepCurveData, sweep_curve
from sde_lab.figures.sweep_heatmaps import sweep_heatmaps
from sde_lab.sweeps import SweepResult, get_value

HEIGHT = "clamp(390px, calc(100vh - 15.7rem), 900px)"
"""Height of the charts, a CSS length: the window's less what stands above and below them."""
MAP_KEY = "sweep.map"
"""Of the heatmaps, with their number after it."""
CURVE_KEY, ANIMATION_KEY, TIME_KEY = "sweep.curve", "sweep.film", "sweep.at"
"""Of the charts of one parameter, and of the slider that picks a time."""
MOMENTS = ("mean", "std")
"""Measures that say nothing where some of the paths diverged."""
FAN_MEASURES = ("q05", "q25", "q75", "q95")
LAST_SWEEP = "sweep.good"
"""Session key of the last request that worked, with its result."""
_OPEN = "sweep.open"
"""Session key: a cell was clicked, and the next run is to change over to Explore."""


def render() -> None:
    """Draw the page as far as the sweep is done, do its next part, and run again until it is."""
    if st.session_state.pop(_OPEN, False):
        open_explore()
    scenario = current_or_last_valid(LAST_SCENARIO, current_scenario)
    if scenario is None:
        return
    wanted = draw_sweep_controls(scenario)
    draw_queue_placeholder()
    shown = _work(wanted)
    if shown is None:
        return
    done, result, job = shown
    charts = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        share = _draw_time(result) if len(done.axes) == 1 else 1.0
        if job is not None:
            job.draw_progress()
        outlet = st.container(width="content")
    with charts:
        figures = (
            _curve_and_animation(done, result, share)
            if len(done.axes) == 1
            else _maps(done, result)
        )
    with outlet:
        draw_sweep_download_menu(done, result, figures)
    _draw_notes(done, result)
    draw_engine_note(result)
    if job is not None and job.running:
        _work_on(job)


def _work(wanted: SweepRequest) -> tuple[SweepRequest, SweepResult, SweepJob | None] | None:
    """Return the request on show, its result so far, and its job.

    Where the request is refused, a message says why and the last result stays, without a job.
    """
    try:
        job = get_job(wanted)
        if not job.run.done:
            job.advance(SLICE_SECONDS)
    except ScenarioError as error:
        st.error(str(error), icon=":material/error:")
        found: tuple[SweepRequest, SweepResult] | None = st.session_state.get(LAST_SWEEP)
        return None if found is None else (*found, None)
    result = job.run.result()
    st.session_state[LAST_SWEEP] = wanted, result
    return wanted, result, job


def _work_on(job: SweepJob) -> None:
    """Do the next part of the sweep below charts that are up to date, then run the page again.

    Streamlit fades what a running script has not drawn yet: with the work before the charts, they
    would be faded most of the time.
    """
    try:
        job.advance(SLICE_SECONDS)
    except ScenarioError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.rerun()


def _draw_time(result: SweepResult) -> float:
    """Draw the time slider; return the share of the horizon that it points at."""
    return draw_time_slider(TIME_KEY, "Time", _time_label(result))


def _time_label(result: SweepResult) -> Callable[[float], str]:
    """Return share of the horizon → the text above the time slider."""
    last: int = result.times.shape[1] - 1
    # Rows differ where the horizon is swept: the same share of it is another time at each point.
    same = bool(np.all(result.times == result.times[0]))

    def label(share: float) -> str:
        time = result.times[0, _time_index(share, last)]
        return f"t = {time:.4g}" if same else f"t = {share:g} T"

    return label


def _time_index(share: float, last: int) -> int:
    """Return the index of the time of a sweep at this share of the horizon."""
    return round(share * last)


def _curve_and_animation(
    done: SweepRequest, result: SweepResult, share: float
) -> list[dict[str, Any]]:
    theme, axis = current_theme(), done.axes[0]
    now = get_value(done.scenario, axis.name)
    last = result.times.shape[1] - 1
    time = _time_index(share, last)
    # Those of a sweep that still runs would be sent anew with each of its pictures.
    times = range(last + 1) if result.done.all() else ()
    over_time = [_curve_data(done, result, i) for i in times]
    fans = _animation_data(done, result)
    left = sweep_curve(axis, _curve_data(done, result, time), now, theme, over_time)
    right = sweep_animation(axis, fans, now, theme)

    def frames_at(slider: str, value: float) -> dict[str, dict[str, Any]]:
        if slider == "cursor" and not over_time:
            return {}
        if slider == "cursor":
            return {CURVE_KEY: {"frame": str(_time_index(value / 100, last))}}
        return {
            CURVE_KEY: {"x": axis.coordinate_of(value)},
            ANIMATION_KEY: {"frame": nearest_frame(axis, fans, value)},
        }

    _draw_frames(done, {"cursor": 100 * share}, frames_at, _time_label(result))
    first, second = st.columns([54, 46], gap="small")
    with first:
        draw_chart(
            left,
            key=CURVE_KEY,
            height=HEIGHT,
            alt=f"{done.title} against {axis.symbol}, {axis.labels[0]} to {axis.labels[-1]}",
            filename=f"{done.scenario.model_spec.slug}-sweep-{axis.name}",
        )
    with second:
        draw_chart(
            right,
            key=ANIMATION_KEY,
            height=HEIGHT,
            alt=f"Fan chart over time; its slider sets {axis.symbol}",
            filename=f"{done.scenario.model_spec.slug}-film-{axis.name}",
        )
    # In a file the curve has no slider of time that would show its frames.
    return [{"data": left["data"], "layout": left["layout"]}, with_controls(right, theme)]


def _draw_frames(
    done: SweepRequest,
    values: dict[str, float],
    frames_at: Callable[[str, float], dict[str, Any]],
    time_label: Callable[[float], str] | None = None,
) -> None:
    """Let the charts follow the sliders of what is swept, beside those of these values."""
    swept = {a.name: get_value(done.scenario, a.name) for a in done.axes if a.numeric}
    model = done.scenario.model_spec
    draw_known_frames(model, TIME_KEY, {**values, **swept}, frames_at, time_label)


def _maps(done: SweepRequest, result: SweepResult) -> list[dict[str, Any]]:
    theme, (across, up) = current_theme(), done.axes
    now = tuple(get_value(done.scenario, one.name) for one in done.axes)
    figures = sweep_heatmaps(across, up, _curve_data(done, result, -1), now, theme)

    def frames_at(slider: str, value: float) -> dict[str, dict[str, Any]]:
        axis, direction = (across, "x") if slider == across.name else (up, "y")
        mark = {direction: axis.coordinate_of(value)}
        return {f"{MAP_KEY}.{number}": mark for number in range(len(figures))}

    _draw_frames(done, {}, frames_at)
    names = [figure["data"][0]["colorbar"]["title"]["text"] for figure in figures]
    for number, (cell, figure) in enumerate(zip(st.columns(len(figures)), figures, strict=True)):
        with cell:
            draw_chart(
                figure,
                key=f"{MAP_KEY}.{number}",
                height=HEIGHT,
                alt=f"Map of {names[number]} over {across.symbol} and {up.symbol}",
                filename=f"{done.scenario.model_spec.slug}-sweep-{across.name}-{up.name}-{number}",
                on_click=_opener(done, f"{MAP_KEY}.{number}"),
            )
    return figures


def _opener(done: SweepRequest, key: str) -> Callable[[], None]:
    """Return the callback of a click on a cell: it sets the sidebar to it and opens Explore."""

    def opened() -> None:
        clicked = st.session_state[key].clicked
        across, up = done.axes
        if not clicked or not (
            0 <= clicked["x"] < len(across.values) and 0 <= clicked["y"] < len(up.values)
        ):
            return
        for axis, index in ((across, clicked["x"]), (up, clicked["y"])):
            st.session_state[widget_key(done.scenario.model_spec, axis.name)] = axis.values[index]
        st.session_state[_OPEN] = True

    return opened


def _curve_data(done: SweepRequest, result: SweepResult, time: int) -> SweepCurveData:
    """Return the plotted quantity at every grid point, with tangents where they are known.

    The Jacobian gives the slope of a mean and of a standard deviation, not of a quantile.
    """
    theme, found = current_theme(), result.curve(done.quantity, done.measure, time)
    model = done.scenario.model_spec
    slope = None if done.slope is None else result.curve(*done.slope, time)
    kept = np.where(_left_out(result), np.nan, 1.0) if done.measure in MOMENTS else 1.0
    return SweepCurveData(
        title=done.title,
        colour=(
            theme.parameter_colour(done.target, model)
            if done.target in model.jacobian_columns
            else theme.state
        ),
        value=found.value * kept,
        error=found.error * kept,
        exact=found.exact,
        slope=None if slope is None else slope.value,
        slope_error=None if slope is None else slope.error,
        scene=".".join([done.scenario.model, done.quantity, *(d.name for d in done.axes)]),
    )


def _left_out(result: SweepResult) -> NDArray[np.bool_]:
    """Tell at which grid points any path diverged, (P,)."""
    return np.asarray(result.exploded > 0)


def _animation_data(done: SweepRequest, result: SweepResult) -> AnimationData:
    """Return mean and quantiles of the state over time at every grid point, (points, times)."""
    name = done.scenario.model_spec.components[done.component]

    def over_time(measure: str) -> tuple[Any, Any]:
        curves = [result.curve(name, measure, time) for time in range(result.times.shape[1])]
        return np.stack([c.value for c in curves], 1), np.stack([c.exact for c in curves], 1)

    mean, exact_mean = over_time("mean")
    left_out = _left_out(result)
    mean[left_out] = np.nan
    values, exact = zip(*map(over_time, FAN_MEASURES), strict=True)
    return AnimationData(
        name if len(name) > 1 else done.scenario.model_spec.symbols[done.component],
        result.times,
        mean,
        np.stack(values),
        exact_mean,
        np.stack(exact),
        scene=f"{done.scenario.model}.{name}.{done.axes[0].name}",
        diverged=left_out,
    )


def _draw_notes(done: SweepRequest, result: SweepResult) -> None:
    """Draw a line on how to read the charts, and a warning where paths diverged."""
    if len(done.axes) == 2:
        st.caption(
            "Click a cell to open it in Explore. ○ current value. Common random numbers: the"
            " errors of all cells are correlated."
        )
    elif done.slope is not None:
        st.caption(
            "Tangents: derivative (pathwise estimate), computed at each grid point from the paths"
            " of that point alone, with its error of two standard errors. Faint and dotted: too few"
            " effective samples for an error, as a few of the paths decide the slope."
        )
    lost = int(result.exploded.sum())
    if lost:
        total = int(result.done.sum()) * done.scenario.samples
        st.warning(
            f"{lost:,} of {total:,} paths diverged (numerical overflow). Mean and standard"
            f" deviation are left out at {int(_left_out(result).sum())} of"
            f" {int(result.done.sum())} points, those where any path did; more steps may help.",
            icon=":material/warning:",
        )
