"""Derivatives of expected payoffs by the start: path by path, by bumping, and exactly.

A call pays max(X_T − K, 0), which has a kink: its derivative along a path, 1{X_T > K} ∂X_T/∂x₀, has
the right mean. A digital pays 1{X_T > K}, which jumps: its derivative along almost every path is 0,
and the mean of zeros is not the derivative of the mean (Glasserman 2003, §7.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sde_lab.errors import ScenarioError
from sde_lab.models.laws.base import Law
from sde_lab.scenario import Scenario
from sde_lab.sensitivity.jacobian import jacobian
from sde_lab.solver.simulate import brownian_increments, simulate
from sde_lab.theory.exact_laws import exact_laws

Array = NDArray[np.float64]
STRIKES = 41
BUMP = 0.02
"""Share of the start (or of 1, where the start is 0) that it is moved up and down by."""
NODES = 400
"""Equal shares of probability that an exact mean is summed over."""


@dataclass(frozen=True)
class Estimate:
    """A Monte-Carlo mean and its standard error, both (K,)."""

    mean: Array
    error: Array


@dataclass(frozen=True)
class PayoffDeltas:
    """∂E[payoff]/∂x₀ of one payoff over its strikes, in payoff per unit of the start.

    Attributes:
        pathwise: mean of the derivatives along each path.
        bumped: difference of the payoffs from two starts on the same noise.
        exact: (K,), None where the law is not known.
    """

    pathwise: Estimate
    bumped: Estimate
    exact: Array | None


@dataclass(frozen=True)
class PayoffStudy:
    """The two payoffs on the first state component at the horizon.

    Attributes:
        strikes: from the 5 % to the 95 % quantile of X_T, (K,).
        call: payoff max(X_T − K, 0).
        digital: payoff 1{X_T > K}.
    """

    strikes: Array
    call: PayoffDeltas
    digital: PayoffDeltas


def payoff_study(scenario: Scenario) -> PayoffStudy:
    """Differentiate both payoffs by the start of the first component, in every way.

    Raises:
        ScenarioError: if the scenario does not fit the memory budget, or every path explodes.
    """
    noise = brownian_increments(scenario)
    paths = simulate(scenario, noise)
    starts = _starts(scenario)
    ends = [simulate(start, noise).values[-1, :, 0].double().numpy() for start in starts]
    end = paths.values[-1, :, 0].double().numpy()
    slope = jacobian(paths).values[-1, :, 0, 0].double().numpy()
    whole = np.isfinite(np.stack([end, slope, *ends])).all(axis=0)
    end, slope, low, high = (table[whole] for table in (end, slope, *ends))
    if not whole.any():
        raise ScenarioError(
            "steps", scenario.steps, "every path explodes; more steps may hold them"
        )
    lowest, highest = np.quantile(end, (0.05, 0.95))
    strikes = np.linspace(lowest, highest, STRIKES)
    width = starts[1].initial[0] - starts[0].initial[0]
    level = strikes[:, None]
    bumped_call = (np.maximum(high - level, 0) - np.maximum(low - level, 0)) / width
    bumped_digital = ((high > level) * 1.0 - (low > level)) / width
    call, digital = _exact(scenario, strikes) or (None, None)
    return PayoffStudy(
        strikes,
        PayoffDeltas(_estimate((end > level) * slope), _estimate(bumped_call), call),
        PayoffDeltas(_estimate(np.zeros_like(bumped_digital)), _estimate(bumped_digital), digital),
    )


def _estimate(values: Array) -> Estimate:
    """Mean and standard error over the samples of a (K, N) table."""
    count = values.shape[1]
    return Estimate(values.mean(axis=1), values.std(axis=1) / math.sqrt(count))


def _starts(scenario: Scenario) -> tuple[Scenario, Scenario]:
    """The scenario with its first component started lower and higher."""
    parameter, (first, *rest) = scenario.model_spec.initial[0], scenario.initial
    bump = BUMP * (abs(first) or 1.0)
    low, high = max(first - bump, parameter.minimum), min(first + bump, parameter.maximum)
    return scenario.replace(x0=(low, *rest)), scenario.replace(x0=(high, *rest))


def _exact(scenario: Scenario, strikes: Array) -> tuple[Array, Array] | None:
    """Derivatives of E[max(X − K, 0)] = ∫ max(Q(u) − K, 0) du and of P[X > K], where Q is known.

    With Q the quantile function, the first is ∫ 1{Q(u) > K} ∂Q/∂x₀ du, the second p(K) ∂Q/∂x₀ at
    Q(u) = K.
    """
    starts = _starts(scenario)
    middle, low, high = (_quantiles(start) for start in (scenario, *starts))
    law = _end_law(scenario)
    density = None if law is None else law.density(strikes, -1)
    if middle is None or low is None or high is None or density is None:
        return None
    slope = (high - low) / (starts[1].initial[0] - starts[0].initial[0])
    above = np.append(np.cumsum(slope[::-1])[::-1] / NODES, 0.0)
    edges = np.concatenate([middle[:1], (middle[1:] + middle[:-1]) / 2, middle[-1:]])
    return np.interp(strikes, edges, above), density * np.interp(strikes, middle, slope)


def _quantiles(scenario: Scenario) -> Array | None:
    """Quantiles of X_T at the middles of NODES equal shares, (NODES,)."""
    law = _end_law(scenario)
    if law is None:
        return None
    rows = [law.quantile((i + 0.5) / NODES) for i in range(NODES)]
    return None if rows[0] is None else np.array([row[-1, 0] for row in rows if row is not None])


def _end_law(scenario: Scenario) -> Law | None:
    """The exact law of the state at 0 and at the horizon."""
    found = exact_laws(scenario.replace(samples=1), times=np.array([0.0, scenario.horizon]))
    return None if found is None else found.state
