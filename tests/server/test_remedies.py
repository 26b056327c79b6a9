"""What is tried where steps are too coarse, and that it is judged by what the readout says."""

from __future__ import annotations

import pytest

import sde_lab as lab
from sde_lab.app.state.options import STEPS
from sde_lab.models import MODELS
from sde_lab.server.remedies import finer_scenarios, has_diverged, shows_step_bias
from sde_lab.summaries.chunked_run import simulate_summary


def test_finer_scenarios_come_cheapest_first_and_never_end_in_the_same() -> None:
    scenario = lab.Scenario(steps=800)
    found = [(s.steps, s.scheme) for s in finer_scenarios(scenario, STEPS)]
    assert found == [
        (800, "heun"),
        (1600, "euler"),
        (1600, "heun"),
        (3200, "euler"),
        (3200, "heun"),
    ]
    assert [s.steps for s in finer_scenarios(scenario.replace(scheme="heun"), STEPS)] == [
        1600,
        3200,
    ]


def test_the_oscillators_step_bias_is_seen_and_heun_removes_it() -> None:
    """What the page opens with: Euler's step makes the amplitude too large by tens of errors."""
    scenario = lab.Scenario("damped_oscillator", horizon=MODELS["damped_oscillator"].horizon)
    assert shows_step_bias(simulate_summary(scenario), 1.0)
    found = next(
        s for s in finer_scenarios(scenario, STEPS) if not shows_step_bias(simulate_summary(s), 1.0)
    )
    assert found.scheme == "heun"
    assert found.steps <= 400


def test_noise_alone_is_no_bias() -> None:
    for seed in range(5):
        scenario = lab.Scenario("brownian_motion", samples=500, steps=25, seed=seed)
        assert not shows_step_bias(simulate_summary(scenario), 1.0)


@pytest.mark.parametrize(
    "scenario",
    [
        lab.Scenario("lotka_volterra", horizon=50.0, samples=200),
        lab.Scenario("logistic_growth", parameters={"sigma": 1.5}, horizon=10.0, samples=200),
    ],
    ids=["lotka_volterra", "logistic_growth"],
)
def test_steps_with_which_no_path_diverges_are_found(scenario: lab.Scenario) -> None:
    assert has_diverged(simulate_summary(scenario))
    assert any(not has_diverged(simulate_summary(s)) for s in finer_scenarios(scenario, STEPS))
