"""Where the drift stands still, and whether it pulls or pushes there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from scipy import optimize

from sde_lab.fields import drift
from sde_lab.models.exact import Array
from sde_lab.scenario import Scenario

_FAR = 1e4
_POINTS = 4001
_STARTS = {2: (-5.0, -1.0, 0.1, 0.9, 5.0), 3: (-7.0, 0.1, 0.9, 7.0)}
"""Starts along each state, in units of its initial value, with two states and with more."""
_TRIES = 60
"""Evaluations of the drift from one start."""
MOST = 12
"""Points that are told of at most."""


@dataclass(frozen=True)
class FixedPoint:
    """A zero of the drift.

    Attributes:
        state: (D,) numbers.
        stable: whether the drift alone pulls back to it; None where its slope does not tell.
        isolated: whether it stands alone, as its slope tells.
    """

    state: tuple[float, ...]
    stable: bool | None
    isolated: bool


def fixed_points(scenario: Scenario) -> tuple[FixedPoint, ...]:
    """Zeros of the drift at the scenario's parameters, found numerically; none if time is in it.

    With one state they are looked for between ±10⁴, with more by Newton's method from a lattice of
    starts: isolated points may be missed, and lines of them show as some of their points.
    """
    if scenario.sde.time_dependent:
        return ()
    with np.errstate(all="ignore"):
        found = _on_a_line(scenario) if len(scenario.initial) == 1 else _from_starts(scenario)
    return tuple(_judged(scenario, state) for state in found[:MOST])


def _on_a_line(scenario: Scenario) -> list[tuple[float, ...]]:
    f = drift(scenario)

    def at(x: float) -> float:
        return float(f(torch.tensor([[x]], dtype=torch.float64)))

    far = math.asinh(_FAR)
    x = np.sinh(np.linspace(-far, far, _POINTS))
    values = f(torch.from_numpy(x).view(-1, 1))[:, 0].numpy()
    found = [float(place) for place in x[values == 0.0]]
    if len(found) > MOST:
        return []
    finite = np.isfinite(values)
    crossed = (values[:-1] * values[1:] < 0.0) & finite[:-1] & finite[1:]
    for k in np.flatnonzero(crossed):
        root = float(optimize.brentq(at, x[k], x[k + 1], xtol=1e-13))
        if abs(at(root)) < 1e-6 * max(abs(values[k]), abs(values[k + 1])):
            found.append(root)
    return [(value,) for value in sorted(found)]


def _from_starts(scenario: Scenario) -> list[tuple[float, ...]]:
    f = drift(scenario)

    def at(x: Array) -> Array:
        return f(torch.from_numpy(x).view(1, -1))[0].numpy()

    size = len(scenario.initial)
    scale = np.maximum(1.0, np.abs(scenario.initial))
    lattice = np.array(list(product(_STARTS[min(size, 3)], repeat=min(size, 3))))
    starts = np.hstack([lattice, np.full((len(lattice), size - lattice.shape[1]), 0.7)]) * scale
    found: list[Array] = []
    for start in [np.array(scenario.initial), *starts]:
        reached, _, flag, _ = optimize.fsolve(at, start, maxfev=_TRIES, full_output=True)
        near = [point for point in found if np.allclose(point, reached, rtol=1e-5, atol=1e-6)]
        if flag == 1 and np.abs(at(reached)).max() < 1e-8 and not near:
            found.append(reached)
    return sorted(tuple(float(round(value, 10)) for value in point) for point in found)


def _judged(scenario: Scenario, state: tuple[float, ...]) -> FixedPoint:
    """What the drift's Jacobian tells: from its eigenvalues, and from its rank."""
    f = drift(scenario)
    x = torch.tensor([state], dtype=torch.float64, requires_grad=True)
    rows = [
        torch.autograd.grad(f(x)[0, component], x, materialize_grads=True)[0]
        for component in range(len(state))
    ]
    matrix = torch.cat(rows).numpy()
    if not np.isfinite(matrix).all():
        return FixedPoint(state, stable=None, isolated=True)
    largest = float(np.linalg.eigvals(matrix).real.max())
    widths = np.linalg.svd(matrix, compute_uv=False)
    return FixedPoint(
        state,
        stable=None if abs(largest) < 1e-6 else largest < 0.0,
        isolated=len(state) == 1 or bool(widths[-1] > 1e-6 * max(1.0, widths[0])),
    )
