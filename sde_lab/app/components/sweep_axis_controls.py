"""What the page can turn, and the widgets that say how far."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from sde_lab.app.state.options import HORIZONS, SAMPLES, STEPS, URL_BOUND
from sde_lab.figures.sweep_axis import SweepAxis
from sde_lab.figures.theme import palette_index
from sde_lab.models.base import Parameter
from sde_lab.scenario import Scenario
from sde_lab.schemes import fitting_schemes

LISTED_VALUES: dict[str, tuple[Any, ...]] = {
    "horizon": HORIZONS,
    "steps": STEPS,
    "samples": SAMPLES,
}
RANGE_ENDS: dict[str, tuple[Any, Any]] = {
    "horizon": (0.5, 5.0),
    "steps": (25, 400),
    "samples": (50, 5000),
}
TITLES = {"horizon": "T", "steps": "steps", "samples": "samples", "scheme": "scheme"}


def sweepable_labels(scenario: Scenario) -> dict[str, str]:
    """Names that the page can turn, and how people read them."""
    parameters = {
        parameter.name: f"{parameter.symbol}  {parameter.description}"
        for parameter in _parameters(scenario)
    }
    return {
        **parameters,
        "horizon": "T  horizon",
        "steps": "steps",
        "samples": "samples",
        "scheme": "scheme",
    }


def draw_axis_range(scenario: Scenario, name: str, points: int, width: int) -> SweepAxis:
    """A name with the values between the ends that a slider of its own says."""
    if name in LISTED_VALUES:
        return SweepAxis(name, TITLES[name], _listed(name, width), categorical=True)
    if name == "scheme":
        return SweepAxis(name, TITLES[name], fitting_schemes(scenario.model_spec), categorical=True)
    parameter = next(parameter for parameter in _parameters(scenario) if parameter.name == name)
    low, high = _ends(scenario, parameter, width)
    values = np.unique(np.linspace(low, high, points).round(10)).tolist()
    colour = palette_index(scenario.model_spec, name)
    return SweepAxis(name, parameter.symbol, tuple(values), colour_index=colour)


def _parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    return (*scenario.model_spec.initial, *scenario.model_spec.parameters)


def _ends(scenario: Scenario, parameter: Parameter, width: int) -> tuple[float, float]:
    low, high = st.slider(
        f"{parameter.symbol}  from, to",
        min_value=float(parameter.low),
        max_value=float(parameter.high),
        value=(float(parameter.low), float(parameter.high)),
        step=float(parameter.step),
        key=f"{scenario.model_spec.slug}.sweep.{parameter.name}",
        width=width,
        **URL_BOUND,
    )
    return float(low), float(high)


def _listed(name: str, width: int) -> tuple[Any, ...]:
    """The values of a list between two of them."""
    options = LISTED_VALUES[name]
    first, last = st.select_slider(
        f"{TITLES[name]}  from, to",
        options,
        value=RANGE_ENDS[name],
        format_func=lambda value: f"{value:g}",
        key=f"sweep.{name}",
        width=width,
        **URL_BOUND,
    )
    return options[options.index(first) : options.index(last) + 1]
