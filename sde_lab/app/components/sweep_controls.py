"""The widgets of the Sweep page: what is swept, over which grid, and what is plotted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from sde_lab.app.components.style import scaled_pixels
from sde_lab.app.state.current_scenario import current_engine
from sde_lab.app.state.link_values import accept_spellings, spellings
from sde_lab.app.state.options import HORIZONS, STEPS, SWEPT_SAMPLES, URL_BOUND
from sde_lab.app.state.sweep_request import EARLIER_TITLES, SweepRequest, quantity_titles
from sde_lab.figures.sweep_axis import SweepAxis
from sde_lab.figures.theme import palette_index
from sde_lab.models.base import Parameter
from sde_lab.scenario import Scenario
from sde_lab.schemes import fitting_schemes

NO_SECOND_PARAMETER = "nothing else"
"""The option; not its label "none", which a parameter of a typed equation may be called."""
GRID_POINTS = (6, 11, 21, 31, 51, 101)
CHOICE_PIXELS, RANGE_PIXELS, POINTS_PIXELS = 195, 104, 90
"""Widths of the widgets: all in one row on a desk, two beside each other on a phone."""
LISTED_VALUES: dict[str, tuple[Any, ...]] = {
    "horizon": HORIZONS,
    "steps": STEPS,
    "samples": SWEPT_SAMPLES,
}
RANGE_ENDS: dict[str, tuple[Any, Any]] = {
    "horizon": (0.5, 5.0),
    "steps": (25, 400),
    "samples": (50, 5000),
}
"""First and last value of a list that are swept unless the slider says otherwise."""
TITLES = {"horizon": "T", "steps": "steps", "samples": "samples", "scheme": "scheme"}


def draw_sweep_controls(scenario: Scenario) -> SweepRequest:
    """Draw the widgets; return the sweep that they describe."""
    labels = _sweepable_labels(scenario)
    key = f"{scenario.model_spec.slug}.sweep"
    spelled = _parameter_spellings(scenario, labels)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        first = _choice(
            "Sweep parameter",
            labels,
            f"{key}.turn",
            scenario.model_spec.parameters[0].name,
            spelled,
        )
        ends = {first: _ends(scenario, first)}
        others = {NO_SECOND_PARAMETER: "none", **labels}
        del others[first]
        second = _choice("Second parameter", others, f"{key}.and", NO_SECOND_PARAMETER, spelled)
        if second != NO_SECOND_PARAMETER:
            ends[second] = _ends(scenario, second)
        points = _points()
        titles = {
            f"{component}.{target}": title
            for (component, target), title in quantity_titles(scenario).items()
        }
        chosen = _choice(
            "Quantity",
            titles,
            f"{key}.look",
            "0.std",
            _quantity_spellings(scenario, titles),
        )
    axes = tuple(_axis(scenario, name, limits, points) for name, limits in ends.items())
    component, target = chosen.split(".")
    return SweepRequest(scenario, axes, int(component), target, current_engine())


def _sweepable_labels(scenario: Scenario) -> dict[str, str]:
    """Return name → label of everything that can be swept."""
    parameters = {
        parameter.name: f"{parameter.symbol}  {parameter.description}"
        for parameter in _parameters(scenario)
    }
    return {**parameters, **TITLES, "horizon": "T  horizon"}


def _parameter_spellings(scenario: Scenario, labels: dict[str, str]) -> Callable[[str], str | None]:
    """Return a reader of labels whose description has changed since: the symbol decides."""
    symbols = {parameter.symbol: parameter.name for parameter in _parameters(scenario)}
    known = spellings({}, labels)

    def label_of(written: str) -> str | None:
        symbol, two_spaces, _ = written.partition("  ")
        return known(written) or (labels.get(symbols.get(symbol, "")) if two_spaces else None)

    return label_of


def _quantity_spellings(scenario: Scenario, titles: dict[str, str]) -> Callable[[str], str | None]:
    earlier = quantity_titles(scenario, EARLIER_TITLES)
    return spellings(
        {title: f"{component}.{target}" for (component, target), title in earlier.items()}, titles
    )


def _points() -> int:
    return int(
        st.select_slider(
            "Grid points",
            GRID_POINTS,
            21,
            key="sweep.points",
            width=scaled_pixels(POINTS_PIXELS),
            **URL_BOUND,
        )
    )


def _choice(
    label: str,
    titles: dict[str, str],
    key: str,
    default: str,
    label_of: Callable[[str], str | None],
) -> str:
    """Draw a list of names by their titles; return the name."""
    accept_spellings(key, label_of)
    chosen = st.selectbox(
        label,
        list(titles),
        index=list(titles).index(default),
        format_func=lambda name: titles.get(name, name),
        key=key,
        width=scaled_pixels(CHOICE_PIXELS),
        **URL_BOUND,
    )
    return str(chosen) if chosen in titles else default


def _axis(scenario: Scenario, name: str, ends: tuple[Any, Any] | None, points: int) -> SweepAxis:
    """Return the axis of a swept name: its grid points between both ends."""
    if ends is None:
        return SweepAxis(name, TITLES[name], fitting_schemes(scenario.model_spec), categorical=True)
    low, high = ends
    if name in LISTED_VALUES:
        listed = LISTED_VALUES[name]
        values = listed[listed.index(low) : listed.index(high) + 1]
        return SweepAxis(name, TITLES[name], values, categorical=True)
    symbol = next(one.symbol for one in _parameters(scenario) if one.name == name)
    colour = palette_index(scenario.model_spec, name)
    # Rounding takes away what linspace adds to the last digit; equal ends leave one point.
    values = np.unique(np.linspace(low, high, points).round(10)).tolist()
    return SweepAxis(name, symbol, tuple(values), colour_index=colour)


def _parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    return (*scenario.model_spec.initial, *scenario.model_spec.parameters)


def _ends(scenario: Scenario, name: str) -> tuple[Any, Any] | None:
    """Draw the slider of a range, if there is one; return its ends, of schemes None."""
    if name == "scheme":
        return None
    if name in LISTED_VALUES:
        first, last = st.select_slider(
            f"{TITLES[name]}  from, to",
            LISTED_VALUES[name],
            value=RANGE_ENDS[name],
            format_func=lambda value: f"{value:g}",
            key=f"sweep.{name}",
            width=scaled_pixels(RANGE_PIXELS),
            **URL_BOUND,
        )
        return first, last
    parameter = next(parameter for parameter in _parameters(scenario) if parameter.name == name)
    low, high = st.slider(
        f"{parameter.symbol}  from, to",
        min_value=float(parameter.low),
        max_value=float(parameter.high),
        value=(float(parameter.low), float(parameter.high)),
        step=float(parameter.step),
        key=f"{scenario.model_spec.slug}.sweep.{parameter.name}",
        width=scaled_pixels(RANGE_PIXELS),
        **URL_BOUND,
    )
    return float(low), float(high)
