"""A race or a growth study of this session: begun, shown as it comes, halted, kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import streamlit as st

from sde_lab import memory
from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.server.fair_queue import OnWait
from sde_lab.server.job_pool import RemoteJob, start_job
from sde_lab.server.result_cache import LRUCache
from sde_lab.server.singleton import process_singleton
from sde_lab.server.worker_process import WorkerDiedError
from sde_lab.studies.benchmark.benchmark import ORDER
from sde_lab.studies.benchmark.registry import METHODS
from sde_lab.studies.benchmark.stepper import BenchmarkStepper
from sde_lab.studies.benchmark.trial import TrialResult, first_line

_LOG = logging.getLogger(__name__)
CACHE_SIZE = 64
"""Finished studies that are kept for whoever opens the same scenario."""


@dataclass
class BenchmarkJob:
    """A study as far as it has come.

    Attributes:
        study: "race" or "growth".
        scenario: what is differentiated.
        results: so far.
        current_method: name of the way that runs now; empty before the first.
        seconds: time spent so far.
        running: whether it goes on; not when it is over or halted.
        finished: whether nothing is left to do.
        remote: where it is done.
        error_message: why it ended early, if it did.
    """

    study: str
    scenario: Scenario
    results: list[TrialResult] = field(default_factory=list)
    current_method: str = ""
    seconds: float = 0.0
    running: bool = False
    finished: bool = False
    remote: RemoteJob | None = None
    error_message: str = ""

    @property
    def done(self) -> float:
        """Share of the ways that have had their turn."""
        if self.finished:
            return 1.0
        return ORDER.index(self.current_method) / len(ORDER) if self.current_method else 0.0


@process_singleton
def _cache() -> LRUCache[tuple[str, Scenario], tuple[TrialResult, ...]]:
    return LRUCache(CACHE_SIZE)


def get_job(study: str, scenario: Scenario) -> BenchmarkJob:
    """The session's study of this scenario, as it is; finished if anyone has finished it."""
    present: BenchmarkJob | None = st.session_state.get(_key(study))
    if present is not None and present.scenario == scenario:
        return present
    if present is not None and present.remote is not None:
        present.remote.close()
    kept = _cache().get((study, scenario))
    fresh = BenchmarkJob(study, scenario)
    if kept is not None:
        fresh.results, fresh.finished = list(kept), True
    st.session_state[_key(study)] = fresh
    return fresh


def draw_controls(job: BenchmarkJob, label: str) -> None:
    """The button that begins, or halts; while it runs, how far it is and how long it will take."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if not job.running:
            again = "Measure again" if job.finished else "Go on" if job.results else label
            st.button(
                again,
                key=f"{job.study}.begin",
                type="secondary" if job.finished else "primary",
                icon=":material/timer:",
                on_click=_start,
                args=(job,),
            )
        else:
            st.button(
                "Halt, and keep what is done",
                key=f"{job.study}.halt",
                on_click=_pause,
                args=(job,),
            )
            st.progress(job.done, _progress_text(job))
        if job.error_message:
            st.caption(job.error_message)


@contextmanager
def shown(study: str, scenario: Scenario) -> Iterator[BenchmarkJob]:
    """Give the session's study to the body, which draws it, and then do its next part.

    What the body raises ends the study: it would never come to its next part, at this run of the
    page or at any later one, and yet say that it is running.
    """
    job = get_job(study, scenario)
    try:
        yield job
    except Exception as error:
        if job.running:
            _end(job, first_line(error))
        raise
    _advance(job)


def _advance(job: BenchmarkJob) -> None:
    """Do the next part of a running study, and draw the page again. Does not return then.

    Whatever the part raises ends the study with a message.
    """
    if not job.running:
        return
    note = st.empty()
    start = time.monotonic()

    def waits(ahead: int) -> None:
        text = f"{ahead} others measure or run something long first" if ahead else "next"
        note.caption(f"Waiting for a quiet machine: {text}.")

    try:
        _step(job, waits)
    except WorkerDiedError:
        _end(job, "The process that measures was ended to save memory; what is done is shown.")
    except ScenarioError as error:
        _end(job, str(error))
    except Exception as error:  # noqa: BLE001  torch and torchsde raise of many kinds
        _LOG.exception("a study of the gradients ended early")
        _end(job, f"It ended early: {first_line(error)}")
    job.seconds += time.monotonic() - start
    st.rerun()


def _step(job: BenchmarkJob, on_wait: OnWait) -> None:
    if job.remote is None:
        job.remote = start_job(
            BenchmarkStepper,
            job.study,
            job.scenario,
            reserve_bytes=memory.run_limit_bytes(),
            on_wait=on_wait,
        )
        job.results.clear()
    with job.remote as errand:
        found = errand.call("step", on_wait=on_wait, exclusive=True)
    if isinstance(found, str):
        job.current_method = found
    elif found is not None:
        job.results.append(found)
    else:
        job.finished, job.running = True, False
        job.remote.close()
        job.remote = None
        _cache().put((job.study, job.scenario), tuple(job.results))


def _end(job: BenchmarkJob, trouble: str) -> None:
    """Let go of the errand: a study that raised has nothing more to give, and begins anew."""
    if job.remote is not None:
        job.remote.close()
    job.running, job.remote, job.error_message = False, None, trouble


def _key(study: str) -> str:
    return f"heat.{study}"


def _start(job: BenchmarkJob) -> None:
    if job.finished:
        job.results, job.seconds, job.finished, job.current_method = [], 0.0, False, ""
    job.running, job.error_message = True, ""


def _pause(job: BenchmarkJob) -> None:
    job.running = False


def _progress_text(job: BenchmarkJob) -> str:
    if not job.current_method:
        return "beginning"
    place = ORDER.index(job.current_method)
    text = f"{place + 1} of {len(ORDER)}: {METHODS[job.current_method].title}"
    if not place:
        return text
    left = job.seconds / place * (len(ORDER) - place)
    return f"{text}, about {left:.0f} s left"
