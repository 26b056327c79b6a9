"""The race: every way on one scenario, one after the other; what would not fit is predicted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from sde_lab.formatting import readable_bytes, readable_seconds
from sde_lab.memory import check_run, run_limit_bytes
from sde_lab.scenario import Scenario
from sde_lab.studies.benchmark.cost_model import CostModel, CostSample, fit
from sde_lab.studies.benchmark.profiling import profile
from sde_lab.studies.benchmark.registry import METHODS, GradientMethod
from sde_lab.studies.benchmark.torchsde_setup import torchsde_setup
from sde_lab.studies.benchmark.trial import (
    MAX_TRIAL_SECONDS,
    TrialResult,
    empty_result,
    failed,
    float64_replay,
    run_trial,
    warm_up,
)

PILOT_SIZES = ((8, 4), (8, 16), (8, 64), (16, 8), (16, 32), (32, 4), (32, 16), (32, 64), (32, 128))
"""Steps × samples of the small runs that a forecast is made from."""
ORDER = (
    "replay",
    "summed",
    "jacfwd",
    "batched",
    "first_variation",
    "loop",
    "jacrev_chunked",
    "jacrev",
)
NOISE_SECONDS, NOISE_BYTES = 2e-4, 4e6
"""What two runs of the same size differ by, about: a page or a context switch more or less."""
FALLBACK_SAMPLES = (500, 200, 100, 50, 20, 10, 5, 2, 1)
"""Samples at which a way that does not fit is measured instead, where one of them does."""


def run_benchmark(scenario: Scenario) -> Iterator[str | TrialResult]:
    """Run every way on the scenario, cheap ones first.

    Args:
        scenario: what is differentiated; its precision is that of the contestants.

    Yields:
        The name of each way as its turn comes, then its result. A way that would not fit is
        predicted at the scenario's size and measured, with replay, at the largest of a few smaller
        numbers of samples that does fit.

    Raises:
        ScenarioError: if even the replay does not fit the memory budget.
    """
    check_run(scenario.replace(dtype="float64"), jacobian=True)
    truth = float64_replay(scenario)
    for name in ORDER:
        way = METHODS[name]
        yield name
        refusal = way.why_unsupported(scenario)
        if refusal is not None:
            yield empty_result(way, scenario, "refused", refusal)
            continue
        try:
            forecasts = _forecasts(way, scenario)
        except Exception as error:  # noqa: BLE001  torch and torchsde raise of many kinds
            yield failed(way, scenario, error)
            continue
        obstacle = _obstacle(*forecasts, scenario)
        if obstacle is None:
            yield run_trial(way, scenario, truth)
            continue
        seconds, memory = (cost(scenario.steps, scenario.samples) for cost in forecasts)
        unknown = empty_result(way, scenario, "predicted", obstacle)
        yield replace(unknown, seconds=seconds, memory=memory)
        yield from _where_it_fits(way, scenario, forecasts)


def _forecasts(way: GradientMethod, scenario: Scenario) -> tuple[CostModel, CostModel]:
    """Seconds and bytes, by size, from small runs."""
    warm_up(way, scenario)
    times, sizes = [], []
    for steps, samples in PILOT_SIZES:
        setup = torchsde_setup(scenario.replace(steps=steps, samples=samples))
        first = profile(lambda setup=setup: way(setup))  # type: ignore[misc]
        start = time.perf_counter()
        way(setup)
        seconds = min(first.seconds, time.perf_counter() - start)
        times.append(CostSample(steps, samples, seconds))
        sizes.append(CostSample(steps, samples, first.extra))
    return fit(times, way.time, NOISE_SECONDS), fit(sizes, way.memory, NOISE_BYTES)


def _obstacle(seconds: CostModel, memory: CostModel, scenario: Scenario) -> str | None:
    """Why a run of this size is not attempted, or None."""
    time_, bytes_ = (cost(scenario.steps, scenario.samples) for cost in (seconds, memory))
    if time_ <= MAX_TRIAL_SECONDS and bytes_ <= run_limit_bytes():
        return None
    need = f"would take {readable_seconds(time_)} and {readable_bytes(bytes_)}"
    if bytes_ > run_limit_bytes():
        return f"{need} of memory, where {readable_bytes(run_limit_bytes())} are allowed"
    return f"{need} of memory, where {MAX_TRIAL_SECONDS:g} s are allowed"


def _where_it_fits(
    way: GradientMethod, scenario: Scenario, forecasts: tuple[CostModel, CostModel]
) -> Iterator[TrialResult]:
    """The way and replay at the largest smaller number of samples that fits easily."""
    seconds, memory = forecasts
    for samples in FALLBACK_SAMPLES:
        smaller = scenario.replace(samples=min(samples, scenario.samples))
        at = smaller.steps, smaller.samples
        if (
            samples < scenario.samples
            and 5 * seconds(*at) < MAX_TRIAL_SECONDS
            and _leaves_memory(memory(*at))
        ):
            truth = float64_replay(smaller)
            yield run_trial(way, smaller, truth)
            yield run_trial(METHODS["replay"], smaller, truth)
            return


def _leaves_memory(memory: float) -> bool:
    return 2 * memory < run_limit_bytes()
