"""Drift and diffusion of a scenario as functions of the state alone, for theory to work with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sde_lab.models.laws.base import Array
from sde_lab.scenario import Scenario

Fields = Callable[[Array], tuple[Array, Array]]
"""Itô drift and squared diffusion at values (n,): (n,) each."""


def settings(scenario: Scenario) -> dict[str, Tensor]:
    """The parameters in float64, (1, 1) each."""
    return {
        name: torch.tensor([[value]], dtype=torch.float64)
        for name, value in scenario.parameters.items()
    }


def drift(scenario: Scenario) -> Callable[[Tensor], Tensor]:
    """The drift as the model writes it, at time 0: states (rows, D) → (rows, D)."""
    model, given = scenario.model_spec, settings(scenario)
    start = torch.zeros((), dtype=torch.float64)
    return lambda x: model.drift(start, x, given).expand_as(x)


def diffusion(scenario: Scenario) -> Callable[[Tensor], Tensor]:
    """The diffusion at time 0 as a matrix, whatever the noise: (rows, D) → (rows, D, M)."""
    model, given = scenario.model_spec, settings(scenario)
    start = torch.zeros((), dtype=torch.float64)

    def matrix(x: Tensor) -> Tensor:
        g = model.diffusion(start, x, given)
        if model.noise_type == "diagonal":
            return torch.diag_embed(g.expand_as(x))
        return g.expand(*x.shape, model.brownian_size)

    return matrix


def scalar_coefficients(scenario: Scenario) -> Fields:
    """Itô drift and squared diffusion of an equation of one state: values (n,) → (n,) each."""
    model, given = scenario.model_spec, settings(scenario)
    start, own, matrix = torch.zeros((), dtype=torch.float64), drift(scenario), diffusion(scenario)

    def both(values: Array) -> tuple[Array, Array]:
        x = torch.from_numpy(np.ascontiguousarray(values)).view(-1, 1)
        f = own(x)
        if model.interpretation == "stratonovich":
            f = f + model.correction(start, x, given)
        return f[:, 0].numpy(), matrix(x).square().sum(dim=(1, 2)).numpy()

    return both


ZOOMS, PLACES = 26, 9


def smallest_between(measure: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return where a measure is smallest inside each bracket: low, high (n,) → (n,).

    Each bracket is cut in 8 and shrunk to a quarter around its smallest value, 26 times: down to
    neighbouring floats, all brackets in one evaluation. (scipy's bounded minimiser stops at the
    square root of the precision, too far from a zero to tell what happens beside it.)
    """
    shares = np.linspace(0.0, 1.0, PLACES)
    for _ in range(ZOOMS):
        x = low[:, None] + (high - low)[:, None] * shares
        values = measure(x.ravel()).reshape(x.shape)
        best = np.where(np.isnan(values), np.inf, values).argmin(axis=1)
        rows = np.arange(len(low))
        low = x[rows, np.maximum(best - 1, 0)]
        high = x[rows, np.minimum(best + 1, PLACES - 1)]
        found = x[rows, best]
    return np.asarray(found)


def dips(values: Array) -> Array:
    """Return the places (of values (n,)) that lie no higher than both neighbours."""
    lower = (values[1:-1] <= values[:-2]) & (values[1:-1] < values[2:])
    return np.asarray(1 + np.flatnonzero(lower))


def rounded_to(measure: Callable[[Array], Array], x: float) -> float:
    """Return the shortest decimal number beside x at which the measure is no larger than at x.

    What is found numerically as 1 − 3e−9 is 1, and only there does the measure vanish exactly.
    """
    candidates = np.array([*(round(x, digits) for digits in range(15)), x])
    near = np.abs(candidates - x) <= 1e-3 * max(1.0, abs(x))
    values = measure(candidates)
    fits = near & (values <= values[-1])
    return float(candidates[int(np.argmax(fits))]) if fits.any() else x
