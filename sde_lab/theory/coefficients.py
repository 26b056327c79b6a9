"""Drift and diffusion of a scenario as functions of the state alone, and searches for their zeros.

All in float64, whatever the scenario's dtype, and at the scenario's parameters.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sde_lab.models.laws.base import Array
from sde_lab.scenario import Scenario

Fields = Callable[[Array], tuple[Array, Array]]
"""Itô drift and squared diffusion g² at states (n,): (n,) each."""

REFINEMENTS = 26
"""Times that a bracket shrinks to a quarter: 4^26 > 2^52, so down to neighbouring floats."""
BRACKET_POINTS = 9
"""Points of each bracket at which a function is evaluated: eight equal parts."""


def parameters_float64(scenario: Scenario) -> dict[str, Tensor]:
    """Return the parameters by name in float64, (1, 1) each."""
    return {
        name: torch.tensor([[value]], dtype=torch.float64)
        for name, value in scenario.parameters.items()
    }


def drift(scenario: Scenario) -> Callable[[Tensor], Tensor]:
    """Return the drift at time 0, in the model's own interpretation: states (rows, D) → (rows, D).

    A fixed point of a Stratonovich equation is one of its Stratonovich drift.
    """
    model, parameters = scenario.model_spec, parameters_float64(scenario)
    time = torch.zeros((), dtype=torch.float64)
    return lambda x: model.drift(time, x, parameters).expand_as(x)


def diffusion(scenario: Scenario) -> Callable[[Tensor], Tensor]:
    """Return the diffusion at time 0 as a matrix for any noise type: (rows, D) → (rows, D, M)."""
    model, parameters = scenario.model_spec, parameters_float64(scenario)
    time = torch.zeros((), dtype=torch.float64)

    def matrix(x: Tensor) -> Tensor:
        g = model.diffusion(time, x, parameters)
        if model.noise_type == "diagonal":
            return torch.diag_embed(g.expand_as(x))
        return g.expand(*x.shape, model.brownian_size)

    return matrix


def scalar_coefficients(scenario: Scenario) -> Fields:
    """Return Itô drift and squared diffusion of an equation of one state: (n,) → (n,) each."""
    model, parameters = scenario.model_spec, parameters_float64(scenario)
    time = torch.zeros((), dtype=torch.float64)
    model_drift, matrix = drift(scenario), diffusion(scenario)

    def both(states: Array) -> tuple[Array, Array]:
        x = torch.from_numpy(np.ascontiguousarray(states)).view(-1, 1)  # (n,) → rows of one state
        f = model_drift(x)
        if model.interpretation == "stratonovich":
            f = f + model.correction(time, x, parameters)
        return f[:, 0].numpy(), matrix(x).square().sum(dim=(1, 2)).numpy()

    return both


def refine_minima(function: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return the argument of the minimum of a function inside each bracket: low, high (n,) → (n,).

    Each bracket is cut into eight parts and shrunk to the two around its smallest value, 26 times:
    down to neighbouring floats, all brackets in one evaluation. (scipy's bounded minimiser stops at
    the square root of the precision, too far from a zero to tell its kind.)
    """
    shares = np.linspace(0.0, 1.0, BRACKET_POINTS)
    for _ in range(REFINEMENTS):
        x = low[:, None] + (high - low)[:, None] * shares
        values = function(x.ravel()).reshape(x.shape)
        best = np.where(np.isnan(values), np.inf, values).argmin(axis=1)
        rows = np.arange(len(low))
        low = x[rows, np.maximum(best - 1, 0)]
        high = x[rows, np.minimum(best + 1, BRACKET_POINTS - 1)]
        minima = x[rows, best]
    return np.asarray(minima)


def local_minima(values: Array) -> Array:
    """Return the indices of the interior local minima of values (n,); of equal ones the last."""
    lower = (values[1:-1] <= values[:-2]) & (values[1:-1] < values[2:])
    return np.asarray(1 + np.flatnonzero(lower))


def round_to_decimal(function: Callable[[Array], Array], x: float) -> float:
    """Return the shortest decimal number beside x at which the function is no larger than at x.

    A zero computed as 1 − 3e−9 is 1, and only there does the function vanish exactly.
    """
    candidates = np.array([*(round(x, digits) for digits in range(15)), x])
    near = np.abs(candidates - x) <= 1e-3 * max(1.0, abs(x))
    values = function(candidates)
    fits = near & (values <= values[-1])
    return float(candidates[int(np.argmax(fits))]) if fits.any() else x
