"""Settings worth meeting, and the way back to the defaults."""

from __future__ import annotations

import streamlit as st

from sde_lab.app.state.url_state import apply_scenario, default_scenario, widget_values
from sde_lab.models.base import Model, Preset
from sde_lab.scenario import Scenario


def draw_presets(model: Model) -> None:
    """A menu of the model's presets, beside the button that resets its controls."""
    left, right = st.columns(2)
    if model.presets:
        with left, st.popover("Presets", width="stretch", key="presets"):
            _menu(model)
    with right:
        st.button(
            "Reset",
            key="reset",
            on_click=apply_scenario,
            args=(default_scenario(model),),
            width="stretch",
        )


def _menu(model: Model) -> None:
    for preset in model.presets:
        st.button(
            preset.title,
            key=f"{model.slug}.preset.{preset.title}",
            on_click=st.session_state.update,
            args=(widget_values(preset_scenario(model, preset)),),
            type="tertiary",
        )


def preset_scenario(model: Model, preset: Preset) -> Scenario:
    """The model's default with the preset's values."""
    start = [preset.values.get(parameter.name, parameter.default) for parameter in model.initial]
    named = {k.name: preset.values[k.name] for k in model.parameters if k.name in preset.values}
    horizon = model.horizon if preset.horizon is None else preset.horizon
    return Scenario(model=model.name, parameters=named, x0=start, horizon=horizon)
