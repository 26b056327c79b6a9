"""The scenario that the sidebar describes, and what worked last while it describes none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from sde_lab.app.state.options import ENGINE_KEY, TORCHSDE
from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario

T = TypeVar("T")
_CURRENT = "asked"
LAST_SCENARIO = "asked.worked"
"""Where :func:`current_or_last_valid` keeps the last valid scenario."""
LAST_SUMMARY = "good"
"""Where it keeps the last summary."""


def store_scenario(described: Scenario | ScenarioError) -> None:
    """Keep what the sidebar describes in this run of the script: a scenario, or why there is none.

    The error is kept rather than shown, since only the page knows where its message belongs.
    """
    st.session_state[_CURRENT] = described


def current_scenario() -> Scenario:
    """Return the scenario that the sidebar describes.

    Raises:
        ScenarioError: if the controls describe none that is valid.
    """
    described: Scenario | ScenarioError = st.session_state[_CURRENT]
    if isinstance(described, ScenarioError):
        raise described
    return described


def current_engine() -> str | None:
    """Return the engine that the sidebar asks for, as :func:`sde_lab.simulate_summary` takes it.

    The default is left to the environment variable ``SDE_LAB_ENGINE``: None.
    """
    return "torchsde" if st.session_state.get(ENGINE_KEY) == TORCHSDE else None


def current_or_last_valid(key: str, compute: Callable[[], T]) -> T | None:
    """Return what ``compute`` gives; where it refuses, show why and return its last result.

    A control that is moved too far thus leaves the last picture under a message, not an empty page.

    Args:
        key: of the session state, under which the result is kept.
        compute: gives the result or raises a ScenarioError.

    Returns:
        The result; None where there is neither a present nor an earlier one.
    """
    try:
        st.session_state[key] = compute()
    except ScenarioError as error:
        st.error(str(error), icon=":material/error:")
    kept: T | None = st.session_state.get(key)
    return kept
