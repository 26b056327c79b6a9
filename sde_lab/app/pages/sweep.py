"""Sweep: the same experiment at many settings of one knob or two."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from sde_lab.app.components.chart import draw_chart
from sde_lab.app.components.download_menu import draw_sweep_download_menu
from sde_lab.app.components.sidebar import current_or_last_valid
from sde_lab.app.components.style import current_theme
from sde_lab.app.components.sweep_controls import draw_sweep_controls
from sde_lab.app.jobs.sweep_job import SLICE_SECONDS, SweepJob, draw_queue_placeholder, get_job
from sde_lab.app.state.options import URL_BOUND
from sde_lab.app.state.sweep_request import SweepRequest
from sde_lab.app.state.url_state import widget_key
from sde_lab.errors import ScenarioError
from sde_lab.figures.sweep_animation import AnimationData, sweep_animation
from sde_lab.figures.sweep_curve import SweepCurveData, sweep_curve
from sde_lab.figures.sweep_heatmaps import sweep_heatmaps
from sde_lab.sweeps import SweepResult, get_value

HEIGHT = "clamp(390px, calc(100vh - 250px), 900px)"
MAP = "sweep.map"
EXPLORE = "sde_lab/app/routes/explore.py"
FAN = ("q05", "q25", "q75", "q95")
_OPEN = "sweep.open"


def render() -> None:
    """Draw the page, a moment of work further each time until the sweep is done."""
    if st.session_state.pop(_OPEN, False):
        # With no mapping it would try to clear the address bar, to which widgets are bound.
        st.switch_page(EXPLORE, query_params={})
    scenario = current_or_last_valid()
    if scenario is None:
        return
    wanted = draw_sweep_controls(scenario)
    draw_queue_placeholder()
    shown = _work(wanted)
    if shown is None:
        return
    done, result, job = shown
    charts = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        place = _moment(result) if len(done.axes) == 1 else -1
        if job is not None:
            job.draw_progress()
        outlet = st.container(width="content")
    with charts:
        figures = (
            _film_and_curve(done, result, place) if len(done.axes) == 1 else _maps(done, result)
        )
    with outlet:
        draw_sweep_download_menu(done, result, figures)
    _say(done, result)
    if job is not None and job.running:
        _work_on(job)


def _work(wanted: SweepRequest) -> tuple[SweepRequest, SweepResult, SweepJob | None] | None:
    """The question on show, what is known of its answer, and the sweep that answers it.

    Where the question cannot be answered, a message says why, and the last answer stays.
    """
    try:
        job = get_job(wanted)
        if not job.run.done:
            job.advance(SLICE_SECONDS)
    except ScenarioError as error:
        st.error(str(error), icon=":material/error:")
        found: tuple[SweepRequest, SweepResult] | None = st.session_state.get("sweep.good")
        return None if found is None else (*found, None)
    result = job.run.result()
    st.session_state["sweep.good"] = wanted, result
    return wanted, result, job


def _work_on(job: SweepJob) -> None:
    """Work for a moment under charts that are up to date, then draw them again.

    Work before drawing would leave the last ones fading on the page.
    """
    try:
        job.advance(SLICE_SECONDS)
    except ScenarioError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.rerun()


def _moment(result: SweepResult) -> int:
    """The place among the times of the sweep that the cursor asks for."""
    share = int(st.slider("At time, % of T", 0, 100, 100, key="sweep.at", width=220, **URL_BOUND))
    last: int = result.times.shape[1] - 1
    return round(share * last / 100)


def _film_and_curve(done: SweepRequest, result: SweepResult, place: int) -> list[dict[str, Any]]:
    look, dial = current_theme(), done.axes[0]
    now = get_value(done.scenario, dial.name)
    left = sweep_curve(dial, _measured(done, result, place), now, look)
    right = sweep_animation(dial, _fans(done, result), now, look)
    first, second = st.columns([54, 46], gap="small")
    with first:
        draw_chart(
            left,
            key="sweep.curve",
            height=HEIGHT,
            alt=f"{done.title} against {dial.symbol}, {dial.labels[0]} to {dial.labels[-1]}",
            filename=f"{done.scenario.model_spec.slug}-sweep-{dial.name}",
        )
    with second:
        draw_chart(
            right,
            key="sweep.film",
            height=HEIGHT,
            alt=f"Fan chart over time; its slider turns {dial.symbol}",
            filename=f"{done.scenario.model_spec.slug}-film-{dial.name}",
        )
    return [left, right]


def _maps(done: SweepRequest, result: SweepResult) -> list[dict[str, Any]]:
    look, (across, up) = current_theme(), done.axes
    now = tuple(get_value(done.scenario, one.name) for one in done.axes)
    figures = sweep_heatmaps(across, up, _measured(done, result, -1), now, look)
    names = [figure["data"][0]["colorbar"]["title"]["text"] for figure in figures]
    for number, (cell, figure) in enumerate(zip(st.columns(len(figures)), figures, strict=True)):
        with cell:
            draw_chart(
                figure,
                key=f"{MAP}.{number}",
                height=HEIGHT,
                alt=f"Map of {names[number]} over {across.symbol} and {up.symbol}",
                filename=f"{done.scenario.model_spec.slug}-sweep-{across.name}-{up.name}-{number}",
                on_click=_opener(done, f"{MAP}.{number}"),
            )
    return figures


def _opener(done: SweepRequest, key: str) -> Any:
    """What a click on a cell does: take its values over into the sidebar, and go to Explore."""

    def opened() -> None:
        clicked = st.session_state[key].clicked
        across, up = done.axes
        if not clicked or not (
            0 <= clicked["x"] < len(across.values) and 0 <= clicked["y"] < len(up.values)
        ):
            return
        for dial, place in ((across, clicked["x"]), (up, clicked["y"])):
            st.session_state[widget_key(done.scenario.model_spec, dial.name)] = dial.values[place]
        st.session_state[_OPEN] = True

    return opened


def _measured(done: SweepRequest, result: SweepResult, place: int) -> SweepCurveData:
    """What is looked at, and its slope where the Jacobian knows it: of a mean and of a spread."""
    look, found = current_theme(), result.curve(done.quantity, done.measure, place)
    model, slope = done.scenario.model_spec, None
    if done.slope is not None:
        slope = result.curve(*done.slope, place).value
    return SweepCurveData(
        title=done.title,
        colour=(
            look.parameter_colour(done.target, model)
            if done.target in model.jacobian_columns
            else look.state
        ),
        value=found.value,
        error=found.error,
        exact=found.exact,
        slope=slope,
        scene=".".join([done.scenario.model, done.quantity, *(d.name for d in done.axes)]),
    )


def _fans(done: SweepRequest, result: SweepResult) -> AnimationData:
    """The state over time at every point."""
    name = done.scenario.model_spec.components[done.component]

    def over_time(measure: str) -> tuple[Any, Any]:
        curves = [result.curve(name, measure, time) for time in range(result.times.shape[1])]
        return np.stack([c.value for c in curves], 1), np.stack([c.exact for c in curves], 1)

    mean, exact_mean = over_time("mean")
    values, exact = zip(*map(over_time, FAN), strict=True)
    return AnimationData(
        name if len(name) > 1 else done.scenario.model_spec.symbols[done.component],
        result.times,
        mean,
        np.stack(values),
        exact_mean,
        np.stack(exact),
        scene=f"{done.scenario.model}.{name}.{done.axes[0].name}",
    )


def _say(done: SweepRequest, result: SweepResult) -> None:
    """One line on how to read the charts, and one on what is left out."""
    if len(done.axes) == 2:
        st.caption(
            "Click a cell to open it in Explore. The ring is where the sidebar stands. All cells"
            " share their noise, so that they err together."
        )
    elif done.slope is not None:
        st.caption(
            "The slope of the curve is the sensitivity: the strokes have the slope that the"
            " derivative of every path gives, on average, at their own point alone."
        )
    lost = int(result.exploded.sum())
    if lost:
        total = int(result.done.sum()) * done.scenario.samples
        st.warning(
            f"{lost:,} of {total:,} paths exploded; they are left out of every figure.",
            icon=":material/warning:",
        )
