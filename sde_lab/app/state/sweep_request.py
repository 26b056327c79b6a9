"""What the Sweep page asks for: the swept parameters and the quantity to plot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sde_lab.figures.sweep_axis import SweepAxis
from sde_lab.scenario import Scenario
from sde_lab.sweeps import Plan, make_plan
from sde_lab.sweeps.grid import with_values

STATE_MEASURES = {
    "mean": "mean",
    "std": "spread",
    "q05": "5 % quantile",
    "q25": "25 % quantile",
    "q50": "median",
    "q75": "75 % quantile",
    "q95": "95 % quantile",
}
"""Measures of the state, by name, as people read them."""
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
        """What is turned, in a sentence."""
        turned = " and ".join(
            f"{one.symbol} over {len(one.values)} values from {one.labels[0]} to {one.labels[-1]}"
            for one in self.axes
        )
        return f"Swept: {turned}, under the same noise at every point."

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


def quantity_titles(scenario: Scenario) -> dict[tuple[int, str], str]:
    """Everything that can be looked at: a measure or a column, of each component."""
    model = scenario.model_spec
    found: dict[tuple[int, str], str] = {}
    for place, symbol in enumerate(model.symbols):
        found |= {(place, name): f"{title} of {symbol}" for name, title in STATE_MEASURES.items()}
        for parameter in (*model.initial, *model.parameters):
            found[place, parameter.name] = f"∂{symbol}/∂{parameter.symbol}, mean"
    return found
