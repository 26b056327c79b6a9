"""The sweep of a session: done a moment at a time, so that the page answers in between."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from functools import partial

import streamlit as st

from sde_lab.app.components.sweep_controls import Question
from sde_lab.app.jobs.summary_job import slow, work_per_sample
from sde_lab.errors import ScenarioError
from sde_lab.server.dask_cluster import VARIABLE, executor
from sde_lab.server.result_cache import Shelf
from sde_lab.server.singleton import once
from sde_lab.server.sweep_executors import Hired, Quick
from sde_lab.sweep import SweepInterruptedError, SweepRun
from sde_lab.sweep.executors import Crew, Gang
from sde_lab.sweep.plan import Block, Plan

QUICK = 12_000_000
"""Derivatives (points × samples × steps × components × columns) of a sweep that is done at once:
about a tenth of a second."""
KEPT = 16
"""Finished sweeps that are kept for whoever asks for the same."""
MOMENT = 0.6
"""Seconds of work between two looks at the charts."""
_RUN, _ASKED, _HALTED, _LINE = "sweep.run", "sweep.asked", "sweep.halted", "sweep.line"


def run_of(asked: Question) -> SweepRun:
    """The sweep that answers the question: the one in progress, or a new one.

    Raises:
        ScenarioError: for what cannot work or does not fit.
    """
    state, essence = st.session_state, asked.essence
    if state.get(_ASKED) != essence:
        found = _finished().find(essence)
        if found is None:
            plan = essence.plan()
            found = SweepRun(plan, _crew_for(plan))
        drop()
        state[_RUN], state[_ASKED], state[_HALTED] = found, essence, False
    run: SweepRun = state[_RUN]
    return run


@once
def _finished() -> Shelf[Question, SweepRun]:
    return Shelf(KEPT)


def drop() -> None:
    """Leave the sweep in progress, if there is one."""
    run: SweepRun | None = st.session_state.pop(_RUN, None)
    st.session_state.pop(_ASKED, None)
    if run is not None:
        run.leave()


def waiting_line() -> None:
    """Draw the place where a sweep says that others are ahead, the same in every run."""
    st.session_state[_LINE] = st.empty()


def _waits(ahead: int) -> None:
    st.session_state[_LINE].caption(f"Waiting: {ahead} long runs of others are ahead of this one.")


def go_on(run: SweepRun) -> None:
    """Work for a moment, unless it is done or halted."""
    deadline = time.monotonic() + MOMENT
    while not run.finished and not halted() and time.monotonic() < deadline:
        try:
            run.advance()
        except SweepInterruptedError as error:
            set_halted(True)
            raise ScenarioError("sweep", os.environ.get(VARIABLE), str(error)) from None
    if run.finished:
        _finished().put(st.session_state[_ASKED], run)


def _crew_for(plan: Plan) -> Callable[[list[Block]], Crew]:
    """A cluster if one is named; the desk for what takes a moment; else turns with long runs.

    Raises:
        ScenarioError: if a cluster is named that cannot be reached.
    """
    cluster = executor()
    if cluster is not None:
        return partial(Gang, executor=cluster)
    points = [point for block in plan.blocks for point in block.scenarios]
    work = sum(point.samples * work_per_sample(point) for point in points)
    quick = work <= QUICK and not any(map(slow, points))
    return Quick if quick else partial(Hired, say=_waits)


def halted() -> bool:
    """Whether the reader has stopped it."""
    return bool(st.session_state.get(_HALTED))


def set_halted(value: bool) -> None:
    """Stop it, or let it go on."""
    st.session_state[_HALTED] = value


def progress(run: SweepRun) -> None:
    """How far it is, with the button that stops it or lets it go on; nothing when it is done."""
    if run.finished:
        return
    at = run.progress
    if halted():
        st.info(f"{at.done:,} of the {at.points:,} points asked for are done and shown.", width=420)
        st.button("Go on", key="sweep.go_on", on_click=set_halted, args=(False,))
        return
    left = "" if math.isnan(at.left) else f", about {at.left:.0f} s left"
    st.progress(at.done / at.points, f"{at.done:,} of {at.points:,} points{left}", width=420)
    st.button("Keep what is done", key="sweep.halt", on_click=set_halted, args=(True,))
