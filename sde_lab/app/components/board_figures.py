"""The two figures of the board, each with its text alternative."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from sde_lab.app.components.answer_toggle import answer_hidden
from sde_lab.app.components.style import current_theme
from sde_lab.app.jobs.results import cached_stationary_density
from sde_lab.figures.fan_chart import fan_chart
from sde_lab.figures.phase_portrait import phase_portrait
from sde_lab.figures.sensitivity_panels import sensitivity_panels
from sde_lab.models.base import Model
from sde_lab.summaries.summary import Summary
from sde_lab.theory.exact_laws import ExactLaws

Figure = dict[str, Any]
CaptionedFigure = tuple[Figure, str]
"""A figure and its text alternative."""
PHASE_PORTRAIT = "phase portrait"


@dataclass(frozen=True)
class BoardView:
    """The state of the board, once its controls are read.

    Attributes:
        summary: of the scenario.
        exact: its exact laws; None where none are known or they are hidden.
        shown: a state component, or the phase portrait.
        cursor: index of the displayed time that the time slider points at.
        pinned: summary of the pinned scenario, drawn in grey; None without one.
        columns: names of the sensitivities to show; None for all.
    """

    summary: Summary
    exact: ExactLaws | None
    shown: str
    cursor: int
    pinned: Summary | None
    columns: Collection[str] | None

    @property
    def model(self) -> Model:
        """The model of the scenario."""
        return self.summary.scenario.model_spec

    @property
    def component(self) -> int:
        """Index of the state component on show; of the first beside a phase portrait."""
        components = self.model.components
        return components.index(self.shown) if self.shown in components else 0


def paths_figure(view: BoardView) -> CaptionedFigure:
    """Return the fan chart of the component on show, or the phase portrait."""
    summary, model, exact, theme = view.summary, view.model, view.exact, current_theme()
    if view.shown == PHASE_PORTRAIT:
        figure = phase_portrait(summary, view.cursor, theme, model.axis_labels)
        return figure, f"Phase portrait of {model.title}"
    # The stationary density stands in where no law at a given time is known.
    stationary = None
    if exact is None and not answer_hidden():
        stationary = cached_stationary_density(summary)
    figure = fan_chart(
        summary,
        view.component,
        None if exact is None else exact.state,
        None if exact is None or exact.scheme is None else exact.scheme.state,
        view.cursor,
        theme,
        view.pinned,
        stationary,
    )
    horizon = summary.scenario.horizon
    return figure, f"Fan chart of {view.shown} for {model.title} over time 0 to {horizon:g}"


def sensitivity_figure(view: BoardView) -> CaptionedFigure:
    """Return the sensitivities of the component on show, one panel per parameter."""
    model, exact = view.model, view.exact
    scheme_law = None if exact is None else exact.scheme
    labels = {
        parameter.name: (parameter.symbol, parameter.latex)
        for parameter in (*model.initial, *model.parameters)
    }
    figure = sensitivity_panels(
        _select_columns(view.summary, view.columns),
        view.component,
        {} if exact is None else exact.sensitivities,
        {} if scheme_law is None else scheme_law.sensitivities,
        labels,
        view.cursor,
        current_theme(),
        view.pinned,
    )
    name = model.components[view.component]
    return figure, f"Sensitivity of {name} to each parameter over time, one panel per parameter"


def _select_columns(summary: Summary, columns: Collection[str] | None) -> Summary:
    """Return the summary with these sensitivities alone; with all if the model has none of them."""
    chosen = {name: b for name, b in summary.sensitivities.items() if name in (columns or ())}
    return replace(summary, sensitivities=chosen) if chosen else summary
