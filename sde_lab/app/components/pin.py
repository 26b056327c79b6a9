"""The pin: keeps a scenario in the link, whose curves are drawn in grey to compare with."""

from __future__ import annotations

import streamlit as st

from sde_lab.app.jobs.results import get_preview
from sde_lab.app.state.options import STEPS
from sde_lab.app.state.scenario_code import decode_scenario, encode_scenario
from sde_lab.equations.model import CUSTOM_KEY
from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.summaries.summary import Summary

STATE_KEY = "pinned"
QUERY_KEY = "pin"
"""Its name in the address bar."""


def draw_pin_button(summary: Summary) -> Summary | None:
    """Draw the button; return the pinned summary, None without one or of another model."""
    refusal = ""
    try:
        scenario = _pinned(summary.scenario.model)
        pinned = None if scenario is None else _pinned_summary(scenario, summary)
    except ScenarioError as error:
        refusal = f"Nothing is pinned. {error}"
        scenario = pinned = None
    _button(summary.scenario if scenario is None else None)
    if refusal:
        st.warning(refusal, icon=":material/keep_off:")
    return pinned


def _pinned_summary(scenario: Scenario, summary: Summary) -> Summary | None:
    return get_preview(scenario) if scenario.model == summary.scenario.model else None


def _button(scenario: Scenario | None) -> None:
    """Pin this scenario, or unpin."""
    label, icon = ("Unpin", "keep_off") if scenario is None else ("Pin", "keep")
    icon = f":material/{icon}:"
    st.button(label, key="pin", icon=icon, on_click=_set, args=(scenario,))


def _set(scenario: Scenario | None) -> None:
    st.session_state[STATE_KEY] = scenario


def _pinned(model: str) -> Scenario | None:
    """Return the scenario pinned by the button or, in a new session, by the link.

    The link is brought up to date on the way.

    Args:
        model: of the page. A link has room for the text of one typed equation, the page's: a
            pinned scenario of another text is left out of it.

    Raises:
        ScenarioError: if what the link pins is no valid scenario.
    """
    state, link = st.session_state, st.query_params
    if STATE_KEY not in state:
        state[STATE_KEY] = _from_link(link[QUERY_KEY], model) if QUERY_KEY in link else None
    scenario: Scenario | None = state[STATE_KEY]
    lost = (
        scenario is not None and scenario.model_spec.slug == CUSTOM_KEY and scenario.model != model
    )
    written = None if scenario is None or lost else encode_scenario(scenario)
    if written is None:
        link.pop(QUERY_KEY, None)
    elif link.get(QUERY_KEY) != written:
        link[QUERY_KEY] = written
    return scenario


def _from_link(text: str, model: str) -> Scenario:
    scenario = decode_scenario(text, QUERY_KEY, model)
    if scenario.steps > STEPS[-1]:
        raise ScenarioError(QUERY_KEY, scenario.steps, f"may have {STEPS[-1]} steps at most")
    return scenario
