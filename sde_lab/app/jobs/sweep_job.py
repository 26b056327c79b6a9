"""The sweep of a session: done a moment at a time, so that the page answers in between."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import streamlit as st

from sde_lab.app.jobs.job import Job, session_job
from sde_lab.app.jobs.progress import draw_stop_button, draw_stopped, time_left
from sde_lab.app.state.sweep_request import SweepRequest
from sde_lab.errors import ScenarioError
from sde_lab.server.dask_cluster import ADDRESS_VARIABLE, dask_executor
from sde_lab.server.result_cache import LRUCache
from sde_lab.server.scheduling import cost_per_sample, is_slow
from sde_lab.server.singleton import process_singleton
from sde_lab.server.sweep_executors import BackgroundExecutor, InteractiveExecutor
from sde_lab.sweeps import SweepInterruptedError, SweepRun
from sde_lab.sweeps.executors import BlockExecutor, PoolExecutor
from sde_lab.sweeps.plan import Plan, SweepBlock

MAX_INTERACTIVE_WORK = 12_000_000
"""Derivatives (points × samples × steps × components × columns) of a sweep that is done at once:
about a tenth of a second."""
CACHE_SIZE = 16
"""Finished sweeps that are kept for all sessions."""
SLICE_SECONDS = 0.6
"""Seconds of work between two drawings of the charts."""
SLOT = "sweep.run"
"""Where in the session's state the job is."""
_LINE = "sweep.line"


@process_singleton
def _cache() -> LRUCache[SweepRequest, SweepRun]:
    return LRUCache(CACHE_SIZE)


class SweepJob(Job[SweepRequest, SweepRun]):
    """A sweep of one session, some points at each step.

    Attributes:
        run: the sweep, whose ``result()`` is what is done so far.

    Raises:
        ScenarioError: for what cannot work or does not fit.
    """

    def __init__(self, request: SweepRequest) -> None:
        super().__init__(request, _cache())
        if self.result is None:
            plan = request.plan()
            self.run = SweepRun(plan, _choose_executor(plan))
        else:
            self.run = self.result
        self.start()

    def step(self) -> SweepRun | None:
        """Work for about a tenth of a second.

        Raises:
            ScenarioError: if workers were lost for good, or a point cannot work.
        """
        try:
            self.run.advance()
        except SweepInterruptedError as error:
            raise ScenarioError("sweep", os.environ.get(ADDRESS_VARIABLE), str(error)) from None
        return self.run if self.run.finished else None

    def close(self) -> None:
        """Call back what is handed out; points that are done stay."""
        self.run.cancel()

    def draw_progress(self) -> None:
        """Draw how far it is, with the button that stops or continues it; nothing once finished."""
        if self.finished:
            return
        at = self.run.progress
        if not self.running:
            text = f"{at.done:,} of the {at.points:,} points asked for are done and shown."
            draw_stopped(self, text, key="sweep.go_on")
            return
        text = f"{at.done:,} of {at.points:,} points{time_left(at.left)}"
        st.progress(at.done / at.points, text, width=420)
        draw_stop_button(self, key="sweep.halt")


def get_job(request: SweepRequest) -> SweepJob:
    """Return the session's sweep that answers the request: the one in progress, or a new one.

    Raises:
        ScenarioError: for what cannot work or does not fit.
    """
    key = request.cache_key
    return session_job(SLOT, key, partial(SweepJob, key))


def draw_queue_placeholder() -> None:
    """Draw the element in which a sweep says that others are ahead, the same in every run."""
    st.session_state[_LINE] = st.empty()


def _show_queue_position(ahead: int) -> None:
    st.session_state[_LINE].caption(f"Waiting: {ahead} long runs of others are ahead of this one.")


def _choose_executor(plan: Plan) -> Callable[[list[SweepBlock]], BlockExecutor]:
    """Choose who computes the blocks.

    A Dask cluster if one is named, the interactive process for what takes a moment, and otherwise
    the background process, in turns with other long runs.

    Raises:
        ScenarioError: if a cluster is named that cannot be reached.
    """
    cluster = dask_executor()
    if cluster is not None:
        return partial(PoolExecutor, executor=cluster)
    points = [point for block in plan.blocks for point in block.scenarios]
    work = sum(point.samples * cost_per_sample(point) for point in points)
    quick = work <= MAX_INTERACTIVE_WORK and not any(map(is_slow, points))
    return (
        InteractiveExecutor if quick else partial(BackgroundExecutor, on_wait=_show_queue_position)
    )
