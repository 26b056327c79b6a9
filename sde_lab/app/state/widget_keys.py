"""Keys of widgets: a key names a control in the session and in the link, and must not change."""

from __future__ import annotations

from sde_lab.equations import EquationModel
from sde_lab.models.base import Model, Parameter


def parameter_key(model: Model, parameter: Parameter) -> str:
    """Return the key of the slider of a parameter or initial value; every model has its own.

    Typed equations share theirs by symbol, so that a slider stays where it is while the rest of the
    text changes. Default and range are part of the key: Streamlit takes a slider of another range
    for a new widget, which under the same key would read the old one's value from the link.
    """
    if not isinstance(model, EquationModel):
        return f"{model.slug}.{parameter.name}"
    return (
        f"{model.slug}.{parameter.name}.{parameter.default:g}_{parameter.low:g}_{parameter.high:g}"
    )


def horizon_key(model: Model) -> str:
    """Return the key of the horizon slider; every model has its own."""
    own = f".{model.horizon:g}" if isinstance(model, EquationModel) else ""
    return f"{model.slug}.horizon{own}"
