"""Where a computation runs: at once in the interactive process, or in turns in the background."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.server.fair_queue import acquire_slot
from sde_lab.server.interactive import run_interactive
from sde_lab.server.job_pool import background_worker
from sde_lab.server.worker_process import WorkerDiedError
from sde_lab.summaries.chunked_run import check_memory

T = TypeVar("T")

MAX_INTERACTIVE_WORK = 2_000_000
"""Derivatives (steps × samples × components × columns) up to which a run is done at once, beside
whatever else the server does: about a twentieth of a second."""
MAX_INTERACTIVE_STEPS = 6000
"""Steps, times the evaluation cost of the equation, up to which a run is done at once, however few
its samples."""


def is_interactive(scenario: Scenario) -> bool:
    """Return True if the scenario's summary takes some tenths of a second at most."""
    work = scenario.samples * cost_per_sample(scenario)
    return work <= MAX_INTERACTIVE_WORK and not is_slow(scenario)


def limit_to_interactive(scenario: Scenario, max_samples: int | None = None) -> Scenario:
    """Return the scenario with as many of its samples as are done at once.

    Args:
        scenario: what is asked for.
        max_samples: an upper bound on the samples; None for no other bound than the work.
    """
    few = max(1, MAX_INTERACTIVE_WORK // cost_per_sample(scenario))
    return scenario.replace(samples=min(scenario.samples, few, max_samples or few))


def cost_per_sample(scenario: Scenario) -> int:
    """Return the derivatives of one sample, times the evaluation cost of the equation.

    Derivatives are counted as steps × components × Jacobian columns, since the recursion of the
    tangents does one linear update for each.
    """
    derivatives = scenario.steps * len(scenario.initial) * len(scenario.model_spec.jacobian_columns)
    return math.ceil(derivatives * _evaluation_cost(scenario))


def is_slow(scenario: Scenario) -> bool:
    """Return True if even one sample takes long: a long equation, evaluated at many steps."""
    return scenario.steps * _evaluation_cost(scenario) > MAX_INTERACTIVE_STEPS


def run_study(study: Callable[..., T], scenario: Scenario, *args: Any) -> T:
    """Return ``study(scenario, *args)``, computed in the interactive process.

    What is slow for any number of samples is computed in the background instead, in turns.

    Args:
        study: a function that can be imported; its result is pickled.
        scenario: its first argument, whose cost decides.
        args: further arguments.

    Raises:
        ScenarioError: if the scenario is over the memory budget, or the server ended the run.
        Exception: whatever the study raises.
    """
    check_memory(scenario)
    if not is_slow(scenario):
        return run_interactive(study, scenario, *args)
    with acquire_slot():
        try:
            return background_worker().call(study, scenario, *args)
        except WorkerDiedError:
            hint = "the server ended this to save its memory; fewer steps would fit"
            raise ScenarioError("steps", scenario.steps, hint) from None


def _evaluation_cost(scenario: Scenario) -> float:
    return scenario.model_spec.evaluation_cost(scenario.scheme_spec.interpretation)
