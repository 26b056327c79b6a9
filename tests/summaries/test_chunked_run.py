"""A run span by span gives what a run at once gives."""

from __future__ import annotations

import numpy as np
import pytest

import sde_lab as lab
from sde_lab.solver.brownian import STREAM_SAMPLES
from sde_lab.summaries.chunked_run import ChunkedRun, simulate_summary


def same(one: lab.Summary, other: lab.Summary) -> None:
    assert one.kept == other.kept
    assert one.exploded == other.exploded
    for name in one.sensitivities:
        for a, b in zip(one.sensitivities[name], other.sensitivities[name], strict=True):
            np.testing.assert_array_equal(a.quantiles, b.quantiles)
            np.testing.assert_array_equal(a.mean, b.mean)
    for a, b in zip(one.states, other.states, strict=True):
        np.testing.assert_array_equal(a.quantiles, b.quantiles)
    np.testing.assert_array_equal(one.paths, other.paths)
    np.testing.assert_array_equal(one.times, other.times)


@pytest.mark.parametrize("model", ["ornstein_uhlenbeck", "heston"])
@pytest.mark.parametrize("steps", [7, 200])
def test_spans_change_nothing(monkeypatch: pytest.MonkeyPatch, model: str, steps: int) -> None:
    scenario = lab.Scenario(model=model, samples=2 * STREAM_SAMPLES + 100, steps=steps)
    paths = lab.simulate(scenario)
    whole = lab.summarise(paths, lab.jacobian(paths))
    monkeypatch.setattr("sde_lab.summaries.chunked_run.MAX_CHUNK_SAMPLES", STREAM_SAMPLES)
    run = ChunkedRun(scenario)
    spans = 0
    while not run.finished:
        run.advance()
        spans += 1
    assert spans == 3
    same(run.summary(), whole)


def test_a_survey_left_early_shows_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sde_lab.summaries.chunked_run.MAX_CHUNK_SAMPLES", STREAM_SAMPLES)
    scenario = lab.Scenario(samples=5 * STREAM_SAMPLES, steps=20)
    run = ChunkedRun(scenario)
    run.advance()
    run.advance()
    left = run.summary()
    assert left.kept == 2 * STREAM_SAMPLES
    same(left, simulate_summary(scenario.replace(samples=2 * STREAM_SAMPLES)))


def test_a_survey_over_the_budget_is_refused_before_it_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SDE_LAB_MEMORY_GB", "0.1")
    with pytest.raises(lab.ScenarioError, match="samples fit"):
        ChunkedRun(lab.Scenario(samples=100_000))
