"""Every model: what it declares is consistent, and its drift correction is right."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

import sde_lab as lab
from sde_lab.models.base import Model
from tests.support.openings import openings


def values(model: Model) -> dict[str, Tensor]:
    return {
        parameter.name: torch.tensor([[parameter.default]], dtype=torch.float64)
        for parameter in model.parameters
    }


def states(model: Model, rows: int = 40) -> Tensor:
    torch.manual_seed(1)
    return torch.rand(rows, len(model.components), dtype=torch.float64) + 0.2


def matrix(model: Model, x: Tensor, p: dict[str, Tensor]) -> Tensor:
    """Diffusion as (rows, D, M), whatever the noise type."""
    g = model.diffusion(torch.tensor(0.0), x, p)
    if model.noise_type == "diagonal":
        return torch.diag_embed(g.expand_as(x))
    return g.expand(*x.shape, model.brownian_size)


@pytest.mark.parametrize("name", lab.MODELS)
def test_declarations_are_consistent(name: str) -> None:
    model = lab.MODELS[name]
    assert model.name == name
    size = len(model.components)
    assert len(model.symbols) == len(model.initial) == size
    assert len(set(model.jacobian_columns)) == len(model.jacobian_columns)
    if model.noise_type == "diagonal":
        assert model.brownian_size == size
    for parameter in (*model.initial, *model.parameters):
        assert parameter.minimum <= parameter.low < parameter.high <= parameter.maximum
        assert parameter.low <= parameter.default <= parameter.high
        for value in (parameter.default, parameter.high):
            steps = (value - parameter.low) / parameter.step
            assert math.isclose(steps, round(steps), abs_tol=1e-9), parameter.name
        assert parameter.description
    for parameter in model.parameters:
        assert parameter.latex in model.equation


@pytest.mark.parametrize("name", lab.MODELS)
def test_correction_is_half_g_times_its_derivative(name: str) -> None:
    model = lab.MODELS[name]
    p, x = values(model), states(model)
    g = matrix(model, x, p)
    slopes = torch.stack(
        [
            torch.autograd.functional.jacobian(lambda y: matrix(model, y[None], p)[0], row)
            for row in x
        ]
    )  # (rows, D, M, D): ∂g_ik/∂x_j
    expected = 0.5 * torch.einsum("rjk,rikj->ri", g, slopes)
    found = model.correction(torch.tensor(0.0), x, p).expand_as(x)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["cox_ingersoll_ross", "heston"])
@pytest.mark.parametrize("level", [0.0, -0.1, -5.0, 1e-30, 1e-13])
def test_square_roots_stay_usable_at_zero(name: str, level: float) -> None:
    model = lab.MODELS[name]
    x = torch.full((3, len(model.components)), level, dtype=torch.float64, requires_grad=True)
    p = {key: value.requires_grad_() for key, value in values(model).items()}
    total = matrix(model, x, p).sum() + model.drift(torch.tensor(0.0), x, p).sum()
    gradients = torch.autograd.grad(total, [x, *p.values()], materialize_grads=True)
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


def test_square_root_process_survives_below_the_feller_condition() -> None:
    scenario = lab.Scenario(
        model="cox_ingersoll_ross",
        parameters={"kappa": 0.5, "theta": 0.1, "sigma": 1.0},
        x0=0.05,
        horizon=5.0,
        steps=400,
        samples=4000,
    )
    paths = lab.simulate(scenario)
    summary = lab.summarise(paths, lab.jacobian(paths))
    assert bool(paths.values.isfinite().all())
    assert summary.exploded == 0
    exact = lab.exact_laws(scenario)
    assert exact is not None
    law, bands = exact.state, summary.states[0]
    bias = (
        0.05  # full truncation at Δ = 1/80 lifts the mean; an order of magnitude below the spread
    )
    assert abs(bands.mean[-1] - law.mean[-1, 0]) < 5 * bands.mean_error[-1] + bias


@pytest.mark.parametrize("name", lab.MODELS)
def test_both_readings_reach_the_same_law(name: str) -> None:
    """An Itô and a Stratonovich scheme on the same noise end at the same mean."""
    model = lab.MODELS[name]
    common = {"model": name, "horizon": min(model.horizon, 2.0), "steps": 800, "samples": 400}
    ends = [
        lab.simulate(lab.Scenario(**common, scheme=scheme, dtype="float64")).values[-1]
        for scheme in ("euler", "heun")
    ]
    scale = ends[1].std(dim=0) + ends[1].abs().mean(dim=0)
    distance = ((ends[0] - ends[1]).pow(2).mean(dim=0).sqrt() / scale).max()
    assert (
        float(distance) < 0.05
    )  # strong order ½ at 800 steps; without the correction 0.1 and more


@pytest.mark.parametrize("name", lab.MODELS)
def test_double_precision_and_single_agree(name: str) -> None:
    scenario = lab.Scenario(model=name, samples=50, steps=50)
    single = lab.simulate(scenario).values.double()
    double = lab.simulate(scenario.replace(dtype="float64")).values
    np.testing.assert_allclose(single, double, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("name", lab.MODELS)
def test_no_page_opens_on_divergence(name: str) -> None:
    """Nor on an unstable scheme: the largest state stays below what the sliders can explain.

    Without its range, logistic growth loses 14 % of the paths at σ = 1.5, and predator and prey all
    of them at T = 50; the oscillator grows to 1e12 there.
    """
    for scenario in openings(name):
        last = lab.simulate(scenario.replace(samples=4000, seed=11)).values[-1]
        assert last.isfinite().all(), scenario
        assert float(last.abs().max()) < 2e5, scenario
