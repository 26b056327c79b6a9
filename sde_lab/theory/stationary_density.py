"""The stationary density of an equation of one state, where it can be normalised numerically.

p(x) ∝ exp(∫ 2f/g²) / g², with f the Itô drift, on the interval around the initial value in which g
does not vanish. That formula can also be normalised for processes that are absorbed at an end, or
whose boundary behaviour the equation leaves open; so it is returned only where both ends pass
Feller's test (see :mod:`sde_lab.theory.boundaries`): neither is reached, and the speed measure is
finite.

Sources: the zero-flux solution of the Fokker–Planck equation, Risken (1989), §5.2; Karlin and
Taylor (1981), chapter 15.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sde_lab.models.laws.base import Array
from sde_lab.scenario import Scenario
from sde_lab.theory.boundaries import GRID_POINTS, SEARCH_RADIUS, singular_points, state_interval
from sde_lab.theory.coefficients import Fields, scalar_coefficients

MAX_REFINEMENTS = 6
"""Times that the grid is laid anew over the range in which the density is not negligible."""
LARGEST_LOG_DISTANCE = 32.0
"""Coordinates start at a distance of e^−32 from a finite end, in units of the interval."""
NEGLIGIBLE_LOG_DENSITY = 36.0
"""Natural logarithm of the ratio to the maximum below which a density is neglected: e^−36 is below
the rounding of a double."""
MAX_QUADRATURE_ERROR = 1e-3
"""Relative change of the integral on every other grid point, above which it is not resolved."""
MAX_END_LOG_DENSITY = math.log(1e-5)
"""Log density, relative to the maximum and per unit of the coordinate, that is allowed at the ends
of the grid; above it the density is not normalisable."""


@dataclass(frozen=True)
class StationaryDensity:
    """A probability density on a grid of states.

    Attributes:
        values: states, increasing, (n,).
        density: density at each of them, (n,), per unit of the state; integrates to 1.
    """

    values: Array
    density: Array


def stationary_density(scenario: Scenario) -> StationaryDensity | None:
    """Return the stationary density of an SDE of one state, by the Fokker–Planck equation.

    Args:
        scenario: the equation, at its parameters; the initial value selects the state interval.

    Returns:
        The density, or None for several states or time-dependent coefficients, where an end of the
        state interval is attainable, null recurrent or undecided by Feller's test, and where the
        density could not be normalised numerically.
    """
    interval = state_interval(scenario)
    if interval is None or not interval.positive_recurrent:
        return None
    coordinate = _Coordinate(interval.low.location, interval.high.location, interval.interior_point)
    with np.errstate(all="ignore"):
        return _normalise(scalar_coefficients(scenario), coordinate)


@dataclass(frozen=True)
class _Coordinate:
    """A coordinate u on the open interval (low, high), fine near its ends and near ``centre``.

    x = centre + size·sinh(u) on the whole line, logarithmic in the distance to the end on a half
    line, the logistic function of u on a bounded interval.
    """

    low: float
    high: float
    centre: float

    @property
    def range(self) -> tuple[float, float]:
        """Range of u that the first grid covers."""
        if math.isinf(self.low) and math.isinf(self.high):
            end = math.asinh(SEARCH_RADIUS)
            return -end, end
        end = LARGEST_LOG_DISTANCE
        if math.isinf(self.high):
            return -end, math.log(SEARCH_RADIUS)
        return (-math.log(SEARCH_RADIUS), end) if math.isinf(self.low) else (-end, end)

    def state(self, u: Array) -> tuple[Array, Array]:
        """Return the state x(u) and dx/du, of the shape of u."""
        size = max(1.0, abs(self.centre))
        if math.isinf(self.low) and math.isinf(self.high):
            return self.centre + size * np.sinh(u), size * np.cosh(u)
        if math.isinf(self.high):
            distance = (self.centre - self.low) * np.exp(u)
            return self.low + distance, distance
        if math.isinf(self.low):
            distance = (self.high - self.centre) * np.exp(-u)
            return self.high - distance, distance
        share = 1.0 / (1.0 + np.exp(-u))
        width = self.high - self.low
        return self.low + width * share, width * share * (1.0 - share)


def _normalise(fields: Fields, coordinate: _Coordinate) -> StationaryDensity | None:
    """Return the normalised density, on a grid refined around its maximum; None if that fails."""
    first, last = coordinate.range
    mode = 0.0
    for _ in range(MAX_REFINEMENTS):
        u = np.linspace(first, last, GRID_POINTS)
        log_density = _log_density(fields, coordinate, u, mode)
        best = int(np.nanargmax(log_density)) if np.isfinite(log_density).any() else -1
        if best < 0 or not math.isfinite(log_density[best]):
            return None
        least = log_density[best] - NEGLIGIBLE_LOG_DENSITY
        relevant = np.flatnonzero(_upper_bound(log_density) >= least)
        left, right = max(0, relevant[0] - 1), min(GRID_POINTS - 1, relevant[-1] + 1)
        mode = float(u[best])
        if (right - left) > 0.7 * GRID_POINTS:
            break
        first, last = float(u[left]), float(u[right])
    at_ends = max(log_density[0], log_density[-1]) - log_density[best]
    if not at_ends < MAX_END_LOG_DENSITY or best in (0, GRID_POINTS - 1):
        return None
    weight = np.exp(log_density - log_density[best])  # relative to the maximum: no overflow
    x, slope = coordinate.state(u)
    total = float(np.trapezoid(weight, u))
    coarse = float(np.trapezoid(weight[::2], u[::2]))
    unresolved = not abs(coarse - total) < MAX_QUADRATURE_ERROR * total
    if unresolved or singular_points(fields, x):
        return None
    return StationaryDensity(x, weight / (total * slope))


def _upper_bound(log_density: Array) -> Array:
    """Return an upper bound of log densities between the points of a grid, (n,).

    A peak between two points, such as a narrow well far from the highest, is at most as much higher
    than the point beside it as that is higher than its neighbours.
    """
    rise = np.abs(np.diff(log_density))
    rise = np.where(np.isfinite(rise), rise, 0.0)
    bound = log_density.copy()
    peak = (log_density[1:-1] >= log_density[:-2]) & (log_density[1:-1] >= log_density[2:])
    bound[1:-1] += np.where(peak, np.maximum(rise[:-1], rise[1:]), 0.0)
    return bound


def _log_density(fields: Fields, coordinate: _Coordinate, u: Array, mode: float) -> Array:
    """Return log(p dx/du) on a grid u, up to a constant; −∞ where it has no value.

    The exponent ∫ 2f/g² dx is accumulated by Simpson's rule from ``mode`` outwards, so that its
    rounding error is smallest where the density is largest.
    """
    step = u[1] - u[0]
    between = 0.5 * (u[1:] + u[:-1])
    x, slope = coordinate.state(u)
    f, square = fields(x)
    x_between, slope_between = coordinate.state(between)
    f_between, square_between = fields(x_between)
    ratio, ratio_between = (
        2.0 * f / square * slope,
        2.0 * f_between / square_between * slope_between,
    )
    pieces = step / 6.0 * (ratio[:-1] + 4.0 * ratio_between + ratio[1:])
    start = int(np.argmin(np.abs(u - mode)))
    exponent = np.zeros_like(u)
    exponent[start + 1 :] = np.cumsum(pieces[start:])
    exponent[:start] = -np.cumsum(pieces[:start][::-1])[::-1]
    log_density = exponent - np.log(square) + np.log(slope)
    return np.where(np.isnan(log_density), -np.inf, log_density)
