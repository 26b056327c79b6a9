"""The stationary density of an equation of one state, where it can be normalised numerically.

p(x) ∝ exp(∫ 2f/g²) / g², with f the Itô drift, on the interval around the start in which g does not
vanish. That formula can be normalised for processes too that run into an end and stay there, or
whose behaviour there the equation leaves open; it is given only where both ends pass Feller's test
(see :mod:`sde_lab.theory.boundaries`): neither is reached, and the speed measure is finite.

Sources: the zero-flux solution of the Fokker–Planck equation, Risken (1989), §5.2; Karlin and
Taylor (1981), chapter 15.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sde_lab.models.laws.base import Array
from sde_lab.scenario import Scenario
from sde_lab.theory.boundaries import POINTS, singular, state_interval
from sde_lab.theory.coefficients import Fields, scalar_coefficients

PASSES = 6
_FAR = 1e6
"""How far from the start, in units of its size, the line is looked at."""
_DEEP = 36.0
"""What is e^−36 of the top no longer counts."""
_RESOLVED = 1e-3
"""A change of the integral with half the places that is still small, as a share."""
_CLOSED = math.log(1e-5)
"""What a density may still hold, per unit of the coordinate, where its interval ends."""


@dataclass(frozen=True)
class StationaryDensity:
    """A density on a grid.

    Attributes:
        values: increasing, (n,).
        density: (n,); integrates to 1.
    """

    values: Array
    density: Array


def stationary_density(scenario: Scenario) -> StationaryDensity | None:
    """Return the density that paths of the scenario approach.

    None where one of the ends of the state interval can be reached, does not return or was not
    classified, and where the density could not be normalised numerically.
    """
    interval = state_interval(scenario)
    if interval is None or not interval.positive_recurrent:
        return None
    line = _Coordinate(interval.low.place, interval.high.place, interval.middle)
    with np.errstate(all="ignore"):
        return _normalised(scalar_coefficients(scenario), line)


@dataclass(frozen=True)
class _Coordinate:
    """A coordinate u on the open interval (low, high), fine near its ends and near the middle."""

    low: float
    high: float
    middle: float

    @property
    def ends(self) -> tuple[float, float]:
        """Where u is looked at first."""
        if math.isinf(self.low) and math.isinf(self.high):
            far = math.asinh(_FAR)
            return -far, far
        if math.isinf(self.low) or math.isinf(self.high):
            return (-32.0, math.log(_FAR)) if math.isinf(self.high) else (-math.log(_FAR), 32.0)
        return -32.0, 32.0

    def at(self, u: Array) -> tuple[Array, Array]:
        """X and dx/du."""
        size = max(1.0, abs(self.middle))
        if math.isinf(self.low) and math.isinf(self.high):
            return self.middle + size * np.sinh(u), size * np.cosh(u)
        if math.isinf(self.high):
            away = (self.middle - self.low) * np.exp(u)
            return self.low + away, away
        if math.isinf(self.low):
            away = (self.high - self.middle) * np.exp(-u)
            return self.high - away, away
        share = 1.0 / (1.0 + np.exp(-u))
        width = self.high - self.low
        return self.low + width * share, width * share * (1.0 - share)


def _normalised(fields: Fields, line: _Coordinate) -> StationaryDensity | None:
    """The density in the coordinate u: looked at more and more closely around its top."""
    first, last = line.ends
    top = 0.0
    for _ in range(PASSES):
        u = np.linspace(first, last, POINTS)
        height = _log_density(fields, line, u, top)
        best = int(np.nanargmax(height)) if np.isfinite(height).any() else -1
        if best < 0 or not math.isfinite(height[best]):
            return None
        seen = np.flatnonzero(_reach(height) >= height[best] - _DEEP)
        left, right = max(0, seen[0] - 1), min(POINTS - 1, seen[-1] + 1)
        top = float(u[best])
        if (right - left) > 0.7 * POINTS:
            break
        first, last = float(u[left]), float(u[right])
    ends = max(height[0], height[-1]) - height[best]
    if not ends < _CLOSED or best in (0, POINTS - 1):
        return None
    weight = np.exp(height - height[best])
    x, slope = line.at(u)
    total = float(np.trapezoid(weight, u))
    coarse = float(np.trapezoid(weight[::2], u[::2]))
    if not abs(coarse - total) < _RESOLVED * total or singular(fields, x):
        return None
    return StationaryDensity(x, weight / (total * slope))


def _reach(height: Array) -> Array:
    """Return how high log-densities on a grid may be between its places, (n,).

    A peak between two places, such as a narrow well far from the highest, is at most as much higher
    than the place beside it as that is higher than its neighbours.
    """
    rise = np.abs(np.diff(height))
    rise = np.where(np.isfinite(rise), rise, 0.0)
    reach = height.copy()
    peak = (height[1:-1] >= height[:-2]) & (height[1:-1] >= height[2:])
    reach[1:-1] += np.where(peak, np.maximum(rise[:-1], rise[1:]), 0.0)
    return reach


def _log_density(fields: Fields, line: _Coordinate, u: Array, top: float) -> Array:
    """log(p dx/du) at u, up to a constant; −∞ where it has no value."""
    step = u[1] - u[0]
    between = 0.5 * (u[1:] + u[:-1])
    x, slope = line.at(u)
    f, square = fields(x)
    x_between, slope_between = line.at(between)
    f_between, square_between = fields(x_between)
    ratio, ratio_between = (
        2.0 * f / square * slope,
        2.0 * f_between / square_between * slope_between,
    )
    pieces = step / 6.0 * (ratio[:-1] + 4.0 * ratio_between + ratio[1:])
    start = int(np.argmin(np.abs(u - top)))
    climb = np.zeros_like(u)
    climb[start + 1 :] = np.cumsum(pieces[start:])
    climb[:start] = -np.cumsum(pieces[:start][::-1])[::-1]
    height = climb - np.log(square) + np.log(slope)
    return np.where(np.isnan(height), -np.inf, height)
