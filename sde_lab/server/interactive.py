"""Quick work of all sessions: in a process of its own, one piece at a time, in order of arrival.

What a moved slider asks for takes some milliseconds, and some hundred operations of torch. In the
server's own process each of them gives the interpreter lock away to whoever else is served, and may
wait five milliseconds to get it back: with thirty readers a move would take seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sde_lab.server.fair_queue import FairQueue
from sde_lab.server.singleton import once
from sde_lab.server.worker_process import KEEPS_MEMORY, Worker, WorkerLostError

T = TypeVar("T")


def at_desk(function: Callable[..., T], *args: Any) -> T:
    """What ``function(*args)`` returns, computed at the desk.

    Args:
        function: one that can be imported, and takes some tenths of a second at most.
        args: its arguments; they are pickled, as the answer is.

    Raises:
        Exception: whatever the function raises.
    """
    return _desk().call(function, *args)


def desk_worker() -> Worker:
    """The process itself."""
    return _desk().worker


@once
def _desk() -> Desk:
    return Desk(Worker(niceness=0, environment=KEEPS_MEMORY))


class Desk:
    """One process, one piece of work at a time.

    Args:
        worker: who works there.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._line = _Line()

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """See :func:`at_desk`. If the process is lost twice it is done here."""
        with self._line.turn():
            for _ in range(2):
                try:
                    return self.worker.call(function, *args)
                except WorkerLostError:
                    continue
        return function(*args)


class _Line(FairQueue):
    """Those who wait at the desk."""

    WIDTH = 1
