"""What a sweep found: numbers by point, a curve of them, a tidy table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.sweeps.batch import BlockResult
from sde_lab.sweeps.grid import SweepGrid
from sde_lab.sweeps.plan import Column, Plan

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """One measure of one quantity at one time over all points, (P,) each.

    But for the time, NaN where a point is not done, or nothing is known.
    """

    time: Numbers
    value: Numbers
    error: Numbers
    exact: Numbers


@dataclass(frozen=True)
class SweepResult:
    """Everything found so far: P points, E numbers each, at T times.

    Attributes:
        scenario: what stayed as it was.
        grid: the points.
        columns: what the E numbers of a point are.
        done: which points are done, (P,).
        times: real times, (P, T).
        value: (P, E)
        error: standard errors, (P, E).
        exact: (P, E); NaN where nothing is known.
        exploded: samples of each point left out because their state exploded, (P,). A derivative
            also leaves out the samples in which it is not finite itself.
    """

    scenario: Scenario
    grid: SweepGrid
    columns: tuple[Column, ...]
    done: NDArray[np.bool_]
    times: Numbers
    value: Numbers
    error: Numbers
    exact: Numbers
    exploded: NDArray[np.int64]

    def curve(self, quantity: str, measure: str, time: int = -1) -> Curve:
        """One measure of one quantity (``x``, ``dx_dkappa``) at the time in this place.

        Raises:
            ScenarioError: if the sweep has no such numbers.
        """
        place = range(self.times.shape[1])[time]
        try:
            entry = self._columns[place, quantity, measure]
        except KeyError:
            found = sorted({f"{e.measure} of {e.quantity}" for e in self.columns})
            hint = f"is not among {', '.join(found)}"
            raise ScenarioError("measure", f"{measure} of {quantity}", hint) from None
        parts = (table[:, entry] for table in (self.value, self.error, self.exact))
        return Curve(self.times[:, place], *parts)

    @cached_property
    def _columns(self) -> dict[tuple[int, str, str], int]:
        """The place of each entry."""
        return {(e.time, e.quantity, e.measure): i for i, e in enumerate(self.columns)}

    def values_of(self, name: str) -> NDArray[Any]:
        """The value of one swept name at each point, (P,)."""
        place = self.grid.names.index(name)
        return np.array([point[place] for point in self.grid.points])

    def table(self) -> pd.DataFrame:
        """A tidy frame: one row per finished point × time × measure, in the order of the points.

        Returns:
            Columns: each swept name; time; quantity (``x``, ``dx_dkappa``, ``path``); measure;
            value, se and exact, NaN where not known; exploded, the samples left out.
        """
        return tidy_rows(self, np.flatnonzero(self.done))


def tidy_rows(result: SweepResult, places: NDArray[np.intp]) -> pd.DataFrame:
    """The rows of some points."""
    import pandas as pd

    entries, count = result.columns, len(places)
    moments = np.array([entry.time for entry in entries], dtype=np.intp)
    swept = {
        name: np.repeat(result.values_of(name)[places], len(entries)) for name in result.grid.names
    }
    return pd.DataFrame(
        {
            **swept,
            "time": result.times[places][:, moments].ravel(),
            "quantity": _labels([entry.quantity for entry in entries], count),
            "measure": _labels([entry.measure for entry in entries], count),
            "value": result.value[places].ravel(),
            "se": result.error[places].ravel(),
            "exact": result.exact[places].ravel(),
            "exploded": np.repeat(result.exploded[places], len(entries)),
        }
    )


def _labels(names: list[str], count: int) -> NDArray[np.object_]:
    return np.tile(np.array(names, dtype=object), count)


class _ResultBuilder:
    """The result in the making."""

    def __init__(self, plan: Plan) -> None:
        points, entries = len(plan.grid.points), len(plan.columns)
        times = np.empty((points, plan.n_times))
        for block in plan.blocks:
            times[list(block.point_indices)] = block.times
        self._result = SweepResult(
            plan.scenario,
            plan.grid,
            plan.columns,
            np.zeros(points, dtype=bool),
            times,
            np.full((points, entries), np.nan),
            np.full((points, entries), np.nan),
            np.full((points, entries), np.nan),
            np.zeros(points, dtype=np.int64),
        )

    @property
    def done(self) -> NDArray[np.bool_]:
        """Which points are done, (P,)."""
        return self._result.done

    def add(self, block_result: BlockResult) -> None:
        """Enter what was found in some points."""
        own, places = self._result, list(block_result.point_indices)
        for name in ("value", "error", "exact", "exploded"):
            getattr(own, name)[places] = getattr(block_result, name)
        own.done[places] = True

    def result(self) -> SweepResult:
        """What stays as it is: a copy, as long as something may be entered."""
        if self.done.all():
            return self._result
        names = ("done", "value", "error", "exact", "exploded")
        return replace(self._result, **{name: getattr(self._result, name).copy() for name in names})
