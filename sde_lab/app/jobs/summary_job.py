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
from sde_lab.app.jobs.optional_facts import left_out_if_it_fails
from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.server.fair_queue import turn
from sde_lab.server.interactive import at_desk
from sde_lab.server.job_pool import Errand, begin, office_worker, room
from sde_lab.server.result_cache import Shelf
from sde_lab.server.singleton import once
from sde_lab.server.worker_process import WorkerLostError
from sde_lab.summaries.chunked_run import Survey, require_fitting, survey
from sde_lab.summaries.summary import Summary, display_times
from sde_lab.theory.exact_laws import Reference, reference
from sde_lab.theory.stationary_density import Stationary, stationary

T = TypeVar("T")

LIGHT = 2_000_000
"""Derivatives (steps × samples × components × columns) up to which a run is done at once, beside
whatever else the server does: about a twentieth of a second."""
SLOW = 6000
"""Steps (times the weight of the equation) of what is done at once, however few its samples."""
QUIET = 0.5
"""Seconds before progress is shown: what is quicker does not flash a bar."""
KEPT = 32
"""Long runs whose summaries are kept for whoever asks for the same."""
ATTEMPTS = 3
"""Times that a run which was ended on the way is begun."""
_RUN = "long_run"


def summary_of(scenario: Scenario) -> Summary:
    """The scenario's summary: from a cache, at once, or with a progress bar.

    A long run survives whatever is clicked meanwhile: it goes on in the next run of the script if
    the scenario is still the same, and shows the samples that are done if it was halted.

    Raises:
        ScenarioError: if the scenario is over the memory memory.
    """
    work = scenario.samples * work_per_sample(scenario)
    light = work <= LIGHT and not slow(scenario)
    return _at_once(scenario) if light else _in_turns(scenario)


def glimpse_of(scenario: Scenario) -> Summary:
    """The summary of as many samples, of those that the scenario asks for, as are done at once.

    Raises:
        ScenarioError: if the scenario is over the memory memory.
    """
    return _at_once(lightened(scenario))


def lightened(scenario: Scenario, most: int | None = None) -> Scenario:
    """The scenario with as many of its samples as are done at once, and ``most`` at most."""
    few = max(1, LIGHT // work_per_sample(scenario))
    return scenario.but(samples=min(scenario.samples, few, most or few))


def work_per_sample(scenario: Scenario) -> int:
    """Derivatives of one sample: steps × components × columns, times the weight of the equation."""
    derivatives = scenario.steps * len(scenario.initial) * len(scenario.sde.columns)
    return math.ceil(derivatives * _weight(scenario))


def slow(scenario: Scenario) -> bool:
    """Whether it takes long however few its samples: a long equation, many times evaluated."""
    return scenario.steps * _weight(scenario) > SLOW


def _weight(scenario: Scenario) -> float:
    return scenario.sde.weight(scenario.solver.reading)


def studied(study: Callable[[Scenario], T], scenario: Scenario) -> T:
    """What a study finds, at the desk; what is slow takes a turn with long runs instead.

    Raises:
        ScenarioError: if the scenario is over the memory budget, or ended by the server.
        Exception: whatever the study raises.
    """
    require_fitting(scenario)
    if not slow(scenario):
        return at_desk(study, scenario)
    with turn():
        try:
            return office_worker().call(study, scenario)
        except WorkerLostError:
            hint = "the server ended this to save its memory; fewer steps would fit"
            raise ScenarioError("steps", scenario.steps, hint) from None


def reference_of(summary: Summary) -> Reference | None:
    """The exact laws at the times that the summary displays."""
    return _reference(summary.scenario.but(samples=1, seed=0))


@st.cache_resource(max_entries=128, show_spinner=False, hash_funcs={Scenario: repr})
def _reference(scenario: Scenario) -> Reference | None:
    times = display_times(scenario)
    return left_out_if_it_fails(
        lambda: reference(scenario, times=times), "exact law", scenario.model
    )


def stationary_of(summary: Summary) -> Stationary | None:
    """The stationary density of an equation of one state, where it can be normalised."""
    return _stationary(summary.scenario.but(samples=1, seed=0, steps=1, horizon=1.0))


@st.cache_resource(max_entries=128, show_spinner=False, hash_funcs={Scenario: repr})
def _stationary(scenario: Scenario) -> Stationary | None:
    return left_out_if_it_fails(lambda: stationary(scenario), "stationary density", scenario.model)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={Scenario: repr})
def _at_once(scenario: Scenario) -> Summary:
    return studied(survey, scenario)


@once
def _shelf() -> Shelf[Scenario, Summary]:
    return Shelf(KEPT)


@dataclass
class LongRun:
    """A run of one session, as far as it has come.

    Attributes:
        scenario: what is run.
        errand: where it is done; None before it has begun and after it is over.
        done: samples done so far.
        halted: whether the reader asked to keep what is done.
        partial: the summary of the samples done when it was halted.
    """

    scenario: Scenario
    errand: Errand | None = None
    done: int = 0
    halted: bool = False
    partial: Summary | None = None

    def close(self) -> None:
        """Give its memory back."""
        if self.errand is not None:
            self.errand.close()
        self.errand = None


class Progress:
    """A line above the page that says how far a run is, once it takes longer than a moment."""

    def __init__(self, run: LongRun) -> None:
        self._run = run
        self._slot = st.empty()
        self._bar: DeltaGenerator | None = None
        self._start, self._before = time.monotonic(), run.done

    def waits(self, ahead: int) -> None:
        """Say how many are ahead. This, as all that draws, is where Streamlit ends a run."""
        others = "one other long run" if ahead == 1 else f"{ahead} other long runs"
        self._say(f"waiting: {others} ahead of this one" if ahead else "it is your turn")

    def goes_on(self) -> None:
        """Say how many samples are done and how long the others will take."""
        done, asked = self._run.done, self._run.scenario.samples
        rate = (done - self._before) / (time.monotonic() - self._start)
        left = f", about {(asked - done) / rate:.0f} s left" if rate else ""
        self._say(f"{done:,} of {asked:,} samples{left}")

    def clear(self) -> None:
        """Take the line away."""
        self._slot.empty()

    def _say(self, text: str) -> None:
        if self._bar is None and time.monotonic() - self._start < QUIET:
            self._slot.empty()
            return
        if self._bar is None:
            with self._slot.container(horizontal=True, vertical_alignment="center"):
                self._bar = st.progress(0.0)
                st.button("Keep what is done", key="halt", on_click=_set_halted, args=(True,))
        self._bar.progress(self._run.done / self._run.scenario.samples, text)


def _in_turns(scenario: Scenario) -> Summary:
    run: LongRun | None = st.session_state.get(_RUN)
    if run is None or run.scenario != scenario:
        if run is not None:
            run.close()
        require_fitting(scenario)
        memory.require_survey(scenario, within=room())
        run = st.session_state[_RUN] = LongRun(scenario)
    if run.partial is None:
        progress = Progress(run)
        summary = _shelf().find(scenario) or _persistently(run, progress)
        progress.clear()
        if run.partial is None:
            return summary
    _say_halted(run)
    return run.partial


def _persistently(run: LongRun, progress: Progress) -> Summary:
    """Do the run, once more from its beginning where it was ended to make room for others."""
    for _ in range(ATTEMPTS):
        try:
            return _advanced(run, progress)
        except WorkerLostError:
            run.errand, run.done = None, 0
    hint = "the server ended this run to save its memory; fewer samples or steps would fit"
    raise ScenarioError("samples", run.scenario.samples, hint)


def _advanced(run: LongRun, progress: Progress) -> Summary:
    """Do what is left of the run, in turns with other sessions, or reduce what a halted one has."""
    if run.errand is None:
        run.done, size = 0, memory.survey_bytes(run.scenario)
        run.errand = begin(Survey, run.scenario, size=size, say=progress.waits)
    with run.errand as errand:
        while run.done < run.scenario.samples and not (run.halted and run.done):
            run.done = errand.ask("advance", say=progress.waits)
            progress.goes_on()
            if (found := _shelf().find(run.scenario)) is not None:
                break
        else:
            found = errand.ask("summary", say=progress.waits)
    if found.scenario == run.scenario:
        _shelf().put(found.scenario, found)
        run.close()
    else:
        run.partial = found
    return found


def _say_halted(run: LongRun) -> None:
    asked = run.scenario.samples
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(f"{run.done:,} of the {asked:,} samples asked for are done and shown.", width=420)
        st.button("Go on", key="go_on", on_click=_set_halted, args=(False,))


def _set_halted(halted: bool) -> None:
    run: LongRun = st.session_state[_RUN]
    run.halted, run.partial = halted, None
