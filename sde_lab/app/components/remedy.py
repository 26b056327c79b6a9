"""A button that tries finer steps and another scheme, and applies the first that holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import streamlit as st

from sde_lab.app.jobs.results import interactive_summary
from sde_lab.app.state.current_scenario import current_engine
from sde_lab.app.state.model_scenarios import default_scenario
from sde_lab.app.state.options import STEPS
from sde_lab.app.state.url_state import scheme_key, set_widgets
from sde_lab.errors import ScenarioError
from sde_lab.figures.board import BoardView
from sde_lab.scenario import Scenario
from sde_lab.server.remedies import finer_scenarios, has_diverged, shows_step_bias
from sde_lab.server.scheduling import limit_to_interactive
from sde_lab.summaries.summary import Summary

BIAS_KEY, STEPS_KEY = "reduce_bias", "find_steps"
"""Keys of the buttons."""
TRIAL_SECONDS = 5.0
"""Time after which no further scenario is tried."""


def draw_bias_button(view: BoardView, share: float, *, biased: bool) -> None:
    """Draw the button that removes step bias, where the readout shows one.

    Args:
        view: what is shown.
        share: of the horizon, at which the readout stands.
        biased: whether a row of the readout is biased.
    """
    if not biased:
        return
    st.button(
        "Reduce step bias",
        key=BIAS_KEY,
        icon=":material/tune:",
        help="Noise explains differences up to 3 standard errors; those marked “step bias” are the"
        " error of the steps. This tries more steps and Heun’s scheme, and takes the first with"
        " which no such difference is left.",
        on_click=_apply_first,
        args=(
            BIAS_KEY,
            view.summary.scenario,
            partial(shows_step_bias, share=share),
            "no difference beyond noise is left",
        ),
    )


def draw_divergence_button(scenario: Scenario) -> None:
    """Draw the button that looks for steps or a scheme with which no path diverges."""
    st.button(
        "Find steps that hold",
        key=STEPS_KEY,
        icon=":material/tune:",
        help="Tries more steps and Heun’s scheme, and takes the first with which no path diverges.",
        on_click=_apply_first,
        args=(STEPS_KEY, scenario, has_diverged, "no path diverges"),
    )


def _apply_first(
    key: str, scenario: Scenario, fails: Callable[[Summary], bool], success: str
) -> None:
    """Set the controls to the first finer scenario that does not fail; say what was found.

    Streamlit calls the callback of a button that is no longer drawn once more, at the next run.
    """
    if not st.session_state.get(key):
        return
    until = time.monotonic() + TRIAL_SECONDS
    tried: Scenario | None = None
    for finer in finer_scenarios(scenario, STEPS):
        if tried is not None and time.monotonic() > until:
            break
        tried = limit_to_interactive(finer)
        try:
            summary = interactive_summary(tried, current_engine())
        except ScenarioError:
            continue
        if not fails(summary):
            _apply(finer)
            st.toast(f"{_settings(finer)}: {success}, of {tried.samples:,} paths tried.")
            return
    if tried is None:
        st.toast("There are no finer steps to try.")
    else:
        st.toast(f"Nothing up to {_settings(tried)} was found with which {success}.")


def _settings(scenario: Scenario) -> str:
    return f"{scenario.scheme_spec.title} with {scenario.steps:,} steps"


def _apply(scenario: Scenario) -> None:
    """Set steps and scheme, in the session and in the link."""
    model = scenario.model_spec
    plain = default_scenario(model)
    key = scheme_key(model)
    set_widgets(
        {"steps": scenario.steps, key: scenario.scheme},
        {"steps": plain.steps, key: plain.scheme},
    )
