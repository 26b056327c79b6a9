"""The stationary density of an equation of one state, where it can be normalised numerically.

p(x) ∝ exp(∫ 2f/g²) / g², with f the Itô drift, on the interval around the start in which g does not
vanish.

Source: the zero-flux solution of the Fokker–Planck equation, Risken (1989), §5.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from sde_lab.fields import on_a_line
from sde_lab.models.exact import Array
from sde_lab.scenario import Scenario

Fields = Callable[[Array], tuple[Array, Array]]
POINTS = 2001
PASSES = 6
_FAR = 1e6
"""How far from the start, in units of its size, the line is looked at."""
_DEEP = 36.0
"""What is e^−36 of the top no longer counts."""
_CLOSED = math.log(1e-5)
"""What a density may still hold, per unit of the coordinate, where its interval ends."""


@dataclass(frozen=True)
class Stationary:
    """A density on a grid.

    Attributes:
        values: increasing, (n,).
        density: (n,); integrates to 1.
    """

    values: Array
    density: Array


def stationary(scenario: Scenario) -> Stationary | None:
    """The density that the paths of the scenario approach, or None where none was found."""
    model = scenario.sde
    if len(model.components) != 1 or model.time_dependent:
        return None
    fields = on_a_line(scenario)
    with np.errstate(all="ignore"):
        middle = _inside(fields, scenario.initial[0])
        return None if middle is None else _normalised(fields, _line(fields, middle))


def _inside(fields: Fields, start: float) -> float | None:
    """The start, or a place beside it, where the noise does not vanish."""
    size = max(1.0, abs(start))
    for shift in (0.0, 1e-3, -1e-3, 1e-1, -1e-1):
        f, square = fields(np.array([start + shift * size]))
        if np.isfinite(f[0]) and square[0] > 0.0:
            return start + shift * size
    return None


@dataclass(frozen=True)
class _Line:
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


def _line(fields: Fields, middle: float) -> _Line:
    """The interval around the middle in which the noise does not vanish."""
    return _Line(_edge(fields, middle, -1.0), _edge(fields, middle, 1.0), middle)


def _edge(fields: Fields, middle: float, side: float) -> float:
    """The nearest place on this side where the noise vanishes or a coefficient has no value."""
    size = max(1.0, abs(middle))
    x = middle + side * size * np.sinh(np.linspace(0.0, math.asinh(_FAR), POINTS))
    f, square = fields(x)
    fine = ~np.isnan(f) & ~np.isnan(square) & (square > 0.0)
    stop = int(np.argmin(fine)) if not fine.all() else POINTS
    dips = 1 + np.flatnonzero((square[1:-1] <= square[:-2]) & (square[1:-1] < square[2:]))
    for place in dips[dips < stop - 1]:
        one, other = float(x[place - 1]), float(x[place + 1])
        found = optimize.minimize_scalar(
            lambda y: float(fields(np.array([y]))[1][0]),
            bounds=(min(one, other), max(one, other)),
            method="bounded",
            options={"xatol": 1e-12 * size},
        )
        if found.fun < 1e-9 * max(square[place - 1], square[place + 1]):
            return float(found.x)
    if stop == POINTS:
        return side * math.inf
    return _bisected(fields, float(x[stop - 1]), float(x[stop]))


def _bisected(fields: Fields, inner: float, outer: float) -> float:
    """The border between where the noise is and where it is not."""
    for _ in range(60):
        half = 0.5 * (inner + outer)
        f, square = fields(np.array([half]))
        if not math.isnan(f[0]) and square[0] > 0.0:
            inner = half
        else:
            outer = half
    return outer


def _normalised(fields: Fields, line: _Line) -> Stationary | None:
    """The density in the coordinate u: looked at more and more closely around its top."""
    first, last = line.ends
    top = 0.0
    for _ in range(PASSES):
        u = np.linspace(first, last, POINTS)
        height = _log_density(fields, line, u, top)
        best = int(np.nanargmax(height)) if np.isfinite(height).any() else -1
        if best < 0 or not math.isfinite(height[best]):
            return None
        seen = np.flatnonzero(height >= height[best] - _DEEP)
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
    return Stationary(x, weight / (total * slope))


def _log_density(fields: Fields, line: _Line, u: Array, top: float) -> Array:
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
