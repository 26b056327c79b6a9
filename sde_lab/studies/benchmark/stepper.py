"""A race or a growth study as an object that is asked for one result after the other."""

from __future__ import annotations

import gc

from sde_lab.scenario import Scenario
from sde_lab.studies.benchmark.benchmark import run_benchmark
from sde_lab.studies.benchmark.scaling import run_scaling_study
from sde_lab.studies.benchmark.trial import TrialResult

STUDIES = {"race": run_benchmark, "growth": run_scaling_study}


class BenchmarkStepper:
    """A study in progress, which can be left at any time.

    Args:
        study: a name in STUDIES.
        scenario: what is differentiated.

    Raises:
        ScenarioError: at the first step, if not even the replay fits the memory budget.
    """

    def __init__(self, study: str, scenario: Scenario) -> None:
        gc.collect()
        gc.freeze()  # what imports made is not collected again between contestants
        self._steps = STUDIES[study](scenario)

    def step(self) -> str | TrialResult | None:
        """The name of the way whose turn it is, or a result; None at the end."""
        return next(self._steps, None)
