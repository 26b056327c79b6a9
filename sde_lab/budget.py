"""How much memory a scenario needs, and the refusal of one that needs too much."""

from __future__ import annotations

import math
import os

from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario

VARIABLE = "SDE_LAB_MEMORY_GB"
DEFAULT_GB = 2.0
DISPLAYED = 120
"""Steps between displayed times, at most."""
BLOCK_BYTES = 64e6
"""Working memory of one block of the replay; see :mod:`sde_lab.engines.replay`."""


def limit() -> float:
    """The memory one run may take, in bytes: ``SDE_LAB_MEMORY_GB``, or 2 GB.

    Raises:
        ScenarioError: if the variable is not a positive number.
    """
    given = os.environ.get(VARIABLE, str(DEFAULT_GB))
    try:
        gigabytes = float(given)
    except ValueError:
        gigabytes = math.nan
    if not 0.0 < gigabytes < math.inf:
        raise ScenarioError(VARIABLE, given, "must be a positive number of gigabytes")
    return gigabytes * 1e9


def estimate(scenario: Scenario, *, jacobian: bool) -> float:
    """Peak memory of simulating the scenario, with its Jacobian or without, in bytes."""
    return BLOCK_BYTES + scenario.samples * per_sample(scenario, jacobian=jacobian)


def fitting_samples(scenario: Scenario, *, jacobian: bool) -> int:
    """The largest number of samples with which the scenario fits; 0 if none does."""
    return max(0, int((limit() - BLOCK_BYTES) / per_sample(scenario, jacobian=jacobian)))


def require(scenario: Scenario, *, jacobian: bool) -> None:
    """Raise ScenarioError, saying what would fit, if the scenario is over the budget."""
    task = "the paths and their derivatives need" if jacobian else "the paths need"
    _require(scenario, per_sample(scenario, jacobian=jacobian), task)


def require_survey(scenario: Scenario) -> None:
    """The same for a survey, which keeps the displayed times only (:mod:`sde_lab.survey`)."""
    model = scenario.sde
    numbers = len(model.components) * (1 + len(model.columns)) + 6
    _require(scenario, (DISPLAYED + 1) * numbers * _width(scenario), "the displayed times need")


def _require(scenario: Scenario, per_sample: float, task: str) -> None:
    needed, allowed = BLOCK_BYTES + scenario.samples * per_sample, limit()
    if needed <= allowed:
        return
    samples = max(0, int((allowed - BLOCK_BYTES) / per_sample))
    if samples:
        fits = f"{samples} samples fit at {scenario.steps} steps"
    elif allowed <= BLOCK_BYTES:
        fits = f"{VARIABLE} must be above {BLOCK_BYTES / 1e9:g}"
    else:
        fits = f"fewer than {scenario.steps} steps would fit"
    raise ScenarioError(
        "samples",
        scenario.samples,
        f"{task} {needed / 1e9:.1f} GB, the budget is {allowed / 1e9:.1f} GB; {fits}",
    )


def per_sample(scenario: Scenario, *, jacobian: bool) -> float:
    """Bytes that one more sample takes: states (twice, while stacked), noise, derivatives."""
    model = scenario.sde
    state = len(model.components)
    noise = model.channels * (2 if scenario.solver.levy_area else 1)
    derivatives = state * (len(model.columns) + state) if jacobian else 0
    numbers = (scenario.steps + 1) * (noise + max(2 * state, state + derivatives))
    return float(numbers * _width(scenario))


def _width(scenario: Scenario) -> int:
    """Bytes of a number."""
    return 8 if scenario.dtype == "float64" else 4
