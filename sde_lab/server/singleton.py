"""Objects of which the server has exactly one, whatever a browser asks for."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def process_singleton(make: Callable[[], T]) -> Callable[[], T]:
    """Return a function that calls ``make`` once, at its first call, and always returns that value.

    ``st.cache_resource`` does so too, but any browser may send a message that clears it, for all:
    the queue and the processes would exist anew, beside those still in use.
    """
    lock = threading.Lock()
    kept: list[T] = []

    @functools.wraps(make)
    def same() -> T:
        with lock:
            if not kept:
                kept.append(make())
        return kept[0]

    return same
