"""The presets of a model, and the reset to its defaults."""

from __future__ import annotations

import streamlit as st

from sde_lab.app.state.model_scenarios import default_scenario, preset_scenario
from sde_lab.app.state.url_state import apply_scenario, widget_values
from sde_lab.models.base import Model


def draw_presets(model: Model) -> None:
    """Draw the menu of the model's presets, beside the button that resets its controls."""
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
