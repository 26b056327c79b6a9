"""Kernels of the equations, compiled once in each of the processes that run the tests."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import pytest

from sde_lab.compiled import kernel
from sde_lab.compiled.kernel import Kernel
from sde_lab.equations.examples import EXAMPLES
from sde_lab.equations.model import EquationModel
from sde_lab.schemes import Scheme

TESTS = {
    "test_paths_and_derivatives_are_those_of_replay": "name",
    "test_float32_keeps_to_replay_over_many_steps": "name",
    "test_every_model": "model",
    "test_all_right_ways_agree_and_the_wrong_one_is_their_sum": "model",
    "test_every_way_ends_measured_or_refused_for_every_model": "model",
    "test_a_study_of_every_example_comes_to_its_end": "example",
}
"""Tests that compile kernels of an equation, and the parameter that says of which."""
TITLES = {one.text: one.title for one in EXAMPLES}


def equation_of(item: pytest.Item) -> str | None:
    """Name the equation whose kernels a test compiles; None where it is not one of TESTS."""
    parameter = TESTS.get(getattr(item, "originalname", ""))
    if parameter is None:
        return None
    value = item.callspec.params[parameter]  # type: ignore[attr-defined]
    return str(TITLES.get(value, value) if isinstance(value, str) else value.title)


@contextmanager
def compiled_once() -> Iterator[None]:
    """Have the compiler hand out what it compiled before, of the same step, and lose no time.

    Caches of kernels are not touched: what they hold, evict and check is as ever. So is the code.
    """
    compiler, made = kernel.compile_kernel, dict[object, Kernel]()
    stack, beginning, begun = ExitStack(), threading.Lock(), []

    def compile_kernel(
        model: EquationModel, scheme: Scheme, columns: Sequence[str], dtype: str
    ) -> Kernel:
        key = model.name, scheme.name, tuple(columns), dtype
        with beginning:
            if not begun:  # numba is imported no earlier than it is needed
                begun.append(stack.enter_context(_typing_once()))
        if key not in made:
            with _collecting_no_garbage():
                made[key] = compiler(model, scheme, columns, dtype)
        return made[key]

    with stack, mock.patch.object(kernel, "compile_kernel", compile_kernel):
        yield


@contextmanager
def _collecting_no_garbage() -> Iterator[None]:
    """The search passes over all that the tests before have left, many times a kernel."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


@contextmanager
def _typing_once() -> Iterator[None]:
    """Let numba find the type of x + y, x * y, … once, not for each operation of each kernel."""
    if not kernel.available():
        yield
        return
    from numba.core import types, typing

    find, found = typing.Context.resolve_function_type, dict[object, Any]()

    def resolve(self: Any, function: Any, arguments: Any, named: Any) -> Any:
        numbers = all(isinstance(one, types.Number) for one in arguments)
        if named or not numbers or not isinstance(function, types.Function):
            return find(self, function, arguments, named)
        key = self, function, tuple(arguments)
        if key not in found:
            found[key] = find(self, function, arguments, named)
        return found[key]

    with mock.patch.object(typing.Context, "resolve_function_type", resolve):
        yield
