"""Quick work of all sessions: in a process of its own, one call at a time, in order of arrival.

A moved slider asks for some milliseconds of work, in some hundred operations of torch. In the
server's own process each of them releases the interpreter lock, and may wait five milliseconds (the
interpreter's switch interval) to get it back: with thirty users a move would take seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sde_lab.server.fair_queue import FairQueue
from sde_lab.server.singleton import process_singleton
from sde_lab.server.worker_process import MALLOC_KEEP_FREED, WorkerDiedError, WorkerProcess

T = TypeVar("T")


def run_interactive(function: Callable[..., T], *args: Any) -> T:
    """Return ``function(*args)``, computed in the interactive process.

    Args:
        function: one that can be imported, and takes some tenths of a second at most.
        args: its arguments; they are pickled, as the answer is.

    Raises:
        Exception: whatever the function raises.
    """
    return _interactive().call(function, *args)


def interactive_worker() -> WorkerProcess:
    """Return the process itself."""
    return _interactive().worker


@process_singleton
def _interactive() -> InteractiveWorker:
    return InteractiveWorker(WorkerProcess(niceness=0, environment=MALLOC_KEEP_FREED))


class InteractiveWorker:
    """One process, one call at a time.

    Args:
        worker: the process.
    """

    def __init__(self, worker: WorkerProcess) -> None:
        self.worker = worker
        self._queue = FairQueue(slots=1)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """See :func:`run_interactive`. If the process dies twice, compute it in this one."""
        with self._queue.slot():
            for _ in range(2):
                try:
                    return self.worker.call(function, *args)
                except WorkerDiedError:
                    continue
        return function(*args)
