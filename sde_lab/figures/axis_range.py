"""Axis ranges: they contain the required curves, with ends round enough to stay in place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

OUTLYING = 1e3
"""Times the median of their sizes that curves may be as large and still decide on an axis."""
NOTHING = 1e-30
"""Smaller values are drawn as zero. Values carry units: in metres an atom's size is 1e−10."""


def axis_range(
    required: Sequence[Array], optional: Sequence[Array], *, least: float = 0.05
) -> list[float]:
    """Return an axis range that contains all required curves; optional ones may widen it by half.

    Args:
        required: curves that must be seen, such as the edges of the 90 % band.
        optional: curves that may widen the range, by half its width at most on each side: a mean
            that outliers drag away, single paths.
        least: smallest half-width, as a share of the largest number on the axis.
    """
    low, high = _ends(required)
    if not math.isfinite(low + high):
        low, high = _ends(optional)
        if not math.isfinite(low + high):
            return [-1.0, 1.0]
    near, far = _ends(optional)
    room = (high - low) / 2
    if math.isfinite(near + far):
        low, high = min(low, max(near, low - room)), max(high, min(far, high + room))
    return _rounded(low, high, least)


def typical(sizes: Array) -> NDArray[np.bool_]:
    """Tell which sizes, (P,), are not those of paths that an unstable scheme has driven away."""
    known = np.isfinite(sizes) & (sizes > 0.0)
    return np.asarray(~(sizes > OUTLYING * np.median(sizes[known]))) if known.any() else ~known


def _ends(curves: Sequence[Array]) -> tuple[float, float]:
    values = np.concatenate([np.ravel(curve) for curve in curves]) if curves else np.empty(0)
    values = values[np.isfinite(values)]
    if not values.size:
        return math.nan, math.nan
    return float(np.min(values)), float(np.max(values))


def _rounded(low: float, high: float, least: float) -> list[float]:
    """[low, high] with some air, its ends on a round grid so that new noise rarely moves them."""
    size = max(abs(low), abs(high))
    if size < NOTHING:
        return [-1.0, 1.0]
    middle, half = (low + high) / 2, max((high - low) / 2, least * size) * 1.05
    unit = _round_below(half / 8)
    return [
        math.floor((middle - half) / unit) * unit,
        math.ceil((middle + half) / unit) * unit,
    ]


def _round_below(value: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is at most a positive value."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(m * power for m in (5.0, 2.0, 1.0) if m * power <= value * (1 + 1e-12))
