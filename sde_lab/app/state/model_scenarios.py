"""The scenarios that a model comes with: its default and its presets."""

from __future__ import annotations

from sde_lab.models.base import Model, Preset
from sde_lab.scenario import Scenario


def default_scenario(model: Model) -> Scenario:
    """Return what the controls say of a model before anyone moves them."""
    return Scenario(model=model.name, horizon=model.horizon)


def preset_scenario(model: Model, preset: Preset) -> Scenario:
    """Return the default with the preset's parameters, initial values and horizon."""
    start = [preset.values.get(parameter.name, parameter.default) for parameter in model.initial]
    named = {k.name: preset.values[k.name] for k in model.parameters if k.name in preset.values}
    horizon = model.horizon if preset.horizon is None else preset.horizon
    return Scenario(model=model.name, parameters=named, x0=start, horizon=horizon)
