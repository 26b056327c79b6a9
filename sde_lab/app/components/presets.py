"""The presets of a model, and the reset to its defaults."""

from __future__ import annotations

import streamlit as st

from sde_lab.app.components.page_values import reset_values
from sde_lab.app.state.model_scenarios import preset_scenario
from sde_lab.app.state.url_state import widget_values
from sde_lab.models.base import Model


def draw_presets(model: Model) -> None:
    """Draw the menu of the model's presets, beside the button that resets its controls."""
    with st.container(horizontal=True, wrap=False):
        if model.presets:
            key = f"{model.slug}.presets"
            st.menu_button(
                "Presets",
                [preset.title for preset in model.presets],
                key=key,
                on_click=_apply_chosen,
                args=(model, key),
                width="stretch",
            )
        st.button(
            "Reset",
            key="reset",
            on_click=reset_values,
            args=(model,),
            width="stretch",
        )


def _apply_chosen(model: Model, key: str) -> None:
    """Set the controls to the preset that was chosen in the menu of this key."""
    for preset in model.presets:
        if preset.title == st.session_state[key]:
            st.session_state.update(widget_values(preset_scenario(model, preset)))
