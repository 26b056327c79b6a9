"""What the board of a scenario shows: two figures with their text alternatives, and a readout."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from sde_lab.figures.fan_chart import fan_chart
from sde_lab.figures.phase_portrait import phase_portrait
from sde_lab.figures.readout import ReadoutRow, rows_at_cursor
from sde_lab.figures.sensitivity_panels import sensitivity_panels
from sde_lab.figures.theme import Theme
from sde_lab.models.base import Model
from sde_lab.scenario import Scenario
from sde_lab.summaries.summary import Summary, display_times
from sde_lab.theory.exact_laws import ExactLaws, exact_laws
from sde_lab.theory.optional_facts import fact_or_none
from sde_lab.theory.stationary_density import StationaryDensity, stationary_density

Figure = dict[str, Any]
CaptionedFigure = tuple[Figure, str]
"""A figure and its text alternative."""
PHASE_PORTRAIT = "phase portrait"


@dataclass(frozen=True)
class BoardView:
    """What the board shows of a summary, once its controls are read.

    Attributes:
        summary: of the scenario.
        exact: its exact laws; None where none are known or they are hidden.
        stationary: its stationary density, which stands in where no law at a given time is known;
            None where none is known or it is hidden.
        shown: a state component, or the phase portrait.
        cursor: index of the displayed time that the time slider points at.
        columns: names of the sensitivities to show; None for all.
        theme: colours and sizes.
        pinned: summary of the pinned scenario, drawn in grey; None without one.
    """

    summary: Summary
    exact: ExactLaws | None
    stationary: StationaryDensity | None
    shown: str
    cursor: int
    columns: Collection[str] | None
    theme: Theme
    pinned: Summary | None = None

    @property
    def model(self) -> Model:
        """The model of the scenario."""
        return self.summary.scenario.model_spec

    @property
    def component(self) -> int:
        """Index of the state component on show; of the first beside a phase portrait."""
        components = self.model.components
        return components.index(self.shown) if self.shown in components else 0


@dataclass(frozen=True)
class LessonFigure:
    """A figure that a board shows instead of the sensitivities: what a lesson is about.

    Attributes:
        study: scenario → data of the figure; called once per scenario.
        draw: data, whether the answer is hidden, theme → Plotly's ``data`` and ``layout``.
        alt_text: text alternative of the figure, for screen readers.
        samples: largest number of the scenario's samples that the study uses.
    """

    study: Callable[[Scenario], Any]
    draw: Callable[[Any, bool, Theme], dict[str, Any]]
    alt_text: str
    samples: int


def known_exact_laws(scenario: Scenario) -> ExactLaws | None:
    """Return the exact laws at the displayed times; None where none are known."""
    times = display_times(scenario)
    return fact_or_none(lambda: exact_laws(scenario, times=times), "exact law", scenario.model)


def known_stationary_density(scenario: Scenario) -> StationaryDensity | None:
    """Return the stationary density of an equation of one state, where it can be normalised."""
    return fact_or_none(lambda: stationary_density(scenario), "stationary density", scenario.model)


def paths_figure(view: BoardView) -> CaptionedFigure:
    """Return the fan chart of the component on show, or the phase portrait."""
    summary, model, exact = view.summary, view.model, view.exact
    if view.shown == PHASE_PORTRAIT:
        figure = phase_portrait(summary, view.cursor, view.theme, model.axis_labels)
        return figure, f"Phase portrait of {model.title}"
    figure = fan_chart(
        summary,
        view.component,
        None if exact is None else exact.state,
        None if exact is None or exact.scheme is None else exact.scheme.state,
        view.cursor,
        view.theme,
        view.pinned,
        view.stationary,
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
        view.theme,
        view.pinned,
    )
    name = model.components[view.component]
    return figure, f"Sensitivity of {name} to each parameter over time, one panel per parameter"


def _select_columns(summary: Summary, columns: Collection[str] | None) -> Summary:
    """Return the summary with these sensitivities alone; with all if the model has none of them."""
    chosen = {name: b for name, b in summary.sensitivities.items() if name in (columns or ())}
    return replace(summary, sensitivities=chosen) if chosen else summary


def time_label(summary: Summary, share: float) -> str:
    """Return the displayed time nearest to a share of the horizon, as text."""
    return f"t = {summary.times[summary.index_nearest(share)]:.4g}"


def readout_rows(view: BoardView) -> list[ReadoutRow]:
    """Return the rows of the readout: the state's, and those of the sensitivities on show."""
    rows = rows_at_cursor(view.summary, view.exact, view.component, view.cursor)
    return [row for row in rows if view.columns is None or row.parameter in (None, *view.columns)]
