"""Paths against schemes written again in NumPy, on the same increments."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import sde_lab as lab
from sde_lab.models.base import Model, Parameter, ParameterTensors
from sde_lab.solver.simulate import brownian_increments

Array = NDArray[np.floating]


class Swing(Model):
    """dX = a sin(X) cos(3t) dt + b √(1 + X²) dW: nothing in it is linear or constant."""

    name = "swing"
    title = "Swing"
    description = "A probe."
    equation = r"dX = a \sin X \cos 3t\,dt + b \sqrt{1 + X^2}\,dW"
    components = ("x",)
    initial = (Parameter("x0", "x₀", "x_0", 0.5, -1.0, 1.0, 0.1, "start"),)
    parameters = (
        Parameter("a", "a", "a", 1.3, 0.0, 2.0, 0.1, "pull"),
        Parameter("b", "b", "b", 0.4, 0.0, 2.0, 0.1, "noise"),
    )
    noise_type = "diagonal"
    brownian_size = 1
    time_dependent = True

    def __init__(self) -> None:
        self.asked: list[float] = []

    def drift(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        if torch.as_tensor(t).dim() == 0:
            self.asked.append(float(t))
        return p["a"] * torch.sin(x) * torch.cos(3.0 * torch.as_tensor(t))

    def diffusion(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return p["b"] * torch.sqrt(1.0 + x**2)

    def correction(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return 0.5 * p["b"] ** 2 * x


@pytest.fixture
def swing(monkeypatch: pytest.MonkeyPatch) -> Swing:
    probe = Swing()
    monkeypatch.setattr("sde_lab.scenario.MODELS", {**lab.MODELS, probe.name: probe})
    return probe


A, B, SLOPE = 1.3, 0.4, 0.16


def drift(t: float, x: Array) -> Array:
    return A * np.sin(x) * np.cos(3.0 * t)


def stratonovich(t: float, x: Array) -> Array:
    return drift(t, x) - 0.5 * SLOPE * x


def diffusion(x: Array) -> Array:
    return B * np.sqrt(1.0 + x**2)


def euler(t: float, x: Array, h: float, w: Array) -> Array:
    return x + drift(t, x) * h + diffusion(x) * w


def milstein(t: float, x: Array, h: float, w: Array) -> Array:
    return euler(t, x, h, w) + 0.5 * SLOPE * x * (w**2 - h)


def milstein_grad_free(t: float, x: Array, h: float, w: Array) -> Array:
    support = x + drift(t, x) * h + diffusion(x) * math.sqrt(h)
    change = (diffusion(support) - diffusion(x)) / math.sqrt(h)
    return euler(t, x, h, w) + 0.5 * change * (w**2 - h)


def heun(t: float, x: Array, h: float, w: Array) -> Array:
    guess = x + stratonovich(t, x) * h + diffusion(x) * w
    pull = 0.5 * (stratonovich(t, x) + stratonovich(t + h, guess))
    return x + pull * h + 0.5 * (diffusion(x) + diffusion(guess)) * w


def midpoint(t: float, x: Array, h: float, w: Array) -> Array:
    middle = x + 0.5 * stratonovich(t, x) * h + 0.5 * diffusion(x) * w
    return x + stratonovich(t + 0.5 * h, middle) * h + diffusion(middle) * w


def euler_heun(t: float, x: Array, h: float, w: Array) -> Array:
    guess = x + diffusion(x) * w
    return x + stratonovich(t, x) * h + 0.5 * (diffusion(x) + diffusion(guess)) * w


STEPS: Mapping[str, Callable[[float, Array, float, Array], Array]] = {
    "euler": euler,
    "milstein": milstein,
    "milstein_grad_free": milstein_grad_free,
    "heun": heun,
    "midpoint": midpoint,
    "euler_heun": euler_heun,
}


@pytest.mark.parametrize("scheme", STEPS)
def test_every_scheme_takes_the_steps_of_its_textbook(swing: Swing, scheme: str) -> None:
    scenario = lab.Scenario(
        model="swing", scheme=scheme, steps=30, samples=50, horizon=1.7, dtype="float64", seed=8
    )
    paths = lab.simulate(scenario)
    h = 1.7 / 30
    w = paths.noise.increments[..., 0].numpy() * math.sqrt(h)
    expected = [np.full(50, 0.5)]
    for k in range(30):
        expected.append(STEPS[scheme](k * h, expected[-1], h, w[k]))
    np.testing.assert_allclose(paths.values[..., 0], np.stack(expected), rtol=1e-12, atol=1e-13)


def test_no_scheme_is_left_unchecked() -> None:
    """srk, a page of coefficients, is held to its order instead (test_convergence)."""
    assert set(lab.SCHEMES) == {*STEPS, "srk"}


TRAPS = [(99, 1.0), (100, 1.0), (1000, 5.0), (49, 1.0), (333, 0.1), (1, 3.0)]
"""Grids on which adding up h in floating point overshoots or falls short, and some that behave."""


@pytest.mark.parametrize(("steps", "horizon"), TRAPS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_grid_of_k_steps_takes_k_steps(
    swing: Swing, steps: int, horizon: float, dtype: lab.scenario.DType
) -> None:
    scenario = lab.Scenario(model="swing", steps=steps, horizon=horizon, samples=3, dtype=dtype)
    paths = lab.simulate(scenario)
    asked = sorted(set(swing.asked))
    exact = np.arange(steps) * (horizon / steps)
    assert len(asked) == steps
    np.testing.assert_allclose(asked, exact, rtol=2e-7, atol=0)
    assert paths.values.shape == (steps + 1, 3, 1)
    assert paths.values.dtype == scenario.torch_dtype
    assert paths.times.dtype == torch.float64
    assert float(paths.times[-1]) == horizon
    np.testing.assert_allclose(paths.times[:-1], exact, rtol=1e-12)


@pytest.mark.parametrize(("steps", "horizon"), TRAPS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_increment_is_lost_or_used_twice(
    steps: int, horizon: float, dtype: lab.scenario.DType
) -> None:
    scenario = lab.Scenario(
        parameters={"kappa": 0.7, "theta": 0.4, "sigma": 0.9},
        x0=1.0,
        steps=steps,
        horizon=horizon,
        samples=20,
        dtype=dtype,
    )
    paths = lab.simulate(scenario)
    h = horizon / steps
    w = paths.noise.increments[..., 0].double().numpy() * math.sqrt(h)
    x = [np.full(20, 1.0)]
    for k in range(steps):
        x.append(x[-1] + 0.7 * (0.4 - x[-1]) * h + 0.9 * w[k])
    rounding = (steps + 4) * float(torch.finfo(scenario.torch_dtype).eps)
    np.testing.assert_allclose(paths.values[..., 0], np.stack(x), rtol=0, atol=4.0 * rounding)


@pytest.mark.parametrize(("steps", "horizon"), TRAPS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nor_in_two_dimensions(steps: int, horizon: float, dtype: lab.scenario.DType) -> None:
    scenario = lab.Scenario(
        model="damped_oscillator",
        parameters={"omega": 1.5, "gamma": 0.5, "sigma": 0.8},
        x0=(1.0, -0.5),
        steps=steps,
        horizon=horizon,
        samples=20,
        dtype=dtype,
    )
    paths = lab.simulate(scenario)
    h = horizon / steps
    w = paths.noise.increments[..., 0].double().numpy() * math.sqrt(h)
    x, v = np.full(20, 1.0), np.full(20, -0.5)
    expected = [np.stack([x, v], axis=-1)]
    for k in range(steps):
        x, v = x + v * h, v - (1.5**2 * x + 0.5 * v) * h + 0.8 * w[k]
        expected.append(np.stack([x, v], axis=-1))
    rounding = (steps + 4) * float(torch.finfo(scenario.torch_dtype).eps)
    np.testing.assert_allclose(paths.values, np.stack(expected), rtol=0, atol=8.0 * rounding)


@pytest.mark.parametrize("scheme", lab.SCHEMES)
def test_the_replay_keeps_the_time_of_each_step(swing: Swing, scheme: str) -> None:
    scenario = lab.Scenario(
        model="swing", scheme=scheme, steps=30, samples=4, horizon=1.7, dtype="float64"
    )
    paths = lab.simulate(scenario)
    exact = lab.jacobian(paths, "reverse").values
    torch.testing.assert_close(lab.jacobian(paths).values, exact, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", lab.MODELS)
@pytest.mark.parametrize("scheme", ["euler", "heun"])
def test_other_knobs_leave_paths_alone(name: str, scheme: str) -> None:
    """More samples: the same first paths. And the noise does not depend on model or parameter."""
    few = lab.simulate(lab.Scenario(model=name, scheme=scheme, steps=6, samples=17))
    many = lab.simulate(lab.Scenario(model=name, scheme=scheme, steps=6, samples=1500))
    assert torch.equal(few.values, many.values[:, :17])
    plain = brownian_increments(lab.Scenario(steps=6, samples=17))
    assert torch.equal(few.noise.increments[..., :1], plain.increments)


@pytest.mark.parametrize("name", lab.MODELS)
def test_float32_stays_close_to_float64(name: str) -> None:
    single = lab.Scenario(model=name, steps=50, samples=20)
    exact = lab.simulate(single.replace(dtype="float64")).values
    found = lab.simulate(single).values
    scale = float(exact.abs().max())
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=2e-5 * scale)


def test_noise_already_drawn_gives_the_same_paths() -> None:
    scenario = lab.Scenario(scheme="srk", steps=6, samples=20)
    again = lab.simulate(scenario, brownian_increments(scenario))
    assert torch.equal(again.values, lab.simulate(scenario).values)


@pytest.mark.parametrize("other", [{"steps": 3}, {"samples": 19}, {"scheme": "euler"}])
def test_noise_of_another_scenario_is_refused(other: dict[str, object]) -> None:
    scenario = lab.Scenario(scheme="srk", steps=6, samples=20)
    with pytest.raises(lab.ScenarioError, match="noise"):
        lab.simulate(scenario, brownian_increments(scenario.replace(**other)))


def test_the_state_carries_no_graph() -> None:
    assert not lab.simulate(
        lab.Scenario(steps=3, samples=2, scheme="milstein")
    ).values.requires_grad


@pytest.mark.parametrize("scheme", ["euler", "milstein", "srk", "heun"])
def test_nothing_large_is_left_to_the_garbage_collector(scheme: str) -> None:
    """The solver's objects refer to themselves; noise and states must not hang on them."""
    gc.collect()
    gc.disable()
    try:
        paths = lab.simulate(lab.Scenario(scheme=scheme, steps=5, samples=3))
        jacobian = lab.jacobian(paths)
        tables = [weakref.ref(t) for t in (paths.values, paths.noise.increments, jacobian.values)]
        del paths, jacobian
        assert [table() for table in tables] == [None, None, None]
    finally:
        gc.enable()
