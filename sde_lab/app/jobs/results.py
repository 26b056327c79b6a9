"""Results that every session of the server shares: quick summaries, exact laws, densities."""

from __future__ import annotations

import streamlit as st

from sde_lab.figures.board import known_exact_laws, known_stationary_density
from sde_lab.scenario import Scenario
from sde_lab.server.scheduling import limit_to_interactive, run_study
from sde_lab.summaries.chunked_run import simulate_summary
from sde_lab.summaries.summary import Summary
from sde_lab.theory.exact_laws import ExactLaws
from sde_lab.theory.stationary_density import StationaryDensity


def get_preview(scenario: Scenario) -> Summary:
    """Return the summary of as many of the scenario's samples as are done at once.

    Raises:
        ScenarioError: if the scenario is over the memory budget.
    """
    return interactive_summary(limit_to_interactive(scenario))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={Scenario: repr})
def interactive_summary(scenario: Scenario, engine: str | None = None) -> Summary:
    """Return the scenario's summary, computed in the interactive process.

    Args:
        scenario: what to simulate.
        engine: as :func:`sde_lab.simulate_summary` takes it.

    Raises:
        ScenarioError: if the scenario is over the memory budget.
    """
    return run_study(simulate_summary, scenario, engine)


def cached_exact_laws(summary: Summary) -> ExactLaws | None:
    """Return the exact laws at the times that the summary displays; None where none are known."""
    return _exact_laws(summary.scenario.replace(samples=1, seed=0))


@st.cache_resource(max_entries=128, show_spinner=False, hash_funcs={Scenario: repr})
def _exact_laws(scenario: Scenario) -> ExactLaws | None:
    return known_exact_laws(scenario)


def cached_stationary_density(summary: Summary) -> StationaryDensity | None:
    """Return the stationary density of an equation of one state, where it can be normalised."""
    return _stationary(summary.scenario.replace(samples=1, seed=0, steps=1, horizon=1.0))


@st.cache_resource(max_entries=128, show_spinner=False, hash_funcs={Scenario: repr})
def _stationary(scenario: Scenario) -> StationaryDensity | None:
    return known_stationary_density(scenario)
