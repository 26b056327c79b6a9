"""Measure the time and the peak memory of a call in this process, and limit its time."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Generic, TypeVar

T = TypeVar("T")
_STATUS_FILE = Path("/proc/self/status")
"""Where Linux tells the peak resident memory of this process."""
_CLEAR_FILE = Path("/proc/self/clear_refs")
"""Where a "5" sets that peak back to the present."""


@dataclass(frozen=True)
class Measurement(Generic[T]):
    """Result, time and memory of one call.

    Attributes:
        value: what the call returned.
        seconds: wall-clock time.
        extra: peak resident memory above that before the call, in bytes; NaN where the system does
            not tell.
    """

    value: T
    seconds: float
    extra: float


class OutOfTimeError(Exception):
    """Raised in the body of :func:`deadline` when its time is up."""


def profile(work: Callable[[], T]) -> Measurement[T]:
    """Call a function once and measure it.

    Garbage is collected and freed memory given back to the system first: otherwise the call would
    use memory that an earlier one left behind, and its peak would come out too low.
    """
    release_memory()
    before = _reset_peak()
    start = time.perf_counter()
    value = work()
    seconds = time.perf_counter() - start
    return Measurement(value, seconds, max(_peak_bytes() - before, 0.0))


def release_memory() -> None:
    """Collect garbage and give freed memory back to the system (glibc alone offers the latter)."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError in the body after so many seconds.

    It is raised by a signal handler, which Python runs in the main thread of a process only;
    elsewhere, and on Windows, which has no SIGALRM, the body runs to its end.
    """
    alarm = getattr(signal, "SIGALRM", None)
    if alarm is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_alarm(_number: int, _frame: FrameType | None) -> None:
        raise OutOfTimeError

    former = signal.signal(alarm, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(alarm, former)


def _reset_peak() -> float:
    """Set the recorded peak back to the present, where the system can; return it in bytes."""
    with contextlib.suppress(OSError):
        _CLEAR_FILE.write_text("5")
    return _peak_bytes()


def _peak_bytes() -> float:
    """Return the peak resident memory, in bytes, since the last reset or since the process began.

    Linux first, by its process file; then ``getrusage``, whose unit is bytes on macOS and kilobytes
    elsewhere and which cannot be reset; NaN where there is neither.
    """
    if _STATUS_FILE.exists():
        for line in _STATUS_FILE.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024.0 * int(line.split()[1])
    try:
        import resource
    except ImportError:
        return float("nan")
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
