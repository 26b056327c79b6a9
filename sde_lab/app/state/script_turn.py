"""A run of the script waits for its turn, so that few are under way at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from sde_lab.server.fair_queue import script_slot


@dataclass
class _Request:
    """What the session asked for and has not seen yet.

    Attributes:
        since: when it first asked, on ``time.monotonic``; None once all is drawn.
    """

    since: float | None = None


@contextmanager
def script_turn() -> Iterator[None]:
    """Wait for a slot for this run of the script, and hold it until the block ends.

    While a run waits, newer moves of its user are not noticed, as nothing is drawn. Reading the
    session's state is where Streamlit ends it for them: right before the block, so nothing is
    drawn for older ones, and the run that follows keeps the place in the queue.
    """
    request: _Request = st.session_state.setdefault("script_request", _Request())
    if request.since is None:
        request.since = time.monotonic()
    with script_slot(request.since):
        st.session_state.get("script_request")
        yield
    request.since = None
