"""What can be told of a typed equation without simulating it, folded below the charts."""

from __future__ import annotations

import streamlit as st

from sde_lab.fixed_points import MOST, FixedPoint, fixed_points
from sde_lab.scenario import Scenario
from sde_lab.summary import Summary
from sde_lab.typed import TypedModel, facts
from sde_lab.ui.run import stationary_of

SHOWN = 3
"""Points shown of a line of them."""
_KINDS = {True: "stable", False: "unstable", None: "not told by the slope"}


def what_it_says(summary: Summary, model: TypedModel) -> None:
    """The structure of the noise, the correction, fixed points, and which laws are known."""
    folded = st.expander("What the equation says", key="says", on_change="rerun")
    if not folded.open:
        return
    with folded:
        st.markdown(facts.noise(model))
        st.markdown("Itô drift minus Stratonovich drift, state by state:")
        st.latex(facts.correction(model), width="content")
        st.markdown(_standing(summary.scenario.but(samples=1, seed=0, steps=1)))
        st.markdown(_known(summary, model))


@st.cache_data(max_entries=128, show_spinner=False, hash_funcs={Scenario: repr})
def _standing(scenario: Scenario) -> str:
    """The fixed points, in a sentence."""
    model = scenario.sde
    if model.time_dependent:
        return "Time stands in the equation: it has no fixed points."
    found = fixed_points(scenario)
    if not found:
        return "The drift has no fixed point that was found."
    letters = ", ".join(model.labels)
    alone = [f"{_state(point)} ({_KINDS[point.stable]})" for point in found if point.isolated]
    beside = [_state(point) for point in found if not point.isolated]
    said = []
    if alone:
        more = ", and others" if len(found) == MOST else ""
        points = "; ".join(alone)
        said.append(f"Fixed points of the drift at these values, {letters} = {points}{more}.")
    if beside:
        points = "; ".join(beside[:SHOWN])
        said.append(f"A line or plane of fixed points goes through {letters} = {points}.")
    return " ".join(said)


def _state(point: FixedPoint) -> str:
    numbers = ", ".join(f"{value + 0.0:.4g}" for value in point.state).replace("-", "−")
    return f"({numbers})" if len(point.state) > 1 else numbers


def _known(summary: Summary, model: TypedModel) -> str:
    """Which law is known, in a sentence."""
    if model.linear:
        return (
            "The drift is linear and the noise additive: the law is Gaussian, and mean and bands"
            " of the state and of every sensitivity are drawn dashed."
        )
    if len(model.components) > 1 or model.time_dependent:
        return "No exact law is known to the page."
    if stationary_of(summary) is None:
        return "No stationary density was found that can be normalised."
    return "A stationary density exists; it stands beside the histogram, dashes and dots."
