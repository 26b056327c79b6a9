"""The slider that picks a time of the charts: a share of the horizon in the link, a time on it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from sde_lab.app.components.style import scaled_pixels
from sde_lab.app.state.options import URL_BOUND

WIDTH_PIXELS = 190


def draw_time_slider(key: str, name: str, label_of: Callable[[float], str]) -> float:
    """Draw the slider and above it the time that it points at.

    The slider counts percents of the horizon: a link then means the same moment for every horizon,
    and a slider that counted in time would be another widget, back at its end, after each move of
    the horizon. What is read above it is the time. It is written after the slider, whose value it
    shows, so the label of the slider itself stays constant and is there for screen readers only.

    Args:
        key: of the widget.
        name: what screen readers call it.
        label_of: share of the horizon, 0 to 1 → the text above the slider.

    Returns:
        The share of the horizon, 0 to 1.
    """
    with st.container(width=scaled_pixels(WIDTH_PIXELS), gap=None, key=f"time_{key}"):
        label = st.empty()
        percent = st.slider(
            name,
            0,
            100,
            100,
            format="%d %%",
            key=key,
            label_visibility="collapsed",
            **URL_BOUND,
        )
        share = int(percent) / 100
        label.markdown(label_of(share))
    return share
