"""Heavy work of all sessions: in the background process, in turns, within the server's memory.

A job is an object in the background process. The session that started it calls its methods, each
one chunk of at most about a second. The job's memory is reserved from its start until it is closed;
where too little is free for another, jobs that no session waits for are closed, oldest first, and
otherwise the new one waits in a queue.
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
from sde_lab.server.fair_queue import FairQueue, OnWait, acquire_slot, leave_script_queue
from sde_lab.server.interactive import interactive_worker
from sde_lab.server.singleton import process_singleton
from sde_lab.server.worker_process import RemoteObject, WorkerDiedError, WorkerProcess


def start_job(
    make: Callable[..., Any], *args: Any, reserve_bytes: float, on_wait: OnWait | None = None
) -> RemoteJob:
    """Start a job: the object ``make(*args)`` in the background process.

    Args:
        make: a class or a function that can be imported.
        args: its arguments; they are pickled.
        reserve_bytes: the memory that the object may come to hold, in bytes.
        on_wait: called with the number of jobs ahead while it waits for memory and for a slot.

    Returns:
        The job, to be used in a ``with``; outside of one it may be closed to free memory.

    Raises:
        ScenarioError: if it would not fit on an empty server.
        WorkerDiedError: if the process dies meanwhile.
    """
    return _job_pool().start(make, *args, reserve_bytes=reserve_bytes, on_wait=on_wait)


@process_singleton
def background_worker() -> WorkerProcess:
    """Return the process itself."""
    return WorkerProcess()


@process_singleton
def _job_pool() -> JobPool:
    base = memory.resident_bytes() + memory.GROWTH_BYTES
    for worker in (interactive_worker(), background_worker()):
        base += worker.call(memory.resident_bytes)  # after its imports: it has to start first
    return JobPool(background_worker(), memory.server_capacity_bytes(base))


def capacity_bytes() -> float:
    """Return the memory that all jobs together may reserve, in bytes.

    Raises:
        ScenarioError: if the server's own memory leaves no room for a run.
    """
    return _job_pool().capacity_bytes


class RemoteJob:
    """One object in the background process, and the memory reserved for it.

    Attributes:
        reserved_bytes: that memory, in bytes.
        closed: whether it has been closed.
        in_use: whether a session waits for it; it is not closed to free memory then.
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
        """Call one of the object's methods once a slot is free.

        Args:
            method: its name.
            args: its arguments.
            on_wait: called with the queue position while it waits.
            exclusive: let nobody else have a slot meanwhile.

        Raises:
            WorkerDiedError: if the job was closed, or its process died.
        """
        with acquire_slot(on_wait, exclusive=exclusive):
            if self.closed or self.remote is None:
                raise WorkerDiedError("the job was closed")
            return self.remote.call(method, *args)

    def close(self) -> None:
        """End it, and free its memory."""
        self.closed = True
        if self.remote is not None:
            self.remote.close()

    def hold(self) -> None:
        """Mark it as in use: it is not ended to make room.

        Raises:
            WorkerDiedError: if it was ended already.
        """
        self._pool.mark_in_use(self)

    def release(self) -> None:
        """Let it be ended to make room."""
        self.in_use = False

    def __enter__(self) -> RemoteJob:
        self.hold()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class JobPool:
    """Start jobs, in order of arrival, and keep account of the memory that all of them reserve.

    Args:
        worker: the process in which they live.
        capacity_bytes: the memory they may reserve together, in bytes.
    """

    def __init__(self, worker: WorkerProcess, capacity_bytes: float) -> None:
        self.worker = worker
        self.capacity_bytes = capacity_bytes
        self._lock = threading.Lock()
        self._admission = FairQueue(slots=1)  # one waits for memory, the others behind it
        self._jobs: dict[int, weakref.ref[RemoteJob]] = {}
        self._numbers = itertools.count()

    @property
    def reserved_bytes(self) -> float:
        """Memory that is reserved now, in bytes."""
        return sum(job.reserved_bytes for job in self._open_jobs())

    def start(
        self,
        make: Callable[..., Any],
        *args: Any,
        reserve_bytes: float,
        on_wait: OnWait | None = None,
    ) -> RemoteJob:
        """See :func:`start_job`."""
        if reserve_bytes > self.capacity_bytes:
            needed, allowed = f"{reserve_bytes / 1e9:.1f} GB", f"{self.capacity_bytes / 1e9:.1f} GB"
            hint = f"this needs {needed}, all runs may hold {allowed}"
            raise ScenarioError("memory", needed, hint)
        job = RemoteJob(self, reserve_bytes)
        leave_script_queue()
        with self._admission.slot(on_wait):
            while not self._try_reserve(job):
                if on_wait is not None:
                    on_wait(sum(other.in_use for other in self._open_jobs()))
                time.sleep(self._admission.POLL_SECONDS)
        try:
            with acquire_slot(on_wait):
                job.remote = self.worker.create(make, *args)
        except BaseException:
            job.close()
            raise
        return job

    def mark_in_use(self, job: RemoteJob) -> None:
        """Mark a job as in use: it is not closed to free memory.

        Raises:
            WorkerDiedError: if it was closed already.
        """
        with self._lock:
            if job.closed:
                raise WorkerDiedError("the job was closed")
            job.in_use = True

    def _open_jobs(self) -> list[RemoteJob]:
        """Return the jobs that are not closed, oldest first."""
        known = [reference() for reference in list(self._jobs.values())]
        return [job for job in known if job is not None and not job.closed]

    def _try_reserve(self, job: RemoteJob) -> bool:
        """Reserve memory, closing idle jobs where need be; return False if too little is free."""
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
