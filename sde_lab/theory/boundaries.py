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
    local_minima,
    refine_minima,
    round_to_decimal,
    scalar_coefficients,
)

GRID_POINTS = 2001
"""Points of the grid on which coefficients and densities are evaluated."""
SEARCH_RADIUS = 1e6
"""Distance from the initial value, in units of its size, within which zeros and poles of the
coefficients are searched."""
ZERO_SHARE = 1e-12
"""A minimum counts as a zero below this share of the smaller value beside it."""
END_GRID_POINTS = 241
"""Points at which the integrands of Feller's test are evaluated on the approach to an end."""
UNDERFLOW_SIZE = 1e-100
"""Squares of smaller numbers underflow to 0 though the noise is not zero: an end this close to 0
is 0."""
INFINITE_END_RADIUS = 1e12
"""Distance to which an infinite end is approached, in units of the size of the interior point."""
LOG_DISTANCE_STEP = 1e-4
"""Step of v for central differences of ln g²: truncation error of order step², rounding error of
order 1e-16/step."""
END_ERROR = 1e-7
"""Relative error of an end that is not 0 or infinite: closer to it, nothing can be decided."""


@dataclass(frozen=True)
class End:
    """An end of the state interval.

    Attributes:
        location: a state, maybe infinite.
        scale_infinite: True if ∫s diverges there; None where it was not decided.
        speed_finite: True if ∫m converges there; None where it was not decided.
    """

    location: float
    scale_infinite: bool | None
    speed_finite: bool | None

    @property
    def recurrent(self) -> bool:
        """True if the end is not reached, and the process spends a finite share of time there."""
        return self.scale_infinite is True and self.speed_finite is True

    @property
    def description(self) -> str:
        """Feller's classification of the end, in words that continue "the end is"."""
        if self.scale_infinite is None or self.speed_finite is None:
            return "undecided"
        if self.scale_infinite:
            speed = "finite" if self.speed_finite else "infinite"
            return f"unattainable, with {speed} speed measure"
        if self.speed_finite:
            return "regular (attainable; the equation alone does not fix the behaviour there)"
        return "attracting (paths reach it or converge to it)"


@dataclass(frozen=True)
class StateInterval:
    """The open interval of states around the initial value in which the noise does not vanish.

    Attributes:
        low: lower end.
        high: upper end.
        interior_point: a state inside it: the initial value, or one beside it where the initial
            value has no noise.
    """

    low: End
    high: End
    interior_point: float

    @property
    def positive_recurrent(self) -> bool:
        """True if a stationary density exists, by Feller's test at both ends."""
        return self.low.recurrent and self.high.recurrent


def state_interval(scenario: Scenario) -> StateInterval | None:
    """Return the interval in which paths of the scenario move, with its ends classified.

    Returns:
        The interval, or None for several states, for time-dependent coefficients, and where paths
        do not leave the initial value or no noise was found beside it.
    """
    model = scenario.model_spec
    if len(model.components) != 1 or model.time_dependent:
        return None
    fields = scalar_coefficients(scenario)
    with np.errstate(all="ignore"):
        inside = _interior_point(fields, scenario.initial[0])
        if inside is None:
            return None
        low, high = (_locate_end(fields, inside, side) for side in (-1.0, 1.0))
        size = max(abs(inside), 1e-3)
        return StateInterval(
            _classify_end(fields, low, inside, -1.0, min(size, (high - low) / 4)),
            _classify_end(fields, high, inside, 1.0, min(size, (high - low) / 4)),
            inside,
        )


def _interior_point(fields: Fields, start: float) -> float | None:
    """Return the start if it has noise, else a state beside it to which the drift moves paths."""
    f, square = (float(values[0]) for values in fields(np.array([start])))
    if math.isfinite(f) and math.isfinite(square) and square > 0.0:
        return start
    if not (square == 0.0 and math.isfinite(f) and f != 0.0):
        return None
    shifts = np.copysign(max(1.0, abs(start)), f) * np.array([1e-9, 1e-6, 1e-3])
    drift_beside, noise = fields(start + shifts)
    moves_on = np.isfinite(drift_beside) & (np.sign(drift_beside) == np.sign(f)) & (noise > 0.0)
    return float(start + shifts[-1]) if moves_on.all() else None


def _locate_end(fields: Fields, inside: float, side: float) -> float:
    """Return the nearest state on one side where the noise vanishes or a coefficient has none.

    Args:
        fields: drift and squared diffusion.
        inside: an interior point.
        side: −1.0 for the lower end, 1.0 for the upper.

    Returns:
        The end; ∓∞ where the coefficients are regular throughout SEARCH_RADIUS.
    """
    size = max(1.0, abs(inside))
    # sinh: equal steps near the interior point, geometric steps far from it.
    x = inside + side * size * np.sinh(np.linspace(0.0, math.asinh(SEARCH_RADIUS), GRID_POINTS))
    f, square = fields(x)
    regular = ~np.isnan(f) & ~np.isnan(square) & (square > 0.0)
    stop = int(np.argmin(regular)) if not regular.all() else GRID_POINTS
    if stop == 0:
        return inside
    singularities = singular_points(fields, x[:stop])
    if len(singularities):
        return float(min(singularities, key=lambda state: abs(state - inside)))
    if stop == GRID_POINTS:
        return side * math.inf
    border = _bisect_border(fields, float(x[stop - 1]), float(x[stop]))
    return 0.0 if abs(border) < UNDERFLOW_SIZE else border


def singular_points(fields: Fields, x: Array) -> list[float]:
    """Return the first zero of the noise and the first poles of noise and drift along x (n,).

    At most one of each kind: an oscillating coefficient may have thousands. Poles are found as
    zeros of the reciprocal.
    """

    def noise(y: Array) -> Array:
        return fields(y)[1]

    def noise_pole(y: Array) -> Array:
        return np.asarray(1.0 / fields(y)[1])

    def drift_pole(y: Array) -> Array:
        return np.asarray(1.0 / np.abs(fields(y)[0]))

    singularities: list[float] = []
    for function in (noise, noise_pole, drift_pole):
        values = function(x)
        indices = local_minima(np.where(np.isnan(values), np.inf, values))
        if not len(indices):
            continue
        low, high = values[indices - 1], values[indices + 1]
        minima = refine_minima(function, x[indices - 1], x[indices + 1])
        vanishing = function(minima) <= ZERO_SHARE * np.minimum(low, high)
        nearest = sorted(minima[vanishing], key=lambda state: abs(float(state) - float(x[0])))[:1]
        singularities += [round_to_decimal(function, float(state)) for state in nearest]
    return singularities


def _bisect_border(fields: Fields, inner: float, outer: float) -> float:
    """Return the border between states with noise (inner) and without, to neighbouring floats."""
    while min(inner, outer) < (half := 0.5 * (inner + outer)) < max(inner, outer):
        f, square = fields(np.array([half]))
        if not math.isnan(f[0]) and square[0] > 0.0:
            inner = half
        else:
            outer = half
    return outer


def _classify_end(fields: Fields, end: float, inside: float, side: float, size: float) -> End:
    """Classify an end by how ln(s) and ln(m) grow in v, the logarithm of the distance.

    For a finite end, x = end ∓ e^−v; for an infinite one, x = inside ± e^v; v → ∞ at the end.
    ∫ e^h dv converges where v h′ stays below −1, and diverges where it stays above (the logarithmic
    test). That holds for oscillating coefficients too, where differences of h alone would mislead.

    Args:
        fields: drift and squared diffusion.
        end: the end, maybe infinite.
        inside: an interior point.
        side: −1.0 for the lower end, 1.0 for the upper.
        size: scale of the states between the two.
    """
    v, sign = _log_distance_grid(end, inside, size)

    def state(v: Array) -> Array:
        distance = np.exp(sign * v)
        return end - side * distance if math.isfinite(end) else inside + side * distance

    def log_slopes(v: Array) -> tuple[Array, Array]:
        """Return d/dv of ln(s dx/dv) and of ln(m dx/dv)."""
        step = LOG_DISTANCE_STEP
        f, square = fields(state(v))
        before, after = (np.log(fields(state(v + shift))[1]) for shift in (-step, step))
        slope_noise = (after - before) / (2.0 * step)
        # 2f/g² dx/dv: x increases towards an upper end, the distance towards an infinite one.
        slope_exponent = 2.0 * f / square * side * np.exp(sign * v)
        return sign - slope_exponent, sign + slope_exponent - slope_noise

    scale_slope, speed_slope = log_slopes(v)
    usable = np.isfinite(scale_slope) & np.isfinite(speed_slope)
    if not usable.any():
        return End(end, None, None)
    # The last run of finite values. Where coefficients overflow, as e^(x²) does, it ends early:
    # then the whole grid is laid over it.
    last = len(v) - int(np.argmax(usable[::-1]))
    broken = np.flatnonzero(~usable[:last])
    first = int(broken[-1]) + 1 if len(broken) else 0
    if last - first < len(v):
        v = np.linspace(v[first], v[last - 1], len(v))
        scale_slope, speed_slope = log_slopes(v)
    rounding = 1e-7 if end == 0.0 or not math.isfinite(end) else 1e-5
    scale, speed = (
        _integral_converges(v, scale_slope, rounding),
        _integral_converges(v, speed_slope, rounding),
    )
    return End(end, None if scale is None else not scale, speed)


def _log_distance_grid(end: float, inside: float, size: float) -> tuple[Array, float]:
    """Return v on the approach to an end, (n,), and the sign with which the distance grows in v."""
    if not math.isfinite(end):
        first = math.log(max(1.0, abs(inside)))
        return np.linspace(first, first + math.log(INFINITE_END_RADIUS), END_GRID_POINTS), 1.0
    # Closer than the rounding error of the end nothing can be decided; 0 has no rounding error.
    nearest = 1e-120 if end == 0.0 else END_ERROR * abs(end)
    first = -math.log(1e-2 * size)
    return np.linspace(first, max(-math.log(nearest), first + 4.0), END_GRID_POINTS), -1.0


def _integral_converges(v: Array, slope: Array, rounding: float) -> bool | None:
    """Decide whether ∫ e^h dv converges, from h′ on the approach to an end; None where unclear.

    Args:
        v: (n,), increasing.
        slope: h′, (n,).
        rounding: error of a slope.
    """
    half = len(v) // 2
    v, slope = np.maximum(v[half:], 1.0), slope[half:]
    if (slope < -rounding).all() and slope[-1] < -0.5:
        return True
    if (slope > -rounding).all():
        return False
    # Slopes in between: h′ ≈ a + b/v by least squares, so that e^h ≈ e^{av} v^b. The integral
    # converges for a < 0, and for a = 0 if b < −1.
    design = np.stack([np.ones_like(v), 1.0 / v], axis=1)
    (a, b), *_ = np.linalg.lstsq(design, slope, rcond=None)
    residual = float(np.abs(design @ [a, b] - slope).max())
    if residual <= max(rounding, 0.1 * abs(float(a)), 0.02 * abs(float(b)) / float(v[-1])):
        if abs(a) > max(2.0 * residual, 10.0 * rounding):
            return bool(a < 0.0)
        if abs(b + 1.0) > 0.2:
            return bool(b < -1.0)
    return None
