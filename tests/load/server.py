"""Memory and processor time of a server and of the processes that it started."""

from __future__ import annotations

import contextlib
import time

import psutil


class Meter:
    """Reads what a server holds and uses.

    Attributes:
        seen: what they held, in bytes, each time that :meth:`memory` was asked.
        used: processor time of all of them between start and stop, in cores.
    """

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.seen: list[float] = []
        self.used = 0.0
        self.start()

    def start(self) -> None:
        """Begin to count processor time."""
        self._since, self._spent = time.monotonic(), self._time()

    def stop(self) -> None:
        """End the count."""
        self.used = (self._time() - self._spent) / (time.monotonic() - self._since)

    def memory(self) -> float:
        """Memory of all processes in bytes; on Linux what they share is counted once."""
        now = 0.0
        for process in self._all():
            with contextlib.suppress(psutil.NoSuchProcess):
                held = process.memory_full_info()
                now += getattr(held, "pss", held.rss)
        self.seen.append(now)
        return now

    def _all(self) -> tuple[psutil.Process, ...]:
        return (self._process, *self._process.children())

    def _time(self) -> float:
        times = [process.cpu_times() for process in self._all()]
        return float(sum(t.user + t.system for t in times))
