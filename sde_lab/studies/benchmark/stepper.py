"""A benchmark or scaling study as an object that gives one result per call."""

from __future__ import annotations

import gc

from sde_lab.scenario import Scenario
from sde_lab.studies.benchmark.benchmark import run_benchmark
from sde_lab.studies.benchmark.scaling import run_scaling_study
from sde_lab.studies.benchmark.trial import TrialResult

STUDIES = {"race": run_benchmark, "growth": run_scaling_study}
"""Generators of the studies: "race" is the benchmark at one size, "growth" the scaling study."""


class BenchmarkStepper:
    """A study in progress, which can be stopped between two trials.

    A generator cannot be pickled; this object stays in the worker process, which calls it.

    Args:
        study: a name in STUDIES.
        scenario: what is differentiated.

    Raises:
        ScenarioError: at the first step, if not even replay fits the memory budget.
    """

    def __init__(self, study: str, scenario: Scenario) -> None:
        # The objects that imports created leave the garbage collector's reach: each trial begins
        # with a full collection, which would walk through all of them.
        gc.collect()
        gc.freeze()
        self._steps = STUDIES[study](scenario)

    def step(self) -> str | TrialResult | None:
        """Return the name of the method that runs next, or a result; None at the end."""
        return next(self._steps, None)
