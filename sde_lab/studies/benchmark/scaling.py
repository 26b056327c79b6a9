"""Scaling study: the time of each method at growing samples, then at growing steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sde_lab import memory
from sde_lab.scenario import Scenario
from sde_lab.studies.benchmark.benchmark import study_methods
from sde_lab.studies.benchmark.registry import GradientMethod
from sde_lab.studies.benchmark.trial import MIN_TIMED, TrialResult, run_trial

SCALED_STEPS = (12, 25, 50, 100, 200, 400, 800, 1600, 3200)
"""Numbers of steps, at the fixed number of samples."""
SCALED_SAMPLES = (1, 4, 16, 64, 256, 1024, 4096, 16384)
"""Numbers of samples, at the fixed number of steps."""
FIXED_SIZE = (50, 16)
"""Steps at which samples grow, and samples at which steps grow."""
MAX_POINT_SECONDS = 0.3
"""Seconds that one run may be expected to take."""
MAX_MEMORY_FRACTION = 0.5
"""Fraction of the memory limit that one run may be expected to take."""
MIN_MEMORY_BYTES = 1e6
"""Memory below which a growth factor would be that of the measurement's noise."""
TRIAL_SECONDS = 0.2
"""Seconds of one point's runs after which no further repeat begins."""
TRIAL_REPEATS = 5
"""Runs of one point that are timed, at most."""


def run_scaling_study(scenario: Scenario) -> Iterator[str | TrialResult]:
    """Time each method at growing samples, then at growing steps, until it takes too long.

    Args:
        scenario: what is differentiated; its own steps and samples do not count.

    Yields:
        The name of each method before it runs, then its results, whose ``study`` names what grows.
    """
    steps, samples = FIXED_SIZE
    grids = {
        "samples": [(steps, n) for n in SCALED_SAMPLES],
        "steps": [(k, samples) for k in SCALED_STEPS],
    }

    def trials(method: GradientMethod) -> Iterator[TrialResult]:
        for study, sizes in grids.items():
            for result in _growing_sizes(method, scenario, sizes):
                yield replace(result, study=study)

    yield from study_methods(scenario, trials)


def _growing_sizes(
    method: GradientMethod, scenario: Scenario, sizes: list[tuple[int, int]]
) -> Iterator[TrialResult]:
    """Run growing sizes until the next one is expected to exceed the time or the memory.

    The next run is expected to cost as much more than the last as that did than the one before.
    """
    runs: list[TrialResult] = []
    for k, n in sizes:
        if len(runs) >= 2:
            before, last = runs[-2:]
            seconds = max(1.0, last.seconds / before.seconds) * last.seconds
            growth = last.memory / max(before.memory, MIN_MEMORY_BYTES)
            bytes_ = max(1.0, growth) * last.memory
            limit = MAX_MEMORY_FRACTION * memory.run_limit_bytes()
            if seconds > MAX_POINT_SECONDS or bytes_ > limit:
                return
        size = scenario.replace(steps=k, samples=n)
        result = run_trial(
            method, size, None, enough=TRIAL_SECONDS, repeats=TRIAL_REPEATS, least=MIN_TIMED
        )
        yield result
        if result.status != "measured":
            return
        runs.append(result)
