"""Sweep: the same experiment at many settings of one knob or two."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from sde_lab.app.components.chart import chart
from sde_lab.app.components.download_menu import sweep_takeaway
from sde_lab.app.components.sidebar import BOUND, asked_or_last
from sde_lab.app.components.style import theme
from sde_lab.app.components.sweep_controls import Question, question
from sde_lab.app.jobs.sweep_job import go_on, halted, progress, run_of, waiting_line
from sde_lab.app.state.url_state import widget_key
from sde_lab.errors import ScenarioError
from sde_lab.figures.sweep_animation import Fans, film
from sde_lab.figures.sweep_curve import Measured, curve
from sde_lab.figures.sweep_heatmaps import heatmaps
from sde_lab.sweep import SweepResult, SweepRun, value_of

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
    scenario = asked_or_last()
    if scenario is None:
        return
    wanted = question(scenario)
    waiting_line()
    shown = _work(wanted)
    if shown is None:
        return
    done, result, run = shown
    charts = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        place = _moment(result) if len(done.dials) == 1 else -1
        if run is not None:
            progress(run)
        outlet = st.container(width="content")
    with charts:
        figures = (
            _film_and_curve(done, result, place) if len(done.dials) == 1 else _maps(done, result)
        )
    with outlet:
        sweep_takeaway(done, result, figures)
    _say(done, result)
    if run is not None and not run.finished and not halted():
        _work_on(run)


def _work(wanted: Question) -> tuple[Question, SweepResult, SweepRun | None] | None:
    """The question on show, what is known of its answer, and the sweep that answers it.

    Where the question cannot be answered, a message says why, and the last answer stays.
    """
    try:
        run = run_of(wanted)
        if not run.done:
            go_on(run)
    except ScenarioError as error:
        st.error(str(error), icon=":material/error:")
        found: tuple[Question, SweepResult] | None = st.session_state.get("sweep.good")
        return None if found is None else (*found, None)
    result = run.result()
    st.session_state["sweep.good"] = wanted, result
    return wanted, result, run


def _work_on(run: SweepRun) -> None:
    """Work for a moment under charts that are up to date, then draw them again.

    Work before drawing would leave the last ones fading on the page.
    """
    try:
        go_on(run)
    except ScenarioError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.rerun()


def _moment(result: SweepResult) -> int:
    """The place among the times of the sweep that the cursor asks for."""
    share = int(st.slider("At time, % of T", 0, 100, 100, key="sweep.at", width=220, **BOUND))
    last: int = result.times.shape[1] - 1
    return round(share * last / 100)


def _film_and_curve(done: Question, result: SweepResult, place: int) -> list[dict[str, Any]]:
    look, dial = theme(), done.dials[0]
    now = value_of(done.scenario, dial.name)
    left = curve(dial, _measured(done, result, place), now, look)
    right = film(dial, _fans(done, result), now, look)
    first, second = st.columns([54, 46], gap="small")
    with first:
        chart(
            left,
            key="sweep.curve",
            height=HEIGHT,
            alt=f"{done.title} against {dial.symbol}, {dial.labels[0]} to {dial.labels[-1]}",
            filename=f"{done.scenario.sde.key}-sweep-{dial.name}",
        )
    with second:
        chart(
            right,
            key="sweep.film",
            height=HEIGHT,
            alt=f"Fan chart over time; its slider turns {dial.symbol}",
            filename=f"{done.scenario.sde.key}-film-{dial.name}",
        )
    return [left, right]


def _maps(done: Question, result: SweepResult) -> list[dict[str, Any]]:
    look, (across, up) = theme(), done.dials
    now = tuple(value_of(done.scenario, one.name) for one in done.dials)
    figures = heatmaps(across, up, _measured(done, result, -1), now, look)
    names = [figure["data"][0]["colorbar"]["title"]["text"] for figure in figures]
    for number, (cell, figure) in enumerate(zip(st.columns(len(figures)), figures, strict=True)):
        with cell:
            chart(
                figure,
                key=f"{MAP}.{number}",
                height=HEIGHT,
                alt=f"Map of {names[number]} over {across.symbol} and {up.symbol}",
                filename=f"{done.scenario.sde.key}-sweep-{across.name}-{up.name}-{number}",
                on_click=_opener(done, f"{MAP}.{number}"),
            )
    return figures


def _opener(done: Question, key: str) -> Any:
    """What a click on a cell does: take its values over into the sidebar, and go to Explore."""

    def opened() -> None:
        clicked = st.session_state[key].clicked
        across, up = done.dials
        if not clicked or not (
            0 <= clicked["x"] < len(across.values) and 0 <= clicked["y"] < len(up.values)
        ):
            return
        for dial, place in ((across, clicked["x"]), (up, clicked["y"])):
            st.session_state[widget_key(done.scenario.sde, dial.name)] = dial.values[place]
        st.session_state[_OPEN] = True

    return opened


def _measured(done: Question, result: SweepResult, place: int) -> Measured:
    """What is looked at, and its slope where the Jacobian knows it: of a mean and of a spread."""
    look, found = theme(), result.curve(done.quantity, done.measure, place)
    columns, slope = done.scenario.sde.columns, None
    if done.slope is not None:
        slope = result.curve(*done.slope, place).value
    return Measured(
        title=done.title,
        colour=look.parameter_colour(done.look) if done.look in columns else look.state,
        value=found.value,
        error=found.error,
        exact=found.exact,
        slope=slope,
        scene=".".join([done.scenario.model, done.quantity, *(d.name for d in done.dials)]),
    )


def _fans(done: Question, result: SweepResult) -> Fans:
    """The state over time at every point."""
    name = done.scenario.sde.components[done.component]

    def over_time(measure: str) -> tuple[Any, Any]:
        curves = [result.curve(name, measure, time) for time in range(result.times.shape[1])]
        return np.stack([c.value for c in curves], 1), np.stack([c.exact for c in curves], 1)

    mean, exact_mean = over_time("mean")
    values, exact = zip(*map(over_time, FAN), strict=True)
    return Fans(
        name if len(name) > 1 else done.scenario.sde.symbols[done.component],
        result.times,
        mean,
        np.stack(values),
        exact_mean,
        np.stack(exact),
        scene=f"{done.scenario.model}.{name}.{done.dials[0].name}",
    )


def _say(done: Question, result: SweepResult) -> None:
    """One line on how to read the charts, and one on what is left out."""
    if len(done.dials) == 2:
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
