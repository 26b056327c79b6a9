"""The result of a sweep: estimates by point, as curves and as a tidy table."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sde_lab.errors import ScenarioError
from sde_lab.labelled import to_dataset
from sde_lab.scenario import Scenario
from sde_lab.sweeps.batch import BlockResult
from sde_lab.sweeps.grid import SweepGrid
from sde_lab.sweeps.plan import Column, Plan

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """One measure of one quantity at one time over all points, (P,) each.

    Attributes:
        time: the time at each point, in the model's unit; it differs where the horizon is swept.
        value: estimates; NaN where a point is not done.
        error: standard errors; NaN for too few effective samples, and where a point is not done.
        exact: exact values; NaN where a point is not done or none is known.
    """

    time: Numbers
    value: Numbers
    error: Numbers
    exact: Numbers


@dataclass(frozen=True)
class SweepResult:
    """The estimates of a sweep so far: E numbers at each of P points.

    Attributes:
        scenario: gives every field that was not swept.
        grid: the points.
        columns: meaning of the E numbers of a point, (E,).
        done: which points are done, (P,).
        times: measured times in the model's unit, (P, T).
        value: estimates, (P, E); NaN where a point is not done.
        error: standard errors, (P, E); NaN for too few effective samples.
        exact: exact values, (P, E); NaN where none is known.
        exploded: number of samples of each point left out because their state diverged (numerical
            overflow), (P,). A derivative also leaves out the samples in which it is not finite
            itself.
        engine: what computed it: "torchsde", "compiled", or both in order of use, as in "torchsde,
            compiled"; empty before the first point is done. Points of a checkpoint do not count.
        engine_difference: largest difference between a compiled loop and torchsde when the loop was
            checked, relative to the largest number; None for torchsde.
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
    engine: str = ""
    engine_difference: float | None = None

    def curve(self, quantity: str, measure: str, time: int = -1) -> Curve:
        """Return one measure of one quantity over all points.

        Args:
            quantity: a state component (``x``), a sensitivity (``dx_dkappa``) or ``path``.
            measure: name of the measure.
            time: index among the measured times; negative ones count from the last.

        Raises:
            ScenarioError: if the sweep has no such column.
        """
        time_index = range(self.times.shape[1])[time]
        try:
            column = self._column_index[time_index, quantity, measure]
        except KeyError:
            known = sorted({f"{c.measure} of {c.quantity}" for c in self.columns})
            hint = f"is not among {', '.join(known)}"
            raise ScenarioError("measure", f"{measure} of {quantity}", hint) from None
        parts = (table[:, column] for table in (self.value, self.error, self.exact))
        return Curve(self.times[:, time_index], *parts)

    @cached_property
    def _column_index(self) -> dict[tuple[int, str, str], int]:
        """Index of each column among E, by time, quantity and measure."""
        return {(c.time, c.quantity, c.measure): i for i, c in enumerate(self.columns)}

    def values_of(self, name: str) -> NDArray[Any]:
        """Return the value of one swept name at each point, (P,)."""
        axis = self.grid.names.index(name)
        return np.array([point[axis] for point in self.grid.points])

    def table(self) -> pd.DataFrame:
        """Return a tidy frame: a row per finished point, time and measure, in order of the points.

        Returns:
            Columns: each swept name; time; quantity (``x``, ``dx_dkappa``, ``path``); measure;
            value, se (standard error) and exact, NaN where not known; exploded, the number of
            samples left out because their state diverged.
        """
        return tidy_rows(self, np.flatnonzero(self.done))

    def to_dataframe(self) -> pd.DataFrame:
        """Return :meth:`table`, by the name that results have in common."""
        return self.table()

    def to_xarray(self) -> xr.Dataset:
        """Return an xarray dataset with an axis for each swept name.

        Variables ``value``, ``se`` and ``exact`` (swept names …, measured time, quantity, measure),
        NaN where there is none; ``time`` (…, measured time) in the model's unit, and ``exploded``.
        Points that were given one by one have one axis ``point``, along which the swept values lie.
        """
        full = len(self.grid.shape) == len(self.grid.names)
        axes = self.grid.names if full else ("point",)
        shape = self.grid.shape
        quantities = list(dict.fromkeys(column.quantity for column in self.columns))
        measures = list(dict.fromkeys(column.measure for column in self.columns))
        at = np.array(
            [
                (c.time, quantities.index(c.quantity), measures.index(c.measure))
                for c in self.columns
            ],
            dtype=np.intp,
        )
        inner = (self.times.shape[1], len(quantities), len(measures))

        def cube(table: Numbers) -> Numbers:
            values = np.full((len(table), *inner), np.nan)
            values[:, at[:, 0], at[:, 1], at[:, 2]] = table
            return values.reshape(*shape, *inner)

        swept: dict[str, Any] = {}
        for place, name in enumerate(self.grid.names):
            values = self.values_of(name)
            if full:
                swept[name] = np.moveaxis(values.reshape(shape), place, 0).reshape(
                    shape[place], -1
                )[:, 0]
            else:
                swept[name] = ("point", values)
        named = (*axes, "measured", "quantity", "measure")
        return to_dataset(
            {
                "value": (named, cube(self.value)),
                "se": (named, cube(self.error)),
                "exact": (named, cube(self.exact)),
                "exploded": (axes, self.exploded.reshape(shape)),
            },
            {
                **swept,
                "time": ((*axes, "measured"), self.times.reshape(*shape, -1)),
                "quantity": quantities,
                "measure": measures,
            },
            {"scenario": json.dumps(self.scenario.to_dict())},
        )


def tidy_rows(result: SweepResult, points: NDArray[np.intp]) -> pd.DataFrame:
    """Return the rows of the tidy table for some points, given by index."""
    import pandas as pd

    columns, count = result.columns, len(points)
    time_index = np.array([column.time for column in columns], dtype=np.intp)
    swept = {
        name: np.repeat(result.values_of(name)[points], len(columns)) for name in result.grid.names
    }
    # Raveled tables have points varying slowest: values of a point are repeated, labels tiled.
    return pd.DataFrame(
        {
            **swept,
            "time": result.times[points][:, time_index].ravel(),
            "quantity": _labels([column.quantity for column in columns], count),
            "measure": _labels([column.measure for column in columns], count),
            "value": result.value[points].ravel(),
            "se": result.error[points].ravel(),
            "exact": result.exact[points].ravel(),
            "exploded": np.repeat(result.exploded[points], len(columns)),
        }
    )


def _labels(names: list[str], count: int) -> NDArray[np.object_]:
    """Return the names repeated for each of ``count`` points, (count · E,)."""
    return np.tile(np.array(names, dtype=object), count)


class _ResultBuilder:
    """A result that is filled block by block."""

    def __init__(self, plan: Plan) -> None:
        points, columns = len(plan.grid.points), len(plan.columns)
        times = np.empty((points, plan.n_times))
        for block in plan.blocks:
            times[list(block.point_indices)] = block.times
        self._result = SweepResult(
            plan.scenario,
            plan.grid,
            plan.columns,
            np.zeros(points, dtype=bool),
            times,
            np.full((points, columns), np.nan),
            np.full((points, columns), np.nan),
            np.full((points, columns), np.nan),
            np.zeros(points, dtype=np.int64),
        )
        self._engines: dict[str, None] = {}

    @property
    def done(self) -> NDArray[np.bool_]:
        """Which points are done, (P,)."""
        return self._result.done

    def add(self, block_result: BlockResult) -> None:
        """Enter the estimates of a block."""
        points = list(block_result.point_indices)
        for name in ("value", "error", "exact", "exploded"):
            getattr(self._result, name)[points] = getattr(block_result, name)
        self._result.done[points] = True
        self._note_engine(block_result)

    def _note_engine(self, block_result: BlockResult) -> None:
        self._engines |= dict.fromkeys(block_result.engines)
        differences = (self._result.engine_difference, block_result.engine_difference)
        self._result = replace(
            self._result,
            engine=", ".join(self._engines),
            engine_difference=max((d for d in differences if d is not None), default=None),
        )

    def result(self) -> SweepResult:
        """Return the result so far, which later blocks do not change.

        It is a copy until all points are done; then the tables are final, and one object serves
        all callers.
        """
        if self.done.all():
            return self._result
        names = ("done", "value", "error", "exact", "exploded")
        return replace(self._result, **{name: getattr(self._result, name).copy() for name in names})
