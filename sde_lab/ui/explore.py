"""Explore: the paths, and how each of them answers when a knob is turned."""

from __future__ import annotations

import streamlit as st

from sde_lab.errors import ScenarioError
from sde_lab.figures.fan import fan
from sde_lab.figures.phase import phase
from sde_lab.figures.sensitivity import sensitivities
from sde_lab.models.base import Model
from sde_lab.reference import Reference
from sde_lab.summary import Summary
from sde_lab.ui.answer import answer_of, hide_switch
from sde_lab.ui.chart import chart
from sde_lab.ui.controls import BOUND, asked
from sde_lab.ui.equation import live_equation
from sde_lab.ui.pin import pin
from sde_lab.ui.readout import readings, readout
from sde_lab.ui.run import summary_of
from sde_lab.ui.style import theme
from sde_lab.ui.takeaway import takeaway

PHASE = "phase portrait"


def render() -> None:
    """Draw the page."""
    summary = _current()
    if summary is None:
        return
    model = summary.scenario.sde
    with st.container(horizontal=True, gap="large"):
        for part in live_equation(summary.scenario, theme()):
            st.latex(part, width="content")
    numbers = st.container()
    charts = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        cursor = summary.nearest(_cursor(summary) / 100)
        view = _view(model)
        ghost = pin(summary)
        hide_switch()
        outlet = st.container(width="content")
    exact = answer_of(summary)
    component = model.components.index(view) if view in model.components else 0
    with numbers:
        _numbers(summary, exact, component, cursor)
    with charts:
        figures = _charts(summary, exact, view, component, cursor, ghost)
    with outlet:
        takeaway(summary, exact, figures)


def _current() -> Summary | None:
    """The summary that the sidebar asks for, or the last good one under a message."""
    try:
        summary = summary_of(asked())
    except ScenarioError as error:
        st.error(str(error), icon=":material/error:")
        return st.session_state.get("good")
    st.session_state["good"] = summary
    return summary


def _cursor(summary: Summary) -> int:
    horizon = summary.scenario.horizon
    return int(
        st.slider(
            f"Time cursor, % of T = {horizon:g}", 0, 100, 100, key="cursor", width=260, **BOUND
        )
    )


def _view(model: Model) -> str:
    """The state component on show, or the phase portrait."""
    if len(model.components) == 1:
        return model.components[0]
    options = [*model.components, PHASE]
    chosen = st.segmented_control(
        "Show", options, default=options[0], key=f"{model.name}.show", required=True, **BOUND
    )
    return str(chosen or options[0])


def _numbers(summary: Summary, exact: Reference | None, component: int, cursor: int) -> None:
    rows = readings(summary, exact, component, cursor)
    st.html(readout(rows, theme()))
    if summary.exploded:
        total = summary.kept + summary.exploded
        st.warning(
            f"{summary.exploded:,} of {total:,} paths exploded; they are left out of every figure."
            " A smaller step (more steps) or another scheme may hold them.",
            icon=":material/warning:",
        )


def _charts(
    summary: Summary,
    exact: Reference | None,
    view: str,
    component: int,
    cursor: int,
    ghost: Summary | None,
) -> list[dict[str, object]]:
    """Draw both charts side by side, and return their figures."""
    model, look = summary.scenario.sde, theme()
    law = exact.scheme if exact is not None else None
    if view == PHASE:
        left = phase(summary, cursor, look, model.components)
    else:
        left = fan(
            summary,
            component,
            None if exact is None else exact.state,
            None if law is None else law.state,
            cursor,
            look,
            ghost,
        )
    labels = {knob.name: (knob.symbol, knob.latex) for knob in (*model.initial, *model.parameters)}
    right = sensitivities(
        summary,
        component,
        {} if exact is None else exact.sensitivities,
        {} if law is None else law.sensitivities,
        labels,
        cursor,
        look,
        ghost,
    )
    name = model.components[component]
    height = _height(summary)
    first, second = st.columns([58, 42], gap="small")
    with first:
        chart(
            left,
            key="fan",
            height=height,
            alt=_fan_text(summary, view),
            link="time",
            filename=f"{model.name}-paths",
        )
    with second:
        chart(
            right,
            key="sensitivity",
            height=height,
            alt=f"How {name} answers to each parameter over time, one panel per parameter",
            link="time",
            filename=f"{model.name}-sensitivities",
        )
    return [left, right]


def _height(summary: Summary) -> str:
    """The window's height less what stands above and below the charts, as a CSS length."""
    rows = -(-(2 + len(summary.sensitivities)) // 7)
    lines = summary.scenario.sde.equation.count(r"\\")
    return f"clamp(430px, calc(100vh - {185 + 60 * rows + 38 * lines}px), 900px)"


def _fan_text(summary: Summary, view: str) -> str:
    """What the left chart shows, in words."""
    scenario = summary.scenario
    if view == PHASE:
        return f"Phase portrait of {scenario.sde.title}"
    return f"Fan chart of {view} for {scenario.sde.title} over time 0 to {scenario.horizon:g}"
