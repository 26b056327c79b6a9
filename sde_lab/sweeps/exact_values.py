"""Exact values of the measures at each point, where the model's laws are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sde_lab.models.laws.base import Law
from sde_lab.scenario import Scenario
from sde_lab.summaries.estimators import Array
from sde_lab.sweeps.measures import SENSITIVITY_INPUTS, STATE_INPUTS
from sde_lab.sweeps.plan import SweepBlock
from sde_lab.theory.exact_laws import exact_laws


def exact_values(block: SweepBlock) -> NDArray[np.float64]:
    """Return the exact value of each of the plan's E columns at the block's P points, (P, E).

    NaN where no exact value is known.
    """
    # A law is evaluated once per distinct step; 0 is among them, as laws start from the initial
    # state. `rows` leads back to the measured times, which may repeat.
    steps, rows = np.unique([0, *block.indices], return_inverse=True)
    return np.array([_point_values(block, point, steps, rows[1:]) for point in block.scenarios])


def _point_values(
    block: SweepBlock, scenario: Scenario, steps: NDArray[np.int64], rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the exact values of one point, (E,).

    Args:
        block: gives the measures and sensitivities.
        scenario: the point.
        steps: distinct steps at which the laws are evaluated, (S,).
        rows: index into ``steps`` of each measured time, (T,).
    """
    laws = exact_laws(scenario, times=steps / scenario.steps * scenario.horizon)
    unknown = np.full((len(steps), len(scenario.initial)), np.nan)
    tables: list[Array] = []
    for column in (None, *block.sensitivities):
        law: Law | None = None
        if laws is not None:
            law = laws.state if column is None else laws.sensitivities.get(column)
        inputs = STATE_INPUTS if column is None else SENSITIVITY_INPUTS
        known = [
            None if law is None else m.exact(law) for m in block.measures if m.requires in inputs
        ]
        cells = [unknown if cell is None else cell for cell in known]  # each (S, D)
        tables += [cell[:, d] for d in range(len(scenario.initial)) for cell in cells]
    paths = sum(measure.requires == "path" for measure in block.measures)
    # (columns per time, S) -> (T, columns per time) -> flat, time varying slowest as in the plan
    body = np.array(tables).T[rows].ravel() if tables else np.empty(0)
    return np.append(body, np.full(paths, np.nan))
