"""The widget of each control: a key names it in the session and in the address bar."""

from __future__ import annotations

from sde_lab.equations import EquationModel
from sde_lab.models.base import Model, Parameter


def parameter_key(model: Model, parameter: Parameter) -> str:
    """The widget of a parameter or initial value; every model keeps its own.

    Typed equations share theirs by symbol, so that a slider stays where it is while the rest of the
    text changes. Value and range stand in the key, since Streamlit takes a slider of another range
    for another slider, which would read the old one's value in the address bar.
    """
    if not isinstance(model, EquationModel):
        return f"{model.slug}.{parameter.name}"
    return (
        f"{model.slug}.{parameter.name}.{parameter.default:g}_{parameter.low:g}_{parameter.high:g}"
    )


def horizon_key(model: Model) -> str:
    """The widget of the horizon; every model keeps its own."""
    own = f".{model.horizon:g}" if isinstance(model, EquationModel) else ""
    return f"{model.slug}.horizon{own}"
