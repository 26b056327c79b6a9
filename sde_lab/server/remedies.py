"""Steps and schemes to try where the steps of a scenario are too coarse."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from sde_lab.figures.board import known_exact_laws
from sde_lab.figures.readout import rows_at_cursor
from sde_lab.scenario import Scenario
from sde_lab.schemes import SCHEMES
from sde_lab.server.scheduling import is_slow
from sde_lab.summaries.summary import Summary

SECOND_ORDER = "heun"
"""A scheme that drives every noise and is of weak order 2 where noise is additive. It is of the
Stratonovich interpretation, and models are converted, so that it solves the same equation."""


def finer_scenarios(scenario: Scenario, step_counts: Sequence[int]) -> Iterator[Scenario]:
    """Return scenarios with smaller steps or a scheme of higher order, the cheapest first.

    Args:
        scenario: whose steps are too coarse.
        step_counts: numbers of steps to choose from, increasing.
    """
    schemes = [scenario.scheme]
    if scenario.scheme != SECOND_ORDER and SCHEMES[SECOND_ORDER].supports(scenario.model_spec):
        schemes.append(SECOND_ORDER)
    for steps in (scenario.steps, *(n for n in step_counts if n > scenario.steps)):
        for scheme in schemes:
            finer = scenario.replace(steps=steps, scheme=scheme)
            if finer != scenario and not is_slow(finer):
                yield finer


def has_diverged(summary: Summary) -> bool:
    """Return True if a path, or a derivative of one, diverged."""
    return bool(summary.exploded or any(summary.excluded.values()))


def shows_step_bias(summary: Summary, share: float) -> bool:
    """Return True if the readout has a difference that noise does not explain.

    Args:
        summary: of a scenario.
        share: of the horizon, at which the readout stands; all components count.
    """
    if has_diverged(summary):
        return True
    exact = known_exact_laws(summary.scenario)
    cursor = summary.index_nearest(share)
    rows = [
        row
        for component in range(len(summary.states))
        for row in rows_at_cursor(summary, exact, component, cursor)
    ]
    return any(row.biased for row in rows if math.isfinite(row.z))
