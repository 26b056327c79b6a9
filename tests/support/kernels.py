"""Kernels of the equations, compiled once in each of the processes that run the tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
    """Have the compiler hand out what it compiled before, of the same step.

    Caches of kernels are not touched: what they hold, evict and check is as ever.
    """
    compiler, made = kernel.compile_kernel, dict[object, Kernel]()

    def compile_kernel(
        model: EquationModel, scheme: Scheme, columns: Sequence[str], dtype: str
    ) -> Kernel:
        key = model.name, scheme.name, tuple(columns), dtype
        if key not in made:
            made[key] = compiler(model, scheme, columns, dtype)
        return made[key]

    with mock.patch.object(kernel, "compile_kernel", compile_kernel):
        yield
