"""A race or a growth study of this session: begun, shown as it comes, halted, kept."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import streamlit as st

from sde_lab import memory
from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.server.fair_queue import Say
from sde_lab.server.job_pool import Errand, begin
from sde_lab.server.result_cache import Shelf
from sde_lab.server.singleton import once
from sde_lab.server.worker_process import WorkerLostError
from sde_lab.studies.benchmark.benchmark import ORDER
from sde_lab.studies.benchmark.registry import WAYS
from sde_lab.studies.benchmark.stepper import Heat
from sde_lab.studies.benchmark.trial import Result

KEPT = 64
"""Finished studies that are kept for whoever opens the same scenario."""


@dataclass
class Going:
    """A study as far as it has come.

    Attributes:
        study: "race" or "growth".
        scenario: what is differentiated.
        results: so far.
        turn: name of the way that runs now; empty before the first.
        seconds: time spent so far.
        running: whether it goes on; not when it is over or halted.
        over: whether nothing is left to do.
        errand: where it is done.
        trouble: why it ended early, if it did.
    """

    study: str
    scenario: Scenario
    results: list[Result] = field(default_factory=list)
    turn: str = ""
    seconds: float = 0.0
    running: bool = False
    over: bool = False
    errand: Errand | None = None
    trouble: str = ""

    @property
    def done(self) -> float:
        """Share of the ways that have had their turn."""
        if self.over:
            return 1.0
        return ORDER.index(self.turn) / len(ORDER) if self.turn else 0.0


@once
def _shelf() -> Shelf[tuple[str, Scenario], tuple[Result, ...]]:
    return Shelf(KEPT)


def going(study: str, scenario: Scenario) -> Going:
    """The session's study of this scenario, as it is; finished if anyone has finished it."""
    present: Going | None = st.session_state.get(_key(study))
    if present is not None and present.scenario == scenario:
        return present
    if present is not None and present.errand is not None:
        present.errand.close()
    kept = _shelf().find((study, scenario))
    fresh = Going(study, scenario)
    if kept is not None:
        fresh.results, fresh.over = list(kept), True
    st.session_state[_key(study)] = fresh
    return fresh


def controls(heat: Going, label: str) -> None:
    """The button that begins, or halts; while it runs, how far it is and how long it will take."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if not heat.running:
            again = "Measure again" if heat.over else "Go on" if heat.results else label
            st.button(
                again,
                key=f"{heat.study}.begin",
                type="secondary" if heat.over else "primary",
                icon=":material/timer:",
                on_click=_begin,
                args=(heat,),
            )
        else:
            st.button(
                "Halt, and keep what is done",
                key=f"{heat.study}.halt",
                on_click=_halt,
                args=(heat,),
            )
            st.progress(heat.done, _progress(heat))
        if heat.trouble:
            st.caption(heat.trouble)


def advance(heat: Going) -> None:
    """Do the next part of a running study, and draw the page again. Does not return then."""
    if not heat.running:
        return
    note = st.empty()
    start = time.monotonic()

    def waits(ahead: int) -> None:
        text = f"{ahead} others measure or run something long first" if ahead else "next"
        note.caption(f"Waiting for a quiet machine: {text}.")

    try:
        _step(heat, waits)
    except WorkerLostError:
        heat.running, heat.errand = False, None
        heat.trouble = "The process that measures was ended to save memory; what is done is shown."
    except ScenarioError as error:
        heat.running, heat.trouble = False, str(error)
    except Exception as error:  # a fault must not leave the study "running" for ever
        heat.running = False
        heat.trouble = f"The measurement ended with an error ({type(error).__name__})."
        raise
    heat.seconds += time.monotonic() - start
    st.rerun()


def _step(heat: Going, say: Say) -> None:
    if heat.errand is None:
        heat.errand = begin(Heat, heat.study, heat.scenario, size=memory.limit(), say=say)
        heat.results.clear()
    with heat.errand as errand:
        found = errand.ask("step", say=say, alone=True)
    if isinstance(found, str):
        heat.turn = found
    elif found is not None:
        heat.results.append(found)
    else:
        heat.over, heat.running = True, False
        heat.errand.close()
        heat.errand = None
        _shelf().put((heat.study, heat.scenario), tuple(heat.results))


def _key(study: str) -> str:
    return f"heat.{study}"


def _begin(heat: Going) -> None:
    if heat.over:
        heat.results, heat.seconds, heat.over, heat.turn = [], 0.0, False, ""
    heat.running, heat.trouble = True, ""


def _halt(heat: Going) -> None:
    heat.running = False


def _progress(heat: Going) -> str:
    if not heat.turn:
        return "beginning"
    place = ORDER.index(heat.turn)
    text = f"{place + 1} of {len(ORDER)}: {WAYS[heat.turn].title}"
    if not place:
        return text
    left = heat.seconds / place * (len(ORDER) - place)
    return f"{text}, about {left:.0f} s left"
