"""How the ways grow: each at growing samples, then at growing steps, until it takes too long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sde_lab import memory
from sde_lab.scenario import Scenario
from sde_lab.studies.benchmark.benchmark import ORDER
from sde_lab.studies.benchmark.registry import METHODS, GradientMethod
from sde_lab.studies.benchmark.trial import TrialResult, empty_result, failed, run_trial, warm_up

SCALED_STEPS = (12, 25, 50, 100, 200, 400, 800, 1600, 3200)
SCALED_SAMPLES = (1, 4, 16, 64, 256, 1024, 4096, 16384)
FIXED_SIZE = (50, 16)
"""Steps at which samples grow, and samples at which steps do."""
MAX_POINT_SECONDS = 0.6
"""Seconds that one run may be expected to take."""


def run_scaling_study(scenario: Scenario) -> Iterator[str | TrialResult]:
    """Time each way at growing samples, then at growing steps, until it takes too long.

    Yields:
        The name of each way as its turn comes, then its results, whose ``study`` says what grows.
    """
    steps, samples = FIXED_SIZE
    grids = {
        "samples": [(steps, n) for n in SCALED_SAMPLES],
        "steps": [(k, samples) for k in SCALED_STEPS],
    }
    for name in ORDER:
        way = METHODS[name]
        yield name
        refusal = way.why_unsupported(scenario)
        if refusal is not None:
            yield empty_result(way, scenario, "refused", refusal)
            continue
        try:
            warm_up(way, scenario)
        except Exception as error:  # noqa: BLE001  torch and torchsde raise of many kinds
            yield failed(way, scenario, error)
            continue
        for study, grid in grids.items():
            for found in _growing_sizes(way, scenario, grid):
                yield replace(found, study=study)


def _growing_sizes(
    way: GradientMethod, scenario: Scenario, grid: list[tuple[int, int]]
) -> Iterator[TrialResult]:
    """Growing sizes, until the next is expected to take too long or too much."""
    runs: list[TrialResult] = []
    for k, n in grid:
        if len(runs) >= 2:
            before, last = runs[-2:]
            pace = max(1.0, last.seconds / before.seconds) * last.seconds
            more = max(1.0, last.memory / max(before.memory, 1e6)) * last.memory
            if pace > MAX_POINT_SECONDS or more > 0.5 * memory.run_limit_bytes():
                return
        found = run_trial(way, scenario.replace(steps=k, samples=n), None, enough=0.2, repeats=5)
        yield found
        if found.status != "measured":
            return
        runs.append(found)
