"""Fixed points of the drift and their linear stability.

With one state, zeros are bracketed on a grid and refined; with more, Newton's method (scipy's
``fsolve``) starts from a lattice of states, and the Jacobian's eigenvalues give the stability.
"""

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
from sde_lab.theory.coefficients import drift, local_minima, refine_minima, round_to_decimal

FIXED_POINT_RADIUS = 1e4
"""States within this distance of 0, and of the initial value, are searched for zeros."""
DRIFT_GRID_POINTS = 4001
"""Points of the grid on which the drift is evaluated, around 0 and around the initial value."""
LATTICE_COORDINATES = {2: (-5.0, -1.0, 0.1, 0.9, 5.0), 3: (-7.0, 0.1, 0.9, 7.0)}
"""By number of states (3: three or more): coordinates from whose lattice Newton's method starts, in
units of the initial state."""
OTHER_COORDINATE = 0.7
"""Coordinate of the fourth and further states on that lattice, in the same units."""
MAX_DRIFT_EVALUATIONS = 60
"""Evaluations of the drift from one start of Newton's method."""
ZERO_SHARE = 1e-9
"""Size of the drift that counts as zero, as a share of the drift around it."""
ROUNDING_SHARE = 1e-12
"""A drift that becomes zero from below this share of its largest value has underflown or saturated:
no fixed points."""
NEUTRAL_SHARE = 1e-8
"""An eigenvalue's real part below this share of the Jacobian's norm is zero to rounding."""
SINGULAR_SHARE = 1e-6
"""A singular value below this share of the largest is zero to rounding."""
MAX_POINTS = 12
"""Largest number of fixed points returned, unless asked for more."""


@dataclass(frozen=True)
class FixedPoint:
    """A zero of the drift.

    Attributes:
        state: one number per state component, (D,).
        stable: True if it is asymptotically stable under the drift alone, False if unstable; None
            where that was not decided.
        isolated: False if it belongs to an interval, line or plane of zeros.
    """

    state: tuple[float, ...]
    stable: bool | None
    isolated: bool


def fixed_points(scenario: Scenario, most: int = MAX_POINTS) -> tuple[FixedPoint, ...]:
    """Find zeros of the drift numerically.

    With one state they are searched within 10⁴ of 0 and of the initial value, with more by Newton's
    method from a lattice of states: isolated points may be missed, and a line of them is returned
    as some of its points.

    Args:
        scenario: the equation, at its parameters; grid, scheme and seed play no part.
        most: largest number of points; of more, those nearest to the initial state are returned.

    Returns:
        Fixed points in increasing order of their states; none if the drift depends on time.
    """
    if scenario.model_spec.drift_time_dependent:
        return ()
    with np.errstate(all="ignore"):
        if len(scenario.initial) == 1:
            return _fixed_points_1d(scenario, most)
        states = _nearest(_newton_zeros(scenario), scenario, most)
        return tuple(_classify(scenario, state) for state in states)


def _nearest(
    states: list[tuple[float, ...]], scenario: Scenario, most: int
) -> list[tuple[float, ...]]:
    return sorted(sorted(states, key=lambda state: math.dist(state, scenario.initial))[:most])


def _fixed_points_1d(scenario: Scenario, most: int) -> tuple[FixedPoint, ...]:
    f, start = drift(scenario), scenario.initial[0]

    def evaluate(x: Array) -> Array:
        """Return the drift at states (n,): (n,)."""
        return f(torch.from_numpy(np.ascontiguousarray(x)).view(-1, 1))[:, 0].numpy()

    # sinh: equal steps near the centre, geometric steps far from it.
    end = math.asinh(FIXED_POINT_RADIUS)
    x = np.sinh(np.linspace(-end, end, DRIFT_GRID_POINTS))
    x = np.unique(np.concatenate([x, start + x]))
    values = evaluate(x)
    zeros = [(value, True) for value in _sign_changes(evaluate, x, values, start, most)]
    zeros += [(value, True) for value in _even_zeros(evaluate, x, values, start, most)]
    zeros += [(value, False) for value in _zero_intervals(x, values, start)]
    nearest = sorted(dict(zeros).items(), key=lambda pair: abs(pair[0] - start))[:most]
    return tuple(
        FixedPoint(
            (value,), stable=_is_stable_1d(evaluate, value) if alone else None, isolated=alone
        )
        for value, alone in sorted(nearest)
    )


def _sign_changes(
    evaluate: Callable[[Array], Array], x: Array, values: Array, start: float, most: int
) -> list[float]:
    """Return where the drift changes its sign without a jump, and single zeros of the grid.

    Args:
        evaluate: the drift at states (n,).
        x: the grid, increasing.
        values: the drift on it.
        start: the initial value.
        most: largest number of sign changes to refine, those nearest to the initial value: sin(x²)
            has thousands.
    """
    zero = values == 0.0
    single = zero.copy()  # grid points that are zero while neither neighbour is
    single[1:] &= ~zero[:-1]
    single[:-1] &= ~zero[1:]
    roots = [float(value) for value in x[single]]
    sign = np.sign(values)
    changes = np.flatnonzero((sign[:-1] * sign[1:] < 0.0) & np.isfinite(values[:-1] + values[1:]))
    wanted = len(roots) + most
    for k in changes[np.argsort(np.abs(x[changes] - start), kind="stable")]:
        if len(roots) == wanted:
            break
        low, high = float(x[k]), float(x[k + 1])
        # Bisection by signs: brentq gives up at a triple zero, whose values underflow.
        while low < (half := 0.5 * (low + high)) < high:
            if sign[k] == np.sign(evaluate(np.array([half]))[0]):
                low = half
            else:
                high = half
        root = round_to_decimal(lambda y: np.abs(evaluate(y)), high)
        # At a jump across zero, or a pole, the drift does not become small.
        if abs(evaluate(np.array([root]))[0]) < 1e-6 * max(abs(values[k]), abs(values[k + 1])):
            roots.append(root)
    return roots


def _even_zeros(
    evaluate: Callable[[Array], Array], x: Array, values: Array, start: float, most: int
) -> list[float]:
    """Return the zeros at which the drift keeps its sign; arguments as :func:`_sign_changes`."""
    size = np.abs(values)
    indices = local_minima(np.where(np.isnan(size), np.inf, size))
    sign = np.sign(values)
    same = (sign[indices - 1] == sign[indices + 1]) & (sign[indices] == sign[indices - 1])
    indices = indices[same & (sign[indices] != 0.0)]
    if not len(indices):
        return []
    minima = refine_minima(lambda y: np.abs(evaluate(y)), x[indices - 1], x[indices + 1])
    beside = np.minimum(size[indices - 1], size[indices + 1])
    roots = map(float, minima[np.abs(evaluate(minima)) < ROUNDING_SHARE * beside])
    nearest = sorted(roots, key=lambda root: abs(root - start))[:most]
    return [round_to_decimal(lambda y: np.abs(evaluate(y)), root) for root in nearest]


def _zero_intervals(x: Array, values: Array, start: float) -> list[float]:
    """Return, of each interval on which the drift is zero, the state nearest to the initial one.

    Not where it only underflows to zero, as x·exp(−x²) does for large x: there its values beside
    the interval are below rounding, compared with its largest near the initial value.
    """
    zero = values == 0.0
    # Of the differences of (0, zero, 0), +1 marks the first point of a run and −1 one past its end.
    edges = np.flatnonzero(np.diff(np.concatenate([[0], zero.astype(np.int8), [0]])))
    near = np.abs(values[(np.abs(x - start) < 10.0 * max(1.0, abs(start))) & np.isfinite(values)])
    least = ROUNDING_SHARE * float(np.max(near, initial=0.0))
    states = []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        beside = [abs(values[k]) for k in (first - 1, last) if 0 <= k < len(x)]
        if last - first > 1 and all(value > least for value in beside if not math.isnan(value)):
            states.append(min(max(start, float(x[first])), float(x[last - 1])))
    return states


def _is_stable_1d(evaluate: Callable[[Array], Array], root: float) -> bool | None:
    """Return the stability of a zero by the signs beside it; None if stable from one side only."""
    shift = 1e-6 * max(1e-3, abs(root))
    left, right = evaluate(np.array([root - shift, root + shift]))
    if left > 0.0 > right:
        return True
    return False if left < 0.0 < right else None


def _newton_zeros(scenario: Scenario) -> list[tuple[float, ...]]:
    """Return distinct zeros of the drift that Newton's method reaches from the lattice."""
    f = drift(scenario)

    def evaluate(x: Array) -> Array:
        """Return the drift at one state (D,): (D,)."""
        return f(torch.from_numpy(x).view(1, -1))[0].numpy()

    size = len(scenario.initial)
    scale = np.maximum(1.0, np.abs(scenario.initial))
    lattice = np.array(list(product(LATTICE_COORDINATES[min(size, 3)], repeat=min(size, 3))))
    others = np.full((len(lattice), size - lattice.shape[1]), OTHER_COORDINATE)
    starts = np.hstack([lattice, others]) * scale
    around = f(torch.from_numpy(starts)).abs().numpy()
    strength = float(np.median(around[np.isfinite(around)])) if np.isfinite(around).any() else 0.0
    zeros: list[Array] = []
    for start in [np.array(scenario.initial), *starts]:
        reached, _, flag, _ = optimize.fsolve(
            evaluate, start, maxfev=MAX_DRIFT_EVALUATIONS, full_output=True
        )
        point = _round_point(evaluate, reached)
        residual = np.abs(evaluate(point)).max()
        # Newton's method converges slowly to a double zero; then only an exact zero counts.
        is_zero = residual == 0.0 or (flag == 1 and residual < 1e-8 * strength)
        if is_zero and not any(_is_same(evaluate, point, other, strength) for other in zeros):
            zeros.append(point)
    return [tuple(float(value) for value in point + 0.0) for point in zeros]  # −0.0 + 0.0 is 0.0


def _round_point(evaluate: Callable[[Array], Array], point: Array) -> Array:
    """Return the shortest decimal numbers beside the point at which the drift is no larger.

    At a double zero Newton's method ends about 1e-3 away from it.
    """
    residual = np.abs(evaluate(point)).max()
    for digits in range(10):
        candidate = np.round(point, digits)
        near = np.allclose(candidate, point, rtol=1e-4, atol=1e-3)
        if near and np.abs(evaluate(candidate)).max() <= residual:
            return candidate
    return np.round(point, 10)


def _is_same(
    evaluate: Callable[[Array], Array], point: Array, other: Array, strength: float
) -> bool:
    """Return True if two zeros are one: equal to rounding, or to the accuracy of a double zero."""
    if np.allclose(point, other, rtol=1e-5, atol=1e-6):
        return True
    near = np.allclose(point, other, rtol=1e-3, atol=1e-3)
    return near and bool(np.abs(evaluate(0.5 * (point + other))).max() < 1e-8 * strength)


def _classify(scenario: Scenario, state: tuple[float, ...]) -> FixedPoint:
    """Classify a zero by the eigenvalues of the drift's Jacobian, and test whether it is isolated.

    Stable if all real parts are negative, unstable if one is positive.
    """
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
    _, singular_values, directions = np.linalg.svd(matrix)
    null_space = directions[singular_values <= SINGULAR_SHARE * singular_values[0]]
    neutral = abs(largest) <= NEUTRAL_SHARE * singular_values[0]
    return FixedPoint(
        state,
        stable=None if neutral else largest < 0.0,
        isolated=not any(_has_zeros_along(scenario, np.array(state), d) for d in null_space),
    )


def _has_zeros_along(scenario: Scenario, point: Array, direction: Array) -> bool:
    """Return True if zeros lie beside the point in a direction in which the Jacobian vanishes.

    A singular Jacobian alone does not decide that: at an isolated double zero, such as that of x²,
    it is singular too. So the zero nearest to the point is searched, by least squares, in the plane
    normal to the direction at a distance of a tenth, on either side.

    Args:
        scenario: gives the drift.
        point: the zero, (D,).
        direction: unit vector, (D,).
    """
    f = drift(scenario)

    def evaluate(x: Array) -> Array:
        # least_squares accepts no NaN: a large number keeps it away from where the drift has none.
        return np.asarray(np.nan_to_num(f(torch.from_numpy(x).view(1, -1))[0].numpy(), nan=1e9))

    size = 0.1 * max(1.0, float(np.abs(point).max()))
    axes = size * np.eye(len(point))
    strength = max(float(np.abs(evaluate(point + step)).max()) for step in (*axes, *-axes))
    if strength == 0.0:
        return True
    plane = np.linalg.svd(direction[None])[2][1:]  # an orthonormal basis, (D − 1, D)
    for shift in (size, -size):
        base = point + shift * direction

        def in_plane(y: Array, base: Array = base) -> Array:
            return evaluate(base + y @ plane) / strength

        fit = optimize.least_squares(
            in_plane,
            np.zeros(len(plane)),
            xtol=1e-15,
            ftol=1e-15,
            gtol=1e-15,
            max_nfev=MAX_DRIFT_EVALUATIONS,
        )
        if np.abs(fit.fun).max() < ZERO_SHARE and np.abs(fit.x).max() < size:
            return True
    return False
