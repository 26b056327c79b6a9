"""Predict the cost of a large run from small ones, by a polynomial in steps and samples."""

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
    """The cost of one run at ``steps`` × ``samples``, in seconds or bytes."""

    steps: int
    samples: int
    cost: float


@dataclass(frozen=True)
class CostModel:
    """Σ cᵢ steps^aᵢ samples^bᵢ with cᵢ ≥ 0, fitted to measured runs.

    Attributes:
        terms: the powers (aᵢ, bᵢ).
        weights: the coefficients cᵢ.
    """

    terms: Growth
    weights: tuple[float, ...]

    def __call__(self, steps: int, samples: int) -> float:
        """Return the expected cost, in the unit of the runs."""
        powers = _powers(self.terms, [(steps, samples)])
        return float((powers @ np.array(self.weights)).item())


def fit(runs: Sequence[CostSample], terms: Growth, noise: float) -> CostModel:
    """Fit a cost model by non-negative least squares.

    Errors are taken relative to the cost, or to the noise where that is larger, so that the small
    runs count as much as the large ones. Negative coefficients would let the model extrapolate to
    negative costs.

    Args:
        runs: measured runs, at least as many as there are terms.
        terms: powers (a, b) of the model's terms.
        noise: typical error of a measurement, in the unit of the runs; positive.
    """
    costs = np.array([run.cost for run in runs])
    scale = np.maximum(costs, noise)
    powers = _powers(terms, [(run.steps, run.samples) for run in runs])
    # rows divided by the scale: least squares of relative errors
    weights, _ = nnls(powers / scale[:, None], costs / scale)
    return CostModel(terms, tuple(float(weight) for weight in weights))


def _powers(terms: Growth, sizes: Sequence[tuple[int, int]]) -> Array:
    """Return steps^a · samples^b of each size and term, (sizes, terms)."""
    powers = [[float(k) ** a * float(n) ** b for a, b in terms] for k, n in sizes]
    return np.array(powers, dtype=np.float64)


FITTED = 3
"""Number of points to which a slope is fitted: the largest sizes, where overhead matters least."""


def slope(
    sizes: Sequence[float] | Array,
    costs: Sequence[float] | Array,
    errors: Sequence[float] | Array,
) -> tuple[float, float]:
    """Return the slope of log cost against log size over the last points, and its standard error.

    A cost that grows as O(size^p) has slope p.

    Args:
        sizes: increasing, (P,).
        costs: (P,)
        errors: standard errors of the costs, (P,); NaN where one is not known.

    Returns:
        Both NaN for fewer than :data:`FITTED` points. The error is the larger one of what the
        errors of the costs give, and what the points' distances from the line give; NaN where
        errors are not known.
    """
    if len(sizes) < FITTED:
        return float("nan"), float("nan")
    x, y = np.log(sizes[-FITTED:]), np.log(costs[-FITTED:])
    relative = np.asarray(errors[-FITTED:], dtype=np.float64) / np.asarray(costs[-FITTED:])
    power, shift = np.polyfit(x, y, 1)
    squares = (x - x.mean()) ** 2
    scatter = ((y - power * x - shift) ** 2).sum() / (FITTED - 2)
    measured = (squares * relative**2).sum() / squares.sum()
    return float(power), float(np.sqrt(np.maximum(scatter, measured) / squares.sum()))
