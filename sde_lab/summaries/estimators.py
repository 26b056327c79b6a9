"""Estimators of moments and quantiles with their standard errors; samples along the last axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of rows of samples, with standard errors; float64, (…) each.

    Attributes:
        mean: sample mean.
        std: sample standard deviation; NaN for one sample.
        mean_error: standard error of the mean.
        std_error: standard error of the standard deviation, from the fourth moment.
    """

    mean: Array
    std: Array
    mean_error: Array
    std_error: Array


def moments(values: Array) -> Moments:
    """Estimate mean and standard deviation of each row of values (…, N), with standard errors.

    All NaN without samples; only the mean is known from one.
    """
    count = values.shape[-1]
    unknown = np.full(values.shape[:-1], np.nan)
    if count == 0:
        return Moments(unknown, unknown, unknown, unknown)
    mean = values.mean(axis=-1, dtype=np.float64)
    if count == 1:
        return Moments(mean, unknown, unknown, unknown)
    centred = values - mean[..., None]
    square = centred * centred
    second = square.mean(axis=-1)
    fourth = np.einsum("...n,...n->...", square, square) / count
    return _moments(count, mean, second, fourth)


def _moments(count: int, mean: Array, second: Array, fourth: Array) -> Moments:
    """Return mean and standard deviation of two samples or more, from their central moments."""
    std = np.sqrt(second * count / (count - 1))
    # Var s² = (μ₄ − σ⁴ (N − 3)/(N − 1)) / N, and by the delta method SE(s) = SE(s²) / 2s.
    # Of two values that are equally frequent it is zero, and rounding may leave less.
    excess = np.maximum(fourth - second**2 * (count - 3) / (count - 1), 0.0)
    variance_error = np.sqrt(excess / count)
    std_error = np.divide(variance_error, 2.0 * std, out=np.zeros_like(std), where=std > 0.0)
    return Moments(mean, std, std / math.sqrt(count), std_error)


class MergedMoments:
    """Mean and central moments of rows of samples that come in parts, in float64.

    Args:
        rows: number of rows.

    Attributes:
        count: number of samples so far.

    Source: Pébay (2008), Formulas for robust, one-pass parallel computation of covariances and
    arbitrary-order statistical moments, §3.
    """

    def __init__(self, rows: int) -> None:
        self.count = 0
        self._mean = np.zeros(rows)
        self._sums = np.zeros((3, rows))  # of the second, third and fourth power of x − mean

    def add(self, count: int, mean: Array, sums: Array) -> None:
        """Take another part into account.

        Args:
            count: number of its samples, one at least.
            mean: their means, (rows,).
            sums: sums of the second, third and fourth powers of x − mean, (3, rows).
        """
        a, b = float(self.count), float(count)
        n = a + b
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # float64 states may be as large as 1e300
            shift = mean - self._mean
            (a2, a3, a4), (b2, b3, b4) = self._sums, sums
            second = a2 + b2 + shift**2 * (a * b / n)
            third = a3 + b3 + shift**3 * (a * b * (a - b) / n**2)
            third += 3.0 * shift * (a * b2 - b * a2) / n
            fourth = a4 + b4 + shift**4 * (a * b * (a * a - a * b + b * b) / n**3)
            fourth += 6.0 * shift**2 * (a * a * b2 + b * b * a2) / n**2
            fourth += 4.0 * shift * (a * b3 - b * a3) / n
            self._mean = self._mean + shift * (b / n)
        self._sums = np.stack([second, third, fourth])
        self.count += count

    def estimate(self) -> Moments:
        """Return means and standard deviations with their errors, as :func:`moments` does."""
        if self.count < 2:
            unknown = np.full(len(self._mean), np.nan)
            mean = self._mean.copy() if self.count else unknown
            return Moments(mean, unknown, unknown, unknown)
        with np.errstate(over="ignore", invalid="ignore"):
            second, _, fourth = self._sums / self.count
            return _moments(self.count, self._mean.copy(), second, fourth)


def std_derivative(values: Array, derivatives: Array) -> tuple[Array, Array]:
    """Estimate the derivative of the standard deviation by a parameter, with its standard error.

    With s² = Var X, ds/dp = Cov(X, ∂X/∂p) / s. The error is that of the mean of the estimator's
    influence function.

    Args:
        values: samples of X, (…, N).
        derivatives: samples of ∂X/∂p, of the same shape.

    Returns:
        Derivative and standard error, (…) each; NaN for fewer than two samples, and where the
        standard deviation is zero.
    """
    count = values.shape[-1]
    if count < 2:
        unknown = np.full(values.shape[:-1], np.nan)
        return unknown, unknown
    if values.ndim > 2:  # one table (…, N) at a time, so that temporaries stay in the CPU caches
        parts = [std_derivative(*pair) for pair in zip(values, derivatives, strict=True)]
        return np.stack([slope for slope, _ in parts]), np.stack([error for _, error in parts])
    x = values - values.mean(axis=-1, dtype=np.float64)[..., None]
    j = derivatives - derivatives.mean(axis=-1, dtype=np.float64)[..., None]
    products, squares = x * j, x * x
    both, variance = products.mean(axis=-1), squares.mean(axis=-1)
    variance = np.where(variance > 0.0, variance, np.nan)
    # The influence of a sample is ((x j - both) - c (x² - variance)) / s. Its mean square is
    # expanded into dot products, as arrays of its terms would cost more than all else here.
    c = both / (2.0 * variance)
    mean_square = np.vecdot(products, products) / count - both**2
    mean_square -= 2.0 * c * (np.vecdot(products, squares) / count - both * variance)
    mean_square += c**2 * (np.vecdot(squares, squares) / count - variance**2)
    std = np.sqrt(variance)
    error = np.sqrt(np.maximum(mean_square, 0.0) / variance / (count - 1))
    return both / std * math.sqrt(count / (count - 1)), error


def quantiles(ordered: Array, levels: Sequence[float]) -> Array:
    """Estimate quantiles by linear interpolation of order statistics (Hyndman and Fan, type 7).

    Args:
        ordered: rows (…, N) sorted along their samples.
        levels: levels in [0, 1].

    Returns:
        (…, levels); NaN where there is no sample.
    """
    count = ordered.shape[-1]
    if count == 0:
        return np.full((*ordered.shape[:-1], len(levels)), np.nan)
    position = np.array(levels) * (count - 1)
    below = position.astype(np.intp)
    above = np.minimum(below + 1, count - 1)
    share = (position - below).astype(ordered.dtype)
    low, high = ordered[..., below], ordered[..., above]
    return np.asarray(low + share * (high - low))


def binned_quantiles(
    edges: Array,
    ranks: NDArray[np.integer],
    low: Array,
    high: Array,
    count: int,
    levels: Sequence[float],
) -> tuple[Array, Array]:
    """Estimate the quantiles of :func:`quantiles` from counts in bins, with a bound of the error.

    The counts tell in which bin each order statistic lies, so no distribution is assumed: the bound
    holds for every sample.

    Args:
        edges: edges of the bins, increasing along the last axis, (R, E).
        ranks: number of samples below each edge, (R, E).
        low: least sample of each row, (R,).
        high: greatest sample, (R,).
        count: number of samples, one at least.
        levels: levels in [0, 1].

    Returns:
        Quantiles, in the precision of ``edges``, and the largest possible distance from those of
        all samples, in float64; (R, levels) each.
    """
    rows = np.arange(len(edges))
    last = edges.shape[1] - 1

    def bin_of(rank: int) -> tuple[Array, Array, Array, Array]:
        """Return ends of the bin of an order statistic, and the ranks where it begins and ends."""
        right = (ranks <= rank).sum(axis=1)  # index of the first edge above it
        inner, begin = np.minimum(right, last), np.maximum(right - 1, 0)
        # A bin does not hold its right edge, so its greatest member is the number before that.
        end = np.nextafter(edges[rows, inner], edges.dtype.type(-np.inf))
        bottom = np.where(right > 0, np.maximum(edges[rows, begin], low), low)
        top = np.where(right <= last, np.minimum(end, high), high)
        first = np.where(right > 0, ranks[rows, begin], 0)
        behind = np.where(right <= last, ranks[rows, inner], count)
        return bottom.astype(np.float64), top.astype(np.float64), first, behind

    values = np.empty((len(edges), len(levels)), edges.dtype)
    bounds = np.empty(values.shape)
    for i, level in enumerate(levels):
        position = level * (count - 1)
        below = int(position)
        bottom, top, first, behind = bin_of(below)
        highest = bin_of(min(below + 1, count - 1))[1]
        share = np.clip((position - first + 0.5) / (behind - first), 0.0, 1.0)
        values[:, i] = bottom * (1.0 - share) + top * share
        found = np.clip(values[:, i].astype(np.float64), bottom, highest)
        values[:, i] = found
        with np.errstate(over="ignore"):
            distance = np.maximum(found - bottom, highest - found)
            # The interpolation between order statistics rounds, unless both are the same number.
            rounding = 2.0 * np.spacing(np.maximum(abs(bottom), abs(highest)).astype(edges.dtype))
        bounds[:, i] = np.where(distance > 0.0, distance + rounding, 0.0)
    return values, bounds


def quantile_error(ordered: Array, level: float) -> Array:
    """Estimate the standard error of a quantile, free of assumptions on the distribution.

    The number of samples below the true quantile is binomial, so the order statistics two of its
    standard deviations to either side enclose the quantile in 95 % of cases; a quarter of their
    distance is the error.

    Args:
        ordered: rows (…, N) sorted along their samples.
        level: level in (0, 1).

    Returns:
        Standard errors, (…); NaN where one of the order statistics would lie outside the sample.

    Source: David and Nagaraja (2003), Order Statistics, §7.1.
    """
    count = ordered.shape[-1]
    half_width = 2.0 * math.sqrt(count * level * (1.0 - level))  # in ranks
    low, high = count * level - 0.5 - half_width, count * level - 0.5 + half_width
    if low < 0.0 or high > count - 1:
        return np.full(ordered.shape[:-1], np.nan)
    ends = quantiles(ordered, (low / (count - 1), high / (count - 1))).astype(np.float64)
    return np.asarray((ends[..., 1] - ends[..., 0]) / 4.0)


def proportion(hits: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Estimate a probability by the share of hits in rows (…, N), with its standard error.

    For the error two hits and two misses are added, so that it is not zero where all samples agree.

    Source: Agresti and Coull (1998), Approximate is better than "exact" for interval estimation.
    """
    count = hits.shape[-1]
    if count == 0:
        unknown = np.full(hits.shape[:-1], np.nan)
        return unknown, unknown
    number = hits.sum(axis=-1)
    padded = (number + 2.0) / (count + 4.0)
    return number / count, np.sqrt(padded * (1.0 - padded) / (count + 4.0))
