"""The benchmark of the gradient methods, or its scaling study, of one session."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import streamlit as st

from sde_lab import memory
from sde_lab.app.jobs.job import Job, JobState, session_job
from sde_lab.app.jobs.progress import draw_stop_button, time_left
from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.server.fair_queue import OnWait
from sde_lab.server.job_pool import RemoteJob, start_job
from sde_lab.server.restarting_job import RestartingJob
from sde_lab.server.result_cache import LRUCache
from sde_lab.server.singleton import process_singleton
from sde_lab.server.worker_process import WorkerDiedError
from sde_lab.studies.benchmark.benchmark import ORDER
from sde_lab.studies.benchmark.registry import METHODS
from sde_lab.studies.benchmark.stepper import BenchmarkStepper
from sde_lab.studies.benchmark.trial import TrialResult, first_line

_LOG = logging.getLogger(__name__)
CACHE_SIZE = 64
"""Finished benchmarks that are kept for all sessions."""


@process_singleton
def _cache() -> LRUCache[tuple[str, Scenario], tuple[TrialResult, ...]]:
    return LRUCache(CACHE_SIZE)


class BenchmarkJob(Job[tuple[str, Scenario], tuple[TrialResult, ...]]):
    """A benchmark as far as it has come, a measurement at each step.

    Args:
        study: "race" for the benchmark at the scenario's size, "growth" for the scaling study.
        scenario: what is differentiated.

    Attributes:
        study: as given.
        results: measurements so far.
        current_method: name of the method that is measured now; empty before the first.
        on_wait: called with the queue position while it waits for its turn.
    """

    def __init__(self, study: str, scenario: Scenario) -> None:
        super().__init__((study, scenario), _cache())
        self.study = study
        self.results = list(self.result or ())
        self.current_method = ""
        self.on_wait: OnWait | None = None
        # One attempt: a method that exhausts the memory would do so again.
        self._remote = RestartingJob(self._start_remote, attempts=1)

    def _start_remote(self, on_wait: OnWait | None) -> RemoteJob:
        self._clear()
        size = memory.run_limit_bytes()
        return start_job(BenchmarkStepper, *self.key, reserve_bytes=size, on_wait=on_wait)

    def start(self) -> None:
        """Begin, or continue; measure a finished benchmark again."""
        if self.finished:
            self.state, self.result = JobState.NEW, None
            self._clear()
        super().start()

    def _clear(self) -> None:
        """Drop what was measured: the remote job begins anew."""
        self.results, self.current_method, self.seconds = [], "", 0.0

    def step(self) -> tuple[TrialResult, ...] | None:
        """Take one measurement, or begin with the next method."""
        answer = self._remote.call("step", self.on_wait, exclusive=True)
        if answer is None:
            return tuple(self.results)
        if isinstance(answer, str):
            self.current_method = answer
        else:
            self.results.append(answer)
        return None

    def release(self) -> None:
        """Allow it to be ended where memory is short."""
        self._remote.release()

    def close(self) -> None:
        """Give its memory back."""
        self._remote.close()

    @property
    def progress(self) -> tuple[str, float]:
        """The text beside the progress bar, and the share of the methods that are measured."""
        if not self.current_method:
            return "starting", 0.0
        index = ORDER.index(self.current_method)
        left = self.seconds / index * (len(ORDER) - index) if index else float("nan")
        title = METHODS[self.current_method].title
        return f"{index + 1} of {len(ORDER)}: {title}{time_left(left)}", index / len(ORDER)


def session_key(study: str) -> str:
    """Return the key of the session's state under which the job of a study is kept."""
    return f"heat.{study}"


def get_job(study: str, scenario: Scenario) -> BenchmarkJob:
    """Return the session's benchmark of this scenario; finished if any session has finished it."""
    return session_job(
        session_key(study), (study, scenario), partial(BenchmarkJob, study, scenario)
    )


def draw_controls(job: BenchmarkJob, label: str) -> None:
    """Draw the button that starts or stops it, and while it runs how far it is.

    Args:
        job: what they control.
        label: of the button before the first measurement.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if job.running:
            draw_stop_button(job, key=f"{job.study}.halt")
            text, share = job.progress
            st.progress(share, text)
        else:
            again = "Measure again" if job.finished else "Continue" if job.results else label
            st.button(
                again,
                key=f"{job.study}.begin",
                type="secondary" if job.finished else "primary",
                icon=":material/timer:",
                on_click=job.start,
            )
        if job.error_message:
            st.caption(job.error_message)


@contextmanager
def advancing_job(study: str, scenario: Scenario) -> Iterator[BenchmarkJob]:
    """Give the session's benchmark to the body, which draws it, and then take its next step.

    An exception in the body ends the benchmark: no run of the script would come to its next step,
    and yet the page would say that it is running.
    """
    job = get_job(study, scenario)
    try:
        yield job
    except Exception as error:
        if job.running:
            job.fail(first_line(error))
        raise
    if job.running:
        _take_step(job)


def _take_step(job: BenchmarkJob) -> None:
    """Take the next step, and draw the page again. An exception ends the job with a message."""
    note = st.empty()

    def show_queue_position(ahead: int) -> None:
        text = f"{ahead} others measure or run something long first" if ahead else "next"
        note.caption(f"Waiting for a quiet machine: {text}.")

    job.on_wait = show_queue_position
    try:
        job.advance(seconds=0.0)
    except WorkerDiedError:
        job.fail("The process that measures was ended to save memory; what is done is shown.")
    except ScenarioError:
        pass  # the job says why
    except Exception as error:  # noqa: BLE001  torch and torchsde raise of many kinds
        _LOG.exception("a benchmark of the gradient methods ended early")
        job.fail(f"It ended early: {first_line(error)}")
    st.rerun()
