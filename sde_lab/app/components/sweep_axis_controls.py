"""What the page can turn, and the widgets that say how far."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from sde_lab.app.components.sidebar import BOUND, HORIZONS, SAMPLES, STEPS
from sde_lab.figures.sweep_axis import Dial
from sde_lab.models.base import Parameter
from sde_lab.scenario import Scenario
from sde_lab.schemes import fitting_schemes

LISTS: dict[str, tuple[Any, ...]] = {"horizon": HORIZONS, "steps": STEPS, "samples": SAMPLES}
ENDS: dict[str, tuple[Any, Any]] = {
    "horizon": (0.5, 5.0),
    "steps": (25, 400),
    "samples": (50, 5000),
}
TITLES = {"horizon": "T", "steps": "steps", "samples": "samples", "scheme": "scheme"}


def turnable(scenario: Scenario) -> dict[str, str]:
    """Names that the page can turn, and how people read them."""
    knobs = {knob.name: f"{knob.symbol}  {knob.meaning}" for knob in _knobs(scenario)}
    return {
        **knobs,
        "horizon": "T  horizon",
        "steps": "steps",
        "samples": "samples",
        "scheme": "scheme",
    }


def dial(scenario: Scenario, name: str, points: int, width: int) -> Dial:
    """A name with the values between the ends that a slider of its own says."""
    if name in LISTS:
        return Dial(name, TITLES[name], _listed(name, width), listed=True)
    if name == "scheme":
        return Dial(name, TITLES[name], fitting_schemes(scenario.sde), listed=True)
    knob = next(knob for knob in _knobs(scenario) if knob.name == name)
    low, high = _ends(scenario, knob, width)
    values = np.unique(np.linspace(low, high, points).round(10)).tolist()
    return Dial(name, knob.symbol, tuple(values))


def _knobs(scenario: Scenario) -> tuple[Parameter, ...]:
    return (*scenario.sde.initial, *scenario.sde.parameters)


def _ends(scenario: Scenario, knob: Parameter, width: int) -> tuple[float, float]:
    low, high = st.slider(
        f"{knob.symbol}  from, to",
        min_value=float(knob.low),
        max_value=float(knob.high),
        value=(float(knob.low), float(knob.high)),
        step=float(knob.step),
        key=f"{scenario.sde.key}.sweep.{knob.name}",
        width=width,
        **BOUND,
    )
    return float(low), float(high)


def _listed(name: str, width: int) -> tuple[Any, ...]:
    """The values of a list between two of them."""
    options = LISTS[name]
    first, last = st.select_slider(
        f"{TITLES[name]}  from, to",
        options,
        value=ENDS[name],
        format_func=lambda value: f"{value:g}",
        key=f"sweep.{name}",
        width=width,
        **BOUND,
    )
    return options[options.index(first) : options.index(last) + 1]
