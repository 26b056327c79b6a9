"""The sweep of a session: done a moment at a time, so that the page answers in between."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from functools import partial

import streamlit as st

from sde_lab.app.jobs.summary_job import cost_per_sample, is_slow
from sde_lab.app.state.sweep_request import SweepRequest
from sde_lab.errors import ScenarioError
from sde_lab.server.dask_cluster import ADDRESS_VARIABLE, dask_executor
from sde_lab.server.result_cache import LRUCache
from sde_lab.server.singleton import process_singleton
from sde_lab.server.sweep_executors import BackgroundExecutor, InteractiveExecutor
from sde_lab.sweeps import SweepInterruptedError, SweepRun
from sde_lab.sweeps.executors import BlockExecutor, PoolExecutor
from sde_lab.sweeps.plan import Plan, SweepBlock

MAX_INTERACTIVE_WORK = 12_000_000
"""Derivatives (points × samples × steps × components × columns) of a sweep that is done at once:
about a tenth of a second."""
CACHE_SIZE = 16
"""Finished sweeps that are kept for whoever asks for the same."""
SLICE_SECONDS = 0.6
"""Seconds of work between two looks at the charts."""
_RUN, _ASKED, _HALTED, _LINE = "sweep.run", "sweep.asked", "sweep.halted", "sweep.line"


def get_sweep_run(request: SweepRequest) -> SweepRun:
    """The sweep that answers the question: the one in progress, or a new one.

    Raises:
        ScenarioError: for what cannot work or does not fit.
    """
    state, essence = st.session_state, request.cache_key
    if state.get(_ASKED) != essence:
        found = _finished().get(essence)
        if found is None:
            plan = essence.plan()
            found = SweepRun(plan, _choose_executor(plan))
        cancel()
        state[_RUN], state[_ASKED], state[_HALTED] = found, essence, False
    run: SweepRun = state[_RUN]
    return run


@process_singleton
def _finished() -> LRUCache[SweepRequest, SweepRun]:
    return LRUCache(CACHE_SIZE)


def cancel() -> None:
    """Leave the sweep in progress, if there is one."""
    run: SweepRun | None = st.session_state.pop(_RUN, None)
    st.session_state.pop(_ASKED, None)
    if run is not None:
        run.cancel()


def draw_queue_placeholder() -> None:
    """Draw the place where a sweep says that others are ahead, the same in every run."""
    st.session_state[_LINE] = st.empty()


def _show_queue_position(ahead: int) -> None:
    st.session_state[_LINE].caption(f"Waiting: {ahead} long runs of others are ahead of this one.")


def advance_for_a_moment(run: SweepRun) -> None:
    """Work for a moment, unless it is done or halted."""
    deadline = time.monotonic() + SLICE_SECONDS
    while not run.finished and not is_paused() and time.monotonic() < deadline:
        try:
            run.advance()
        except SweepInterruptedError as error:
            set_paused(True)
            raise ScenarioError("sweep", os.environ.get(ADDRESS_VARIABLE), str(error)) from None
    if run.finished:
        _finished().put(st.session_state[_ASKED], run)


def _choose_executor(plan: Plan) -> Callable[[list[SweepBlock]], BlockExecutor]:
    """A cluster if one is named; the desk for what takes a moment; else turns with long runs.

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


def is_paused() -> bool:
    """Whether the reader has stopped it."""
    return bool(st.session_state.get(_HALTED))


def set_paused(value: bool) -> None:
    """Stop it, or let it go on."""
    st.session_state[_HALTED] = value


def draw_progress(run: SweepRun) -> None:
    """How far it is, with the button that stops it or lets it go on; nothing when it is done."""
    if run.finished:
        return
    at = run.progress
    if is_paused():
        st.info(f"{at.done:,} of the {at.points:,} points asked for are done and shown.", width=420)
        st.button("Go on", key="sweep.go_on", on_click=set_paused, args=(False,))
        return
    left = "" if math.isnan(at.left) else f", about {at.left:.0f} s left"
    st.progress(at.done / at.points, f"{at.done:,} of {at.points:,} points{left}", width=420)
    st.button("Keep what is done", key="sweep.halt", on_click=set_paused, args=(True,))
