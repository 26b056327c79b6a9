"""Explore: the paths, and how each of them answers when a knob is turned."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import streamlit as st

from sde_lab.app.components.answer_toggle import answer_hidden, draw_toggle, visible_exact_laws
from sde_lab.app.components.chart import draw_chart
from sde_lab.app.components.download_menu import draw_download_menu
from sde_lab.app.components.equation_facts import draw_equation_facts
from sde_lab.app.components.live_equation import live_equation
from sde_lab.app.components.pin import draw_pin_button
from sde_lab.app.components.readout import readout_html, rows_at_cursor
from sde_lab.app.components.sidebar import current_scenario
from sde_lab.app.components.style import current_theme
from sde_lab.app.jobs.results import cached_stationary_density
from sde_lab.app.jobs.summary_job import get_summary
from sde_lab.app.state.options import URL_BOUND
from sde_lab.equations import EquationModel
from sde_lab.errors import ScenarioError
from sde_lab.figures.fan_chart import fan_chart
from sde_lab.figures.phase_portrait import phase_portrait
from sde_lab.figures.sensitivity_panels import sensitivity_panels
from sde_lab.models.base import Model
from sde_lab.summaries.summary import Summary
from sde_lab.theory.exact_laws import ExactLaws

Figure = dict[str, Any]
PHASE_PORTRAIT = "phase portrait"


def render() -> None:
    """Draw the page."""
    summary = current_summary()
    if summary is None:
        return
    with st.container(horizontal=True, gap="large", key="formulas"):
        for part in live_equation(summary.scenario, current_theme()):
            st.latex(part, width="content")
    draw_board(summary, _height(summary))


def draw_board(
    summary: Summary,
    height: str,
    columns: Collection[str] | None = None,
    replacement_figure: Callable[[], tuple[Figure, str] | None] | None = None,
    extra_readout: Callable[[], None] | None = None,
) -> None:
    """The row of figures, both charts, and what is asked of them.

    Args:
        summary: what to show.
        height: of the charts, a CSS length.
        columns: the sensitivities on show; None for all.
        replacement_figure: gives another figure for their place, and what it shows in words.
        extra_readout: draws what stands beside the row of figures; both are called after the
            switches.
    """
    model = summary.scenario.model_spec
    numbers = st.container(horizontal=True, vertical_alignment="center")
    charts = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        cursor = summary.index_nearest(_cursor(summary) / 100)
        view = _view(model)
        ghost = draw_pin_button(summary)
        draw_toggle()
        outlet = st.container(width="content")
    exact = visible_exact_laws(summary)
    component = model.components.index(view) if view in model.components else 0
    with numbers:
        _numbers(summary, exact, component, cursor, columns)
        if extra_readout is not None:
            extra_readout()
    with charts:
        left = _paths_figure(summary, exact, view, component, cursor, ghost)
        right = replacement_figure() if replacement_figure is not None else None
        right = right or _sensitivity_figure(summary, exact, component, cursor, ghost, columns)
        _charts(model, left, right, height)
    with outlet:
        draw_download_menu(summary, exact, [left[0], right[0]])
    if isinstance(model, EquationModel):
        draw_equation_facts(summary, model)


def current_summary() -> Summary | None:
    """The summary that the sidebar asks for, or the last good one under a message."""
    try:
        summary = get_summary(current_scenario())
    except ScenarioError as error:
        st.error(str(error), icon=":material/error:")
        return st.session_state.get("good")
    st.session_state["good"] = summary
    return summary


def _cursor(summary: Summary) -> int:
    horizon = summary.scenario.horizon
    return int(
        st.slider(
            f"Time cursor, % of T = {horizon:g}", 0, 100, 100, key="cursor", width=260, **URL_BOUND
        )
    )


def _view(model: Model) -> str:
    """The state component on show, or the phase portrait."""
    if len(model.components) == 1:
        return model.components[0]
    options = [*model.components, PHASE_PORTRAIT]
    labels = dict(zip(model.components, model.axis_labels, strict=True))
    chosen = st.segmented_control(
        "Show",
        options,
        default=options[0],
        format_func=lambda name: labels.get(name, name),
        key=f"{model.slug}.show",
        required=True,
        **URL_BOUND,
    )
    return str(chosen or options[0])


def _numbers(
    summary: Summary,
    exact: ExactLaws | None,
    component: int,
    cursor: int,
    columns: Collection[str] | None,
) -> None:
    rows = rows_at_cursor(summary, exact, component, cursor)
    shown = [row for row in rows if columns is None or row.parameter in (None, *columns)]
    st.html(readout_html(shown, current_theme()), width="stretch" if columns is None else "content")
    if summary.exploded:
        total = summary.kept + summary.exploded
        st.warning(
            f"{summary.exploded:,} of {total:,} paths exploded; they are left out of every figure."
            f" A smaller step (more steps) or another scheme may hold them{_undefined(summary)}.",
            icon=":material/warning:",
        )


def _undefined(summary: Summary) -> str:
    """What else may have happened to a path of a typed equation."""
    if not isinstance(summary.scenario.model_spec, EquationModel):
        return ""
    return (
        ", unless the equation has no value where they went: a root or a logarithm of a negative"
        " number, a division by zero (sqrt(max(x, 0)) goes on at zero)"
    )


def _paths_figure(
    summary: Summary,
    exact: ExactLaws | None,
    view: str,
    component: int,
    cursor: int,
    ghost: Summary | None,
) -> tuple[Figure, str]:
    """The fan chart or the phase portrait, and what it shows in words."""
    model, look = summary.scenario.model_spec, current_theme()
    if view == PHASE_PORTRAIT:
        return phase_portrait(
            summary, cursor, look, model.axis_labels
        ), f"Phase portrait of {model.title}"
    law = None if exact is None or exact.scheme is None else exact.scheme.state
    state = None if exact is None else exact.state
    limit = cached_stationary_density(summary) if exact is None and not answer_hidden() else None
    text = f"Fan chart of {view} for {model.title} over time 0 to {summary.scenario.horizon:g}"
    return fan_chart(summary, component, state, law, cursor, look, ghost, limit), text


def _sensitivity_figure(
    summary: Summary,
    exact: ExactLaws | None,
    component: int,
    cursor: int,
    ghost: Summary | None,
    columns: Collection[str] | None,
) -> tuple[Figure, str]:
    """The sensitivities, and what they show in words."""
    model = summary.scenario.model_spec
    law = None if exact is None else exact.scheme
    labels = {
        parameter.name: (parameter.symbol, parameter.latex)
        for parameter in (*model.initial, *model.parameters)
    }
    figure = sensitivity_panels(
        _select_columns(summary, columns),
        component,
        {} if exact is None else exact.sensitivities,
        {} if law is None else law.sensitivities,
        labels,
        cursor,
        current_theme(),
        ghost,
    )
    name = model.components[component]
    return figure, f"How {name} answers to each parameter over time, one panel per parameter"


def _select_columns(summary: Summary, columns: Collection[str] | None) -> Summary:
    """The summary without other sensitivities; with all of them if none of these is the model's."""
    chosen = {name: b for name, b in summary.sensitivities.items() if name in (columns or ())}
    return replace(summary, sensitivities=chosen) if chosen else summary


def _charts(model: Model, left: tuple[Figure, str], right: tuple[Figure, str], height: str) -> None:
    """Draw both charts side by side."""
    names = ("paths", "sensitivities")
    places = st.columns([58, 42], gap="small")
    for place, name, (figure, text) in zip(places, names, (left, right), strict=True):
        with place:
            draw_chart(
                figure,
                key=name,
                height=height,
                alt=text,
                link="time",
                filename=f"{model.slug}-{name}",
            )


def _height(summary: Summary) -> str:
    """The window's height less what stands above and below the charts, as a CSS length."""
    rows = -(-(2 + len(summary.sensitivities)) // 7)
    equations = summary.scenario.model_spec.equation.split(r"\\")
    lines = 2.4 * (len(equations) - 1) + 1.5 * sum(r"\frac" in line for line in equations)
    return f"clamp(380px, calc(100vh - {12.2 + 3.8 * rows + lines}rem), 900px)"
