"""The one state machine of a long computation of a session: started, advanced, paused, finished.

Streamlit runs the page's script anew at every click, and may end a run of it at any drawing. A job
outlives these runs in the session's state: each run of the script advances it by some steps.

::

    NEW ──start──▶ RUNNING ──last step──▶ FINISHED
                   │   ▲  └─exception──▶ FAILED ──start──▶ RUNNING
                 pause │
                   ▼ start
                  PAUSED
"""

from __future__ import annotations

import enum
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import streamlit as st

from sde_lab.server.result_cache import LRUCache

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")
JobT = TypeVar("JobT", bound="Job")  # type: ignore[type-arg]  # of any key and result


class JobState(enum.Enum):
    """Where a job stands; the diagram is in the module's docstring."""

    NEW = "new"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"


class Job(ABC, Generic[Key, Result]):
    """A long computation of one session.

    Args:
        key: what is computed; the result of an equal key is the same.
        cache: finished results of all sessions. One that is there already finishes the job at once.

    Attributes:
        key: as given.
        state: where it stands.
        result: the whole result, once it is finished.
        error_message: why it failed, if it did.
        seconds: time spent in its steps.
    """

    def __init__(self, key: Key, cache: LRUCache[Key, Result]) -> None:
        self.key = key
        self.error_message = ""
        self.seconds = 0.0
        self._cache = cache
        self.result = cache.get(key)
        self.state = JobState.NEW if self.result is None else JobState.FINISHED

    @abstractmethod
    def step(self) -> Result | None:
        """Do the next step, about a second of work at most; return the result after the last."""

    @abstractmethod
    def close(self) -> None:
        """Give back what it holds elsewhere. A further step begins anew what was lost with that."""

    def release(self) -> None:
        """Let the server end what it holds elsewhere: no run of the script waits for it now."""

    @property
    def running(self) -> bool:
        """Tell whether steps are due."""
        return self.state is JobState.RUNNING

    @property
    def paused(self) -> bool:
        """Tell whether the user stopped it and has not continued it."""
        return self.state is JobState.PAUSED

    @property
    def finished(self) -> bool:
        """Tell whether the whole result is there."""
        return self.state is JobState.FINISHED

    def start(self) -> None:
        """Begin, or continue; a finished job stays as it is."""
        if not self.finished:
            self.state, self.error_message = JobState.RUNNING, ""

    def pause(self) -> None:
        """Stop after the step in progress, and keep what is done."""
        if self.running:
            self.state = JobState.PAUSED

    def finish(self, result: Result) -> None:
        """Take this as the result, share it with all sessions, and close."""
        self.result, self.state = result, JobState.FINISHED
        self._cache.put(self.key, result)
        self.close()

    def fail(self, message: str) -> None:
        """End early, and say why."""
        self.state, self.error_message = JobState.FAILED, message
        self.close()

    def advance(
        self, seconds: float = math.inf, after_step: Callable[[], object] | None = None
    ) -> None:
        """Do steps while it runs.

        Args:
            seconds: no step begins later than this but the first; infinite for all that are left.
            after_step: called after each, as to draw how far it is. An exception by which Streamlit
                ends the script passes through, and leaves the job running.

        Raises:
            Exception: whatever a step raises; the job has failed then.
        """
        deadline = time.monotonic() + seconds
        try:
            while self.running:
                self._timed_step()
                if after_step is not None:
                    after_step()
                if time.monotonic() >= deadline:
                    break
        except Exception as error:
            self.fail(str(error))
            raise
        finally:
            self.release()

    def _timed_step(self) -> None:
        start = time.monotonic()
        try:
            result = self.step()
        finally:
            self.seconds += time.monotonic() - start
        if result is not None:
            self.finish(result)


def session_job(slot: str, key: Hashable, make: Callable[[], JobT]) -> JobT:
    """Return this session's job for the key: the one in progress, or a new one in its stead.

    Args:
        slot: where in the session's state the job is kept; one job at a time for each.
        key: what is to be computed.
        make: makes the job. Where it raises, the job in progress stays.
    """
    present: JobT | None = st.session_state.get(slot)
    if present is not None and present.key == key:
        return present
    job = make()
    if present is not None:
        present.close()
    st.session_state[slot] = job
    return job
