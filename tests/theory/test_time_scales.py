"""The steps that an equation is given by default: enough for every path to stay finite."""

from __future__ import annotations

import pytest

import sde_lab as lab
from sde_lab.equations.examples import EXAMPLES
from sde_lab.summaries.chunked_run import simulate_summary
from sde_lab.theory.time_scales import suggested_steps

STEPS = (25, 50, 100, 200, 400, 800, 1600, 3200)
FAST = [
    "dx = -x**3*dt + dW; t in [0, 50]",
    "dx = -100*x*dt + dW; t in [0, 5]",
    "dx = (x - x**3)*dt + 0.5*dW; t in [0, 100]",
    "dv = -(v - 1)/tau*dt + dW; tau = 0.01; t in [0, 2]",
    "dx = mu*(x - x**3/3 - y)*dt; dy = x/mu*dt + 0.1*dW; mu = 5; t in [0, 30]",
]


@pytest.mark.parametrize("text", [*FAST, *(example.text for example in EXAMPLES)])
def test_no_path_diverges_at_the_steps_that_are_suggested(text: str) -> None:
    model = lab.parse_sde(text)
    needed = suggested_steps(model, model.horizon)
    steps = next(count for count in STEPS if count >= needed)
    scenario = lab.Scenario(model=text, horizon=model.horizon, steps=max(100, steps), samples=40)
    assert simulate_summary(scenario).exploded == 0


@pytest.mark.parametrize("rate", [0.1, 1.0, 30.0])
def test_a_linear_equation_takes_two_steps_in_its_own_time(rate: float) -> None:
    model = lab.parse_sde(f"dx = -a*x*dt + dW; a = {rate}")
    assert suggested_steps(model, 4.0) == pytest.approx(8.0 * rate)


def test_where_nothing_is_finite_no_steps_are_suggested() -> None:
    assert suggested_steps(lab.parse_sde("dx = sqrt(-1 - x**2)*dt + dW"), 1.0) == 0.0
