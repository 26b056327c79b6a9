"""The board of a scenario: readout, paths and sensitivities, and the controls below them.

Explore and Lessons both show it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

import streamlit as st

from sde_lab.app.components.answer_toggle import (
    draw_toggle,
    visible_exact_laws,
    visible_stationary_density,
)
from sde_lab.app.components.chart import draw_chart
from sde_lab.app.components.download_menu import draw_download_menu
from sde_lab.app.components.equation_facts import draw_equation_facts
from sde_lab.app.components.pin import draw_pin_button
from sde_lab.app.components.remedy import draw_bias_button, draw_divergence_button
from sde_lab.app.components.sidebar import draw_engine_note
from sde_lab.app.components.slider_frames import draw_slider_frames
from sde_lab.app.components.style import current_theme
from sde_lab.app.components.time_slider import draw_time_slider
from sde_lab.app.jobs.summary_job import get_summary
from sde_lab.app.state.current_scenario import (
    LAST_SUMMARY,
    current_engine,
    current_or_last_valid,
    current_scenario,
)
from sde_lab.app.state.options import URL_BOUND
from sde_lab.equations import EquationModel
from sde_lab.figures.board import (
    PHASE_PORTRAIT,
    BoardView,
    CaptionedFigure,
    LessonFigure,
    paths_figure,
    readout_rows,
    sensitivity_figure,
    time_label,
)
from sde_lab.figures.readout import ReadoutRow, readout_html
from sde_lab.models.base import Model
from sde_lab.server.slider_frames import PATHS, SENSITIVITIES
from sde_lab.summaries.summary import Summary

CHART_COLUMNS = [58, 42]
"""Widths of the paths and the sensitivities, in per cent of the page."""


def current_summary() -> Summary | None:
    """Return the summary of the sidebar's scenario, or the last one under an error message."""
    return current_or_last_valid(
        LAST_SUMMARY, lambda: get_summary(current_scenario(), current_engine())
    )


def draw_board(
    summary: Summary,
    height: str,
    columns: Collection[str] | None = None,
    figure: LessonFigure | None = None,
    draw_figure: Callable[[LessonFigure], CaptionedFigure | None] | None = None,
    extra_readout: Callable[[], None] | None = None,
) -> None:
    """Draw readout, charts and controls.

    The controls stand below the charts but are read first, so containers hold the places above.

    Args:
        summary: of the scenario to show.
        height: of the charts, a CSS length.
        columns: names of the sensitivities to show; None for all.
        figure: shown in place of the sensitivities.
        draw_figure: returns it for this scenario, None where it cannot be drawn.
        extra_readout: draws what stands beside the readout. Both are called after the controls.
    """
    model = summary.scenario.model_spec
    readout = st.container(horizontal=True, vertical_alignment="center")
    charts = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        share = draw_time_slider("cursor", "Time cursor", partial(time_label, summary))
        shown = _draw_component_choice(model)
        pinned = draw_pin_button(summary)
        draw_toggle()
        remedy = st.container(width="content")
        downloads = st.container(width="content")
    exact = visible_exact_laws(summary)
    view = BoardView(
        summary,
        exact,
        visible_stationary_density(summary) if exact is None else None,
        shown,
        summary.index_nearest(share),
        columns,
        current_theme(),
        pinned,
    )
    with charts:
        own = None if figure is None or draw_figure is None else draw_figure(figure)
    # Before what it is about: once the browser shows an answer, it must draw no frame over it.
    draw_slider_frames(view, round(100 * share), None if own is None else figure)
    rows = readout_rows(view)
    with remedy:
        draw_bias_button(view, share, biased=any(row.biased for row in rows))
    with readout:
        _draw_readout(view, rows)
        if extra_readout is not None:
            extra_readout()
    with charts:
        left = paths_figure(view)
        right = own or sensitivity_figure(view)
        _draw_charts(model, left, right, height)
    draw_engine_note(summary)
    with downloads:
        draw_download_menu(summary, view.exact, [left[0], right[0]])
    if isinstance(model, EquationModel):
        draw_equation_facts(summary, model)


def _draw_component_choice(model: Model) -> str:
    """Draw the choice of a state component or the phase portrait, if there are several."""
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


def _draw_readout(view: BoardView, rows: list[ReadoutRow]) -> None:
    st.html(
        readout_html(rows, view.theme),
        width="stretch" if view.columns is None else "content",
    )
    _draw_divergence_warning(view.summary)
    if bound := view.summary.relative_quantile_bound:
        st.caption(
            "Too many samples to keep: quantiles are counted in bins, and off by at most"
            f" {100.0 * bound:.1g} % of the height of the 90 % band."
        )


def _draw_divergence_warning(summary: Summary) -> None:
    if not summary.exploded:
        return
    cause = ""
    if isinstance(summary.scenario.model_spec, EquationModel):
        cause = (
            ", unless the equation is undefined at the states they reached: a root or logarithm of"
            " a negative number, a division by zero (sqrt(max(x, 0)) is defined everywhere)"
        )
    total = summary.kept + summary.exploded
    st.warning(
        f"{summary.exploded:,} of {total:,} paths diverged (numerical overflow); they are left out"
        " of every figure. A smaller step (more steps) or another scheme may prevent it"
        f"{cause}.",
        icon=":material/warning:",
    )
    draw_divergence_button(summary.scenario)


def _draw_charts(model: Model, left: CaptionedFigure, right: CaptionedFigure, height: str) -> None:
    """Draw both charts side by side; a zoom in time moves both."""
    names = (PATHS, SENSITIVITIES)
    cells = st.columns(CHART_COLUMNS, gap="small")
    for cell, name, (figure, alt) in zip(cells, names, (left, right), strict=True):
        with cell:
            draw_chart(
                figure,
                key=name,
                height=height,
                alt=alt,
                link="time",
                filename=f"{model.slug}-{name}",
            )
