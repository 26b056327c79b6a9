"""A scenario → what the widgets say: where each control keeps its value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from sde_lab.app.state.model_scenarios import default_scenario
from sde_lab.app.state.options import CUSTOM_MODEL_KEY, TEXT_KEY
from sde_lab.app.state.widget_keys import horizon_key, parameter_key
from sde_lab.equations import EquationModel
from sde_lab.models.base import Model
from sde_lab.scenario import Scenario
from sde_lab.schemes import SCHEMES, fitting_schemes


def scheme_key(model: Model) -> str:
    """The widget of the scheme; models whose noise few schemes can drive share another."""
    return "scheme" if len(fitting_schemes(model)) == len(SCHEMES) else f"{model.noise_type}.scheme"


def scheme_label(name: str) -> str:
    """The scheme as people read it, and as it stands in a link."""
    return f"{SCHEMES[name].title} · {SCHEMES[name].interpretation_title}"


def widget_key(model: Model, name: str) -> str:
    """The widget that says this parameter, initial value or field of a scenario."""
    parameters = {parameter.name: parameter for parameter in (*model.initial, *model.parameters)}
    if name in parameters:
        return parameter_key(model, parameters[name])
    return {"horizon": horizon_key(model), "scheme": scheme_key(model)}.get(name, name)


def apply_scenario(scenario: Scenario) -> None:
    """Make the controls say this scenario; call it before they are drawn.

    Args:
        scenario: with values that the widgets offer.
    """
    set_widgets(
        _all_widget_values(scenario), _all_widget_values(default_scenario(scenario.model_spec))
    )


def set_widgets(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Make widgets say these values, here and in the address bar.

    Streamlit takes what code says of a widget into the address bar only if the widget has been
    drawn before; for the others it is done here, and the widget then finds it there.
    """
    for key, value in values.items():
        if key not in st.session_state and value != defaults[key]:
            st.query_params[key] = _query_text(key, value)
    st.session_state.update(values)


def _query_text(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return scheme_label(value) if key.endswith("scheme") else value
    return f"{value:.12g}"


def _all_widget_values(scenario: Scenario) -> dict[str, Any]:
    """Widget key → value, for every widget that describes a scenario."""
    model = scenario.model_spec
    named = {"model": model.name}
    return {
        **(
            {"model": CUSTOM_MODEL_KEY, TEXT_KEY: model.name}
            if isinstance(model, EquationModel)
            else named
        ),
        **widget_values(scenario),
        "steps": scenario.steps,
        "samples": scenario.samples,
        scheme_key(model): scenario.scheme,
        "seed": float(scenario.seed),
    }


def widget_values(scenario: Scenario) -> dict[str, Any]:
    """Widget key → value, for the widgets of the scenario's model: its knobs and its horizon."""
    model = scenario.model_spec
    parameters = dict(zip(model.initial, scenario.initial, strict=True))
    parameters |= {parameter: scenario.parameters[parameter.name] for parameter in model.parameters}
    values: dict[str, Any] = {
        parameter_key(model, parameter): float(v) for parameter, v in parameters.items()
    }
    return {**values, horizon_key(model): scenario.horizon}
