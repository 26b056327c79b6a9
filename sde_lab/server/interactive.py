"""Quick work of all sessions: in a process of its own, one piece at a time, in order of arrival.

What a moved slider asks for takes some milliseconds, and some hundred operations of torch. In the
server's own process each of them gives the interpreter lock away to whoever else is served, and may
wait five milliseconds to get it back: with thirty readers a move would take seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sde_lab.server.fair_queue import FairQueue
from sde_lab.server.singleton import process_singleton
from sde_lab.server.worker_process import MALLOC_KEEP_FREED, WorkerDiedError, WorkerProcess

T = TypeVar("T")


def run_interactive(function: Callable[..., T], *args: Any) -> T:
    """What ``function(*args)`` returns, computed at the desk.

    Args:
        function: one that can be imported, and takes some tenths of a second at most.
        args: its arguments; they are pickled, as the answer is.

    Raises:
        Exception: whatever the function raises.
    """
    return _interactive().call(function, *args)


def interactive_worker() -> WorkerProcess:
    """The process itself."""
    return _interactive().worker


@process_singleton
def _interactive() -> InteractiveWorker:
    return InteractiveWorker(WorkerProcess(niceness=0, environment=MALLOC_KEEP_FREED))


class InteractiveWorker:
    """One process, one piece of work at a time.

    Args:
        worker: who works there.
    """

    def __init__(self, worker: WorkerProcess) -> None:
        self.worker = worker
        self._queue = _SingleSlotQueue()

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """See :func:`at_desk`. If the process is lost twice it is done here."""
        with self._queue.slot():
            for _ in range(2):
                try:
                    return self.worker.call(function, *args)
                except WorkerDiedError:
                    continue
        return function(*args)


class _SingleSlotQueue(FairQueue):
    """Those who wait at the desk."""

    SLOTS = 1
