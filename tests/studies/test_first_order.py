"""First-order prediction: against the closed form of Euler's recursion, and single simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest

import sde_lab as lab
from sde_lab.models import MODELS
from sde_lab.solver.simulate import brownian_increments
from sde_lab.studies.first_order import (
    MAX_SAMPLE_STEPS,
    SHOWN_PATHS,
    TOLERANCE,
    VALUE_COUNT,
    Prediction,
    first_order_study,
)
from sde_lab.sweeps.grid import with_values
from tests.support.schemes import solving_schemes

ORNSTEIN_UHLENBECK = lab.Scenario(
    parameters={"kappa": 1.0, "theta": -0.5, "sigma": 0.5},
    x0=2.5,
    horizon=2.0,
    steps=50,
    samples=30,
    dtype="float64",
)
TIGHT = {"rtol": 1e-11, "atol": 1e-11}


def predict(scenario: lab.Scenario, *names: str) -> tuple[Prediction, ...]:
    return first_order_study(scenario, names).predictions


def euler_end(scenario: lab.Scenario, kappa: float) -> np.ndarray:
    """X_n = θ + (x₀ − θ) qⁿ + σ √Δ Σ_j q^{n−1−j} Z_j with q = 1 − κΔ, (N,)."""
    n, step = scenario.steps, scenario.step
    theta, sigma = scenario.parameters["theta"], scenario.parameters["sigma"]
    normals = brownian_increments(scenario).increments[..., 0].numpy()
    q = 1 - kappa * step
    weights = q ** np.arange(n - 1, -1, -1.0)
    noise = sigma * math.sqrt(step) * weights @ normals
    return theta + (scenario.initial[0] - theta) * q**n + noise


def euler_slope(scenario: lab.Scenario, kappa: float) -> np.ndarray:
    """∂X_n/∂κ of the same, by ∂q/∂κ = −Δ, (N,)."""
    n, step = scenario.steps, scenario.step
    theta, sigma = scenario.parameters["theta"], scenario.parameters["sigma"]
    normals = brownian_increments(scenario).increments[..., 0].numpy()
    q, powers = 1 - kappa * step, np.arange(n - 1, -1, -1.0)
    slopes = powers * q ** np.maximum(powers - 1, 0)
    noise = sigma * math.sqrt(step) * slopes @ normals
    return -step * ((scenario.initial[0] - theta) * n * q ** (n - 1) + noise)


def test_paths_and_tangents_are_those_of_eulers_recursion() -> None:
    scenario = ORNSTEIN_UHLENBECK
    (found,) = predict(scenario, "kappa")
    expected = np.stack([euler_end(scenario, kappa) for kappa in found.values])
    slope = euler_slope(scenario, 1.0)
    np.testing.assert_allclose(found.paths, expected[:, :SHOWN_PATHS], **TIGHT)
    np.testing.assert_allclose(found.mean, expected.mean(axis=1), **TIGHT)
    np.testing.assert_allclose(found.slopes, slope[:SHOWN_PATHS], **TIGHT)
    assert found.mean_slope == pytest.approx(slope.mean(), rel=1e-11)
    change = found.values[:, None] - 1.0
    tangents = euler_end(scenario, 1.0) + change * slope
    np.testing.assert_allclose(found.predicted_paths, tangents[:, :SHOWN_PATHS], **TIGHT)
    np.testing.assert_allclose(found.predicted_mean, tangents.mean(axis=1), **TIGHT)


@pytest.mark.parametrize("name", ["theta", "sigma", "x0"])
def test_where_the_state_is_linear_the_tangent_is_the_curve(name: str) -> None:
    (found,) = predict(ORNSTEIN_UHLENBECK, name)
    np.testing.assert_allclose(found.predicted_paths, found.paths, **TIGHT)
    np.testing.assert_allclose(found.predicted_mean, found.mean, **TIGHT)
    assert found.interval == (found.parameter.low, found.parameter.high)
    assert np.ptp(found.paths, axis=0).min() > 0.1


def test_elsewhere_twice_the_change_is_four_times_the_error() -> None:
    (found,) = predict(ORNSTEIN_UHLENBECK, "kappa")
    at = found.index
    error = np.abs(found.paths - found.predicted_paths)
    for side in (1, -1):
        ratio = error[at + 2 * side] / error[at + side]
        np.testing.assert_allclose(ratio, 4.0, rtol=0.15)


@pytest.mark.parametrize("kappa", [0.4, 1.0, 1.03, 3.0])
def test_the_interval_ends_where_the_worst_path_is_off_by_the_tolerance(kappa: float) -> None:
    scenario = ORNSTEIN_UHLENBECK.replace(parameters={"kappa": kappa})
    study = first_order_study(scenario, ["kappa"])
    state, slope = euler_end(scenario, kappa), euler_slope(scenario, kappa)
    assert study.spread == pytest.approx(state.std(), rel=1e-11)

    def share(value: float) -> float:
        error = np.abs(euler_end(scenario, value) - state - (value - kappa) * slope)
        return float(error[:SHOWN_PATHS].max() / state.std())

    assert study.predictions[0].interval is not None
    for end in study.predictions[0].interval:
        assert share(end) == pytest.approx(TOLERANCE, rel=0.06)


def test_the_current_value_is_one_of_those_across_the_slider() -> None:
    (on_grid,) = predict(ORNSTEIN_UHLENBECK, "kappa")
    np.testing.assert_allclose(on_grid.values, np.linspace(0.0, 5.0, VALUE_COUNT))
    for kappa in (0.0, 0.03, 2.0, 5.0, 7.0):
        (found,) = predict(ORNSTEIN_UHLENBECK.replace(parameters={"kappa": kappa}), "kappa")
        assert found.values[found.index] == found.current == kappa
        assert (np.diff(found.values) > 0).all()
        assert (found.values[0], found.values[-1]) == (0.0, max(5.0, kappa))
        np.testing.assert_array_equal(found.predicted_paths[found.index], found.paths[found.index])


@pytest.mark.parametrize("model", [*MODELS, "dx = (cos(t) - a*x)*dt + b*x*dW"])
@pytest.mark.parametrize("last", [False, True])
def test_every_value_is_a_simulation_on_the_same_noise(model: str, last: bool) -> None:
    scenario = lab.Scenario(model, steps=25, samples=5, dtype="float64")
    spec = scenario.model_spec
    ends = [
        {**scenario.parameters, parameter.name: end}
        for parameter in spec.parameters
        for end in (parameter.default, parameter.high)
    ]
    schemes = solving_schemes(spec, *ends)
    scenario = scenario.replace(scheme=schemes[-1 if last else 0])
    names = scenario.model_spec.jacobian_columns
    found = predict(scenario, *names)
    assert [one.parameter.name for one in found] == list(names)
    jacobian = lab.jacobian(lab.simulate(scenario))
    for one in found:
        np.testing.assert_allclose(one.slopes, jacobian.wrt(one.parameter.name)[-1, :, 0], **TIGHT)
        for index in (0, one.index, -1):
            alone = with_values(scenario, {one.parameter.name: float(one.values[index])})
            expected = lab.simulate(alone).values[-1, :, 0].numpy()
            expected = np.where(np.isfinite(expected), expected, np.nan)
            np.testing.assert_allclose(one.paths[index], expected, rtol=1e-9, atol=1e-11)


def test_a_model_without_the_named_parameters_shows_its_own() -> None:
    def shown(model: str) -> list[str]:
        scenario = lab.Scenario(model, steps=25, samples=3)
        return [one.parameter.name for one in predict(scenario, "kappa", "sigma")]

    assert shown("geometric_brownian_motion") == ["sigma"]
    assert shown("lotka_volterra") == [one.name for one in MODELS["lotka_volterra"].parameters[:2]]
    assert shown("dx = -x*dt + dW") == ["x0"]


@pytest.mark.parametrize(
    "scenario",
    [
        ORNSTEIN_UHLENBECK.replace(samples=1),
        ORNSTEIN_UHLENBECK.replace(parameters={"sigma": 0.0}),
        ORNSTEIN_UHLENBECK.replace(parameters={"sigma": 0.0}, dtype="float32", samples=200),
    ],
)
def test_without_a_spread_there_is_no_interval(scenario: lab.Scenario) -> None:
    for one in predict(scenario, "kappa", "sigma"):
        assert one.interval is None
        assert np.isfinite(one.paths).all()


def test_long_runs_take_fewer_samples_but_all_paths_on_show() -> None:
    small = first_order_study(ORNSTEIN_UHLENBECK, ["kappa"]).scenario
    assert small == ORNSTEIN_UHLENBECK
    many = ORNSTEIN_UHLENBECK.replace(samples=5000, dtype="float32")
    limited = first_order_study(many, ["kappa", "sigma"]).scenario
    work = limited.samples * limited.steps * 2 * VALUE_COUNT
    assert 0.9 * MAX_SAMPLE_STEPS < work <= MAX_SAMPLE_STEPS
    two = lab.Scenario("lotka_volterra", steps=50, samples=5000)
    halved = first_order_study(two, two.model_spec.jacobian_columns[2:4]).scenario
    assert halved.samples == limited.samples // 2
    long = first_order_study(many.replace(steps=3200), ["kappa", "sigma"])
    assert long.scenario.samples == SHOWN_PATHS
    # One seed names the noise: with fewer samples the first paths stay.
    few = predict(many.replace(samples=SHOWN_PATHS), "kappa")[0]
    np.testing.assert_allclose(predict(many, "kappa")[0].paths, few.paths, rtol=1e-5, atol=1e-6)


def test_values_at_which_paths_diverge_are_gaps() -> None:
    """1 − κΔ is 0 at κ = 1, but −4 at κ = 5: after 64 steps float32 overflows."""
    scenario = lab.Scenario(x0=1.0, horizon=100.0, steps=100, samples=10)
    (found,) = predict(scenario, "kappa")
    assert np.isnan(found.paths[-1]).all()
    assert np.isnan(found.mean[-1])
    assert np.isfinite(found.paths[found.index]).all()
    assert found.interval is not None
    assert found.interval[0] < 1.0 < found.interval[1] < 5.0


def test_where_every_path_diverges_the_study_says_so() -> None:
    scenario = lab.Scenario(model="double_well", x0=2.0, horizon=50.0, steps=25, samples=50)
    with pytest.raises(lab.ScenarioError, match="every path diverges"):
        first_order_study(scenario, ["a"])
