"""What a piece of work costs this process: seconds, and memory at its peak."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Measurement(Generic[T]):
    """What one run gave and took.

    Attributes:
        value: what the work returned.
        seconds: wall-clock time.
        extra: peak resident memory above what was held before, in bytes; NaN where the system does
            not tell.
    """

    value: T
    seconds: float
    extra: float


def profile(work: Callable[[], T]) -> Measurement[T]:
    """Run once, from a clean start: garbage collected, freed memory given back to the system."""
    release_memory()
    before = _restart_peak()
    start = time.perf_counter()
    value = work()
    seconds = time.perf_counter() - start
    return Measurement(value, seconds, max(_peak() - before, 0.0))


def release_memory() -> None:
    """Collect garbage and give freed memory back to the system."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _restart_peak() -> float:
    """Let the peak count from now, where the system can; the peak so far, in bytes."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")
    return _peak()


def _peak() -> float:
    """Largest resident memory, in bytes: since the last restart, or since the process began."""
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024.0 * int(line.split()[1])
    try:
        import resource
    except ImportError:
        return float("nan")
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
