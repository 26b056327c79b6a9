"""The page's own figures in a notebook, as Plotly figures."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sde_lab.errors import ScenarioError
from sde_lab.figures.board import (
    PHASE_PORTRAIT,
    BoardView,
    known_exact_laws,
    known_stationary_density,
    paths_figure,
    sensitivity_figure,
)
from sde_lab.figures.theme import Theme
from sde_lab.summaries.summary import Summary

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def plot(
    summary: Summary,
    shown: str | None = None,
    *,
    time: float | None = None,
    sensitivities: bool | Collection[str] = False,
    dark: bool = False,
) -> Figure:
    """Draw a summary as the page Explore does; a notebook shows the figure by itself.

    Args:
        summary: of a simulation, as :func:`sde_lab.simulate_summary` gives.
        shown: a state component, or "phase portrait"; None for the first component.
        time: time of the distribution beside the paths; None for the last. The nearest displayed
            time is taken.
        sensitivities: False for the paths; True for the derivatives by every initial value and
            parameter, or the names of some.
        dark: light lines on a dark ground.

    Raises:
        ScenarioError: for a component or a parameter that the model does not have.
    """
    from plotly.graph_objects import Figure

    scenario = summary.scenario
    model = scenario.model_spec
    known = [*model.components, *([PHASE_PORTRAIT] if len(model.components) > 1 else [])]
    if shown is not None and shown not in known:
        raise ScenarioError("shown", shown, f"must be one of {', '.join(known)}")
    columns = None if isinstance(sensitivities, bool) else tuple(sensitivities)
    for name in columns or ():
        if name not in summary.sensitivities:
            hint = f"must be one of {', '.join(summary.sensitivities)}"
            raise ScenarioError("sensitivities", name, hint)
    exact = known_exact_laws(scenario)
    view = BoardView(
        summary,
        exact,
        None if exact is not None else known_stationary_density(scenario),
        shown or model.components[0],
        summary.index_nearest(1.0 if time is None else time / scenario.horizon),
        columns,
        Theme(dark=dark),
    )
    figure, title = sensitivity_figure(view) if sensitivities else paths_figure(view)
    drawn = Figure(figure)
    return drawn.update_layout(meta=title)
