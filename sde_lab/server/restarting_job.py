"""A remote job that is begun again when its process dies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sde_lab.server.fair_queue import OnWait
from sde_lab.server.job_pool import RemoteJob
from sde_lab.server.worker_process import WorkerDiedError

MAX_ATTEMPTS = 3
"""Times a job is begun before its death is believed to be its own doing."""


class RestartingJob:
    """An object in the background process which is made anew when it was lost.

    The server ends idle jobs where memory is short, and the system ends the process where it is
    shorter still. What the object had done is lost then; it begins again.

    Args:
        start: makes the remote job, given what to call while it waits.
        attempts: how often.
    """

    def __init__(
        self, start: Callable[[OnWait | None], RemoteJob], attempts: int = MAX_ATTEMPTS
    ) -> None:
        self._start = start
        self._attempts_left = attempts
        self._job: RemoteJob | None = None

    def call(self, method: str, on_wait: OnWait | None = None, *, exclusive: bool = False) -> Any:
        """Call one of the object's methods once a slot is free.

        The memory stays reserved until :meth:`release` or :meth:`close`.

        Args:
            method: its name.
            on_wait: called with the queue position while it waits.
            exclusive: let nobody else have a slot meanwhile.

        Returns:
            What the method returns. None if the object was lost on the way: the next call begins
            anew, so whoever counts what it has done starts again from zero.

        Raises:
            WorkerDiedError: if it was lost at the last attempt.
            ScenarioError: if the job would not fit on an empty server.
        """
        try:
            if self._job is None:
                self._job = self._start(on_wait)
            self._job.hold()
            return self._job.call(method, on_wait=on_wait, exclusive=exclusive)
        except WorkerDiedError:
            self.close()
            self._attempts_left -= 1
            if self._attempts_left <= 0:
                raise
            return None

    def release(self) -> None:
        """Let the server end it where memory is short."""
        if self._job is not None:
            self._job.release()

    def close(self) -> None:
        """End it, and give its memory back; a further call begins anew."""
        if self._job is not None:
            self._job.close()
        self._job = None
