"""A scenario → the values of the widgets that describe it, in the session and in the link."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from sde_lab.app.state.model_scenarios import default_scenario
from sde_lab.app.state.options import CUSTOM_MODEL_KEY, CUSTOM_MODEL_LABEL, TEXT_KEY
from sde_lab.app.state.widget_keys import horizon_key, parameter_key
from sde_lab.equations import EquationModel
from sde_lab.models import MODELS
from sde_lab.models.base import Model
from sde_lab.scenario import Scenario
from sde_lab.schemes import SCHEMES, fitting_schemes


def scheme_key(model: Model) -> str:
    """Return the key of the scheme picker.

    Models that all schemes support share one, so that the scheme stays when the model changes; the
    others have one for each noise type, with the schemes that support it.
    """
    return "scheme" if len(fitting_schemes(model)) == len(SCHEMES) else f"{model.noise_type}.scheme"


def scheme_label(name: str) -> str:
    """Return the label of a scheme, which is also its spelling in a link."""
    return f"{SCHEMES[name].title} · {SCHEMES[name].interpretation_title}"


def widget_key(model: Model, name: str) -> str:
    """Return the key of the widget of this parameter, initial value or field of a scenario."""
    parameters = {parameter.name: parameter for parameter in (*model.initial, *model.parameters)}
    if name in parameters:
        return parameter_key(model, parameters[name])
    return {"horizon": horizon_key(model), "scheme": scheme_key(model)}.get(name, name)


def apply_scenario(scenario: Scenario) -> None:
    """Set the controls to this scenario; call it before they are drawn.

    Args:
        scenario: with values that the widgets offer.
    """
    defaults = all_widget_values(default_scenario(scenario.model_spec))
    set_widgets(all_widget_values(scenario), {**defaults, "model": next(iter(MODELS))})


def set_widgets(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Set widgets to these values, in the session and in the link.

    Streamlit writes session state into the link only for the widgets that the last run drew, whose
    parameters it lets nobody else write; for the others it is done here. A value that is the
    default is left out of the link.

    Args:
        values: key of the widget → value.
        defaults: key of the widget → default; a key without one stays out of the link.
    """
    for key, value in values.items():
        with contextlib.suppress(StreamlitAPIException):  # drawn: Streamlit writes it
            if value != defaults.get(key, value):
                st.query_params[key] = _query_text(key, value)
            elif key in st.query_params:
                del st.query_params[key]
    st.session_state.update(values)


def _query_text(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if key == "model":
        return MODELS[value].title if value in MODELS else CUSTOM_MODEL_LABEL
    if isinstance(value, str):
        return scheme_label(value) if key.endswith("scheme") else value
    return f"{value:.12g}"


def all_widget_values(scenario: Scenario) -> dict[str, Any]:
    """Return widget key → value, for every widget that describes a scenario."""
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
    """Return widget key → value of the parameters, initial values and horizon."""
    model = scenario.model_spec
    parameters = dict(zip(model.initial, scenario.initial, strict=True))
    parameters |= {parameter: scenario.parameters[parameter.name] for parameter in model.parameters}
    values: dict[str, Any] = {
        parameter_key(model, parameter): float(v) for parameter, v in parameters.items()
    }
    return {**values, horizon_key(model): scenario.horizon}
