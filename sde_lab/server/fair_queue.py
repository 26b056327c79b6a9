"""Heavy work, a chunk at a time, first come, first served: one queue for all sessions.

Each session is a thread of one process, and all of them share its cores. So a long job is cut into
chunks of at most about a second and waits for a slot for each: threads are served in order of
arrival, and long jobs of several people alternate, each by one chunk.
"""

from __future__ import annotations

import bisect
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sde_lab.server.singleton import process_singleton

OnWait = Callable[[int], None]
"""Called with the number of slots ahead. Drawing is where Streamlit ends a run of the script whose
user asked for something newer, or left, so whoever waits must draw now and then."""

SCRIPT_SLOTS = 2
"""Runs of the script at once: one draws, in the interpreter that all share, while the other waits
for the interactive process."""
SCRIPT_SECONDS = 1.0
"""Seconds after which a run of the script no longer holds up the others."""


def acquire_slot(
    on_wait: OnWait | None = None, *, exclusive: bool = False
) -> AbstractContextManager[None]:
    """Wait in the server's queue for heavy work; one chunk of it goes inside the ``with``.

    Args:
        on_wait: called at intervals while waiting; what it raises leaves the queue.
        exclusive: let nobody else have a slot meanwhile, as a measurement of time asks.

    Raises:
        RuntimeError: if this thread already has a slot: it would wait for itself.
    """
    leave_script_queue()
    return _queue().slot(on_wait, exclusive=exclusive)


@process_singleton
def _queue() -> FairQueue:
    return FairQueue(max(1, (os.cpu_count() or 1) // 2))  # the other half answers moved sliders


def script_slot(since: float) -> AbstractContextManager[None]:
    """Wait for one of the few runs of the script that go on at once.

    Runs of all sessions at once would all take as long as all of them together, and with many
    sessions a newer move would end each before it is done. A few at once are done soon; those who
    wait then begin with their newest values.

    Args:
        since: when the session first asked for what it has not seen yet, on ``time.monotonic``: it
            keeps its place in the queue when a newer move ends its run.
    """
    return _script_queue().slot(since=since)


def leave_script_queue() -> None:
    """Let others run: what this run of the script does now may take longer."""
    _script_queue().leave()


@process_singleton
def _script_queue() -> FairQueue:
    return FairQueue(SCRIPT_SLOTS, SCRIPT_SECONDS)


class _Ticket:
    """One thread's position in the queue, with the times on ``time.monotonic``."""

    def __init__(self, *, exclusive: bool, since: float) -> None:
        self.exclusive = exclusive
        self.since = since
        self.admitted = math.nan
        self.thread = threading.get_ident()
        self.called = threading.Event()


class FairQueue:
    """First come, first served; a few threads at once, or one exclusively.

    A thread that leaves, by whatever exception, admits the next. Nobody polls for a slot: each
    waits for an event of its own, so that none can be overtaken.

    Args:
        slots: threads at once.
        slot_seconds: seconds after which a thread that still has its slot no longer counts, so that
            one that hangs holds up nobody; those who wait look every ``POLL_SECONDS``.

    Attributes:
        POLL_SECONDS: seconds between two calls of ``on_wait``.
    """

    POLL_SECONDS = 0.4

    def __init__(self, slots: int, slot_seconds: float = math.inf) -> None:
        self._slots = slots
        self._slot_seconds = slot_seconds
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._serving: list[_Ticket] = []

    @contextmanager
    def slot(
        self,
        on_wait: OnWait | None = None,
        *,
        exclusive: bool = False,
        since: float | None = None,
    ) -> Iterator[None]:
        """See :func:`acquire_slot`.

        Args:
            on_wait: called with the number of slots ahead while waiting.
            exclusive: whether nobody else has a slot meanwhile.
            since: when this thread is to count as come, on ``time.monotonic``; None for now.
        """
        ticket = self._join(exclusive=exclusive, since=since)
        try:
            while not ticket.called.wait(self.POLL_SECONDS):
                if on_wait is not None:
                    on_wait(self._position(ticket))
                if self._slot_seconds < math.inf:
                    with self._lock:
                        self._admit_next()
            yield
        finally:
            self._leave(ticket)

    def leave(self) -> None:
        """Give back the slot that this thread has, if it has one, before its block ends."""
        thread = threading.get_ident()
        with self._lock:
            own = [ticket for ticket in self._serving if ticket.thread == thread]
        for ticket in own:
            self._leave(ticket)

    def _join(self, *, exclusive: bool, since: float | None) -> _Ticket:
        with self._lock:
            now = time.monotonic()
            ticket = _Ticket(exclusive=exclusive, since=now if since is None else since)
            if any(other.thread == ticket.thread for other in self._serving):
                raise RuntimeError("this thread already has a slot")
            bisect.insort(self._waiting, ticket, key=lambda other: other.since)
            self._admit_next()
        return ticket

    def _leave(self, ticket: _Ticket) -> None:
        with self._lock:
            for line in (self._serving, self._waiting):
                if ticket in line:
                    line.remove(ticket)
            self._admit_next()

    def _admit_next(self) -> None:
        """Admit the first in the queue as long as slots are free; the lock is held."""
        while self._waiting and self._fits(self._waiting[0]):
            ticket = self._waiting.pop(0)
            ticket.admitted = time.monotonic()
            self._serving.append(ticket)
            ticket.called.set()

    def _fits(self, ticket: _Ticket) -> bool:
        earliest = time.monotonic() - self._slot_seconds
        serving = [t for t in self._serving if t.admitted > earliest]
        if ticket.exclusive:
            return not serving
        return len(serving) < self._slots and not any(t.exclusive for t in serving)

    def _position(self, ticket: _Ticket) -> int:
        """Return how many are served or wait before this ticket; 0 once it is called."""
        with self._lock:
            if ticket in self._serving:
                return 0
            return len(self._serving) + self._waiting.index(ticket)
