"""How the ways grow: each at growing samples, then at growing steps, until it takes too long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from sde_lab import memory
from sde_lab.scenario import Scenario
from sde_lab.studies.benchmark.benchmark import ORDER
from sde_lab.studies.benchmark.registry import WAYS, Way
from sde_lab.studies.benchmark.trial import Result, blank, ending, trial, warm_up

GROWING = (12, 25, 50, 100, 200, 400, 800, 1600, 3200)
GROWTH_SAMPLES = (1, 4, 16, 64, 256, 1024, 4096, 16384)
GROWTH_AT = (50, 16)
"""Steps at which samples grow, and samples at which steps do."""
GROWTH_LONGEST = 0.6
"""Seconds that one run may be expected to take."""


def growth(scenario: Scenario) -> Iterator[str | Result]:
    """Time each way at growing samples, then at growing steps, until it takes too long.

    Yields:
        The name of each way as its turn comes, then its results, whose ``study`` says what grows.
    """
    steps, samples = GROWTH_AT
    grids = {
        "samples": [(steps, n) for n in GROWTH_SAMPLES],
        "steps": [(k, samples) for k in GROWING],
    }
    for name in ORDER:
        yield name
        yield from ending(WAYS[name], scenario, _grown(WAYS[name], scenario, grids))


def _grown(
    way: Way, scenario: Scenario, grids: Mapping[str, list[tuple[int, int]]]
) -> Iterator[Result]:
    """Time one method along both grids."""
    refusal = way.refuses(scenario)
    if refusal is not None:
        yield blank(way, scenario, "refused", refusal)
        return
    warm_up(way, scenario)
    for study, grid in grids.items():
        for found in _ladder(way, scenario, grid):
            yield replace(found, study=study)


def _ladder(way: Way, scenario: Scenario, grid: list[tuple[int, int]]) -> Iterator[Result]:
    """Growing sizes, until the next is expected to take too long or too much."""
    runs: list[Result] = []
    for k, n in grid:
        if len(runs) >= 2:
            before, last = runs[-2:]
            pace = max(1.0, last.seconds / before.seconds) * last.seconds
            more = max(1.0, last.memory / max(before.memory, 1e6)) * last.memory
            if pace > GROWTH_LONGEST or more > 0.5 * memory.limit():
                return
        found = trial(way, scenario.but(steps=k, samples=n), None, enough=0.2, repeats=5)
        yield found
        if found.status != "measured":
            return
        runs.append(found)
