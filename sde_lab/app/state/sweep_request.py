"""The request of the Sweep page: swept parameters and the quantity to plot."""

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
"""Times after the initial one at which the animation is computed."""


@dataclass(frozen=True)
class SweepRequest:
    """A sweep as the page asks for it.

    Attributes:
        scenario: of the sidebar; the swept fields of it do not matter.
        axes: the swept parameters with their grid points, one or two.
        component: index of the state component.
        target: a measure of the state, or the parameter of the sensitivity whose mean is plotted.
        engine: as :func:`sde_lab.sweep` takes it.
    """

    scenario: Scenario
    axes: tuple[SweepAxis, ...]
    component: int
    target: str
    engine: str | None = None

    @property
    def grid(self) -> dict[str, list[Any]]:
        """Name → grid points, as :func:`sde_lab.sweep` takes them."""
        return {one.name: list(one.values) for one in self.axes}

    @property
    def measures(self) -> tuple[str, ...]:
        """Measures to compute: all that the animation needs, or the one that the heatmaps show."""
        if len(self.axes) == 1:
            return (
                (*STATE_MEASURES, STD_SLOPE)
                if self.axes[0].name in self.sensitivities
                else tuple(STATE_MEASURES)
            )
        return (self.target,) if self.target in STATE_MEASURES else ("mean",)

    @property
    def sensitivities(self) -> tuple[str, ...]:
        """Parameters to differentiate by: that of the quantity, and for tangents the swept one."""
        columns = self.scenario.model_spec.jacobian_columns
        swept = [axis.name for axis in self.axes] if len(self.axes) == 1 else []
        return tuple(name for name in columns if name in swept or name == self.target)

    @property
    def times(self) -> int | None:
        """Number of times at which it is measured; None for the horizon alone."""
        return ANIMATION_TIMES if len(self.axes) == 1 else None

    @property
    def quantity(self) -> str:
        """The plotted quantity, as the result's table calls it."""
        name = self.scenario.model_spec.components[self.component]
        return name if self.target in STATE_MEASURES else f"d{name}_d{self.target}"

    @property
    def measure(self) -> str:
        """The measure of the quantity, as the result's table calls it."""
        return self.target if self.target in STATE_MEASURES else "mean"

    @property
    def slope(self) -> tuple[str, str] | None:
        """Quantity and measure of the tangents' slope; None where it is not known."""
        name, swept = self.scenario.model_spec.components[self.component], self.axes[0].name
        measures = {"mean": "mean", "std": STD_SLOPE}
        if len(self.axes) > 1 or swept not in self.sensitivities or self.target not in measures:
            return None
        return f"d{name}_d{swept}", measures[self.target]

    @property
    def cache_key(self) -> SweepRequest:
        """The request with the swept fields of the scenario set to the first grid point.

        The sidebar's values of what is swept change nothing in the result, so requests that differ
        in them alone share one.

        Raises:
            ScenarioError: if the first grid point is not valid.
        """
        first = {one.name: one.values[0] for one in self.axes}
        return replace(self, scenario=with_values(self.scenario, first))

    @property
    def title(self) -> str:
        """Title of the plotted quantity."""
        return quantity_titles(self.scenario)[self.component, self.target]

    @property
    def description(self) -> str:
        """The grid, in a sentence."""
        grid = " and ".join(
            f"{one.symbol} at {len(one.values)} points from {one.labels[0]} to {one.labels[-1]}"
            for one in self.axes
        )
        return f"Swept: {grid}, with common random numbers at all points."

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
        """Return the plan of the sweep.

        Raises:
            ScenarioError: for what is not valid or does not fit into memory.
        """
        return make_plan(**self.sweep_kwargs, engine=self.engine)


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
