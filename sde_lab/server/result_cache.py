"""A cache of results that took long, shared by all sessions."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LRUCache(Generic[Key, Value]):
    """A thread-safe mapping of bounded size; the least recently used entry is dropped first.

    Args:
        maxsize: entries at most.
    """

    def __init__(self, maxsize: int) -> None:
        self._lock = threading.Lock()
        self._maxsize = maxsize
        self._results: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """Return the value of the key, or None."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
            return self._results.get(key)

    def put(self, key: Key, value: Value) -> None:
        """Store a value."""
        with self._lock:
            self._results[key] = value
            self._results.move_to_end(key)
            while len(self._results) > self._maxsize:
                self._results.popitem(last=False)
