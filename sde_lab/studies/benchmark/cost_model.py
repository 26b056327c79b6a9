"""Small runs → what a large one would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from sde_lab.studies.benchmark.registry import Growth

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CostSample:
    """What one run cost: at ``steps`` × ``samples``, in seconds or bytes."""

    steps: int
    samples: int
    cost: float


@dataclass(frozen=True)
class CostModel:
    """Σ cᵢ steps^aᵢ samples^bᵢ with cᵢ ≥ 0, fitted to measured runs.

    Attributes:
        terms: the powers (a, b).
        weights: the coefficients.
    """

    terms: Growth
    weights: tuple[float, ...]

    def __call__(self, steps: int, samples: int) -> float:
        """The cost to expect, in the unit of the runs."""
        sizes = _sizes(self.terms, [(steps, samples)])
        return float((sizes @ np.array(self.weights)).item())


def fit(runs: Sequence[CostSample], terms: Growth, noise: float) -> CostModel:
    """Non-negative least squares of the errors, relative to the cost or to the noise.

    Args:
        runs: measured runs, at least as many as there are terms.
        terms: powers (a, b) that the cost is made of.
        noise: what a measurement is off by, in the unit of the runs; positive.
    """
    costs = np.array([run.cost for run in runs])
    scale = np.maximum(costs, noise)
    sizes = _sizes(terms, [(run.steps, run.samples) for run in runs])
    weights, _ = nnls(sizes / scale[:, None], costs / scale)
    return CostModel(terms, tuple(float(weight) for weight in weights))


def _sizes(terms: Growth, at: Sequence[tuple[int, int]]) -> Array:
    """steps^a · samples^b, (runs, terms)."""
    found = [[float(k) ** a * float(n) ** b for a, b in terms] for k, n in at]
    return np.array(found, dtype=np.float64)


FITTED = 3
"""Points that a slope is fitted to: the last ones, where the size decides and not the overhead."""


def slope(sizes: Sequence[float] | Array, costs: Sequence[float] | Array) -> float:
    """Slope of log cost against log size over the last points; NaN from fewer than two."""
    if len(sizes) < 2:
        return float("nan")
    x, y = np.log(sizes[-FITTED:]), np.log(costs[-FITTED:])
    return float(np.polyfit(x, y, 1)[0])
