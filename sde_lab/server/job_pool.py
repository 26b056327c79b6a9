"""Heavy work of all sessions: in the worker's process, in turns, within the server's memory.

A session that needs heavy work begins an errand: an object in that process, which lasts as long as
the session keeps it. It is asked for one chunk of at most about a second at a time. Its memory is
counted from its beginning to its end; where there is no room for another, errands that nobody is
waiting for are ended, oldest first, and otherwise whoever asks waits in line.
"""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any

from sde_lab import memory
from sde_lab.errors import ScenarioError
from sde_lab.server.fair_queue import FairQueue, Say, turn
from sde_lab.server.interactive import desk_worker
from sde_lab.server.singleton import once
from sde_lab.server.worker_process import Task, Worker, WorkerLostError


def begin(make: Callable[..., Any], *args: Any, size: float, say: Say | None = None) -> Errand:
    """Begin an errand: the object ``make(*args)`` in the worker's process.

    Args:
        make: a class or a function that can be imported.
        args: its arguments; they are pickled.
        size: the memory that the object may come to hold, in bytes.
        say: told how many are ahead while it waits for memory and for a turn.

    Returns:
        The errand, to be used in a ``with``; outside of one it may be ended to make room.

    Raises:
        ScenarioError: if it would not fit on an empty server.
        WorkerLostError: if the process ends meanwhile.
    """
    return _office().begin(make, *args, size=size, say=say)


@once
def office_worker() -> Worker:
    """The process itself."""
    return Worker()


@once
def _office() -> Office:
    base = memory.resident_bytes() + memory.GROWTH_BYTES
    for worker in (desk_worker(), office_worker()):
        base += worker.call(memory.resident_bytes)  # after its imports: it has to start first
    return Office(office_worker(), memory.server_room(base))


def room() -> float:
    """Return the memory that all errands may hold together, in bytes.

    Raises:
        ScenarioError: if the server's own memory leaves no room for a run.
    """
    return _office().room


class Errand:
    """One object in the worker's process, and the memory set aside for it.

    Attributes:
        size: that memory, in bytes.
        closed: whether it was ended.
    """

    def __init__(self, office: Office, size: float) -> None:
        self.size = size
        self.closed = False
        self.busy = True
        self.task: Task | None = None
        self._office = office

    def ask(self, method: str, *args: Any, say: Say | None = None, alone: bool = False) -> Any:
        """Call one of the object's methods once it is this session's turn.

        Args:
            method: its name.
            args: its arguments.
            say: told how many are ahead while it waits.
            alone: nobody else has a turn meanwhile.

        Raises:
            WorkerLostError: if the errand was ended, or its process was.
        """
        with turn(say, alone=alone):
            if self.closed or self.task is None:
                raise WorkerLostError("the errand was ended")
            return self.task.ask(method, *args)

    def close(self) -> None:
        """End it, and give its memory back."""
        self.closed = True
        if self.task is not None:
            self.task.close()

    def __enter__(self) -> Errand:
        self._office.take_up(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.busy = False


class Office:
    """Begins errands, in order of arrival, and knows what all of them hold.

    Args:
        worker: in whose process they live.
        room: the memory they may hold together, in bytes.
    """

    def __init__(self, worker: Worker, room: float) -> None:
        self.worker = worker
        self.room = room
        self._lock = threading.Lock()
        self._door = _Door()
        self._errands: dict[int, weakref.ref[Errand]] = {}
        self._numbers = itertools.count()

    @property
    def held(self) -> float:
        """The memory that is set aside now, in bytes."""
        return sum(errand.size for errand in self._open())

    def begin(
        self, make: Callable[..., Any], *args: Any, size: float, say: Say | None = None
    ) -> Errand:
        """See :func:`begin`."""
        if size > self.room:
            hint = f"this needs {size / 1e9:.1f} GB, all runs may hold {self.room / 1e9:.1f} GB"
            raise ScenarioError("memory", f"{size / 1e9:.1f} GB", hint)
        errand = Errand(self, size)
        with self._door.turn(say):
            while not self._admit(errand):
                if say is not None:
                    say(sum(other.busy for other in self._open()))
                time.sleep(self._door.INTERVAL)
        try:
            with turn(say):
                errand.task = self.worker.begin(make, *args)
        except BaseException:
            errand.close()
            raise
        return errand

    def take_up(self, errand: Errand) -> None:
        """Mark an errand as waited for: it is not ended to make room.

        Raises:
            WorkerLostError: if it was ended already.
        """
        with self._lock:
            if errand.closed:
                raise WorkerLostError("the errand was ended")
            errand.busy = True

    def _open(self) -> list[Errand]:
        """The errands that are not over, oldest first."""
        known = [reference() for reference in list(self._errands.values())]
        return [errand for errand in known if errand is not None and not errand.closed]

    def _admit(self, errand: Errand) -> bool:
        """Set memory aside, ending idle errands where need be; whether there is room."""
        with self._lock:
            present = self._open()
            free = self.room - sum(other.size for other in present)
            for other in present:
                if free >= errand.size:
                    break
                if not other.busy:
                    other.close()
                    free += other.size
            if free < errand.size:
                return False
            self._errands = {n: r for n, r in self._errands.items() if r() in present}
            self._errands[next(self._numbers)] = weakref.ref(errand)
            return True


class _Door(FairQueue):
    """One at a time waits for memory; the others wait behind, in order."""

    WIDTH = 1
