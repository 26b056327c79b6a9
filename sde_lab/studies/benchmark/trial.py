"""One way at one size: run once for its memory, then again and again for its time."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from sde_lab.scenario import Scenario
from sde_lab.studies.benchmark.deadline import OutOfTimeError, deadline
from sde_lab.studies.benchmark.profiling import profile, release_memory
from sde_lab.studies.benchmark.registry import METHODS, GradientMethod
from sde_lab.studies.benchmark.torchsde_setup import torchsde_setup

Status = Literal["measured", "predicted", "refused", "failed"]

MAX_TRIAL_SECONDS = 3.0
"""Seconds that one run may be expected to take; what would take longer is not attempted."""
PATIENCE = 2.5
"""A run is ended after this many times LONGEST."""
ENOUGH_SECONDS = 1.0
"""Seconds after which no further repeat is begun."""
REPEATS = 7
LONGEST_REASON = 200
"""Characters of an error's message that are shown."""


@dataclass(frozen=True)
class TrialResult:
    """What became of one way at one size.

    Attributes:
        way: its name in :data:`WAYS`.
        steps: K.
        samples: N.
        status: "measured"; "predicted", from smaller runs, and not attempted; "refused", because
            the way cannot serve the scenario; "failed" while it ran.
        seconds: median of the repeats after the first run, or the forecast.
        memory: peak extra memory of the first run, or the forecast, in bytes.
        repeats: number of runs timed.
        shape: shape of the output.
        max_abs_error: largest absolute difference from the float64 replay (from its sum, for the
            method that sums), over numbers that are finite.
        reason: why it was refused, predicted or failed.
        study: "race", "steps" or "samples": what grows.
    """

    way: str
    steps: int
    samples: int
    status: Status
    seconds: float = math.nan
    memory: float = math.nan
    repeats: int = 0
    shape: tuple[int, ...] = ()
    max_abs_error: float = math.nan
    reason: str = ""
    study: str = "race"


def run_trial(
    way: GradientMethod,
    scenario: Scenario,
    truth: Tensor | None,
    *,
    enough: float = ENOUGH_SECONDS,
    repeats: int = REPEATS,
) -> TrialResult:
    """One run for the memory, then repeats for the time.

    Args:
        way: what is run.
        scenario: on what, in the scenario's own precision.
        truth: the derivatives to compare with, (T, N, D, D); None compares nothing.
        enough: seconds after which no further repeat is begun.
        repeats: how many runs are timed, at most.
    """
    unknown = empty_result(way, scenario, "failed", "")
    try:
        with deadline(PATIENCE * MAX_TRIAL_SECONDS):
            setup = torchsde_setup(scenario)
            first = profile(lambda: way(setup))
            shape, difference = tuple(first.value.shape), _difference(first.value, truth)
            seconds = [first.seconds]
            memory = first.extra
            del first
            while len(seconds) <= repeats and sum(seconds) < enough:
                release_memory()
                start = time.perf_counter()
                way(setup)
                seconds.append(time.perf_counter() - start)
    except OutOfTimeError:
        return replace(unknown, reason=f"ended after {PATIENCE * MAX_TRIAL_SECONDS:g} s")
    except Exception as error:  # noqa: BLE001  torch and torchsde raise of many kinds
        return failed(way, scenario, error)
    timed = seconds[1:] or seconds
    return replace(
        unknown,
        status="measured",
        seconds=statistics.median(timed),
        memory=memory,
        repeats=len(timed),
        shape=shape,
        max_abs_error=difference,
    )


def float64_replay(scenario: Scenario) -> Tensor:
    """The float64 replay on the same noise, (T, N, D, D)."""
    return METHODS["replay"](torchsde_setup(scenario.replace(dtype="float64")))


def empty_result(
    way: GradientMethod, scenario: Scenario, status: Status, reason: str
) -> TrialResult:
    """A result with no numbers in it."""
    return TrialResult(way.name, scenario.steps, scenario.samples, status, reason=reason)


def failed(way: GradientMethod, scenario: Scenario, error: Exception) -> TrialResult:
    """Return the result of a way that raised: the trial ends with its message, the study goes on.

    Whatever a way raises belongs to its own trial. Were it let through, it would end the generator
    of the whole study, and the ways that come after it would never run.
    """
    return empty_result(way, scenario, "failed", first_line(error))


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its kind where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0][:LONGEST_REASON] if lines else type(error).__name__


def warm_up(way: GradientMethod, scenario: Scenario) -> None:
    """What happens once only: imports, the first backward pass, the first transform."""
    way(torchsde_setup(scenario.replace(steps=2, samples=2)))


def _difference(found: Tensor, truth: Tensor | None) -> float:
    """Largest |found − truth| over what is finite; the sum is compared with the sum."""
    if truth is None:
        return math.nan
    if found.dim() == 1:
        truth = truth.sum((0, 1, 2))
    gap = (found.double() - truth).abs()
    return float(torch.where(gap.isfinite(), gap, 0.0).max())
