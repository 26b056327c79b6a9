"""What theory says of the numbers of one point."""

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
    """The exact value of each of the plan's entries at each point of the block, (P, E).

    NaN where none is known.
    """
    steps, places = np.unique([0, *block.indices], return_inverse=True)
    return np.array([_point(block, point, steps, places[1:]) for point in block.scenarios])


def _point(
    block: SweepBlock, scenario: Scenario, steps: NDArray[np.int64], places: NDArray[np.intp]
) -> NDArray[np.float64]:
    """The same at one point, (E,), from laws at some steps, in the order of these places."""
    laws = exact_laws(scenario, times=steps / scenario.steps * scenario.horizon)
    unknown = np.full((len(steps), len(scenario.initial)), np.nan)
    tables: list[Array] = []
    for column in (None, *block.sensitivities):
        law: Law | None = None
        if laws is not None:
            law = laws.state if column is None else laws.sensitivities.get(column)
        reads = STATE_INPUTS if column is None else SENSITIVITY_INPUTS
        known = [
            None if law is None else m.exact(law) for m in block.measures if m.requires in reads
        ]
        cells = [unknown if cell is None else cell for cell in known]
        tables += [cell[:, d] for d in range(len(scenario.initial)) for cell in cells]
    paths = sum(measure.requires == "path" for measure in block.measures)
    body = np.array(tables).T[places].ravel() if tables else np.empty(0)
    return np.append(body, np.full(paths, np.nan))
