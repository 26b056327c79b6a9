"""Second derivatives against nested autograd, a closed form, and a difference of Jacobians."""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest
import torch
from torch import Tensor

import sde_lab as lab
from sde_lab.solver.simulate import solve

OSCILLATION = "dx = v*dt; dv = -a*sin(x)*dt + s*x*cos(t)*dW"


def scenario(model: str, scheme: str = "euler") -> lab.Scenario:
    return lab.Scenario(model=model, scheme=scheme, steps=5, samples=2, dtype="float64")


def nested(paths: lab.Paths, p: str, q: str) -> Tensor:
    """One backward pass through a backward pass for each entry of the path."""
    at = paths.scenario
    columns = at.model_spec.jacobian_columns
    values = [*at.initial, *at.parameters.values()]
    leaves = {
        name: torch.full((1, 1), value, dtype=torch.float64, requires_grad=True)
        for name, value in zip(columns, values, strict=True)
    }
    size = len(at.initial)
    x0 = torch.cat([leaves[name] for name in columns[:size]], dim=1).expand(at.samples, size)
    states = solve(at, x0, {name: leaves[name] for name in columns[size:]}, paths.noise)
    found = torch.zeros_like(states)
    for index in torch.cartesian_prod(*map(torch.arange, states.shape)).tolist():
        (first,) = torch.autograd.grad(
            states[tuple(index)], leaves[p], create_graph=True, retain_graph=True,
            materialize_grads=True,
        )  # fmt: skip
        if first.requires_grad:
            (second,) = torch.autograd.grad(
                first.sum(), leaves[q], retain_graph=True, materialize_grads=True
            )
            found[tuple(index)] = second.sum()
    return found


@pytest.mark.parametrize(
    ("model", "scheme"),
    [
        ("geometric_brownian_motion", "srk"),
        ("geometric_brownian_motion", "milstein"),
        ("double_well", "midpoint"),
        (OSCILLATION, "euler"),
        (OSCILLATION, "heun"),
    ],
)
def test_every_pair_is_that_of_nested_autograd(model: str, scheme: str) -> None:
    paths = lab.simulate(scenario(model, scheme).replace(steps=2), engine="torchsde")
    columns = paths.scenario.model_spec.jacobian_columns
    for p, q in combinations_with_replacement(columns, 2):
        found = lab.second_derivative(paths, p, q)
        torch.testing.assert_close(found, nested(paths, p, q), rtol=1e-11, atol=1e-12)
        other = lab.second_derivative(paths, q, p)
        torch.testing.assert_close(found, other, rtol=1e-11, atol=1e-12)


def test_of_a_linear_equation_it_has_a_closed_form() -> None:
    """Euler: X_k = (1 − κΔ)^k x₀ + …, so ∂²X_k/∂x₀∂κ = −kΔ(1 − κΔ)^(k − 1)."""
    at = scenario("ornstein_uhlenbeck").replace(samples=20)
    with torch.inference_mode():
        paths = lab.simulate(at, engine="torchsde")
        found = lab.second_derivative(paths, "x0", "kappa")
    k = torch.arange(6, dtype=torch.float64)
    exact = -k * at.step * (1.0 - at.parameters["kappa"] * at.step) ** (k - 1.0)
    torch.testing.assert_close(found[:, :, 0], exact.unsqueeze(1).expand(6, 20), rtol=0, atol=1e-13)
    assert not found.requires_grad
    assert not bool(lab.second_derivative(paths, "x0", "sigma").any())


def test_it_is_the_derivative_of_the_jacobian() -> None:
    at, h = scenario("lotka_volterra", "euler"), 1e-5
    name, other = at.model_spec.jacobian_columns[2:4]

    def slope(shift: float) -> Tensor:
        moved = at.replace(parameters={other: at.parameters[other] + shift})
        return lab.jacobian(lab.simulate(moved, engine="torchsde")).wrt(name)

    difference = (slope(h) - slope(-h)) / (2.0 * h)
    found = lab.second_derivative(lab.simulate(at, engine="torchsde"), name, other)
    torch.testing.assert_close(found, difference, rtol=1e-6, atol=1e-8)


def test_a_wrong_name_and_too_many_samples_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = lab.simulate(scenario("ornstein_uhlenbeck"), engine="torchsde")
    with pytest.raises(lab.ScenarioError, match="x0, kappa") as caught:
        lab.second_derivative(paths, "x0", "kapa")
    assert caught.value.field == "q"
    monkeypatch.setenv("SDE_LAB_MEMORY_GB", "0.00004")
    with pytest.raises(lab.ScenarioError, match="1 samples fit at 5 steps") as caught:
        lab.second_derivative(paths, "x0", "kappa")
    assert caught.value.field == "samples"
