"""Analysis of a typed equation without simulation, in an expander below the charts."""

from __future__ import annotations

import math

import streamlit as st

from sde_lab.app.jobs.results import cached_exact_laws, cached_stationary_density
from sde_lab.equations import EquationModel, description
from sde_lab.scenario import Scenario
from sde_lab.summaries.summary import Summary
from sde_lab.theory.boundaries import state_interval
from sde_lab.theory.fixed_points import MAX_POINTS, FixedPoint, fixed_points
from sde_lab.theory.optional_facts import fact_or_none

MAX_POINTS_SHOWN = 3
"""Fixed points shown where they form a line."""
_KINDS = {True: "stable", False: "unstable", None: "stability undetermined"}


def draw_equation_facts(summary: Summary, model: EquationModel) -> None:
    """Draw noise structure, Itô–Stratonovich correction, fixed points and known distributions."""
    folded = st.expander("Analysis", key="says", on_change="rerun")
    if not folded.open:
        return
    scenario = summary.scenario.replace(samples=1, seed=0, steps=1)
    said = {
        "noise": lambda: st.markdown(description.noise(model)),
        "correction": lambda: _correction(model),
        "fixed points": lambda: st.markdown(fixed_points_sentence(scenario)),
        "known law": lambda: st.markdown(_law_sentence(summary, model)),
    }
    with folded:
        for name, say in said.items():
            fact_or_none(say, name, model.name)


def _correction(model: EquationModel) -> None:
    found = description.correction(model)
    st.markdown("Itô drift minus Stratonovich drift, state by state:")
    st.latex(found, width="content")


@st.cache_data(max_entries=128, show_spinner=False, hash_funcs={Scenario: repr})
def fixed_points_sentence(scenario: Scenario) -> str:
    """Return the fixed points, in sentences."""
    model = scenario.model_spec
    if model.drift_time_dependent:
        return "The drift depends on time: it has no fixed points."
    # One more than are shown tells whether there are more.
    found = fixed_points(scenario, MAX_POINTS + 1)
    if not found:
        return "No fixed point of the drift was found."
    letters = ", ".join(model.axis_labels)
    alone = [point for point in found if point.isolated]
    beside = [_state(point) for point in found if not point.isolated]
    said = []
    if alone:
        near = sorted(alone, key=lambda point: math.dist(point.state, scenario.initial))[
            :MAX_POINTS
        ]
        points = "; ".join(
            f"{_state(point)} ({_KINDS[point.stable]})" for point in alone if point in near
        )
        more = (
            ", and more; these are the nearest to the initial value"
            if len(found) > MAX_POINTS
            else ""
        )
        said.append(f"Fixed points of the drift at these values, {letters} = {points}{more}.")
    if beside:
        points = "; ".join(beside[:MAX_POINTS_SHOWN])
        where = "An interval" if len(scenario.initial) == 1 else "A line or plane"
        said.append(f"{where} of fixed points passes through {letters} = {points}.")
    return " ".join(said)


def _state(point: FixedPoint) -> str:
    numbers = ", ".join(map(_number, point.state))
    return f"({numbers})" if len(point.state) > 1 else numbers


def _law_sentence(summary: Summary, model: EquationModel) -> str:
    """Return which distribution is known, in sentences."""
    if model.has_gaussian_law and cached_exact_laws(summary) is not None:
        return (
            "The drift is linear and the noise additive: the distribution is Gaussian, and its"
            " mean and bands of the state and of every sensitivity are drawn dashed."
        )
    if len(model.components) > 1 or model.time_dependent:
        return "No exact distribution is known for this equation."
    found = cached_stationary_density(summary)
    interval = state_interval(summary.scenario)
    if interval is None:
        return "No stationary density was found: the paths stay at a point, or have no noise."
    ends = "; ".join(
        f"the end {_number(end.location)} is {end.description}"
        for end in (interval.low, interval.high)
    )
    if found is not None:
        return (
            "A stationary density exists; it is drawn beside the histogram, dash-dotted."
            f" By Feller's test, {ends}."
        )
    if interval.positive_recurrent:
        return f"A stationary density exists, but could not be computed ({ends})."
    return f"No stationary density is shown. By Feller's test, {ends}."


def _number(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0.0 else "−∞"
    return f"{value + 0.0:.4g}".replace("-", "−")
