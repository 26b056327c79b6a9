"""A scenario → what the widgets say: where each control keeps its value."""

from __future__ import annotations

from typing import Any

import streamlit as st

from sde_lab.models.base import Model, Parameter
from sde_lab.scenario import Scenario
from sde_lab.schemes import SCHEMES


def knob_key(model: Model, knob: Parameter) -> str:
    """The widget of a parameter or initial value; every model keeps its own."""
    return f"{model.name}.{knob.name}"


def horizon_key(model: Model) -> str:
    """The widget of the horizon; every model keeps its own."""
    return f"{model.name}.horizon"


def fitting_schemes(model: Model) -> list[str]:
    """Names of the schemes that can drive the model's noise."""
    return [s.name for s in SCHEMES.values() if model.noise_type in s.noise_types]


def scheme_key(model: Model) -> str:
    """The widget of the scheme; models whose noise few schemes can drive share another."""
    return "scheme" if len(fitting_schemes(model)) == len(SCHEMES) else f"{model.noise_type}.scheme"


def place(scenario: Scenario) -> None:
    """Make the widgets say this scenario; call it before they are drawn.

    Args:
        scenario: with values that the widgets offer.
    """
    model = scenario.sde
    st.session_state.update(
        {
            "model": model.name,
            **model_values(scenario),
            "steps": scenario.steps,
            "samples": scenario.samples,
            scheme_key(model): scenario.scheme,
            "seed": float(scenario.seed),
        }
    )


def model_values(scenario: Scenario) -> dict[str, Any]:
    """Widget key → value, for the widgets of the scenario's model: its knobs and its horizon."""
    model = scenario.sde
    knobs = dict(zip(model.initial, scenario.initial, strict=True))
    knobs |= {knob: scenario.parameters[knob.name] for knob in model.parameters}
    values: dict[str, Any] = {knob_key(model, knob): float(v) for knob, v in knobs.items()}
    return {**values, horizon_key(model): scenario.horizon}
