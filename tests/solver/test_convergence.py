"""Schemes converge at their order, to the solution of the right equation; and so do derivatives.

All grids of one test see the same Brownian path, refined. Errors are root mean squares over the
samples at the final time; the order is the slope of their logarithm against that of the step.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

import sde_lab as lab
from sde_lab.schemes import fitting_schemes

SAMPLES = 1000
GRIDS = (64, 128, 256, 512, 1024)
GBM = lab.Scenario(
    model="geometric_brownian_motion",
    parameters={"mu": 0.1, "sigma": 0.6},
    x0=1.0,
    samples=SAMPLES,
    dtype="float64",
    seed=4,
)
TOLERANCE = 0.1
"""On the slope against a closed form. The mean of 1000 squared errors has a relative error of about
√(2/1000) times a little for their tails, 7 % say, so a logarithm is off by 0.035; the five share
their path, which makes the slope better than independent errors would: 0.05 bits / √(Σ (k − k̄)²)
= 0.016. The rest is for terms of higher order: Euler's own bias is one of order 1."""


def slope(errors: list[float]) -> float:
    return float(-np.polyfit(np.arange(len(errors)), np.log2(errors), 1)[0])


def rms(difference: Tensor) -> float:
    return float(difference.square().mean().sqrt())


def closed_form(paths: lab.Paths) -> dict[str, Tensor]:
    """S = x₀ exp((μ − σ²/2)t + σW) and its derivatives at the final time, from the increments."""
    scenario = paths.scenario
    mu, sigma = scenario.parameters["mu"], scenario.parameters["sigma"]
    t, x0 = scenario.horizon, scenario.initial[0]
    w = paths.noise.increments[..., 0].sum(0) * math.sqrt(scenario.step)
    s = x0 * torch.exp((mu - 0.5 * sigma**2) * t + sigma * w)
    return {"x0": s / x0, "mu": t * s, "sigma": s * (w - sigma * t), "state": s}


@cache
def errors_against_the_closed_form(scheme: str) -> dict[str, list[float]]:
    errors: dict[str, list[float]] = {}
    for steps in GRIDS:
        paths = lab.simulate(GBM.replace(scheme=scheme, steps=steps))
        jacobian = lab.jacobian(paths)
        for name, exact in closed_form(paths).items():
            found = paths.values if name == "state" else jacobian.wrt(name)
            errors.setdefault(name, []).append(rms(found[-1, :, 0] - exact))
    return errors


@pytest.mark.parametrize("scheme", lab.SCHEMES)
@pytest.mark.parametrize("name", ["state", "x0", "mu", "sigma"])
def test_strong_order_of_state_and_derivatives(scheme: str, name: str) -> None:
    """A scheme's derivative is the same scheme on the first variation: it has the same order."""
    order = lab.SCHEMES[scheme].strong_order["diagonal"]
    errors = errors_against_the_closed_form(scheme)[name]
    assert slope(errors) == pytest.approx(order, abs=TOLERANCE)
    assert errors[-1] < 2.0 * GRIDS[-1] ** -order


def test_every_grid_saw_the_same_path() -> None:
    ends = [
        lab.simulate(GBM.replace(steps=steps)).noise.increments.sum(0) / math.sqrt(steps)
        for steps in GRIDS
    ]
    for end in ends[1:]:
        torch.testing.assert_close(end, ends[0], rtol=0, atol=1e-12)


PAIRS = [
    (name, scheme)
    for name, scheme in product(lab.MODELS, lab.SCHEMES)
    if lab.SCHEMES[scheme].supports(lab.MODELS[name])
]
COARSE = (16, 32, 64, 128)
FINEST = 1024
LIMIT_SAMPLES = 200


def at_the_end(name: str, scheme: str, steps: int) -> tuple[Tensor, Tensor]:
    """Final states and derivatives, over a horizon short enough for 16 steps to be small ones."""
    model = lab.MODELS[name]
    scenario = lab.Scenario(
        model=name,
        scheme=scheme,
        steps=steps,
        horizon=min(1.0, model.horizon),
        samples=LIMIT_SAMPLES,
        dtype="float64",
        seed=9,
    )
    paths = lab.simulate(scenario)
    return paths.values[-1], lab.jacobian(paths).values[-1]


@cache
def limit(name: str) -> tuple[Tensor, Tensor]:
    """The finest grid, by the scheme of the highest order that the noise allows."""
    noise = lab.MODELS[name].noise_type
    best = max(
        (lab.SCHEMES[scheme] for scheme in fitting_schemes(lab.MODELS[name])),
        key=lambda scheme: scheme.strong_order[noise],
    )
    return at_the_end(name, best.name, FINEST)


@pytest.mark.parametrize(("name", "scheme"), PAIRS)
def test_every_scheme_reaches_the_solution_of_the_same_equation(name: str, scheme: str) -> None:
    """Itô and Stratonovich schemes meet: the drift of neither lacks its correction.

    At least the declared order, less 0.2 for 200 samples of errors with tails. Some pairs do
    better than their class (additive noise in disguise, commuting noise): no upper bound. What is
    already rounding, because the scheme is exact, has no slope.
    """
    order = lab.SCHEMES[scheme].strong_order[lab.MODELS[name].noise_type]
    for exact, table in zip(
        limit(name),
        zip(*(at_the_end(name, scheme, steps) for steps in COARSE), strict=True),
        strict=True,
    ):
        errors = [rms(found - exact) for found in table]
        assert max(errors) < 1e-10 or slope(errors) > order - 0.2, errors
