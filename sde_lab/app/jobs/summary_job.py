"""Scenario → summary: from a cache, at once, or as a long run with progress."""

from __future__ import annotations

from functools import partial

import streamlit as st

from sde_lab import memory
from sde_lab.app.jobs.job import Job, session_job
from sde_lab.app.jobs.progress import ProgressLine, draw_stopped, time_left
from sde_lab.app.jobs.results import interactive_summary
from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.server.fair_queue import OnWait
from sde_lab.server.job_pool import RemoteJob, capacity_bytes, start_job
from sde_lab.server.restarting_job import RestartingJob
from sde_lab.server.result_cache import LRUCache
from sde_lab.server.scheduling import is_interactive
from sde_lab.server.singleton import process_singleton
from sde_lab.server.worker_process import WorkerDiedError
from sde_lab.summaries.chunked_run import ChunkedRun, check_memory
from sde_lab.summaries.summary import Summary

CACHE_SIZE = 32
"""Summaries of long runs that are kept for all sessions."""
_SLOT = "long_run"


def get_summary(scenario: Scenario, engine: str | None = None) -> Summary:
    """Return the scenario's summary: from a cache, at once, or with a progress bar.

    A long run survives whatever is clicked meanwhile: it continues in the next run of the script if
    the scenario is still the same. Stopped, it gives the summary of the samples that are done.

    Args:
        scenario: what to simulate.
        engine: as :func:`sde_lab.simulate_summary` takes it.

    Raises:
        ScenarioError: if the scenario is over the memory budget.
    """
    if is_interactive(scenario):
        return interactive_summary(scenario, engine)
    job = session_job(_SLOT, (scenario, engine), partial(SummaryJob, scenario, engine))
    progress = ProgressLine(job, key="halt")
    job.on_wait = progress.show_queue_position
    try:
        if not job.paused:
            job.start()
            job.advance(after_step=lambda: progress.show(*job.progress))
        summary = job.result or job.partial_result()
    except WorkerDiedError:
        del st.session_state[_SLOT]
        hint = "the server ended this run to save its memory; fewer samples or steps would fit"
        raise ScenarioError("samples", scenario.samples, hint) from None
    progress.clear()
    if job.paused:
        text = f"{job.done:,} of the {scenario.samples:,} samples asked for are done and shown."
        draw_stopped(job, text, key="go_on")
    return summary


@process_singleton
def _cache() -> LRUCache[tuple[Scenario, str | None], Summary]:
    return LRUCache(CACHE_SIZE)


class SummaryJob(Job[tuple[Scenario, str | None], Summary]):
    """A long run of one scenario, a chunk of its samples at each step.

    Args:
        scenario: what to simulate.
        engine: as :func:`sde_lab.simulate_summary` takes it.

    Attributes:
        scenario: as given.
        done: samples done so far.
        on_wait: called with the queue position while it waits for its turn.

    Raises:
        ScenarioError: if the scenario is over the memory budget.
    """

    def __init__(self, scenario: Scenario, engine: str | None = None) -> None:
        super().__init__((scenario, engine), _cache())
        self.scenario = scenario
        check_memory(scenario)
        self._keep_bytes = min(memory.run_limit_bytes(), capacity_bytes())
        memory.check_chunked_run(scenario, within=self._keep_bytes)
        self.done = 0
        self.on_wait: OnWait | None = None
        self._partial: Summary | None = None
        self._remote = RestartingJob(self._start_remote)

    def _start_remote(self, on_wait: OnWait | None) -> RemoteJob:
        keep = self._keep_bytes
        size = memory.chunked_run_bytes(self.scenario, within=keep)
        return start_job(ChunkedRun, *self.key, keep, reserve_bytes=size, on_wait=on_wait)

    @property
    def progress(self) -> tuple[str, float]:
        """The text beside the progress bar, and the share that is done."""
        done, samples = self.done, self.scenario.samples
        left = self.seconds * (samples - done) / done if done else float("nan")
        return f"{done:,} of {samples:,} samples{time_left(left)}", done / samples

    def step(self) -> Summary | None:
        """Do the next chunk of samples; after the last, reduce them.

        Where another session finishes the same scenario meanwhile, its summary is taken.
        """
        self._partial = None
        if self.done < self.scenario.samples:
            self.done = self._remote.call("advance", self.on_wait) or 0
            return _cache().get(self.key)
        return self._summarise()

    def _summarise(self) -> Summary | None:
        """Return the summary of what is done; None if that was lost."""
        summary: Summary | None = self._remote.call("summary", self.on_wait)
        if summary is None:
            self.done = 0
        return summary

    def partial_result(self) -> Summary:
        """Return the summary of the samples that are done; of a first chunk where there are none.

        Raises:
            WorkerDiedError: if the process died several times.
            ScenarioError: if the run would not fit on an empty server.
        """
        while self._partial is None:
            if not self.done:
                self.done = self._remote.call("advance", self.on_wait) or 0
            self._partial = self._summarise() if self.done else None
        if self._partial.scenario == self.scenario:  # stopped after the last chunk: nothing is left
            self.finish(self._partial)
        self.release()
        return self._partial

    def release(self) -> None:
        """Allow the run to be ended where memory is short."""
        self._remote.release()

    def close(self) -> None:
        """Give its memory back."""
        self._remote.close()
