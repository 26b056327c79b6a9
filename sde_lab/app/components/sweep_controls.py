"""What the sweep page asks for: the widgets above the charts, and the sweep they describe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from sde_lab.app.components.sidebar import BOUND
from sde_lab.app.components.sweep_axis_controls import dial, turnable
from sde_lab.figures.sweep_axis import Dial
from sde_lab.scenario import Scenario
from sde_lab.sweep import Plan, make_plan
from sde_lab.sweep.grid import moved

NOTHING = "nothing else"
POINTS = (6, 11, 21, 31, 51, 101)
STATE = {
    "mean": "mean",
    "std": "spread",
    "q05": "5 % quantile",
    "q25": "25 % quantile",
    "q50": "median",
    "q75": "75 % quantile",
    "q95": "95 % quantile",
}
"""Measures of the state, by name, as people read them."""
CHOICE, RANGE, COUNT = 160, 140, 110
"""Pixels of the widgets: all in one row on a desk, two beside each other on a phone."""
SLOPE = "std slope"
TIMES = 40
"""Times after the start at which a film is drawn."""


@dataclass(frozen=True)
class Question:
    """What is turned and what is looked at.

    Attributes:
        scenario: what the sidebar says.
        dials: one or two.
        component: index of the state component.
        look: a measure of the state, or a column whose derivative's mean is looked at.
    """

    scenario: Scenario
    dials: tuple[Dial, ...]
    component: int
    look: str

    @property
    def over(self) -> dict[str, list[Any]]:
        """The grid, as the library takes it."""
        return {one.name: list(one.values) for one in self.dials}

    @property
    def measures(self) -> tuple[str, ...]:
        """What is measured: all that a film needs, or the one thing that a map shows."""
        if len(self.dials) == 1:
            return (*STATE, SLOPE) if self.dials[0].name in self.sensitivities else tuple(STATE)
        return (self.look,) if self.look in STATE else ("mean",)

    @property
    def sensitivities(self) -> tuple[str, ...]:
        """Columns that are differentiated by: the one looked at, and the one of the tangents."""
        columns = self.scenario.sde.columns
        turned = [one.name for one in self.dials] if len(self.dials) == 1 else []
        return tuple(name for name in columns if name in turned or name == self.look)

    @property
    def times(self) -> int | None:
        """Where it is measured."""
        return TIMES if len(self.dials) == 1 else None

    @property
    def quantity(self) -> str:
        """What is looked at, as the table calls it."""
        name = self.scenario.sde.components[self.component]
        return name if self.look in STATE else f"d{name}_d{self.look}"

    @property
    def measure(self) -> str:
        """The measure of it."""
        return self.look if self.look in STATE else "mean"

    @property
    def slope(self) -> tuple[str, str] | None:
        """Quantity and measure of the slope of what is looked at; None where there is none."""
        name, turned = self.scenario.sde.components[self.component], self.dials[0].name
        measures = {"mean": "mean", "std": SLOPE}
        if len(self.dials) > 1 or turned not in self.sensitivities or self.look not in measures:
            return None
        return f"d{name}_d{turned}", measures[self.look]

    @property
    def essence(self) -> Question:
        """The same question wherever the sidebar has what is turned: its answer is the same.

        Raises:
            ScenarioError: if the first value cannot work.
        """
        first = {one.name: one.values[0] for one in self.dials}
        return replace(self, scenario=moved(self.scenario, first))

    @property
    def title(self) -> str:
        """What is looked at, as people read it."""
        return _titles(self.scenario)[self.component, self.look]

    @property
    def words(self) -> str:
        """What is turned, in a sentence."""
        turned = " and ".join(
            f"{one.symbol} over {len(one.values)} values from {one.labels[0]} to {one.labels[-1]}"
            for one in self.dials
        )
        return f"Swept: {turned}, under the same noise at every point."

    @property
    def asked(self) -> dict[str, Any]:
        """The arguments of :func:`sde_lab.sweep`."""
        return {
            "scenario": self.scenario,
            "over": self.over,
            "measures": self.measures,
            "sensitivities": self.sensitivities,
            "times": self.times,
        }

    def plan(self) -> Plan:
        """The sweep.

        Raises:
            ScenarioError: for what cannot work or does not fit.
        """
        return make_plan(**self.asked)


def question(scenario: Scenario) -> Question:
    """Draw the widgets and read them."""
    names = turnable(scenario)
    key = f"{scenario.sde.key}.sweep"
    titles = _titles(scenario)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        first = _choice("Turn", names, f"{key}.turn", scenario.sde.parameters[0].name)
        points = _points()
        dials = [dial(scenario, first, points, RANGE)]
        others = {NOTHING: NOTHING, **{name: names[name] for name in names if name != first}}
        second = _choice("and", others, f"{key}.and", NOTHING)
        if second != NOTHING:
            dials.append(dial(scenario, second, points, RANGE))
        looks = {f"{place}.{look}": title for (place, look), title in titles.items()}
        chosen = _choice("Look at", looks, f"{key}.look", "0.std")
    place, look = chosen.split(".")
    return Question(scenario, tuple(dials), int(place), look)


def _points() -> int:
    return int(st.select_slider("Values", POINTS, 21, key="sweep.points", width=COUNT, **BOUND))


def _choice(label: str, titles: dict[str, str], key: str, default: str) -> str:
    chosen = st.selectbox(
        label,
        list(titles),
        index=list(titles).index(default),
        format_func=lambda name: titles.get(name, name),
        key=key,
        width=CHOICE,
        **BOUND,
    )
    return str(chosen) if chosen in titles else default


def _titles(scenario: Scenario) -> dict[tuple[int, str], str]:
    """Everything that can be looked at: a measure or a column, of each component."""
    model = scenario.sde
    found: dict[tuple[int, str], str] = {}
    for place, symbol in enumerate(model.symbols):
        found |= {(place, name): f"{title} of {symbol}" for name, title in STATE.items()}
        for knob in (*model.initial, *model.parameters):
            found[place, knob.name] = f"∂{symbol}/∂{knob.symbol}, mean"
    return found
