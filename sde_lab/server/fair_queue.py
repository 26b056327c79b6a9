"""Heavy work, a chunk at a time, first come, first served: one queue for all sessions.

Each session is a thread of one process, and all of them share its cores. So a long job is cut into
chunks of at most about a second and waits for a slot for each: threads are served in order of
arrival, and long jobs of several people alternate, each by one chunk.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sde_lab.server.singleton import process_singleton

OnWait = Callable[[int], None]
"""Called with the number of slots ahead. Drawing is where Streamlit ends a run of the script whose
user asked for something newer, or left, so whoever waits must draw now and then."""


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
    return _queue().slot(on_wait, exclusive=exclusive)


@process_singleton
def _queue() -> FairQueue:
    return FairQueue(max(1, (os.cpu_count() or 1) // 2))  # the other half answers moved sliders


class _Ticket:
    """One thread's position in the queue."""

    def __init__(self, *, exclusive: bool) -> None:
        self.exclusive = exclusive
        self.thread = threading.get_ident()
        self.called = threading.Event()


class FairQueue:
    """First come, first served; a few threads at once, or one exclusively.

    A thread that leaves, by whatever exception, admits the next. Nobody polls for a slot: each
    waits for an event of its own, so that none can be overtaken.

    Args:
        slots: threads at once.

    Attributes:
        POLL_SECONDS: seconds between two calls of ``on_wait``.
    """

    POLL_SECONDS = 0.4

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._lock = threading.Lock()
        self._waiting: deque[_Ticket] = deque()
        self._serving: list[_Ticket] = []

    @contextmanager
    def slot(self, on_wait: OnWait | None = None, *, exclusive: bool = False) -> Iterator[None]:
        """See :func:`acquire_slot`."""
        ticket = self._join(exclusive=exclusive)
        try:
            while not ticket.called.wait(self.POLL_SECONDS):
                if on_wait is not None:
                    on_wait(self._position(ticket))
            yield
        finally:
            self._leave(ticket)

    def _join(self, *, exclusive: bool) -> _Ticket:
        ticket = _Ticket(exclusive=exclusive)
        with self._lock:
            if any(other.thread == ticket.thread for other in self._serving):
                raise RuntimeError("this thread already has a slot")
            self._waiting.append(ticket)
            self._admit_next()
        return ticket

    def _leave(self, ticket: _Ticket) -> None:
        with self._lock:
            line = self._serving if ticket in self._serving else self._waiting
            line.remove(ticket)
            self._admit_next()

    def _admit_next(self) -> None:
        """Admit the first in the queue as long as slots are free; the lock is held."""
        while self._waiting and self._fits(self._waiting[0]):
            ticket = self._waiting.popleft()
            self._serving.append(ticket)
            ticket.called.set()

    def _fits(self, ticket: _Ticket) -> bool:
        if ticket.exclusive:
            return not self._serving
        return len(self._serving) < self._slots and not any(t.exclusive for t in self._serving)

    def _position(self, ticket: _Ticket) -> int:
        """Return how many are served or wait before this ticket; 0 once it is called."""
        with self._lock:
            if ticket in self._serving:
                return 0
            return len(self._serving) + self._waiting.index(ticket)
