"""The progress of a job, with the buttons that stop and continue it."""

from __future__ import annotations

import math
import time
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sde_lab.app.jobs.job import Job

PROGRESS_DELAY_SECONDS = 0.5
"""Seconds before progress is shown: what is quicker does not flash a bar."""


def time_left(seconds: float) -> str:
    """Return ", about 3 s left", in minutes or hours from two on, or nothing if not known."""
    if not math.isfinite(seconds):
        return ""
    for name, unit in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2.0 * unit:
            return f", about {seconds / unit:.0f} {name} left"
    return f", about {seconds:.0f} s left"


def draw_stop_button(job: Job[Any, Any], key: str) -> None:
    """Draw the button that stops a running job and keeps what is done."""
    st.button("Stop here", key=key, on_click=job.pause)


def draw_stopped(job: Job[Any, Any], text: str, key: str) -> None:
    """Say what of a stopped job is shown, beside the button that continues it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(text, width=420)
        st.button("Continue", key=key, on_click=job.start)


class ProgressLine:
    """A line above the page that says how far a job is, once it takes longer than a moment.

    Args:
        job: what it speaks of.
        key: widget key of its button.
    """

    def __init__(self, job: Job[Any, Any], key: str) -> None:
        self._job, self._key = job, key
        self._slot = st.empty()
        self._bar: DeltaGenerator | None = None
        self._start = time.monotonic()
        self._share = 0.0

    def show_queue_position(self, ahead: int) -> None:
        """Say how many are ahead. This, as all that draws, is where Streamlit ends a run."""
        others = "one other long run" if ahead == 1 else f"{ahead} other long runs"
        self.show(f"waiting: {others} ahead of this one" if ahead else "it is your turn")

    def show(self, text: str, share: float | None = None) -> None:
        """Draw the bar and its text, unless the delay has not passed.

        Args:
            text: beside the bar.
            share: what is done, from 0 to 1; None leaves the bar where it is.
        """
        self._share = self._share if share is None else share
        if self._bar is None and time.monotonic() - self._start < PROGRESS_DELAY_SECONDS:
            self._slot.empty()
            return
        if self._bar is None:
            with self._slot.container(horizontal=True, vertical_alignment="center"):
                self._bar = st.progress(0.0)
                draw_stop_button(self._job, self._key)
        self._bar.progress(self._share, text)

    def clear(self) -> None:
        """Take the line away."""
        self._slot.empty()
