"""Compiled kernels: compiled in a background thread, cached, and checked before their first use.

numba compiles without a compiler on the machine and its kernels hold no interpreter lock. It is
optional: without it :func:`available` is False and the replay engine is used
(:mod:`sde_lab.sensitivity`).
"""

from __future__ import annotations

import importlib.util
import logging
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
FASTMATH = {"contract", "arcp", "nsz", "reassoc"}
"""LLVM fast-math flags. Not ``nnan`` and ``ninf``: a diverged path must hold Inf or NaN."""
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
    """Compile the loop of an equation and scheme now.

    Args:
        model: the equation.
        scheme: the scheme.
        columns: initial values and parameters to differentiate with respect to.
        dtype: "float32" or "float64".

    Raises:
        TooLongError: if a step has too many operations.
    """
    import numba

    source = write(model, scheme, columns)
    number = np.float32 if dtype == "float32" else np.float64
    names: dict[str, Any] = {name: getattr(math, name) for name in _FUNCTIONS}
    names |= {"number": number, "nan": math.nan, "inf": math.inf}
    code = compile(source.text, "<generated step>", "exec")
    exec(code, names)  # noqa: S102  checked by sde_lab.compiled.source.check
    array = numba.from_dtype(np.dtype(dtype))[::1]
    scalar = numba.from_dtype(np.dtype(dtype))
    signature = numba.void(array, array, array, array, scalar, numba.int64, numba.int64[::1], array)
    compiled: Callable[..., None] = numba.njit(
        signature, nogil=True, error_model="numpy", fastmath=FASTMATH
    )(names["kernel"])
    return Kernel(source, compiled, dtype)


_FUNCTIONS = ("sqrt", "exp", "log", "sin", "cos", "tan", "atan", "sinh", "cosh", "tanh")


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
        self._lock = threading.Lock()
        self._kernels: OrderedDict[Key, Kernel | None] = OrderedDict()
        self._pending: dict[Key, Future[Kernel | None]] = {}
        self._work: OrderedDict[Key, float] = OrderedDict()
        self._compiler = ThreadPoolExecutor(1, thread_name_prefix="kernel-compiler")

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
                self._pending[key] = self._compiler.submit(self._compile, key, model, scheme)
            elif len(self._work) > MAX_COUNTED:
                self._work.popitem(last=False)
        return None

    def wait_for(self, key: Key, model: EquationModel, scheme: Scheme) -> Kernel | None:
        """Return the kernel, compiled in this thread if need be; None where it is unusable.

        A kernel that another thread is compiling is waited for, not compiled twice.
        """
        with self._lock:
            if key in self._kernels:
                self._kernels.move_to_end(key)
                return self._kernels[key]
            other = self._pending.get(key)
            mine: Future[Kernel | None] = Future()
            if other is None:
                self._pending[key] = mine
        if other is not None:
            return other.result()
        try:
            mine.set_result(self._compile(key, model, scheme))
        except BaseException as error:  # an interrupt must not leave others waiting
            mine.set_exception(error)
            raise
        return mine.result()

    def __len__(self) -> int:
        return len(self._kernels)

    def _compile(self, key: Key, model: EquationModel, scheme: Scheme) -> Kernel | None:
        """Compile and check a kernel, and keep it; None where it is unusable."""
        kernel: Kernel | None = None
        try:
            made = compile_kernel(model, scheme, key.columns, key.dtype)
            difference = self._check(key, made)
            kernel = None if difference is None else replace(made, difference=difference)
        except TooLongError:
            pass  # replay serves it
        except Exception:  # noqa: BLE001  a compiler's own faults must not reach a reader
            _LOG.warning("no kernel for %.200r with %s", key.model, key.scheme, exc_info=True)
        with self._lock:
            self._pending.pop(key, None)
            self._kernels[key] = kernel
            self._kernels.move_to_end(key)
            while len(self._kernels) > self._maxsize:
                self._kernels.popitem(last=False)
        return kernel


def stored_rows(steps: int, indices: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return for each of the steps 1, …, K its row among the stored times, or −1."""
    rows = np.full(steps + 1, -1, dtype=np.int64)
    rows[indices] = np.arange(len(indices))
    return rows[1:]
