"""Scenario → summary and reference, shared between sessions, with progress where it takes long."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sde_lab import memory
from sde_lab.app.jobs.optional_facts import fact_or_none
from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.server.fair_queue import acquire_slot
from sde_lab.server.interactive import run_interactive
from sde_lab.server.job_pool import RemoteJob, background_worker, room, start_job
from sde_lab.server.result_cache import LRUCache
from sde_lab.server.singleton import process_singleton
from sde_lab.server.worker_process import WorkerDiedError
from sde_lab.summaries.chunked_run import ChunkedRun, check_memory, simulate_summary
from sde_lab.summaries.summary import Summary, display_times
from sde_lab.theory.exact_laws import ExactLaws, exact_laws
from sde_lab.theory.stationary_density import StationaryDensity, stationary_density

T = TypeVar("T")

MAX_INTERACTIVE_WORK = 2_000_000
"""Derivatives (steps × samples × components × columns) up to which a run is done at once, beside
whatever else the server does: about a twentieth of a second."""
MAX_INTERACTIVE_STEPS = 6000
"""Steps (times the weight of the equation) of what is done at once, however few its samples."""
PROGRESS_DELAY_SECONDS = 0.5
"""Seconds before progress is shown: what is quicker does not flash a bar."""
CACHE_SIZE = 32
"""Long runs whose summaries are kept for whoever asks for the same."""
MAX_ATTEMPTS = 3
"""Times that a run which was ended on the way is begun."""
_RUN = "long_run"


def get_summary(scenario: Scenario) -> Summary:
    """The scenario's summary: from a cache, at once, or with a progress bar.

    A long run survives whatever is clicked meanwhile: it goes on in the next run of the script if
    the scenario is still the same, and shows the samples that are done if it was halted.

    Raises:
        ScenarioError: if the scenario is over the memory budget.
    """
    work = scenario.samples * cost_per_sample(scenario)
    light = work <= MAX_INTERACTIVE_WORK and not is_slow(scenario)
    return _run_interactive(scenario) if light else _run_in_background(scenario)


def get_preview(scenario: Scenario) -> Summary:
    """The summary of as many samples, of those that the scenario asks for, as are done at once.

    Raises:
        ScenarioError: if the scenario is over the memory budget.
    """
    return _run_interactive(limit_to_interactive(scenario))


def limit_to_interactive(scenario: Scenario, max_samples: int | None = None) -> Scenario:
    """The scenario with as many of its samples as are done at once, and ``max_samples`` at most."""
    few = max(1, MAX_INTERACTIVE_WORK // cost_per_sample(scenario))
    return scenario.replace(samples=min(scenario.samples, few, max_samples or few))


def cost_per_sample(scenario: Scenario) -> int:
    """Derivatives of one sample: steps × components × columns, times the weight of the equation."""
    derivatives = scenario.steps * len(scenario.initial) * len(scenario.model_spec.jacobian_columns)
    return math.ceil(derivatives * _evaluation_cost(scenario))


def is_slow(scenario: Scenario) -> bool:
    """Whether it takes long however few its samples: a long equation, many times evaluated."""
    return scenario.steps * _evaluation_cost(scenario) > MAX_INTERACTIVE_STEPS


def _evaluation_cost(scenario: Scenario) -> float:
    return scenario.model_spec.evaluation_cost(scenario.scheme_spec.interpretation)


def run_study(study: Callable[[Scenario], T], scenario: Scenario) -> T:
    """What a study finds, at the desk; what is slow takes a turn with long runs instead.

    Raises:
        ScenarioError: if the scenario is over the memory budget, or ended by the server.
        Exception: whatever the study raises.
    """
    check_memory(scenario)
    if not is_slow(scenario):
        return run_interactive(study, scenario)
    with acquire_slot():
        try:
            return background_worker().call(study, scenario)
        except WorkerDiedError:
            hint = "the server ended this to save its memory; fewer steps would fit"
            raise ScenarioError("steps", scenario.steps, hint) from None


def cached_exact_laws(summary: Summary) -> ExactLaws | None:
    """The exact laws at the times that the summary displays."""
    return _exact_laws(summary.scenario.replace(samples=1, seed=0))


@st.cache_resource(max_entries=128, show_spinner=False, hash_funcs={Scenario: repr})
def _exact_laws(scenario: Scenario) -> ExactLaws | None:
    times = display_times(scenario)
    return fact_or_none(lambda: exact_laws(scenario, times=times), "exact law", scenario.model)


def cached_stationary_density(summary: Summary) -> StationaryDensity | None:
    """The stationary density of an equation of one state, where it can be normalised."""
    return _stationary(summary.scenario.replace(samples=1, seed=0, steps=1, horizon=1.0))


@st.cache_resource(max_entries=128, show_spinner=False, hash_funcs={Scenario: repr})
def _stationary(scenario: Scenario) -> StationaryDensity | None:
    return fact_or_none(lambda: stationary_density(scenario), "stationary density", scenario.model)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={Scenario: repr})
def _run_interactive(scenario: Scenario) -> Summary:
    return run_study(simulate_summary, scenario)


@process_singleton
def _cache() -> LRUCache[Scenario, Summary]:
    return LRUCache(CACHE_SIZE)


@dataclass
class SummaryJob:
    """A run of one session, as far as it has come.

    Attributes:
        scenario: what is run.
        job: where it is done; None before it has begun and after it is over.
        done: samples done so far.
        paused: whether the reader asked to keep what is done.
        partial_result: the summary of the samples done when it was halted.
    """

    scenario: Scenario
    job: RemoteJob | None = None
    done: int = 0
    paused: bool = False
    partial_result: Summary | None = None

    def close(self) -> None:
        """Give its memory back."""
        if self.job is not None:
            self.job.close()
        self.job = None


class ProgressLine:
    """A line above the page that says how far a run is, once it takes longer than a moment."""

    def __init__(self, run: SummaryJob) -> None:
        self._run = run
        self._slot = st.empty()
        self._bar: DeltaGenerator | None = None
        self._start, self._before = time.monotonic(), run.done

    def show_queue_position(self, ahead: int) -> None:
        """Say how many are ahead. This, as all that draws, is where Streamlit ends a run."""
        others = "one other long run" if ahead == 1 else f"{ahead} other long runs"
        self._show(f"waiting: {others} ahead of this one" if ahead else "it is your turn")

    def show_progress(self) -> None:
        """Say how many samples are done and how long the others will take."""
        done, asked = self._run.done, self._run.scenario.samples
        rate = (done - self._before) / (time.monotonic() - self._start)
        left = f", about {(asked - done) / rate:.0f} s left" if rate else ""
        self._show(f"{done:,} of {asked:,} samples{left}")

    def clear(self) -> None:
        """Take the line away."""
        self._slot.empty()

    def _show(self, text: str) -> None:
        if self._bar is None and time.monotonic() - self._start < PROGRESS_DELAY_SECONDS:
            self._slot.empty()
            return
        if self._bar is None:
            with self._slot.container(horizontal=True, vertical_alignment="center"):
                self._bar = st.progress(0.0)
                st.button("Keep what is done", key="halt", on_click=_set_paused, args=(True,))
        self._bar.progress(self._run.done / self._run.scenario.samples, text)


def _run_in_background(scenario: Scenario) -> Summary:
    run: SummaryJob | None = st.session_state.get(_RUN)
    if run is None or run.scenario != scenario:
        if run is not None:
            run.close()
        check_memory(scenario)
        memory.check_chunked_run(scenario, within=room())
        run = st.session_state[_RUN] = SummaryJob(scenario)
    if run.partial_result is None:
        progress = ProgressLine(run)
        summary = _cache().get(scenario) or _run_with_retries(run, progress)
        progress.clear()
        if run.partial_result is None:
            return summary
    _draw_paused(run)
    return run.partial_result


def _run_with_retries(run: SummaryJob, progress: ProgressLine) -> Summary:
    """Do the run, once more from its beginning where it was ended to make room for others."""
    for _ in range(MAX_ATTEMPTS):
        try:
            return _run_to_end(run, progress)
        except WorkerDiedError:
            run.job, run.done = None, 0
    hint = "the server ended this run to save its memory; fewer samples or steps would fit"
    raise ScenarioError("samples", run.scenario.samples, hint)


def _run_to_end(run: SummaryJob, progress: ProgressLine) -> Summary:
    """Do what is left of the run, in turns with other sessions, or reduce what a halted one has."""
    if run.job is None:
        run.done, size = 0, memory.chunked_run_bytes(run.scenario)
        run.job = start_job(
            ChunkedRun, run.scenario, reserve_bytes=size, on_wait=progress.show_queue_position
        )
    with run.job as errand:
        while run.done < run.scenario.samples and not (run.paused and run.done):
            run.done = errand.call("advance", on_wait=progress.show_queue_position)
            progress.show_progress()
            if (found := _cache().get(run.scenario)) is not None:
                break
        else:
            found = errand.call("summary", on_wait=progress.show_queue_position)
    if found.scenario == run.scenario:
        _cache().put(found.scenario, found)
        run.close()
    else:
        run.partial_result = found
    return found


def _draw_paused(run: SummaryJob) -> None:
    asked = run.scenario.samples
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(f"{run.done:,} of the {asked:,} samples asked for are done and shown.", width=420)
        st.button("Go on", key="go_on", on_click=_set_paused, args=(False,))


def _set_paused(paused: bool) -> None:
    run: SummaryJob = st.session_state[_RUN]
    run.paused, run.partial_result = paused, None
