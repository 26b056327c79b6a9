"""Another process to compute in, so that no computation holds up those who are served.

Threads of one Python process take turns at its interpreter lock, and every operation of torch gives
it up and takes it back. Two busy threads then hand it to and fro seventy thousand times a second,
and both crawl. In a process of its own work leaves the others alone; it can run at a lower
priority; and should memory run out, the system ends it instead of the server.

:meth:`Worker.call` calls a function there. Objects live there as well: :meth:`Worker.begin` makes
one, its :class:`Task` calls its methods. What goes to and fro is pickled, so arguments and answers
should be small, and what is called must be importable.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import itertools
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

T = TypeVar("T")

NICENESS = 19
"""Added to that of a process for heavy work: others get the processor first."""
OOM_SCORE_ADJUSTMENT = "500"
"""Added to the process's score when Linux chooses which process to end for lack of memory."""


MALLOC_TRIM_EAGERLY = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**20)}
"""Tells the C library of Linux to give freed tables back to the system; others do not read it."""
MALLOC_KEEP_FREED = {**MALLOC_TRIM_EAGERLY, "MALLOC_TRIM_THRESHOLD_": str(2**28)}
"""Tells it to keep up to 256 MB for the next table: to get it back takes a fifth of a sweep."""


class WorkerDiedError(RuntimeError):
    """The process ended in the middle of a task, or the task was dropped to make room."""


class RemoteObject:
    """An object in the worker's process.

    It lasts until it is closed, or nobody holds this any more.
    """

    def __init__(self, process: _Connection, number: int) -> None:
        self._process = process
        self._number = number
        self._closed = False

    @property
    def closed(self) -> bool:
        """Tell whether the connection has ended."""
        return self._closed or not self._process.alive

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of the object; what it returns.

        Raises:
            WorkerDiedError: if the process has ended, or the task is closed.
            Exception: whatever the method raises.
        """
        if self.closed:
            raise WorkerDiedError("the task is over")
        return self._process.request("ask", self._number, method, args)

    def close(self) -> None:
        """Let the object go, before the process does anything else."""
        if not self._closed:
            self._closed = True
            self._process.released.append(self._number)

    def __del__(self) -> None:
        self.close()


class WorkerProcess:
    """Starts the process when it is first needed, and again if it was lost.

    Args:
        niceness: added to the process's.
        environment: added to the process's.
    """

    def __init__(
        self, niceness: int = NICENESS, environment: Mapping[str, str] = MALLOC_TRIM_EAGERLY
    ) -> None:
        self._niceness = niceness
        self._environment = environment
        self._lock = threading.Lock()
        self._process: _Connection | None = None
        self._numbers = itertools.count()

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Return ``function(*args)``, computed in the process.

        Args:
            function: one that can be imported.
            args: its arguments.

        Raises:
            WorkerDiedError: if the process ends meanwhile.
            Exception: whatever the function raises.
        """
        found: T = self._connection().request("call", 0, function, args)
        return found

    def create(self, make: Callable[..., Any], *args: Any) -> RemoteObject:
        """Make an object in the process: ``make(*args)``.

        Args:
            make: a class or function that can be imported.
            args: its arguments.

        Raises:
            WorkerDiedError: if the process ends meanwhile.
            Exception: whatever making it raises.
        """
        process, number = self._connection(), next(self._numbers)
        process.request("make", number, make, args)
        return RemoteObject(process, number)

    def _connection(self) -> _Connection:
        with self._lock:
            if self._process is not None and not self._process.alive:
                self._process.kill()
                self._process = None
            if self._process is None:
                self._process = _Connection(self._niceness, self._environment)
            return self._process

    @property
    def pid(self) -> int | None:
        """Number of the process, if there is one."""
        process = self._process
        return process.pid if process is not None and process.alive else None

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._process is not None:
                self._process.kill()


class _Connection:
    """The near end of the pipe. One request at a time."""

    def __init__(self, niceness: int, environment: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._child = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", __name__, str(niceness)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env={**os.environ, **environment},
            # Ctrl-C is for the server, which then closes the pipe. A session of its own, instead of
            # just a process group, would get half of Linux's time whatever the process's niceness.
            process_group=0 if os.name == "posix" else None,
        )
        self.released: deque[int] = deque()
        atexit.register(self.kill)

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    @property
    def pid(self) -> int:
        return self._child.pid

    def request(self, *order: Any) -> Any:
        out, back = self._child.stdin, self._child.stdout
        assert out is not None
        assert back is not None
        with self._lock:
            dropped = [self.released.popleft() for _ in range(len(self.released))]
            try:
                pickle.dump((dropped, order), out)
                out.flush()
                answer, error = pickle.load(back)  # noqa: S301  both ends are this program
            except (EOFError, OSError, pickle.UnpicklingError) as lost:
                self.kill()
                raise WorkerDiedError("the process that did the work has ended") from lost
        if error is not None:
            raise error
        return answer

    def kill(self) -> None:
        atexit.unregister(self.kill)
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def serve_requests(requests: IO[bytes], replies: IO[bytes]) -> None:
    """Do what is ordered until the other end closes."""
    held: dict[int, Any] = {}
    known = 0
    while True:
        try:
            dropped, order = pickle.load(requests)  # noqa: S301
        except EOFError:
            return
        for number in dropped:
            held.pop(number, None)
        reply: tuple[Any, Exception | None]
        try:
            reply = _dispatch(held, *order), None
        except Exception as error:  # noqa: BLE001  it is raised again at the other end
            reply = None, error
        try:
            replies.write(_serialise_reply(reply))
            replies.flush()
        except BrokenPipeError:
            return
        del dropped, order, reply
        known = _collect_garbage(known)


def _collect_garbage(known: int) -> int:
    """Collect garbage, now that nobody waits: graphs of derivatives refer to themselves.

    Whatever imports made is set aside, or walking it would take longer than most of the work.

    Args:
        known: number of modules when it was done last.

    Returns:
        The number now.
    """
    gc.collect()
    if len(sys.modules) != known:
        gc.freeze()
    return len(sys.modules)


def _dispatch(
    held: dict[int, Any], verb: str, number: int, what: Any, args: tuple[Any, ...]
) -> Any:
    if verb == "call":
        return what(*args)
    if verb == "make":
        held[number] = what(*args)
        return None
    return getattr(held[number], what)(*args)


def _serialise_reply(reply: tuple[Any, Exception | None]) -> bytes:
    try:
        return pickle.dumps(reply)
    except Exception as error:  # noqa: BLE001  whatever an object's own pickling raises
        return pickle.dumps((None, TypeError(f"cannot be sent back: {error}")))


def main(niceness: int) -> None:
    """Serve the parent over standard input and output; prints go to the error stream."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if hasattr(os, "nice"):
        os.nice(niceness)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE_ADJUSTMENT)
    import torch

    torch.set_num_threads(1)
    serve_requests(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main(int(sys.argv[1]))
