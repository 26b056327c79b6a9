"""Benchmark every method on one scenario; a run that would not fit is predicted from small ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
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
"""Steps × samples of the small runs to which a cost model is fitted."""
ORDER = (
    "compiled",
    "replay",
    "summed",
    "jacfwd",
    "batched",
    "first_variation",
    "loop",
    "jacrev_chunked",
    "jacrev",
)
"""Names of the methods in the order in which a study runs them, cheap ones first."""
NOISE_SECONDS, NOISE_BYTES = 2e-4, 4e6
"""Difference between two runs of equal size, about: a context switch, a few memory pages."""
FALLBACK_SAMPLES = (500, 200, 100, 50, 20, 10, 5, 2, 1)
"""Numbers of samples at one of which a method that does not fit is measured instead."""


def run_benchmark(scenario: Scenario) -> Iterator[str | TrialResult]:
    """Benchmark every method on the scenario.

    Args:
        scenario: what is differentiated, in its own precision.

    Yields:
        The name of each method before it runs, then its results. A method that would not fit is
        predicted at the scenario's size, and measured together with replay at the largest of a few
        smaller numbers of samples that does fit.

    Raises:
        ScenarioError: if not even replay fits the memory budget.
    """
    check_run(scenario.replace(dtype="float64"), jacobian=True)
    truth = float64_replay(scenario)

    def trials(method: GradientMethod) -> Iterator[TrialResult]:
        costs = _fit_costs(method, scenario)
        obstacle = _obstacle(*costs, scenario)
        if obstacle is None:
            yield run_trial(method, scenario, truth)
            return
        seconds, memory = (cost(scenario.steps, scenario.samples) for cost in costs)
        unknown = empty_result(method, scenario, "predicted", obstacle)
        yield replace(unknown, seconds=seconds, memory=memory)
        yield from _trials_where_it_fits(method, scenario, costs)

    yield from study_methods(scenario, trials)


def study_methods(
    scenario: Scenario, trials: Callable[[GradientMethod], Iterator[TrialResult]]
) -> Iterator[str | TrialResult]:
    """Run the trials of every method, in the order of :data:`ORDER`.

    Args:
        scenario: what is differentiated.
        trials: gives the results of one method, which has been warmed up.

    Yields:
        The name of each method before it runs, then its results; a single one, refused or failed,
        where the method cannot serve the scenario or raises.
    """
    for name in ORDER:
        method = METHODS[name]
        yield name
        refusal = method.why_unsupported(scenario)
        if refusal is not None:
            yield empty_result(method, scenario, "refused", refusal)
            continue
        try:
            warm_up(method, scenario)
            yield from trials(method)
        except Exception as error:  # noqa: BLE001  torch and torchsde raise of many kinds
            yield failed(method, scenario, error)


def _fit_costs(method: GradientMethod, scenario: Scenario) -> tuple[CostModel, CostModel]:
    """Fit models of seconds and of bytes to small runs."""
    times, sizes = [], []
    for steps, samples in PILOT_SIZES:
        setup = torchsde_setup(scenario.replace(steps=steps, samples=samples))
        first = profile(lambda setup=setup: method(setup))  # type: ignore[misc]
        start = time.perf_counter()
        method(setup)
        seconds = min(first.seconds, time.perf_counter() - start)
        times.append(CostSample(steps, samples, seconds))
        sizes.append(CostSample(steps, samples, first.extra))
    return fit(times, method.time, NOISE_SECONDS), fit(sizes, method.memory, NOISE_BYTES)


def _obstacle(seconds: CostModel, memory: CostModel, scenario: Scenario) -> str | None:
    """Return why a run of the scenario's size is not attempted; None where it fits."""
    time_, bytes_ = (cost(scenario.steps, scenario.samples) for cost in (seconds, memory))
    if time_ <= MAX_TRIAL_SECONDS and bytes_ <= run_limit_bytes():
        return None
    need = f"would take {readable_seconds(time_)} and {readable_bytes(bytes_)}"
    if bytes_ > run_limit_bytes():
        return f"{need} of memory, where {readable_bytes(run_limit_bytes())} are allowed"
    return f"{need} of memory, where {MAX_TRIAL_SECONDS:g} s are allowed"


def _trials_where_it_fits(
    method: GradientMethod, scenario: Scenario, costs: tuple[CostModel, CostModel]
) -> Iterator[TrialResult]:
    """Run the method and replay at the largest smaller number of samples that fits.

    It must fit by a margin, in a fifth of the time and half of the memory, as costs are estimates.
    """
    seconds, memory = costs
    for samples in FALLBACK_SAMPLES:
        smaller = scenario.replace(samples=min(samples, scenario.samples))
        size = smaller.steps, smaller.samples
        if (
            samples < scenario.samples
            and 5 * seconds(*size) < MAX_TRIAL_SECONDS
            and 2 * memory(*size) < run_limit_bytes()
        ):
            truth = float64_replay(smaller)
            yield run_trial(method, smaller, truth)
            yield run_trial(METHODS["replay"], smaller, truth)
            return
