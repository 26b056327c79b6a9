"""Memory and processor time of a server and the processes that it started."""

from __future__ import annotations

import contextlib
import time

import psutil


class Meter:
    """Reads what a server holds and uses.

    Attributes:
        peak: largest resident memory seen so far, in bytes.
        after: resident memory when it was stopped, in bytes.
        used: processor time of the server itself between start and stop, in cores.
    """

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.peak = self.after = self.used = 0.0
        self.start()

    def start(self) -> None:
        """Begin to count processor time."""
        self._since, self._spent = time.monotonic(), self._time()

    def stop(self) -> None:
        """End the count."""
        self.after = self.memory()
        self.used = (self._time() - self._spent) / (time.monotonic() - self._since)

    def memory(self) -> float:
        """Resident memory of all processes in bytes, what they share counted for each."""
        now = 0.0
        for process in (self._process, *self._process.children()):
            with contextlib.suppress(psutil.NoSuchProcess):
                now += process.memory_info().rss
        self.peak = max(self.peak, now)
        return now

    def _time(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)
