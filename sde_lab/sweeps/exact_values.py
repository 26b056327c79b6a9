"""Exact values of the measures at each point and their errors, where laws are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sde_lab.models.laws.base import ExactLaws, Law
from sde_lab.scenario import Scenario
from sde_lab.summaries.estimators import Array
from sde_lab.sweeps.measures import SENSITIVITY_INPUTS, STATE_INPUTS, Measure
from sde_lab.sweeps.plan import SweepBlock
from sde_lab.theory.exact_laws import exact_laws


def exact_values(block: SweepBlock) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the exact value of each of the plan's E columns at the block's P points, (P, E).

    Returns:
        Exact values, and the standard errors that the samples of a point have by the law, of the
        scheme if it is known; NaN where they are not known.
    """
    # A law is evaluated once per distinct step; 0 is among them, as laws start from the initial
    # state. `rows` leads back to the measured times, which may repeat.
    steps, rows = np.unique([0, *block.indices], return_inverse=True)
    points = [_point_values(block, point, steps, rows[1:]) for point in block.scenarios]
    values, errors = zip(*points, strict=True)
    return np.array(values), np.array(errors)


def _point_values(
    block: SweepBlock, scenario: Scenario, steps: NDArray[np.int64], rows: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the exact values of one point and their errors, (E,) each.

    Args:
        block: gives the measures and sensitivities.
        scenario: the point.
        steps: distinct steps at which the laws are evaluated, (S,).
        rows: index into ``steps`` of each measured time, (T,).
    """
    laws = exact_laws(scenario, times=steps / scenario.steps * scenario.horizon)
    unknown = np.full((len(steps), len(scenario.initial)), np.nan)
    values: list[Array] = []  # (S,) each, in the order of the plan's columns of one time
    errors: list[Array] = []
    for column in (None, *block.sensitivities):
        law, scheme = _law(laws, column), _law(laws and laws.scheme, column)
        inputs = STATE_INPUTS if column is None else SENSITIVITY_INPUTS
        measures = [measure for measure in block.measures if measure.requires in inputs]
        found = [None if law is None else m.exact(law) for m in measures]
        spread = [_error(m, (scheme, law), scenario.samples) for m in measures]
        for table, cells in ((values, found), (errors, spread)):
            known = [unknown if cell is None else cell for cell in cells]  # each (S, D)
            table += [cell[:, d] for d in range(len(scenario.initial)) for cell in known]
    paths = np.full(sum(measure.requires == "path" for measure in block.measures), np.nan)

    def flat(table: list[Array]) -> NDArray[np.float64]:
        """Return (columns per time, S) as (T, columns per time), flat: time varies slowest."""
        return np.append(np.array(table).T[rows].ravel() if table else np.empty(0), paths)

    return flat(values), flat(errors)


def _error(measure: Measure, laws: tuple[Law | None, ...], samples: int) -> Array | None:
    """Return the standard error by the first law, and where it knows none by the next."""
    known = [None if law is None else measure.exact_error(law, samples) for law in laws]
    found = [error for error in known if error is not None]
    if len(found) == 2:
        return np.where(np.isfinite(found[0]), found[0], found[1])
    return found[0] if found else None


def _law(laws: ExactLaws | None, column: str | None) -> Law | None:
    """Return the law of the state, or of the sensitivity by a column; None if not known."""
    if laws is None:
        return None
    return laws.state if column is None else laws.sensitivities.get(column)
