"""Where the drift stands still, and whether it pulls or pushes there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from scipy import optimize

from sde_lab.models.laws.base import Array
from sde_lab.scenario import Scenario
from sde_lab.theory.coefficients import dips, drift, rounded_to, smallest_between

_FAR = 1e4
_POINTS = 4001
_STARTS = {2: (-5.0, -1.0, 0.1, 0.9, 5.0), 3: (-7.0, 0.1, 0.9, 7.0)}
"""Starts along each state, in units of its initial value, with two states and with more."""
_TRIES = 60
"""Evaluations of the drift from one start."""
_ZERO = 1e-9
"""The drift at a zero, as a share of the drift around it."""
_ROUNDING = 1e-12
"""A drift that ends in zeros from below this share of the largest has underflown or saturated."""
_FLAT = 1e-8
"""A real part that tells nothing, as a share of the Jacobian's norm."""
MAX_POINTS = 12
"""Points that are told of at most."""


@dataclass(frozen=True)
class FixedPoint:
    """A zero of the drift.

    Attributes:
        state: (D,) numbers.
        stable: whether the drift alone pulls back to it; None where it was not told.
        isolated: False where further zeros were found as near as one looks.
    """

    state: tuple[float, ...]
    stable: bool | None
    isolated: bool


def fixed_points(scenario: Scenario, most: int = MAX_POINTS) -> tuple[FixedPoint, ...]:
    """Return zeros of the drift, found numerically; none if the drift reads the time.

    With one state they are looked for within 10⁴ of 0 and of the start, with more by Newton's
    method from a lattice of starts: isolated points may be missed, and lines of them show as some
    of their points.

    Args:
        scenario: the equation, at its parameters.
        most: where there are more, those nearest to the start are given, in increasing order.
    """
    if scenario.model_spec.drift_time_dependent:
        return ()
    with np.errstate(all="ignore"):
        if len(scenario.initial) == 1:
            return _on_a_line(scenario, most)
        states = _nearest(_from_starts(scenario), scenario, most)
        return tuple(_classify(scenario, state) for state in states)


def _nearest(
    states: list[tuple[float, ...]], scenario: Scenario, most: int
) -> list[tuple[float, ...]]:
    return sorted(sorted(states, key=lambda state: math.dist(state, scenario.initial))[:most])


def _on_a_line(scenario: Scenario, most: int) -> tuple[FixedPoint, ...]:
    f, start = drift(scenario), scenario.initial[0]

    def at(x: Array) -> Array:
        return f(torch.from_numpy(np.ascontiguousarray(x)).view(-1, 1))[:, 0].numpy()

    far = math.asinh(_FAR)
    x = np.sinh(np.linspace(-far, far, _POINTS))
    x = np.unique(np.concatenate([x, start + x]))
    values = at(x)
    found = [(value, True) for value in _crossings(at, x, values, start, most)]
    found += [(value, True) for value in _touchings(at, x, values, start, most)]
    found += [(value, False) for value in _intervals(x, values, start)]
    nearest = sorted(dict(found).items(), key=lambda pair: abs(pair[0] - start))[:most]
    return tuple(
        FixedPoint((value,), stable=_pulls(at, value) if alone else None, isolated=alone)
        for value, alone in sorted(nearest)
    )


def _crossings(
    at: Callable[[Array], Array], x: Array, values: Array, start: float, most: int
) -> list[float]:
    """Return where the drift changes its sign without a jump, and single zeros of the grid.

    No more than ``most`` changes of sign, those nearest to the start: sin(x²) has thousands.
    """
    zero = values == 0.0
    lonely = zero.copy()
    lonely[1:] &= ~zero[:-1]
    lonely[:-1] &= ~zero[1:]
    found = [float(value) for value in x[lonely]]
    sign = np.sign(values)
    changes = np.flatnonzero((sign[:-1] * sign[1:] < 0.0) & np.isfinite(values[:-1] + values[1:]))
    wanted = len(found) + most
    for k in changes[np.argsort(np.abs(x[changes] - start), kind="stable")]:
        if len(found) == wanted:
            break
        low, high = float(x[k]), float(x[k + 1])
        # Bisection by signs: brentq gives up at a triple zero, whose values underflow.
        while low < (half := 0.5 * (low + high)) < high:
            if sign[k] == np.sign(at(np.array([half]))[0]):
                low = half
            else:
                high = half
        root = rounded_to(lambda y: np.abs(at(y)), high)
        if abs(at(np.array([root]))[0]) < 1e-6 * max(abs(values[k]), abs(values[k + 1])):
            found.append(root)
    return found


def _touchings(
    at: Callable[[Array], Array], x: Array, values: Array, start: float, most: int
) -> list[float]:
    """Return where the drift touches zero without changing its sign, nearest to the start."""
    size = np.abs(values)
    places = dips(np.where(np.isnan(size), np.inf, size))
    sign = np.sign(values)
    same = (sign[places - 1] == sign[places + 1]) & (sign[places] == sign[places - 1])
    places = places[same & (sign[places] != 0.0)]
    if not len(places):
        return []
    roots = smallest_between(lambda y: np.abs(at(y)), x[places - 1], x[places + 1])
    lowest = np.abs(at(roots)) < _ROUNDING * np.minimum(size[places - 1], size[places + 1])
    nearest = sorted(map(float, roots[lowest]), key=lambda root: abs(root - start))[:most]
    return [rounded_to(lambda y: np.abs(at(y)), root) for root in nearest]


def _intervals(x: Array, values: Array, start: float) -> list[float]:
    """Return, of each interval on which the drift is zero, the place nearest to the start.

    Not where it only rounds to zero, as x·exp(−x²) does far out: there its values beside the
    interval are below all rounding, compared with its largest near the start.
    """
    zero = values == 0.0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], zero.astype(np.int8), [0]])))
    near = np.abs(values[(np.abs(x - start) < 10.0 * max(1.0, abs(start))) & np.isfinite(values)])
    least = _ROUNDING * float(np.max(near, initial=0.0))
    found = []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        beside = [abs(values[k]) for k in (first - 1, last) if 0 <= k < len(x)]
        if last - first > 1 and all(value > least for value in beside if not math.isnan(value)):
            found.append(min(max(start, float(x[first])), float(x[last - 1])))
    return found


def _pulls(at: Callable[[Array], Array], root: float) -> bool | None:
    """Whether the drift points to the zero from both sides; None where it does from one only."""
    beside = 1e-6 * max(1e-3, abs(root))
    left, right = at(np.array([root - beside, root + beside]))
    if left > 0.0 > right:
        return True
    return False if left < 0.0 < right else None


def _from_starts(scenario: Scenario) -> list[tuple[float, ...]]:
    f = drift(scenario)

    def at(x: Array) -> Array:
        return f(torch.from_numpy(x).view(1, -1))[0].numpy()

    size = len(scenario.initial)
    scale = np.maximum(1.0, np.abs(scenario.initial))
    lattice = np.array(list(product(_STARTS[min(size, 3)], repeat=min(size, 3))))
    starts = np.hstack([lattice, np.full((len(lattice), size - lattice.shape[1]), 0.7)]) * scale
    around = f(torch.from_numpy(starts)).abs().numpy()
    strength = float(np.median(around[np.isfinite(around)])) if np.isfinite(around).any() else 0.0
    found: list[Array] = []
    for start in [np.array(scenario.initial), *starts]:
        reached, _, flag, _ = optimize.fsolve(at, start, maxfev=_TRIES, full_output=True)
        point = _rounded(at, reached)
        left = np.abs(at(point)).max()
        # Towards a double zero Newton's method is slow; then only an exact zero beside it counts.
        found_one = left == 0.0 or (flag == 1 and left < 1e-8 * strength)
        if found_one and not any(_same(at, point, other, strength) for other in found):
            found.append(point)
    return [tuple(float(value) for value in point + 0.0) for point in found]


def _rounded(at: Callable[[Array], Array], point: Array) -> Array:
    """Return the shortest numbers beside the point at which the drift is no larger.

    At a double zero Newton's method ends a thousandth of the last digits away from it.
    """
    left = np.abs(at(point)).max()
    for digits in range(10):
        candidate = np.round(point, digits)
        near = np.allclose(candidate, point, rtol=1e-4, atol=1e-3)
        if near and np.abs(at(candidate)).max() <= left:
            return candidate
    return np.round(point, 10)


def _same(at: Callable[[Array], Array], point: Array, other: Array, strength: float) -> bool:
    """Whether two zeros are one: nearly equal, or as near as a double zero is found."""
    if np.allclose(point, other, rtol=1e-5, atol=1e-6):
        return True
    near = np.allclose(point, other, rtol=1e-3, atol=1e-3)
    return near and bool(np.abs(at(0.5 * (point + other))).max() < 1e-8 * strength)


def _classify(scenario: Scenario, state: tuple[float, ...]) -> FixedPoint:
    """What the drift's Jacobian tells by its eigenvalues, and whether the point stands alone."""
    f = drift(scenario)
    x = torch.tensor([state], dtype=torch.float64, requires_grad=True)
    values = f(x)[0]
    if not values.requires_grad:  # a constant drift, which is zero here
        return FixedPoint(state, stable=None, isolated=False)
    rows = [torch.autograd.grad(v, x, retain_graph=True, materialize_grads=True)[0] for v in values]
    matrix = torch.cat(rows).numpy()
    if not np.isfinite(matrix).all():
        return FixedPoint(state, stable=None, isolated=True)
    largest = float(np.linalg.eigvals(matrix).real.max())
    _, widths, directions = np.linalg.svd(matrix)
    flat = directions[widths <= 1e-6 * widths[0]]
    return FixedPoint(
        state,
        stable=None if abs(largest) <= _FLAT * widths[0] else largest < 0.0,
        isolated=not any(_goes_on(scenario, np.array(state), along) for along in flat),
    )


def _goes_on(scenario: Scenario, point: Array, along: Array) -> bool:
    """Whether zeros lie beside the point in a direction in which the Jacobian vanishes.

    A singular Jacobian alone does not tell: at an isolated double zero, such as that of x², it is
    singular too. So the zero nearest to a plane a tenth beside the point is looked for.
    """
    f = drift(scenario)

    def at(x: Array) -> Array:
        return np.asarray(np.nan_to_num(f(torch.from_numpy(x).view(1, -1))[0].numpy(), nan=1e9))

    size = 0.1 * max(1.0, float(np.abs(point).max()))
    axes = size * np.eye(len(point))
    strength = max(float(np.abs(at(point + step)).max()) for step in (*axes, *-axes))
    if strength == 0.0:
        return True
    across = np.linalg.svd(along[None])[2][1:]
    for shift in (size, -size):
        base = point + shift * along

        def beside(y: Array, base: Array = base) -> Array:
            return at(base + y @ across) / strength

        start = np.zeros(len(across))
        fit = optimize.least_squares(
            beside, start, xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=_TRIES
        )
        if np.abs(fit.fun).max() < _ZERO and np.abs(fit.x).max() < size:
            return True
    return False
