"""Scenario → summary and reference, shared between sessions, with progress where it takes long."""

from __future__ import annotations

import time

import streamlit as st

from sde_lab.reference import Reference, reference
from sde_lab.scenario import Scenario
from sde_lab.summary import Summary, display_times
from sde_lab.survey import Survey, survey

LIGHT = 10_000_000
"""Derivatives (steps × samples × components × columns) up to which a run is done at once: about a
fifth of a second."""


def summary_of(scenario: Scenario) -> Summary:
    """The scenario's summary: from the cache, at once, or with a progress bar.

    A long run survives whatever is clicked meanwhile: it goes on in the next run of the script if
    the scenario is still the same, and shows the samples that are done if it was halted.

    Raises:
        ScenarioError: if the scenario is over the memory budget.
    """
    work = scenario.steps * scenario.samples * len(scenario.initial) * len(scenario.sde.columns)
    return _at_once(scenario) if work <= LIGHT else _with_progress(scenario)


def reference_of(summary: Summary) -> Reference | None:
    """The exact laws at the times that the summary displays."""
    return _reference(summary.scenario.but(samples=1, seed=0))


@st.cache_resource(max_entries=128, show_spinner=False, hash_funcs={Scenario: repr})
def _reference(scenario: Scenario) -> Reference | None:
    return reference(scenario, times=display_times(scenario))


@st.cache_resource(max_entries=128, show_spinner=False, hash_funcs={Scenario: repr})
def _at_once(scenario: Scenario) -> Summary:
    return survey(scenario)


def _with_progress(scenario: Scenario) -> Summary:
    state = st.session_state
    run: Survey | None = state.get("survey")
    if run is None or run.scenario != scenario:
        run = state["survey"] = Survey(scenario)
        state["halted"] = False
        state.pop("survey_summary", None)
    if run.finished:
        return _finished(run)
    if state["halted"] and run.done:
        _say_halted(run)
        return _finished(run)
    slot = st.empty()
    with slot.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0)
        st.button("Keep what is done", key="halt", on_click=_set_halted, args=(True,))
    start, before = time.monotonic(), run.done
    while run.done < scenario.samples:
        run.advance()
        share = run.done / scenario.samples
        rate = (run.done - before) / (time.monotonic() - start)
        left = (scenario.samples - run.done) / rate
        bar.progress(
            share, f"{run.done:,} of {scenario.samples:,} samples, about {left:.0f} s left"
        )
    slot.empty()
    return _finished(run)


def _say_halted(run: Survey) -> None:
    asked = run.scenario.samples
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(f"{run.done:,} of the {asked:,} samples asked for are done and shown.", width=420)
        st.button("Go on", key="go_on", on_click=_set_halted, args=(False,))


def _set_halted(halted: bool) -> None:
    st.session_state["halted"] = halted


def _finished(run: Survey) -> Summary:
    """The summary of a long run, reduced once."""
    state = st.session_state
    kept: Summary | None = state.get("survey_summary")
    if kept is None or kept.scenario.samples != run.done:
        kept = state["survey_summary"] = run.summary()
    return kept
