"""Sweeps on the compiled engine: the numbers of torchsde to rounding, and who did what is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import sde_lab as lab
from sde_lab.equations.examples import EXAMPLES
from sde_lab.sensitivity.compiled_engine import find_kernel
from sde_lab.sweeps import SweepRun, batch, get_value
from sde_lab.sweeps.plan import make_plan

MEASURES = ("mean", "std", "q05", "q95", "std slope", "crosses 0.3")
EQUATIONS = [*lab.MODELS, *(example.text for example in EXAMPLES)]


def both(scenario: lab.Scenario, over: Any, *args: Any, **options: Any) -> list[lab.SweepResult]:
    """The sweep by torchsde and by the compiled loop, which must be there."""
    assert find_kernel(scenario, options.get("sensitivities", ()), wait=True) is not None
    return [
        lab.sweep(scenario, over, *args, engine=engine, **options)
        for engine in ("torchsde", "compiled")
    ]


def assert_equal_to_rounding(one: lab.SweepResult, other: lab.SweepResult) -> None:
    """Values to 1e-10 of each column's scale: float64, and sums of some hundred samples."""
    np.testing.assert_array_equal(np.isnan(one.value), np.isnan(other.value))
    scale = np.nanmax(np.abs(one.value), axis=0, initial=1.0)
    assert np.nanmax(np.abs(one.value - other.value) / scale) < 1e-10
    np.testing.assert_array_equal(one.exploded, other.exploded)


def sweep_of(scenario: lab.Scenario) -> dict[str, list[float]]:
    name = next(iter(scenario.parameters), "x0")
    value = scenario.parameters.get(name, scenario.initial[0])
    return {name: [value, value * 1.1 + 0.01]}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_every_equation(equation: str) -> None:
    scenario = lab.Scenario(model=equation, samples=300, steps=12, dtype="float64")
    columns = scenario.model_spec.jacobian_columns
    results = both(scenario, sweep_of(scenario), MEASURES, sensitivities=columns[:3], times=4)
    assert_equal_to_rounding(*results)


@pytest.mark.parametrize("scheme", ["euler", "milstein", "milstein_grad_free", "srk", "heun"])
def test_every_scheme_over_two_axes_and_seeds(scheme: str) -> None:
    scenario = lab.Scenario(samples=1500, steps=10, scheme=scheme, dtype="float64")
    over = {"kappa": [0.5, 2.0], "seed": [1, 2], "horizon": [1.0, 2.0]}
    assert_equal_to_rounding(*both(scenario, over, MEASURES, sensitivities=("kappa", "sigma")))


def largest_step(times: NDArray[np.float64], paths: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(np.diff(paths[..., 0], axis=0)).max(axis=0)


def test_a_function_of_whole_paths() -> None:
    scenario = lab.Scenario(samples=1100, steps=10, dtype="float64")
    measures: tuple[str | Callable[..., Any], ...] = ("mean", largest_step)
    assert_equal_to_rounding(*both(scenario, {"kappa": [0.5, 2.0]}, measures))


def test_paths_that_diverge_are_counted_alike() -> None:
    scenario = lab.Scenario(model="double_well", horizon=50.0, steps=25, samples=200)
    one, other = both(scenario, {"sigma": [0.5, 1.0]}, MEASURES, sensitivities=("sigma",))
    assert one.exploded.sum() > 0
    np.testing.assert_array_equal(one.exploded, other.exploded)


def test_the_compiled_loop_is_what_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("torchsde was called")

    monkeypatch.setattr(batch, "propagate_tangents", refused)
    result = lab.sweep(lab.Scenario(samples=50, steps=5), {"kappa": [1.0, 2.0]}, engine="compiled")
    assert np.isfinite(result.value).all()
    assert result.engine == "compiled"
    assert result.engine_difference is not None
    assert 0.0 <= result.engine_difference < 1e-5


def test_the_result_names_what_computed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario, over = lab.Scenario(samples=2100, steps=5), {"kappa": [1.0, 2.0]}
    kernel = find_kernel(scenario, (), wait=True)
    assert kernel is not None
    found = iter([None, kernel, None])
    monkeypatch.setattr(batch, "_find_kernel", lambda *_: next(found))
    plan = make_plan(scenario, over, ("mean",), (), None, "auto")
    blocks = [replace(block, span=1024) for block in plan.blocks]
    run = SweepRun(replace(plan, blocks=tuple(blocks)))
    assert run.result().engine == ""
    while not run.finished:
        run.advance()
    assert run.result().engine == "torchsde, compiled"
    assert run.result().engine_difference == kernel.difference


def test_an_equation_that_cannot_be_compiled_is_computed_by_torchsde(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sde_lab.sensitivity.compiled_engine.available", lambda: False)
    scenario = lab.Scenario(samples=50, steps=5)
    one, other = (
        lab.sweep(scenario, {"kappa": [1.0, 2.0]}, engine=engine)
        for engine in ("torchsde", "compiled")
    )
    np.testing.assert_array_equal(one.value, other.value)


def test_an_engine_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(lab.ScenarioError, match=r"engine.*must be one of auto, compiled, torchsde"):
        lab.sweep(lab.Scenario(), {"kappa": [1.0]}, engine="fast")
    with pytest.raises(lab.ScenarioError, match="engine"):
        lab.simulate(lab.Scenario(), engine="fast")


def test_a_checkpoint_knows_its_engine(tmp_path: Path) -> None:
    scenario, over = lab.Scenario(samples=50, steps=5), {"kappa": [1.0, 2.0]}
    file = str(tmp_path / "sweep.parquet")
    first = lab.sweep(scenario, over, engine="torchsde", checkpoint=file)
    with pytest.raises(lab.ScenarioError, match="with other engine"):
        lab.sweep(scenario, over, engine="compiled", checkpoint=file)
    again = lab.sweep(scenario, over, engine="auto", checkpoint=file)
    np.testing.assert_array_equal(first.value, again.value)


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize("samples", [1, 1030])
def test_simulate_by_either_engine(equation: str, samples: int) -> None:
    scenario = lab.Scenario(model=equation, samples=samples, steps=8, dtype="float64")
    one, other = (lab.simulate(scenario, engine=engine) for engine in ("torchsde", "compiled"))
    assert other.values.shape == one.values.shape
    np.testing.assert_array_equal(one.times, other.times)
    np.testing.assert_allclose(other.values, one.values, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(one.noise.increments, other.noise.increments)


@pytest.mark.parametrize("model", ["ornstein_uhlenbeck", "damped_oscillator"])
def test_simulate_draws_the_same_increments_and_areas(model: str) -> None:
    scenario = lab.Scenario(model=model, scheme="srk", samples=2500, steps=12)
    one, other = (lab.simulate(scenario, engine=engine) for engine in ("torchsde", "compiled"))
    np.testing.assert_array_equal(one.noise.increments, other.noise.increments)
    np.testing.assert_array_equal(one.noise.levy_areas, other.noise.levy_areas)
    with torch.inference_mode():
        inside = lab.simulate(scenario, engine="compiled")
    assert not inside.noise.increments.is_inference()
    np.testing.assert_array_equal(inside.values, other.values)


def test_simulate_on_given_noise_and_differentiate_it() -> None:
    scenario = lab.Scenario(samples=70, steps=8, dtype="float64")
    noise = lab.simulate(scenario.replace(seed=9), engine="torchsde").noise
    one, other = (
        lab.simulate(scenario, noise, engine=engine) for engine in ("torchsde", "compiled")
    )
    np.testing.assert_allclose(other.values, one.values, rtol=1e-12)
    np.testing.assert_allclose(lab.jacobian(other).values, lab.jacobian(one).values, rtol=1e-12)


def test_every_name_that_can_be_swept_gives_the_same_by_either_engine() -> None:
    scenario = lab.Scenario(model="heston", samples=40, steps=6, dtype="float64")
    for name in (*scenario.parameters, *(one.name for one in scenario.model_spec.initial)):
        assert_equal_to_rounding(*both(scenario, {name: [get_value(scenario, name)]}, ("mean",)))
