"""The state interval of an equation of one state, and Feller's test at both of its ends.

With f the Itô drift and g² the squared diffusion, the scale density is s = exp(−∫ 2f/g²) and the
speed density m = 1/(g² s). An end at which ∫s diverges is not reached. Where ∫m converges as well
at both ends, the process is positive recurrent and m, normalised, is its stationary density.

Source: Karlin and Taylor (1981), A Second Course in Stochastic Processes, chapter 15, §§5–6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sde_lab.models.laws.base import Array
from sde_lab.scenario import Scenario
from sde_lab.theory.coefficients import (
    Fields,
    dips,
    rounded_to,
    scalar_coefficients,
    smallest_between,
)

POINTS = 2001
FAR = 1e6
"""How far from the start, in units of its size, the line is looked at."""
_VANISHING = 1e-12
"""A minimum that counts as zero, as a share of the smaller of the values beside it."""
_TAIL = 241
"""Places at which the integrands are looked at on the way to an end."""
_UNDERFLOW = 1e-100
"""The square of what is smaller may be zero though its noise is not: such a border is 0."""
_FAR_TAIL = 1e12
"""How far an infinite end is approached, in units of the size of the place in the middle."""
_STEP = 1e-4
"""Of v, for differences of ln g²: their error is this squared, plus rounding divided by it."""


@dataclass(frozen=True)
class End:
    """An end of the state interval.

    Attributes:
        place: where it is, maybe infinite.
        scale_infinite: whether ∫s diverges there; None where it was not decided.
        speed_finite: whether ∫m converges there; None where it was not decided.
    """

    place: float
    scale_infinite: bool | None
    speed_finite: bool | None

    @property
    def recurrent(self) -> bool:
        """Whether the end is not reached, and the process spends a finite share of time there."""
        return self.scale_infinite is True and self.speed_finite is True

    @property
    def said(self) -> str:
        """What is known of the end, in words that follow on "the end is"."""
        if self.scale_infinite is None or self.speed_finite is None:
            return "undecided"
        if self.scale_infinite:
            speed = "finite" if self.speed_finite else "infinite"
            return f"unattainable, the speed measure {speed}"
        if self.speed_finite:
            return "regular: it is reached, and what happens then the equation does not say"
        return "attracting: paths end there or approach it"


@dataclass(frozen=True)
class StateInterval:
    """The open interval in which the noise does not vanish, and a place in it."""

    low: End
    high: End
    middle: float

    @property
    def positive_recurrent(self) -> bool:
        """Whether a stationary density exists, by Feller's test at both ends."""
        return self.low.recurrent and self.high.recurrent


def state_interval(scenario: Scenario) -> StateInterval | None:
    """Return the interval in which paths of the scenario move, with its ends classified.

    None for several states, for coefficients that read the time, and where paths do not leave the
    start or no noise was found beside it.
    """
    model = scenario.model_spec
    if len(model.components) != 1 or model.time_dependent:
        return None
    fields = scalar_coefficients(scenario)
    with np.errstate(all="ignore"):
        middle = _inside(fields, scenario.initial[0])
        if middle is None:
            return None
        low, high = (_edge(fields, middle, side) for side in (-1.0, 1.0))
        size = max(abs(middle), 1e-3)
        return StateInterval(
            _end(fields, low, middle, -1.0, min(size, (high - low) / 4)),
            _end(fields, high, middle, 1.0, min(size, (high - low) / 4)),
            middle,
        )


def _inside(fields: Fields, start: float) -> float | None:
    """Return the start if it has noise, else a place beside it to which the drift pushes paths."""
    f, square = (float(values[0]) for values in fields(np.array([start])))
    if math.isfinite(f) and math.isfinite(square) and square > 0.0:
        return start
    if not (square == 0.0 and math.isfinite(f) and f != 0.0):
        return None
    shifts = np.copysign(max(1.0, abs(start)), f) * np.array([1e-9, 1e-6, 1e-3])
    beside, noise = fields(start + shifts)
    on_the_way = np.isfinite(beside) & (np.sign(beside) == np.sign(f)) & (noise > 0.0)
    return float(start + shifts[-1]) if on_the_way.all() else None


def _edge(fields: Fields, middle: float, side: float) -> float:
    """Return the nearest place on this side where the noise vanishes or a coefficient breaks."""
    size = max(1.0, abs(middle))
    x = middle + side * size * np.sinh(np.linspace(0.0, math.asinh(FAR), POINTS))
    f, square = fields(x)
    fine = ~np.isnan(f) & ~np.isnan(square) & (square > 0.0)
    stop = int(np.argmin(fine)) if not fine.all() else POINTS
    if stop == 0:
        return middle
    found = singular(fields, x[:stop])
    if len(found):
        return float(min(found, key=lambda place: abs(place - middle)))
    if stop == POINTS:
        return side * math.inf
    border = _bisected(fields, float(x[stop - 1]), float(x[stop]))
    return 0.0 if abs(border) < _UNDERFLOW else border


def singular(fields: Fields, x: Array) -> list[float]:
    """Return the first zero of the noise and the first poles of noise and drift along x (n,).

    At most one of each kind: an oscillating coefficient may have thousands.
    """

    def noise(y: Array) -> Array:
        return fields(y)[1]

    def noise_pole(y: Array) -> Array:
        return np.asarray(1.0 / fields(y)[1])

    def drift_pole(y: Array) -> Array:
        return np.asarray(1.0 / np.abs(fields(y)[0]))

    found: list[float] = []
    for measure in (noise, noise_pole, drift_pole):
        values = measure(x)
        places = dips(np.where(np.isnan(values), np.inf, values))
        if not len(places):
            continue
        low, high = values[places - 1], values[places + 1]
        least = smallest_between(measure, x[places - 1], x[places + 1])
        vanishing = measure(least) <= _VANISHING * np.minimum(low, high)
        nearest = sorted(least[vanishing], key=lambda place: abs(float(place) - float(x[0])))[:1]
        found += [rounded_to(measure, float(place)) for place in nearest]
    return found


def _bisected(fields: Fields, inner: float, outer: float) -> float:
    """Return the border between where the noise is and where it is not."""
    while min(inner, outer) < (half := 0.5 * (inner + outer)) < max(inner, outer):
        f, square = fields(np.array([half]))
        if not math.isnan(f[0]) and square[0] > 0.0:
            inner = half
        else:
            outer = half
    return outer


def _end(fields: Fields, place: float, middle: float, side: float, size: float) -> End:
    """Classify an end by how ln(s) and ln(m) grow in v, the logarithm of the distance.

    For a finite end, x = place ∓ e^−v; for an infinite one, x = middle ± e^v; v → ∞ at the end.
    ∫ e^h dv converges where v h′ stays below −1, and diverges where it stays above (the logarithmic
    test). That holds for pieces that oscillate too, where differences of h alone would mislead.
    """
    v, flow = _way(place, middle, size)

    def at(v: Array) -> Array:
        distance = np.exp(flow * v)
        return place - side * distance if math.isfinite(place) else middle + side * distance

    def integrands(v: Array) -> tuple[Array, Array]:
        f, square = fields(at(v))
        before, after = (np.log(fields(at(v + shift))[1]) for shift in (-_STEP, _STEP))
        slope_noise = (after - before) / (2.0 * _STEP)
        # 2f/g² dx/dv: towards an end on the right x grows, as does the distance to a far end.
        along = 2.0 * f / square * side * np.exp(flow * v)
        return flow - along, flow + along - slope_noise

    scale_slope, speed_slope = integrands(v)
    usable = np.isfinite(scale_slope) & np.isfinite(speed_slope)
    if not usable.any():
        return End(place, None, None)
    last = len(v) - int(np.argmax(usable[::-1]))
    broken = np.flatnonzero(~usable[:last])
    first = int(broken[-1]) + 1 if len(broken) else 0
    if last - first < len(v):  # where coefficients overflow, as e^(x²) does, look closer before
        v = np.linspace(v[first], v[last - 1], len(v))
        scale_slope, speed_slope = integrands(v)
    exact = 1e-7 if place == 0.0 or not math.isfinite(place) else 1e-5
    scale, speed = _converges(v, scale_slope, exact), _converges(v, speed_slope, exact)
    return End(place, None if scale is None else not scale, speed)


def _way(place: float, middle: float, size: float) -> tuple[Array, float]:
    """Return v on the way to an end, (n,), and the sign with which the distance grows in v."""
    if not math.isfinite(place):
        first = math.log(max(1.0, abs(middle)))
        return np.linspace(first, first + math.log(_FAR_TAIL), _TAIL), 1.0
    # From the rounding of the place on, nothing can be told; beside 0 there is no rounding.
    nearest = 1e-120 if place == 0.0 else 1e-7 * abs(place)
    first = -math.log(1e-2 * size)
    return np.linspace(first, max(-math.log(nearest), first + 4.0), _TAIL), -1.0


def _converges(v: Array, slope: Array, exact: float) -> bool | None:
    """Return whether ∫ e^h dv converges, from h′ on the way to an end; None where unclear.

    Args:
        v: (n,), increasing.
        slope: h′, (n,).
        exact: below this, a slope is rounding.
    """
    half = len(v) // 2
    v, slope = np.maximum(v[half:], 1.0), slope[half:]
    if (slope < -exact).all() and slope[-1] < -0.5:
        return True
    if (slope > -exact).all():
        return False
    # Slopes in between: h′ ≈ a + b/v, with a the exponent and b that of a logarithm.
    design = np.stack([np.ones_like(v), 1.0 / v], axis=1)
    (a, b), *_ = np.linalg.lstsq(design, slope, rcond=None)
    left = float(np.abs(design @ [a, b] - slope).max())
    if left <= max(exact, 0.1 * abs(float(a)), 0.02 * abs(float(b)) / float(v[-1])):
        if abs(a) > max(2.0 * left, 10.0 * exact):
            return bool(a < 0.0)
        if abs(b + 1.0) > 0.2:
            return bool(b < -1.0)
    return None
