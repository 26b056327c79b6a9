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
from sde_lab.server.fair_queue import FairQueue, OnWait, acquire_slot
from sde_lab.server.interactive import interactive_worker
from sde_lab.server.singleton import process_singleton
from sde_lab.server.worker_process import RemoteObject, WorkerDiedError, WorkerProcess


def start_job(
    make: Callable[..., Any], *args: Any, reserve_bytes: float, on_wait: OnWait | None = None
) -> RemoteJob:
    """Begin an errand: the object ``make(*args)`` in the worker's process.

    Args:
        make: a class or a function that can be imported.
        args: its arguments; they are pickled.
        reserve_bytes: the memory that the object may come to hold, in bytes.
        on_wait: told how many are ahead while it waits for memory and for a turn.

    Returns:
        The errand, to be used in a ``with``; outside of one it may be ended to make room.

    Raises:
        ScenarioError: if it would not fit on an empty server.
        WorkerLostError: if the process ends meanwhile.
    """
    return _job_pool().start(make, *args, reserve_bytes=reserve_bytes, on_wait=on_wait)


@process_singleton
def background_worker() -> WorkerProcess:
    """The process itself."""
    return WorkerProcess()


@process_singleton
def _job_pool() -> JobPool:
    base = memory.resident_bytes() + memory.GROWTH_BYTES
    for worker in (interactive_worker(), background_worker()):
        base += worker.call(memory.resident_bytes)  # after its imports: it has to start first
    return JobPool(background_worker(), memory.server_capacity_bytes(base))


def room() -> float:
    """Return the memory that all errands may hold together, in bytes.

    Raises:
        ScenarioError: if the server's own memory leaves no room for a run.
    """
    return _job_pool().capacity_bytes


class RemoteJob:
    """One object in the worker's process, and the memory set aside for it.

    Attributes:
        reserved_bytes: that memory, in bytes.
        closed: whether it was ended.
    """

    def __init__(self, pool: JobPool, reserved_bytes: float) -> None:
        self.reserved_bytes = reserved_bytes
        self.closed = False
        self.in_use = True
        self.remote: RemoteObject | None = None
        self._pool = pool

    def call(
        self, method: str, *args: Any, on_wait: OnWait | None = None, exclusive: bool = False
    ) -> Any:
        """Call one of the object's methods once it is this session's turn.

        Args:
            method: its name.
            args: its arguments.
            on_wait: told how many are ahead while it waits.
            exclusive: nobody else has a turn meanwhile.

        Raises:
            WorkerLostError: if the errand was ended, or its process was.
        """
        with acquire_slot(on_wait, exclusive=exclusive):
            if self.closed or self.remote is None:
                raise WorkerDiedError("the errand was ended")
            return self.remote.call(method, *args)

    def close(self) -> None:
        """End it, and give its memory back."""
        self.closed = True
        if self.remote is not None:
            self.remote.close()

    def __enter__(self) -> RemoteJob:
        self._pool.mark_in_use(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.in_use = False


class JobPool:
    """Begins errands, in order of arrival, and knows what all of them hold.

    Args:
        worker: in whose process they live.
        capacity_bytes: the memory they may hold together, in bytes.
    """

    def __init__(self, worker: WorkerProcess, capacity_bytes: float) -> None:
        self.worker = worker
        self.capacity_bytes = capacity_bytes
        self._lock = threading.Lock()
        self._admission = _AdmissionQueue()
        self._jobs: dict[int, weakref.ref[RemoteJob]] = {}
        self._numbers = itertools.count()

    @property
    def reserved_bytes(self) -> float:
        """The memory that is set aside now, in bytes."""
        return sum(errand.reserved_bytes for errand in self._open_jobs())

    def start(
        self,
        make: Callable[..., Any],
        *args: Any,
        reserve_bytes: float,
        on_wait: OnWait | None = None,
    ) -> RemoteJob:
        """See :func:`begin`."""
        if reserve_bytes > self.capacity_bytes:
            needed, allowed = f"{reserve_bytes / 1e9:.1f} GB", f"{self.capacity_bytes / 1e9:.1f} GB"
            hint = f"this needs {needed}, all runs may hold {allowed}"
            raise ScenarioError("memory", needed, hint)
        errand = RemoteJob(self, reserve_bytes)
        with self._admission.slot(on_wait):
            while not self._try_reserve(errand):
                if on_wait is not None:
                    on_wait(sum(other.in_use for other in self._open_jobs()))
                time.sleep(self._admission.POLL_SECONDS)
        try:
            with acquire_slot(on_wait):
                errand.remote = self.worker.create(make, *args)
        except BaseException:
            errand.close()
            raise
        return errand

    def mark_in_use(self, job: RemoteJob) -> None:
        """Mark an errand as waited for: it is not ended to make room.

        Raises:
            WorkerLostError: if it was ended already.
        """
        with self._lock:
            if job.closed:
                raise WorkerDiedError("the errand was ended")
            job.in_use = True

    def _open_jobs(self) -> list[RemoteJob]:
        """The errands that are not over, oldest first."""
        known = [reference() for reference in list(self._jobs.values())]
        return [errand for errand in known if errand is not None and not errand.closed]

    def _try_reserve(self, job: RemoteJob) -> bool:
        """Set memory aside, ending idle errands where need be; whether there is room."""
        with self._lock:
            present = self._open_jobs()
            free = self.capacity_bytes - sum(other.reserved_bytes for other in present)
            for other in present:
                if free >= job.reserved_bytes:
                    break
                if not other.in_use:
                    other.close()
                    free += other.reserved_bytes
            if free < job.reserved_bytes:
                return False
            self._jobs = {n: r for n, r in self._jobs.items() if r() in present}
            self._jobs[next(self._numbers)] = weakref.ref(job)
            return True


class _AdmissionQueue(FairQueue):
    """One at a time waits for memory; the others wait behind, in order."""

    SLOTS = 1
