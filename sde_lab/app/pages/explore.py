"""Explore: the paths, and how each of them answers when a knob is turned."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import streamlit as st

from sde_lab.app.components.answer_toggle import answer_of, hidden, hide_switch
from sde_lab.app.components.chart import chart
from sde_lab.app.components.download_menu import takeaway
from sde_lab.app.components.equation_facts import what_it_says
from sde_lab.app.components.live_equation import live_equation
from sde_lab.app.components.pin import pin
from sde_lab.app.components.readout import readings, readout
from sde_lab.app.components.sidebar import BOUND, asked
from sde_lab.app.components.style import theme
from sde_lab.app.jobs.summary_job import stationary_of, summary_of
from sde_lab.equations import TypedModel
from sde_lab.errors import ScenarioError
from sde_lab.figures.fan_chart import fan
from sde_lab.figures.phase_portrait import phase
from sde_lab.figures.sensitivity_panels import sensitivities
from sde_lab.models.base import Model
from sde_lab.summaries.summary import Summary
from sde_lab.theory.exact_laws import Reference

Figure = dict[str, Any]
PHASE = "phase portrait"


def render() -> None:
    """Draw the page."""
    summary = current()
    if summary is None:
        return
    with st.container(horizontal=True, gap="large", key="formulas"):
        for part in live_equation(summary.scenario, theme()):
            st.latex(part, width="content")
    board(summary, _height(summary))


def board(
    summary: Summary,
    height: str,
    columns: Collection[str] | None = None,
    aside: Callable[[], tuple[Figure, str] | None] | None = None,
    beside: Callable[[], None] | None = None,
) -> None:
    """The row of figures, both charts, and what is asked of them.

    Args:
        summary: what to show.
        height: of the charts, a CSS length.
        columns: the sensitivities on show; None for all.
        aside: gives another figure for their place, and what it shows in words.
        beside: draws what stands beside the row of figures; both are asked after the switches.
    """
    model = summary.scenario.sde
    numbers = st.container(horizontal=True, vertical_alignment="center")
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
        _numbers(summary, exact, component, cursor, columns)
        if beside is not None:
            beside()
    with charts:
        left = _left(summary, exact, view, component, cursor, ghost)
        right = aside() if aside is not None else None
        right = right or _right(summary, exact, component, cursor, ghost, columns)
        _charts(model, left, right, height)
    with outlet:
        takeaway(summary, exact, [left[0], right[0]])
    if isinstance(model, TypedModel):
        what_it_says(summary, model)


def current() -> Summary | None:
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
    labels = dict(zip(model.components, model.labels, strict=True))
    chosen = st.segmented_control(
        "Show",
        options,
        default=options[0],
        format_func=lambda name: labels.get(name, name),
        key=f"{model.key}.show",
        required=True,
        **BOUND,
    )
    return str(chosen or options[0])


def _numbers(
    summary: Summary,
    exact: Reference | None,
    component: int,
    cursor: int,
    columns: Collection[str] | None,
) -> None:
    rows = readings(summary, exact, component, cursor)
    shown = [row for row in rows if columns is None or row.parameter in (None, *columns)]
    st.html(readout(shown, theme()), width="stretch" if columns is None else "content")
    if summary.exploded:
        total = summary.kept + summary.exploded
        st.warning(
            f"{summary.exploded:,} of {total:,} paths exploded; they are left out of every figure."
            f" A smaller step (more steps) or another scheme may hold them{_undefined(summary)}.",
            icon=":material/warning:",
        )


def _undefined(summary: Summary) -> str:
    """What else may have happened to a path of a typed equation."""
    if not isinstance(summary.scenario.sde, TypedModel):
        return ""
    return (
        ", unless the equation has no value where they went: a root or a logarithm of a negative"
        " number, a division by zero (sqrt(max(x, 0)) goes on at zero)"
    )


def _left(
    summary: Summary,
    exact: Reference | None,
    view: str,
    component: int,
    cursor: int,
    ghost: Summary | None,
) -> tuple[Figure, str]:
    """The fan chart or the phase portrait, and what it shows in words."""
    model, look = summary.scenario.sde, theme()
    if view == PHASE:
        return phase(summary, cursor, look, model.labels), f"Phase portrait of {model.title}"
    law = None if exact is None or exact.scheme is None else exact.scheme.state
    state = None if exact is None else exact.state
    limit = stationary_of(summary) if exact is None and not hidden() else None
    text = f"Fan chart of {view} for {model.title} over time 0 to {summary.scenario.horizon:g}"
    return fan(summary, component, state, law, cursor, look, ghost, limit), text


def _right(
    summary: Summary,
    exact: Reference | None,
    component: int,
    cursor: int,
    ghost: Summary | None,
    columns: Collection[str] | None,
) -> tuple[Figure, str]:
    """The sensitivities, and what they show in words."""
    model = summary.scenario.sde
    law = None if exact is None else exact.scheme
    labels = {knob.name: (knob.symbol, knob.latex) for knob in (*model.initial, *model.parameters)}
    figure = sensitivities(
        _only(summary, columns),
        component,
        {} if exact is None else exact.sensitivities,
        {} if law is None else law.sensitivities,
        labels,
        cursor,
        theme(),
        ghost,
    )
    name = model.components[component]
    return figure, f"How {name} answers to each parameter over time, one panel per parameter"


def _only(summary: Summary, columns: Collection[str] | None) -> Summary:
    """The summary without other sensitivities; with all of them if none of these is the model's."""
    chosen = {name: b for name, b in summary.sensitivities.items() if name in (columns or ())}
    return replace(summary, sensitivities=chosen) if chosen else summary


def _charts(model: Model, left: tuple[Figure, str], right: tuple[Figure, str], height: str) -> None:
    """Draw both charts side by side."""
    names = ("paths", "sensitivities")
    places = st.columns([58, 42], gap="small")
    for place, name, (figure, text) in zip(places, names, (left, right), strict=True):
        with place:
            chart(
                figure,
                key=name,
                height=height,
                alt=text,
                link="time",
                filename=f"{model.key}-{name}",
            )


def _height(summary: Summary) -> str:
    """The window's height less what stands above and below the charts, as a CSS length."""
    rows = -(-(2 + len(summary.sensitivities)) // 7)
    equations = summary.scenario.sde.equation.split(r"\\")
    lines = 2.4 * (len(equations) - 1) + 1.5 * sum(r"\frac" in line for line in equations)
    return f"clamp(380px, calc(100vh - {12.2 + 3.8 * rows + lines}rem), 900px)"
