"""The race: every way on one scenario, one after the other; what would not fit is predicted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from sde_lab.formatting import readable_bytes, readable_seconds
from sde_lab.memory import limit, require
from sde_lab.scenario import Scenario
from sde_lab.studies.benchmark.cost_model import Forecast, Sample, fit
from sde_lab.studies.benchmark.profiling import measure
from sde_lab.studies.benchmark.registry import WAYS, Way
from sde_lab.studies.benchmark.torchsde_setup import torchsde_setup
from sde_lab.studies.benchmark.trial import (
    LONGEST,
    Result,
    blank,
    ending,
    trial,
    truth_of,
    warm_up,
)

PILOTS = ((8, 4), (8, 16), (8, 64), (16, 8), (16, 32), (32, 4), (32, 16), (32, 64), (32, 128))
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
SMALLER = (500, 200, 100, 50, 20, 10, 5, 2, 1)
"""Samples at which a way that does not fit is measured instead, where one of them does."""


def race(scenario: Scenario) -> Iterator[str | Result]:
    """Run every way on the scenario, cheap ones first.

    Args:
        scenario: what is differentiated; its precision is that of the contestants.

    Yields:
        The name of each way as its turn comes, then its result. A way that would not fit is
        predicted at the scenario's size and measured, with replay, at the largest of a few smaller
        numbers of samples that does fit.

    Raises:
        ScenarioError: if even the replay does not fit the memory memory.
    """
    require(scenario.but(dtype="float64"), jacobian=True)
    truth = truth_of(scenario)
    for name in ORDER:
        yield name
        yield from ending(WAYS[name], scenario, _measured(WAYS[name], scenario, truth))


def _measured(way: Way, scenario: Scenario, truth: Tensor) -> Iterator[Result]:
    """Measure one method, or predict it where it would not fit."""
    refusal = way.refuses(scenario)
    if refusal is not None:
        yield blank(way, scenario, "refused", refusal)
        return
    forecasts = _forecasts(way, scenario)
    obstacle = _obstacle(*forecasts, scenario)
    if obstacle is None:
        yield trial(way, scenario, truth)
        return
    seconds, memory = (cost(scenario.steps, scenario.samples) for cost in forecasts)
    unknown = blank(way, scenario, "predicted", obstacle)
    yield replace(unknown, seconds=seconds, memory=memory)
    yield from _where_it_fits(way, scenario, forecasts)


def _forecasts(way: Way, scenario: Scenario) -> tuple[Forecast, Forecast]:
    """Seconds and bytes, by size, from small runs."""
    warm_up(way, scenario)
    times, sizes = [], []
    for steps, samples in PILOTS:
        setup = torchsde_setup(scenario.but(steps=steps, samples=samples))
        first = measure(lambda setup=setup: way(setup))  # type: ignore[misc]
        start = time.perf_counter()
        way(setup)
        seconds = min(first.seconds, time.perf_counter() - start)
        times.append(Sample(steps, samples, seconds))
        sizes.append(Sample(steps, samples, first.extra))
    return fit(times, way.time, NOISE_SECONDS), fit(sizes, way.memory, NOISE_BYTES)


def _obstacle(seconds: Forecast, memory: Forecast, scenario: Scenario) -> str | None:
    """Why a run of this size is not attempted, or None."""
    time_, bytes_ = (cost(scenario.steps, scenario.samples) for cost in (seconds, memory))
    if time_ <= LONGEST and bytes_ <= limit():
        return None
    need = f"would take {readable_seconds(time_)} and {readable_bytes(bytes_)}"
    if bytes_ > limit():
        return f"{need} of memory, where {readable_bytes(limit())} are allowed"
    return f"{need} of memory, where {LONGEST:g} s are allowed"


def _where_it_fits(
    way: Way, scenario: Scenario, forecasts: tuple[Forecast, Forecast]
) -> Iterator[Result]:
    """The way and replay at the largest smaller number of samples that fits easily."""
    seconds, memory = forecasts
    for samples in SMALLER:
        smaller = scenario.but(samples=min(samples, scenario.samples))
        at = smaller.steps, smaller.samples
        if samples < scenario.samples and 5 * seconds(*at) < LONGEST and _light(memory(*at)):
            truth = truth_of(smaller)
            yield trial(way, smaller, truth)
            yield trial(WAYS["replay"], smaller, truth)
            return


def _light(memory: float) -> bool:
    return 2 * memory < limit()
