"""The widgets above the charts of the Sweep page."""

from __future__ import annotations

import streamlit as st

from sde_lab.app.components.sweep_axis_controls import draw_axis_range, sweepable_labels
from sde_lab.app.state.options import URL_BOUND
from sde_lab.app.state.sweep_request import SweepRequest, quantity_titles
from sde_lab.scenario import Scenario

NO_SECOND_AXIS = "nothing else"
GRID_POINTS = (6, 11, 21, 31, 51, 101)
CHOICE, RANGE, COUNT = 160, 140, 110
"""Pixels of the widgets: all in one row on a desk, two beside each other on a phone."""


def draw_sweep_controls(scenario: Scenario) -> SweepRequest:
    """Draw the widgets and read them."""
    names = sweepable_labels(scenario)
    key = f"{scenario.model_spec.slug}.sweep"
    titles = quantity_titles(scenario)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        first = _choice("Turn", names, f"{key}.turn", scenario.model_spec.parameters[0].name)
        points = _points()
        dials = [draw_axis_range(scenario, first, points, RANGE)]
        others = {
            NO_SECOND_AXIS: NO_SECOND_AXIS,
            **{name: names[name] for name in names if name != first},
        }
        second = _choice("and", others, f"{key}.and", NO_SECOND_AXIS)
        if second != NO_SECOND_AXIS:
            dials.append(draw_axis_range(scenario, second, points, RANGE))
        looks = {f"{place}.{look}": title for (place, look), title in titles.items()}
        chosen = _choice("Look at", looks, f"{key}.look", "0.std")
    place, look = chosen.split(".")
    return SweepRequest(scenario, tuple(dials), int(place), look)


def _points() -> int:
    return int(
        st.select_slider("Values", GRID_POINTS, 21, key="sweep.points", width=COUNT, **URL_BOUND)
    )


def _choice(label: str, titles: dict[str, str], key: str, default: str) -> str:
    chosen = st.selectbox(
        label,
        list(titles),
        index=list(titles).index(default),
        format_func=lambda name: titles.get(name, name),
        key=key,
        width=CHOICE,
        **URL_BOUND,
    )
    return str(chosen) if chosen in titles else default
