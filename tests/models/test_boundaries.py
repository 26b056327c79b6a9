"""Stratonovich schemes are refused where the correction pushes paths through a boundary."""

from __future__ import annotations

import pytest

import sde_lab as lab

STRATONOVICH = ["heun", "midpoint", "euler_heun"]
TOUCHING = [
    ("cox_ingersoll_ross", {"kappa": 0.5, "theta": 0.3, "sigma": 1.0}),
    ("heston", {"xi": 1.0}),
    ("dx = k*(m - x)*dt + s*sqrt(x)*dW", {"k": 0.5, "m": 0.3, "s": 1.0}),
    ("dx = k*(m - max(x, 0))*dt + s*sqrt(max(x, 0))*dW", {"k": 0.5, "m": 0.3, "s": 1.0}),
    ("dx = k*(m - x)*dt + s*sqrt(x*(1 - x))*dW", {"k": 0.5, "m": 0.95, "s": 1.0}),
]
FREE = [
    ("cox_ingersoll_ross", {"kappa": 0.0, "sigma": 0.1}),
    ("dx = -k*x*dt + s*sqrt(abs(x))*dW", {"k": 0.5, "s": 1.0}),
    ("cox_ingersoll_ross", {"kappa": 1.0, "theta": 0.25, "sigma": 1.0}),
    ("heston", {}),
    ("dx = k*(m - x)*dt + s*sqrt(x)*dW", {"k": 1.0, "m": 0.3, "s": 1.0}),
    ("dx = k*(m - x)*dt + s*sqrt(x*(1 - x))*dW", {"k": 1.0, "m": 0.5, "s": 1.0}),
    ("dx = 0.1*x*dt + x*dW", {}),
    ("dx = -x*dt + x^0.75*dW", {}),
    ("dx = (0.1 - x)*dt + sqrt(x) ∘ dW", {}),
    ("dx = -x*dt + dW", {}),
    ("dx = -x*dt", {}),
]


@pytest.mark.parametrize("scheme", STRATONOVICH)
@pytest.mark.parametrize(("model", "parameters"), TOUCHING)
def test_the_pair_is_refused(model: str, parameters: dict[str, float], scheme: str) -> None:
    lab.Scenario(model=model, parameters=parameters)
    with pytest.raises(lab.ScenarioError, match="through zero, however short the step") as caught:
        lab.Scenario(model=model, parameters=parameters, scheme=scheme)
    assert caught.value.field == "scheme"


@pytest.mark.parametrize("scheme", STRATONOVICH)
@pytest.mark.parametrize(("model", "parameters"), FREE)
def test_other_equations_are_not(model: str, parameters: dict[str, float], scheme: str) -> None:
    if lab.Scenario(model=model).model_spec.noise_type in lab.SCHEMES[scheme].noise_types:
        lab.Scenario(model=model, parameters=parameters, scheme=scheme)


def test_at_the_edge_of_the_condition_the_mean_is_right() -> None:
    """4κθ = σ²: the law of CIR has the mean θ + (x₀ − θ)e^(−κt)."""
    at = lab.Scenario(
        model="cox_ingersoll_ross",
        parameters={"kappa": 1.0, "theta": 0.25, "sigma": 1.0},
        x0=0.25,
        scheme="heun",
        steps=200,
        samples=4096,
    )
    ends = lab.simulate(at, engine="torchsde").values[-1]
    error = float(ends.std()) / 64.0
    assert abs(float(ends.mean()) - 0.25) < 4.5 * error
