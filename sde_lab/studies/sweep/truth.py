"""What theory says of the numbers of one point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sde_lab.models.exact import Law
from sde_lab.reference import reference
from sde_lab.scenario import Scenario
from sde_lab.studies.sweep.measures import Measure
from sde_lab.studies.sweep.plan import Block


def truth(block: Block, scenario: Scenario) -> NDArray[np.float64]:
    """The exact value of each of the plan's entries at one point of the block, (E,).

    NaN where none is known.
    """
    steps, places = np.unique([0, *block.indices], return_inverse=True)
    laws = reference(scenario, times=steps / scenario.steps * scenario.horizon)
    tables = []
    for column in (None, *block.sensitivities):
        reads = ("values", "extremes") if column is None else ("values",)
        measures = [m for m in block.measures if m.reads in reads]
        law = None
        if laws is not None:
            law = laws.state if column is None else laws.sensitivities.get(column)
        cells = [_cell(m, law, (len(steps), len(scenario.initial))) for m in measures]
        tables += [cell[places[1:]] for cell in _by_component(cells)]
    paths = sum(measure.reads == "path" for measure in block.measures)
    body = np.stack(tables, axis=1).ravel() if tables else np.empty(0)
    return np.append(body, np.full(paths, np.nan))


def _cell(measure: Measure, law: Law | None, shape: tuple[int, int]) -> NDArray[np.float64]:
    """One measure of one law at each step and component."""
    found = None if law is None else measure.exact(law)
    return np.full(shape, np.nan) if found is None else np.broadcast_to(found, shape)


def _by_component(cells: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Columns (T,) in the order of the entries: by component, then by measure."""
    if not cells:
        return []
    return [cell[:, d] for d in range(cells[0].shape[1]) for cell in cells]
