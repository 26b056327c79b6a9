"""Correlations of noises: which numbers are those of any noises at all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Pair = tuple[int, int]
MIN_EIGENVALUE = 1e-6
"""Smallest eigenvalue of a matrix of correlations that has a Cholesky factor in float32."""


def misfit(correlations: Mapping[Pair, float], noises: tuple[str, ...]) -> tuple[Pair, str] | None:
    """Return a pair whose correlation does not fit those of the others, and why; None if all fit.

    Correlations are those of some noises exactly if their matrix is positive definite.

    Args:
        correlations: correlation of each pair of noises, by their indices; 0 where it is left out.
        noises: names of the noises.

    Returns:
        The last pair that alone can be changed to fit, or the last of all, with a hint.
    """
    matrix = np.eye(len(noises))
    for (i, j), value in correlations.items():
        matrix[i, j] = matrix[j, i] = value
    if not correlations or _is_definite(matrix):
        return None
    hint = "these correlations are those of no noises: their matrix is not positive definite"
    for i, j in reversed(list(correlations)):
        bounds = _fitting_interval(matrix, i, j)
        if bounds is not None:
            low, high = bounds
            return (i, j), (
                f"{hint}; with the others as they are, corr({noises[i]}, {noises[j]})"
                f" must lie between {low:.3g} and {high:.3g}"
            )
    return list(correlations)[-1], f"{hint}; smaller ones are"


def _is_definite(matrix: NDArray[np.float64]) -> bool:
    return not len(matrix) or bool(np.linalg.eigvalsh(matrix)[0] > MIN_EIGENVALUE)


def _fitting_interval(matrix: NDArray[np.float64], i: int, j: int) -> tuple[float, float] | None:
    """Return between which values an entry must lie; None where no value of it would do.

    Given all other noises, the two have variances b and c and covariance ρ − a, with |ρ − a| < √bc.
    """
    rest = [k for k in range(len(matrix)) if k not in (i, j)]
    for one in (i, j):
        if not _is_definite(matrix[np.ix_([*rest, one], [*rest, one])]):
            return None
    between = matrix[np.ix_(rest, [i, j])]
    known = between.T @ np.linalg.solve(matrix[np.ix_(rest, rest)], between)
    middle = float(known[0, 1])
    width = float(np.sqrt((1.0 - known[0, 0]) * (1.0 - known[1, 1])))
    return middle - width, middle + width
