"""The widget of each control: a key names it in the session and in the address bar."""

from __future__ import annotations

from sde_lab.equations import TypedModel
from sde_lab.models.base import Model, Parameter


def knob_key(model: Model, knob: Parameter) -> str:
    """The widget of a parameter or initial value; every model keeps its own.

    Typed equations share theirs by symbol, so that a slider stays where it is while the rest of the
    text changes. Value and range stand in the key, since Streamlit takes a slider of another range
    for another slider, which would read the old one's value in the address bar.
    """
    if not isinstance(model, TypedModel):
        return f"{model.key}.{knob.name}"
    return f"{model.key}.{knob.name}.{knob.default:g}_{knob.low:g}_{knob.high:g}"


def horizon_key(model: Model) -> str:
    """The widget of the horizon; every model keeps its own."""
    own = f".{model.horizon:g}" if isinstance(model, TypedModel) else ""
    return f"{model.key}.horizon{own}"
