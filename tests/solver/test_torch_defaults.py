"""No number depends on torch's default precision or device: a seed names the same paths."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

import sde_lab as lab
from sde_lab.sensitivity.replay import step_jacobians

JACFWD = "ignore:`torch.jit.script` is deprecated:FutureWarning"
"""torch 2.15 compiles its own forward formulas so on first use of jacfwd."""
TIME = "dx = -a*x**3*dt + (0.2 + 0.1*t)*sqrt(1 + x**2)*dW"
DEFAULTS = ["float64", "float16", "meta"]


@contextmanager
def default(name: str) -> Iterator[None]:
    """Another default precision, or a default device that holds no numbers at all."""
    if name == "meta":
        with torch.device("meta"):
            yield
        return
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, name))
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def everything(model: str, scheme: str, dtype: lab.scenario.DType) -> dict[str, Tensor]:
    """All that the core computes of one scenario."""
    at = lab.Scenario(model=model, scheme=scheme, steps=6, samples=3, dtype=dtype)
    paths = lab.simulate(at)
    found = {
        "times": paths.times,
        "values": paths.values,
        "increments": paths.noise.increments,
        "step Jacobians": step_jacobians(paths),
        "summary": torch.from_numpy(np.array(lab.simulate_summary(at, "torchsde").states[0].mean)),
    }
    for engine in lab.JACOBIAN_METHODS:
        if engine != "forward" or not at.scheme_spec.uses_autograd:
            found[engine] = lab.jacobian(paths, engine).values
    if (solution := lab.exact_solution(paths)) is not None:
        found |= {"exact": solution.values, "exact Jacobian": solution.jacobian}
    if (laws := lab.exact_laws(at)) is not None:
        found["law"] = torch.from_numpy(np.array(laws.mean))
    return found


expected_of = cache(everything)
"""The same under torch's own defaults, computed once for all other defaults."""


def assert_identical(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, table in found.items():
        assert table.dtype == expected[name].dtype, name
        assert table.device == expected[name].device, name
        if name == "compiled":  # its last bit depends on where its buffers lie in memory
            few = 8.0 * torch.finfo(table.dtype).eps
            torch.testing.assert_close(table, expected[name], rtol=few, atol=few)
        else:
            assert torch.equal(table, expected[name]), name


@pytest.mark.filterwarnings(JACFWD)
@pytest.mark.parametrize("name", DEFAULTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("model", [*lab.MODELS, TIME])
def test_every_model(name: str, dtype: lab.scenario.DType, model: str) -> None:
    expected = expected_of(model, "heun", dtype)
    with default(name):
        found = everything(model, "heun", dtype)
    assert_identical(found, expected)


@pytest.mark.filterwarnings(JACFWD)
@pytest.mark.parametrize("name", DEFAULTS)
@pytest.mark.parametrize("scheme", lab.SCHEMES)
def test_every_scheme(name: str, scheme: str) -> None:
    expected = expected_of(TIME, scheme, "float32")
    with default(name):
        found = everything(TIME, scheme, "float32")
    assert_identical(found, expected)


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_sweep(name: str) -> None:
    base = lab.Scenario(scheme="srk", steps=6, samples=20)

    def swept() -> lab.SweepResult:
        return lab.sweep(base, {"sigma": [0.2, 0.4]}, ["mean", "std slope"], ["sigma"])

    expected = swept()
    with default(name):
        found = swept()
    assert np.array_equal(found.value, expected.value)
    assert np.array_equal(found.exact, expected.exact, equal_nan=True)


class Linear:
    """dy = −y dt + 0.5 y dW, without a tensor of its own."""

    noise_type, sde_type = "diagonal", "ito"

    def f(self, t: Tensor, y: Tensor) -> Tensor:
        return -y

    def g(self, t: Tensor, y: Tensor) -> Tensor:
        return 0.5 * y * (1.0 + t)


@pytest.mark.parametrize("name", DEFAULTS)
@pytest.mark.parametrize("times", [[0.0, 0.5, 1.0], [0.0, 0.1, 1.0]])
@pytest.mark.parametrize("dt", [None, 0.05])
def test_a_foreign_equation(name: str, times: list[float], dt: float | None) -> None:
    y0 = torch.full((4, 2), 1.3)

    def solve() -> tuple[Tensor, Tensor]:
        increments = torch.Generator(device="cpu").manual_seed(3)
        return lab.sdeint_jacobian(Linear(), y0, times, "srk", Seeded(increments), dt=dt)

    expected = solve()
    with default(name):
        found = solve()
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


class Seeded:
    """Increments drawn in the order in which they are asked for."""

    shape = torch.Size((4, 2))
    levy_area_approximation = "space-time"

    def __init__(self, stream: torch.Generator) -> None:
        self._stream = stream

    def __call__(
        self,
        ta: Tensor,
        tb: Tensor,
        *,
        return_U: bool = False,  # noqa: N803
    ) -> Tensor | tuple[Tensor, Tensor]:
        pair = torch.randn(
            2, 4, 2, generator=self._stream, dtype=torch.float32, device=self._stream.device
        )
        w = pair[0] * (tb - ta) ** 0.5
        area = (tb - ta) * (0.5 * w + pair[1] * ((tb - ta) / 12.0) ** 0.5)
        return (w, area) if return_U else w
