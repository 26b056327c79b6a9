"""Trial of one method at one size: a first run for its memory, then repeats for its time."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from sde_lab.scenario import Scenario
from sde_lab.studies.benchmark.profiling import (
    OutOfTimeError,
    deadline,
    profile,
    release_memory,
)
from sde_lab.studies.benchmark.registry import METHODS, GradientMethod
from sde_lab.studies.benchmark.torchsde_setup import torchsde_setup

Status = Literal["measured", "predicted", "refused", "failed"]

MAX_TRIAL_SECONDS = 3.0
"""Seconds that one run may be expected to take; a longer one is not attempted."""
TIMEOUT_SECONDS = 2.5 * MAX_TRIAL_SECONDS
"""Seconds after which the runs of a trial are ended; predictions may be too low."""
ENOUGH_SECONDS = 1.0
"""Seconds of runs after which no further repeat begins."""
MAX_REPEATING_SECONDS = 2.0
"""Seconds, garbage collection included, after which no further repeat begins."""
MIN_TIMED = 3
"""Timed runs from which the error of their median is estimated."""
MAX_REPEATS = 7
"""Runs that are timed after the first, at most."""
MAX_REASON_CHARS = 200
"""Characters of an error's message that are shown, at most."""


@dataclass(frozen=True)
class TrialResult:
    """The result of one method at one size.

    Attributes:
        method: name of the method in :data:`~sde_lab.studies.benchmark.registry.METHODS`.
        steps: number of steps.
        samples: number of samples.
        status: "measured"; "predicted" from smaller runs and not attempted; "refused", because the
            method cannot serve the scenario; "failed" while it ran.
        seconds: median of the repeats after the first run, or the predicted time; NaN if neither.
        seconds_error: standard error of the median; NaN of fewer than :data:`MIN_TIMED` runs.
        memory: peak extra memory of the first run, or the predicted one, in bytes.
        repeats: number of runs that were timed.
        shape: shape of the output.
        relative_error: largest difference from the float64 replay (from its sum, for the method
            that sums), over finite numbers, relative to the largest of them.
        reason: why it was refused, predicted or failed.
        study: "race" for the benchmark at one size; "steps" or "samples" for what grows.
    """

    method: str
    steps: int
    samples: int
    status: Status
    seconds: float = math.nan
    memory: float = math.nan
    repeats: int = 0
    shape: tuple[int, ...] = ()
    relative_error: float = math.nan
    reason: str = ""
    study: str = "race"
    seconds_error: float = math.nan


def run_trial(
    method: GradientMethod,
    scenario: Scenario,
    truth: Tensor | None,
    *,
    enough: float = ENOUGH_SECONDS,
    repeats: int = MAX_REPEATS,
    least: int = 1,
) -> TrialResult:
    """Run a method once for its memory, then repeatedly for its time.

    The first run also pays for what later ones find in memory, so it is not timed where there are
    repeats.

    Args:
        method: the method.
        scenario: what is differentiated, in its own precision.
        truth: the derivatives to compare with, (T, N, D, D); None compares nothing.
        enough: seconds of runs after which no further repeat begins.
        repeats: runs that are timed after the first, at most.
        least: runs that are timed after the first, at least, if there is time.
    """
    unknown = empty_result(method, scenario, "failed", "")
    try:
        with deadline(TIMEOUT_SECONDS):
            setup = torchsde_setup(scenario)
            first = profile(lambda: method(setup))
            shape, difference = tuple(first.value.shape), _difference(first.value, truth)
            seconds = [first.seconds]
            memory = first.extra
            del first  # its output would count for the memory of the repeats
            begin = time.perf_counter()
            # Collecting garbage is not timed, yet takes a second in a process of many objects.
            while (
                len(seconds) <= repeats
                and (sum(seconds) < enough or 1 < len(seconds) <= least)
                and time.perf_counter() - begin < MAX_REPEATING_SECONDS
            ):
                release_memory()
                start = time.perf_counter()
                method(setup)
                seconds.append(time.perf_counter() - start)
    except OutOfTimeError:
        return replace(unknown, reason=f"ended after {TIMEOUT_SECONDS:g} s")
    except Exception as error:  # noqa: BLE001  torch and torchsde raise of many kinds
        return failed(method, scenario, error)
    timed = seconds[1:] or seconds
    return replace(
        unknown,
        status="measured",
        seconds=statistics.median(timed),
        memory=memory,
        repeats=len(timed),
        shape=shape,
        relative_error=difference,
        seconds_error=_median_error(timed),
    )


def _median_error(timed: Sequence[float]) -> float:
    """Return the standard error of the median of run times, √(π/2) s / √n; NaN of too few."""
    if len(timed) < MIN_TIMED:
        return math.nan
    return math.sqrt(math.pi / 2.0 / len(timed)) * statistics.stdev(timed)


def float64_replay(scenario: Scenario) -> Tensor:
    """Return the derivatives by replay in float64, on the scenario's noise, (T, N, D, D)."""
    return METHODS["replay"](torchsde_setup(scenario.replace(dtype="float64")))


def empty_result(
    method: GradientMethod, scenario: Scenario, status: Status, reason: str
) -> TrialResult:
    """Return a result without measurements."""
    return TrialResult(method.name, scenario.steps, scenario.samples, status, reason=reason)


def failed(method: GradientMethod, scenario: Scenario, error: Exception) -> TrialResult:
    """Return the result of a method that raised.

    Whatever a method raises belongs to its own trial. Were it let through, it would end the
    generator of the whole study, and the methods that come after it would never run.
    """
    return empty_result(method, scenario, "failed", first_line(error))


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or the name of its class where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0][:MAX_REASON_CHARS] if lines else type(error).__name__


def warm_up(method: GradientMethod, scenario: Scenario) -> None:
    """Run a tiny size, to pay beforehand for imports, the first backward pass and transform."""
    method(torchsde_setup(scenario.replace(steps=2, samples=2)))


def _difference(output: Tensor, truth: Tensor | None) -> float:
    """Return the largest difference over finite numbers, relative to the largest of the truth.

    NaN without a truth.

    An output (D,) is the sum over times, samples and components, and is compared with that of the
    truth.
    """
    if truth is None:
        return math.nan
    if output.dim() == 1:
        truth = truth.sum((0, 1, 2))
    difference = (output.double() - truth).abs()
    known = difference.isfinite()
    largest = torch.where(known, difference, 0.0).max()
    scale = torch.where(known, truth.abs(), 0.0).max()
    return float(largest / scale) if scale > 0.0 else float(largest)
