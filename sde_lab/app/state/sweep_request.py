"""What the Sweep page asks for: the swept parameters and the quantity to plot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sde_lab.figures.sweep_axis import SweepAxis
from sde_lab.scenario import Scenario
from sde_lab.sweeps import Plan, make_plan
from sde_lab.sweeps.grid import with_values

STATE_MEASURES = {
    "mean": "mean",
    "std": "standard deviation",
    "q05": "5 % quantile",
    "q25": "25 % quantile",
    "q50": "median",
    "q75": "75 % quantile",
    "q95": "95 % quantile",
}
"""Measures of the state → their titles."""
EARLIER_TITLES = {"std": "spread"}
"""Titles that links saved before still hold."""
STD_SLOPE = "std slope"
ANIMATION_TIMES = 40
"""Times after the start at which a film is drawn."""


@dataclass(frozen=True)
class SweepRequest:
    """What is turned and what is looked at.

    Attributes:
        scenario: what the sidebar says.
        axes: one or two.
        component: index of the state component.
        target: a measure of the state, or a column whose derivative's mean is looked at.
    """

    scenario: Scenario
    axes: tuple[SweepAxis, ...]
    component: int
    target: str

    @property
    def grid(self) -> dict[str, list[Any]]:
        """The grid, as the library takes it."""
        return {one.name: list(one.values) for one in self.axes}

    @property
    def measures(self) -> tuple[str, ...]:
        """What is measured: all that a film needs, or the one thing that a map shows."""
        if len(self.axes) == 1:
            return (
                (*STATE_MEASURES, STD_SLOPE)
                if self.axes[0].name in self.sensitivities
                else tuple(STATE_MEASURES)
            )
        return (self.target,) if self.target in STATE_MEASURES else ("mean",)

    @property
    def sensitivities(self) -> tuple[str, ...]:
        """Columns that are differentiated by: the one looked at, and the one of the tangents."""
        columns = self.scenario.model_spec.jacobian_columns
        turned = [one.name for one in self.axes] if len(self.axes) == 1 else []
        return tuple(name for name in columns if name in turned or name == self.target)

    @property
    def times(self) -> int | None:
        """Where it is measured."""
        return ANIMATION_TIMES if len(self.axes) == 1 else None

    @property
    def quantity(self) -> str:
        """What is looked at, as the table calls it."""
        name = self.scenario.model_spec.components[self.component]
        return name if self.target in STATE_MEASURES else f"d{name}_d{self.target}"

    @property
    def measure(self) -> str:
        """The measure of it."""
        return self.target if self.target in STATE_MEASURES else "mean"

    @property
    def slope(self) -> tuple[str, str] | None:
        """Quantity and measure of the slope of what is looked at; None where there is none."""
        name, turned = self.scenario.model_spec.components[self.component], self.axes[0].name
        measures = {"mean": "mean", "std": STD_SLOPE}
        if len(self.axes) > 1 or turned not in self.sensitivities or self.target not in measures:
            return None
        return f"d{name}_d{turned}", measures[self.target]

    @property
    def cache_key(self) -> SweepRequest:
        """The same question wherever the sidebar has what is turned: its answer is the same.

        Raises:
            ScenarioError: if the first value cannot work.
        """
        first = {one.name: one.values[0] for one in self.axes}
        return replace(self, scenario=with_values(self.scenario, first))

    @property
    def title(self) -> str:
        """What is looked at, as people read it."""
        return quantity_titles(self.scenario)[self.component, self.target]

    @property
    def description(self) -> str:
        """The grid, in a sentence."""
        turned = " and ".join(
            f"{one.symbol} at {len(one.values)} points from {one.labels[0]} to {one.labels[-1]}"
            for one in self.axes
        )
        return f"Swept: {turned}, with common random numbers at all points."

    @property
    def sweep_kwargs(self) -> dict[str, Any]:
        """The arguments of :func:`sde_lab.sweep`."""
        return {
            "scenario": self.scenario,
            "over": self.grid,
            "measures": self.measures,
            "sensitivities": self.sensitivities,
            "times": self.times,
        }

    def plan(self) -> Plan:
        """The sweep.

        Raises:
            ScenarioError: for what cannot work or does not fit.
        """
        return make_plan(**self.sweep_kwargs)


def quantity_titles(
    scenario: Scenario, measures: Mapping[str, str] = STATE_MEASURES
) -> dict[tuple[int, str], str]:
    """Return (component, target) → title of every quantity that can be plotted.

    Args:
        scenario: of the sweep.
        measures: measure of the state → its title.
    """
    model = scenario.model_spec
    titles: dict[tuple[int, str], str] = {}
    for component, symbol in enumerate(model.symbols):
        titles |= {(component, name): f"{title} of {symbol}" for name, title in measures.items()}
        for parameter in (*model.initial, *model.parameters):
            titles[component, parameter.name] = f"∂{symbol}/∂{parameter.symbol}, mean"
    return titles
