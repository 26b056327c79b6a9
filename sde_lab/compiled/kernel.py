"""Compiled kernels: compiled in a background thread, cached, and checked before their first use.

numba compiles without a compiler on the machine and its kernels hold no interpreter lock. It is
optional: without it :func:`available` is False and the replay engine is used
(:mod:`sde_lab.sensitivity`).
"""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from functools import lru_cache
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from sde_lab.compiled import disk_cache
from sde_lab.compiled.object_code import CompileLimitError, LinkedKernel, LinkError, compile_source
from sde_lab.compiled.source import StepSource, TooLongError, write
from sde_lab.equations.model import EquationModel
from sde_lab.schemes import Scheme

CACHE_SIZE = 64
"""Number of kernels in the cache; the least recently used is evicted first."""
COMPILE_SECONDS = 1.0
"""Approximate time to compile a kernel, in seconds. It is compiled once the replay engine has taken
as long in its place, so that compiling at most doubles the work of a run or a worker."""
MAX_COUNTED = 1024
"""Number of keys whose replay time is summed; the least recently requested is dropped first."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Key:
    """Cache key of a kernel: equation, scheme, columns and precision."""

    model: str
    scheme: str
    columns: tuple[str, ...]
    dtype: str


@dataclass(frozen=True)
class Kernel:
    """A compiled step loop.

    Attributes:
        source: the code it was compiled from.
        run: the compiled function; see :func:`sde_lab.compiled.source.write` for its arguments.
        dtype: "float32" or "float64".
        difference: largest difference from torchsde and replay in the check at first use, relative
            to the largest number of its table; None if it was not checked.
    """

    source: StepSource
    run: Callable[..., None]
    dtype: str
    difference: float | None = None


@lru_cache(maxsize=1)
def available() -> bool:
    """Return True if numba is installed."""
    return importlib.util.find_spec("numba") is not None


def compile_kernel(
    model: EquationModel, scheme: Scheme, columns: Sequence[str], dtype: str
) -> Kernel:
    """Compile the loop of an equation and scheme now, or link what was compiled before.

    Object files of earlier processes are taken from disk (:mod:`sde_lab.compiled.disk_cache`).

    Args:
        model: the equation.
        scheme: the scheme.
        columns: initial values and parameters to differentiate with respect to.
        dtype: "float32" or "float64".

    Raises:
        TooLongError: if a step has too many operations.
        CompileLimitError: if this process has compiled too many kernels.
    """
    source = write(model, scheme, columns)
    kept = disk_cache.load(source.text, dtype)
    if kept is not None:
        try:
            return Kernel(source, LinkedKernel(kept), dtype)
        except LinkError:
            pass  # compiled where a function was that is not here
    code = compile_source(source.text, dtype)
    run = LinkedKernel(code)
    disk_cache.store(source.text, code)
    return Kernel(source, run, dtype)


@dataclass(frozen=True)
class _Request:
    """A kernel to compile, and what those who wait for it are given."""

    key: Key
    model: EquationModel
    scheme: Scheme
    kernel: Future[Kernel | None]


class KernelCache:
    """Kernels by key, compiled one at a time in a thread of their own.

    Asking never waits: until a kernel is there the caller takes replay, which gives the same
    numbers. A kernel whose equation is too long, that does not compile, or that fails the check is
    remembered as unusable.

    Args:
        maxsize: kernels kept at most.
        check: called with each new kernel; returns its difference from the reference, or None,
            which makes it unusable.
    """

    def __init__(
        self, check: Callable[[Key, Kernel], float | None], maxsize: int = CACHE_SIZE
    ) -> None:
        self._check = check
        self._maxsize = maxsize
        self._kernels: OrderedDict[Key, Kernel | None] = OrderedDict()
        self._work: OrderedDict[Key, float] = OrderedDict()
        self.reset_after_fork()
        if hasattr(os, "register_at_fork"):
            reference = ref(self)

            def forget() -> None:
                cache = reference()
                if cache is not None:
                    cache.reset_after_fork()

            os.register_at_fork(after_in_child=forget)

    def reset_after_fork(self) -> None:
        """Begin without requests, as a forked process must: the thread is not in the child."""
        self._lock = threading.Lock()
        self._pending: dict[Key, _Request] = {}
        self._queue: deque[_Request] = deque()
        self._thread: threading.Thread | None = None

    def get(
        self, key: Key, model: EquationModel, scheme: Scheme, work: float = math.inf
    ) -> Kernel | None:
        """Return the kernel if it is there and usable; otherwise have it compiled once it pays.

        Args:
            key: names the kernel.
            model: the equation.
            scheme: the scheme.
            work: seconds, about, that the caller's run takes by replay. The kernel is compiled
                when all runs that asked for it have taken COMPILE_SECONDS.
        """
        with self._lock:
            if key in self._kernels:
                self._kernels.move_to_end(key)
                return self._kernels[key]
            if key in self._pending or len(self._pending) >= self._maxsize:
                return None
            self._work[key] = self._work.pop(key, 0.0) + work
            if self._work[key] >= COMPILE_SECONDS:
                del self._work[key]
                self._submit(_Request(key, model, scheme, Future()))
            elif len(self._work) > MAX_COUNTED:
                self._work.popitem(last=False)
        return None

    def _submit(self, request: _Request) -> None:
        """Have a kernel compiled by the thread, which is started if need be. The lock is held."""
        if self._thread is None:
            thread = threading.Thread(target=self._compile_queued, name="kernel-compiler")
            try:
                thread.start()
            except RuntimeError:  # no more threads, or Python is ending: replay serves it
                return
            self._thread = thread
        self._pending[request.key] = request
        self._queue.append(request)

    def wait_for(self, key: Key, model: EquationModel, scheme: Scheme) -> Kernel | None:
        """Return the kernel, compiled in this thread if need be; None where it is unusable.

        A kernel that another thread is compiling is waited for, not compiled twice.
        """
        while True:
            with self._lock:
                if key in self._kernels:
                    self._kernels.move_to_end(key)
                    return self._kernels[key]
                request = self._pending.get(key)
                mine = request is None or request in self._queue
                if request is None:
                    request = self._pending[key] = _Request(key, model, scheme, Future())
                elif mine:
                    self._queue.remove(request)  # it need not wait for those before it
            if mine:
                self._compile(request)
            try:
                return request.kernel.result()
            except CancelledError:
                continue  # the thread that compiled it was interrupted

    def __len__(self) -> int:
        return len(self._kernels)

    def _compile_queued(self) -> None:
        """Compile what is queued, then end. Once Python ends, drop what is left."""
        while True:
            with self._lock:
                if not threading.main_thread().is_alive():
                    for request in self._queue:
                        self._pending.pop(request.key)
                        request.kernel.set_result(None)
                    self._queue.clear()
                if not self._queue:
                    self._thread = None
                    return
                request = self._queue.popleft()
            self._compile(request)

    def _compile(self, request: _Request) -> None:
        """Compile and check a kernel, and keep it; None where it is unusable."""
        try:
            kernel = self._make(request)
        except BaseException:  # an interrupt: others who wait for it must not
            with self._lock:
                self._pending.pop(request.key, None)
            request.kernel.cancel()
            raise
        with self._lock:
            self._pending.pop(request.key, None)
            self._kernels[request.key] = kernel
            self._kernels.move_to_end(request.key)
            while len(self._kernels) > self._maxsize:
                self._kernels.popitem(last=False)
        request.kernel.set_result(kernel)

    def _make(self, request: _Request) -> Kernel | None:
        key = request.key
        try:
            made = compile_kernel(request.model, request.scheme, key.columns, key.dtype)
            difference = self._check(key, made)
            return None if difference is None else replace(made, difference=difference)
        except TooLongError:
            return None  # replay serves it
        except CompileLimitError as error:
            _LOG.warning("no more kernels: %s; torchsde computes what has none", error)
        except Exception:  # noqa: BLE001  a compiler's own faults must not reach a reader
            _LOG.warning("no kernel for %.200r with %s", key.model, key.scheme, exc_info=True)
        return None


def stored_rows(steps: int, indices: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return for each of the steps 1, …, K its row among the stored times, or −1."""
    rows = np.full(steps + 1, -1, dtype=np.int64)
    rows[indices] = np.arange(len(indices))
    return rows[1:]
