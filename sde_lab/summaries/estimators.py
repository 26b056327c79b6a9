"""Estimates over samples, each with its standard error. Samples run along the last axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Moments:
    """Mean and spread of rows of samples.

    Attributes:
        mean: float64, of the shape of the rows.
        std: sample standard deviation; NaN for one sample.
        mean_error: standard error of the mean.
        std_error: standard error of the standard deviation, from the fourth moment.
    """

    mean: Array
    std: Array
    mean_error: Array
    std_error: Array


def moments(values: Array) -> Moments:
    """Moments of each row of values (…, N)."""
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
    std = np.sqrt(second * count / (count - 1))
    spread = np.sqrt((fourth - second**2 * (count - 3) / (count - 1)) / count)
    std_error = np.divide(spread, 2.0 * std, out=np.zeros_like(std), where=std > 0.0)
    return Moments(mean, std, std / math.sqrt(count), std_error)


def std_derivative(values: Array, derivatives: Array) -> tuple[Array, Array]:
    """Derivative of the standard deviation of rows of values (…, N), and its standard error.

    With s² = Var X, ds/dp = Cov(X, ∂X/∂p) / s. The error is that of a mean of influences: how much
    each sample moves the ratio. NaN for fewer than two samples, and where the spread is zero.
    """
    count = values.shape[-1]
    if count < 2:
        unknown = np.full(values.shape[:-1], np.nan)
        return unknown, unknown
    if values.ndim > 2:  # table by table, each in the caches
        parts = [std_derivative(*pair) for pair in zip(values, derivatives, strict=True)]
        return np.stack([slope for slope, _ in parts]), np.stack([error for _, error in parts])
    x = values - values.mean(axis=-1, dtype=np.float64)[..., None]
    j = derivatives - derivatives.mean(axis=-1, dtype=np.float64)[..., None]
    products, squares = x * j, x * x
    both, variance = products.mean(axis=-1), squares.mean(axis=-1)
    variance = np.where(variance > 0.0, variance, np.nan)
    # The influence of a sample is ((x j - both) - c (x² - variance)) / s; its square is summed by
    # parts, as arrays of its terms would cost more than all else here.
    c = both / (2.0 * variance)
    spread = np.vecdot(products, products) / count - both**2
    spread -= 2.0 * c * (np.vecdot(products, squares) / count - both * variance)
    spread += c**2 * (np.vecdot(squares, squares) / count - variance**2)
    std, error = np.sqrt(variance), np.sqrt(np.maximum(spread, 0.0) / variance / (count - 1))
    return both / std * math.sqrt(count / (count - 1)), error


def quantiles(ordered: Array, levels: Sequence[float]) -> Array:
    """Quantiles of rows (…, N) sorted along their samples, (…, levels).

    Linear between order statistics (Hyndman and Fan, type 7); NaN where there is no sample.
    """
    count = ordered.shape[-1]
    if count == 0:
        return np.full((*ordered.shape[:-1], len(levels)), np.nan)
    place = np.array(levels) * (count - 1)
    below = place.astype(np.intp)
    above = np.minimum(below + 1, count - 1)
    share = (place - below).astype(ordered.dtype)
    low, high = ordered[..., below], ordered[..., above]
    return np.asarray(low + share * (high - low))


def quantile_error(ordered: Array, level: float) -> Array:
    """Standard error of a quantile of rows (…, N) sorted along their samples, whatever their law.

    The number of samples below the true quantile is binomial, so the order statistics two of its
    standard deviations to either side hold the quantile in 95 % of cases; a quarter of their
    distance is the error. NaN where one of them would lie outside the sample.

    Source: David and Nagaraja (2003), Order Statistics, §7.1.
    """
    count = ordered.shape[-1]
    reach = 2.0 * math.sqrt(count * level * (1.0 - level))
    low, high = count * level - 0.5 - reach, count * level - 0.5 + reach
    if low < 0.0 or high > count - 1:
        return np.full(ordered.shape[:-1], np.nan)
    ends = quantiles(ordered, (low / (count - 1), high / (count - 1))).astype(np.float64)
    return np.asarray((ends[..., 1] - ends[..., 0]) / 4.0)


def proportion(hits: NDArray[np.bool_]) -> tuple[Array, Array]:
    """The share of hits in rows (…, N), and its standard error.

    The error adds two hits and two misses, so that it is not zero where all samples agree.

    Source: Agresti and Coull (1998), Approximate is better than "exact" for interval estimation.
    """
    count = hits.shape[-1]
    if count == 0:
        unknown = np.full(hits.shape[:-1], np.nan)
        return unknown, unknown
    number = hits.sum(axis=-1)
    padded = (number + 2.0) / (count + 4.0)
    return number / count, np.sqrt(padded * (1.0 - padded) / (count + 4.0))
