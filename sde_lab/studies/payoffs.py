"""Deltas of two payoffs: pathwise estimator, finite difference, and exact value.

A call option pays max(X_T − K, 0). The payoff is Lipschitz and differentiable but for X_T = K,
which has probability zero, so derivative and expectation may be exchanged: the pathwise estimator
1{X_T > K} ∂X_T/∂x₀ is unbiased. A digital option pays 1{X_T > K}, which is discontinuous: its
derivative along almost every path is 0, and the mean of zeros is not the derivative of the
expectation.

Source: Glasserman (2003), Monte Carlo Methods in Financial Engineering, §7.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sde_lab.errors import ScenarioError
from sde_lab.models.laws.base import Law
from sde_lab.scenario import Scenario
from sde_lab.sensitivity.jacobian import jacobian
from sde_lab.solver.simulate import brownian_increments, simulate
from sde_lab.summaries.estimators import moments
from sde_lab.theory.exact_laws import exact_laws

Array = NDArray[np.float64]
STRIKE_COUNT = 41
"""Number K of strikes."""
RELATIVE_BUMP = 0.02
"""Perturbation of the initial value, up and down, as a fraction of it (of 1 where it is 0)."""
QUANTILE_NODES = 400
"""Number of equal probabilities over which an exact expectation is summed."""


@dataclass(frozen=True)
class Estimate:
    """A Monte Carlo mean and its standard error, per strike, (K,) each.

    The error is NaN for too few effective samples.
    """

    mean: Array
    error: Array


@dataclass(frozen=True)
class PayoffDeltas:
    """∂E[payoff]/∂x₀ of one payoff at each strike, in payoff per unit of the initial value.

    Attributes:
        pathwise: mean of the payoff's derivative along each path.
        bumped: central finite difference from two initial values, under common random numbers.
        exact: from the exact law, (K,); None where it is not known.
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
    """Estimate both deltas with respect to the initial value of the first component.

    Samples in which a path or its derivative diverged are left out.

    Raises:
        ScenarioError: if the scenario does not fit the memory budget, or every path diverges.
    """
    noise = brownian_increments(scenario)
    paths = simulate(scenario, noise)
    bumped = _bumped_scenarios(scenario)
    # all of shape (N,): X_T from the lower and from the higher initial value, X_T, and ∂X_T/∂x₀
    low, high = (simulate(one, noise).values[-1, :, 0].double().numpy() for one in bumped)
    end = paths.values[-1, :, 0].double().numpy()
    slope = jacobian(paths).values[-1, :, 0, 0].double().numpy()
    finite = np.isfinite(np.stack([end, slope, low, high])).all(axis=0)
    if not finite.any():
        hint = "every path diverges (numerical overflow); more steps may prevent it"
        raise ScenarioError("steps", scenario.steps, hint)
    end, slope, low, high = (values[finite] for values in (end, slope, low, high))
    lowest, highest = np.quantile(end, (0.05, 0.95))
    strikes = np.linspace(lowest, highest, STRIKE_COUNT)
    width = bumped[1].initial[0] - bumped[0].initial[0]
    level = strikes[:, None]  # (K, 1) against samples (N,)
    bumped_call = (np.maximum(high - level, 0) - np.maximum(low - level, 0)) / width
    bumped_digital = ((high > level) * 1.0 - (low > level)) / width
    call, digital = _exact_deltas(scenario, strikes) or (None, None)
    return PayoffStudy(
        strikes,
        PayoffDeltas(_estimate((end > level) * slope), _estimate(bumped_call), call),
        PayoffDeltas(_estimate(np.zeros_like(bumped_digital)), _estimate(bumped_digital), digital),
    )


def _estimate(values: Array) -> Estimate:
    """Return mean and standard error over the samples of a (K, N) table."""
    found = moments(values)
    return Estimate(found.mean.astype(np.float64), found.mean_error.astype(np.float64))


def _bumped_scenarios(scenario: Scenario) -> tuple[Scenario, Scenario]:
    """Return the scenario with a lower and a higher initial value of its first component.

    Both stay within the parameter's bounds, so the difference may be one-sided there.
    """
    parameter, (first, *rest) = scenario.model_spec.initial[0], scenario.initial
    bump = RELATIVE_BUMP * (abs(first) or 1.0)
    low, high = max(first - bump, parameter.minimum), min(first + bump, parameter.maximum)
    return scenario.replace(x0=(low, *rest)), scenario.replace(x0=(high, *rest))


def _exact_deltas(scenario: Scenario, strikes: Array) -> tuple[Array, Array] | None:
    """Return the exact deltas of call and digital option, (K,) each; None where not known.

    With Q the quantile function of X_T, E[max(X_T − K, 0)] = ∫ max(Q(u) − K, 0) du has the
    derivative ∫ 1{Q(u) > K} ∂Q(u)/∂x₀ du, and P[X_T > K] has p(K) ∂Q(u)/∂x₀ at Q(u) = K, with p the
    density. ∂Q/∂x₀ is a central difference of exact quantiles; the integral is a midpoint sum.
    """
    bumped = _bumped_scenarios(scenario)
    middle, low, high = (_quantiles(one) for one in (scenario, *bumped))
    law = _law_at_horizon(scenario)
    density = None if law is None else law.density(strikes, -1)
    if middle is None or low is None or high is None or density is None:
        return None
    slope = (high - low) / (bumped[1].initial[0] - bumped[0].initial[0])
    # The integral from each node to the last, and 0 beyond it. As a function of K it is read at the
    # edges between nodes, where Q(u) > K changes from one node to the next.
    above = np.append(np.cumsum(slope[::-1])[::-1] / QUANTILE_NODES, 0.0)
    edges = np.concatenate([middle[:1], (middle[1:] + middle[:-1]) / 2, middle[-1:]])
    return np.interp(strikes, edges, above), density * np.interp(strikes, middle, slope)


def _quantiles(scenario: Scenario) -> Array | None:
    """Return quantiles of X_T at the midpoints of equal probabilities, (QUANTILE_NODES,)."""
    law = _law_at_horizon(scenario)
    if law is None:
        return None
    rows = [law.quantile((i + 0.5) / QUANTILE_NODES) for i in range(QUANTILE_NODES)]
    return None if rows[0] is None else np.array([row[-1, 0] for row in rows if row is not None])


def _law_at_horizon(scenario: Scenario) -> Law | None:
    """Return the exact law of the state at times 0 and T; None where it is not known."""
    laws = exact_laws(scenario.replace(samples=1), times=np.array([0.0, scenario.horizon]))
    return None if laws is None else laws.state
