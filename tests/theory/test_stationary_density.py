"""Stationary densities and fixed points, against theory and against long paths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import sde_lab as lab
from sde_lab.theory.fixed_points import fixed_points
from sde_lab.theory.stationary_density import stationary_density


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("dx = kappa*(theta - x)*dt + sigma*dW", stats.norm(1, math.sqrt(0.125))),
        ("dx = kappa*(theta - x)*dt + sigma*sqrt(abs(x))*dW", stats.gamma(8, scale=0.125)),
        ("dx = (theta - x)*dt + sigma*sqrt(max(x,0))*dW", stats.gamma(8, scale=0.125)),
        ("dx = r*x*(1 - x)*dt + sigma*x*dW", stats.gamma(7, scale=0.125)),
        ("dx = (1 - x)*dt + x*dW", stats.invgamma(3, scale=2)),
        ("dx = (.4 - x)*dt + .5*sqrt(x*(1-x))*dW; x(0) = .3", stats.beta(3.2, 4.8)),
        ("dx = -x*log(x)*dt + x ∘ dW", stats.lognorm(math.sqrt(0.5))),
    ],
)
def test_stationary_densities_are_those_of_theory(text: str, law: object) -> None:
    found = stationary_density(lab.Scenario(model=text))
    assert found is not None
    expected = law.pdf(found.values)
    np.testing.assert_allclose(found.density, expected, atol=1e-4 * expected.max())


@pytest.mark.parametrize(
    "text",
    [
        "dx = dW",
        "dx = x*dt + dW",
        "dx = x*dW",
        "dx = -x*t*dt + dW",
        "dx = dW1; dy = dW2",
        "dx=-x*dt",
    ],
)
def test_no_stationary_density_is_claimed_where_there_is_none(text: str) -> None:
    assert stationary_density(lab.Scenario(model=text)) is None


def test_the_stationary_density_is_where_long_paths_go() -> None:
    text = "dx = (x - x**3)*dt + sigma*dW; sigma = 0.8"
    scenario = lab.Scenario(model=text, horizon=30.0, steps=1500, samples=4000)
    found = stationary_density(scenario)
    assert found is not None
    share = np.trapezoid(np.where(np.abs(found.values) < 0.5, found.density, 0.0), found.values)
    ends = lab.simulate(scenario).values[-1, :, 0]
    counted = float((ends.abs() < 0.5).double().mean())
    assert abs(counted - share) < 5 * math.sqrt(share * (1 - share) / 4000) + 0.005


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dx = (x - x**3)*dt + dW", [((-1.0,), True), ((0.0,), False), ((1.0,), True)]),
        ("dx = kappa*(theta - x)*dt + dW; theta = 2", [((2.0,), True)]),
        ("dx = dt/x + dW", []),
        ("dx = x*(1 - y)*dt + dW; dy = y*(x - 1)*dt", [((0.0, 0.0), False), ((1.0, 1.0), None)]),
        ("dx = t*x*dt + dW", []),
    ],
)
def test_fixed_points_of_the_drift(text: str, expected: list) -> None:
    found = fixed_points(lab.Scenario(model=text))
    assert [point.stable for point in found] == [stable for _, stable in expected]
    for point, (state, _) in zip(found, expected, strict=True):
        np.testing.assert_allclose(point.state, state, atol=1e-6)
        assert point.isolated


def test_a_line_of_fixed_points_is_told_from_points_that_stand_alone() -> None:
    text = "dS = -b*S*I*dt - S*I*dW; dI = (b*S*I - c*I)*dt + S*I*dW"
    found = fixed_points(lab.Scenario(model=text))
    assert len(found) > 2
    assert not any(point.isolated for point in found)
