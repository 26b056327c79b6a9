"""What outlives the walk of a block: the samples at the times asked for, and their estimates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sde_lab.summaries.estimators import Array
from sde_lab.sweeps.measures import (
    SENSITIVITY_INPUTS,
    STATE_INPUTS,
    Crossing,
    Measure,
    PathFunctional,
    SampleStatistics,
    StdSlope,
)
from sde_lab.sweeps.plan import SweepBlock

_Group = tuple[NDArray[np.intp], slice | NDArray[np.bool_]]
"""Points, and the samples that count for their state and for each column, (1 + C, N)."""


class BlockAccumulator:
    """The numbers of a block of P points, filled span by span of its N samples."""

    def __init__(self, block: SweepBlock) -> None:
        scenario, points = block.first, len(block.scenarios)
        shape = (len(block.indices), len(scenario.initial), points, scenario.samples)
        columns, dtype = len(block.sensitivities), scenario.dtype
        self._block = block
        self._own = [m for m in block.measures if isinstance(m, PathFunctional)]
        self._of_states = [m for m in block.measures if m.requires in STATE_INPUTS]
        self._of_sensitivities = [m for m in block.measures if m.requires in SENSITIVITY_INPUTS]
        crossings = any(m.requires == "extremes" for m in block.measures)
        self._values = np.empty((1 + columns, *shape), dtype)
        self._extremes = np.empty((2 if crossings else 0, *shape), dtype)
        self._numbers = np.empty((len(self._own), points, scenario.samples))
        # Of the state, then of the state and each column: a derivative may fail where the state
        # does not, and says nothing against it.
        self._finite = np.empty((1 + columns, points, scenario.samples), dtype=bool)
        self._path = np.empty(0, dtype)
        self._chunk_start = 0
        self._places: dict[int, list[int]] = {}
        for place, index in enumerate(block.indices):
            self._places.setdefault(index, []).append(place)

    @property
    def steps_read(self) -> list[int]:
        """Numbers of the steps at which something is read, increasing, the last step among them."""
        steps = self._block.first.steps
        if self._own or len(self._extremes):
            return list(range(steps + 1))
        return sorted({*self._places, steps})

    def start_chunk(self, span: slice) -> None:
        """Make room for the whole paths of a span of samples, where a measure reads them."""
        self._chunk_start = span.start
        if self._own:
            first, points = self._block.first, len(self._block.scenarios)
            shape = (first.steps + 1, points, span.stop - span.start, len(first.initial))
            self._path = np.empty(shape, first.dtype)

    def callback_for(self, span: slice) -> Callable[[int, Tensor, Tensor], None]:
        """What to do at each step with the rows of a span of samples, of all points."""
        self.start_chunk(span)
        steps, points = self._block.first.steps, len(self._block.scenarios)
        watch = _Extremes() if len(self._extremes) else None

        def arrive(step: int, x: Tensor, tangents: Tensor) -> None:
            if watch is not None:
                watch.see(x)
            if self._own:
                self._path[step] = x.view(self._path.shape[1:]).cpu().numpy()
            if step in self._places or step == steps:
                rows = torch.cat([x.T.unsqueeze(1), tangents], dim=1).transpose(0, 1)
                table = rows.reshape(*rows.shape[:2], points, -1).cpu().numpy()
                extremes = None if watch is None else watch.table(points)
                self._store(step, table, extremes, slice(None), span)

        return arrive

    def point_callback(self, point: int, span: slice) -> Callable[[NDArray[np.intp], Array], None]:
        """What to do with a span of samples of one point, some steps at a time.

        The steps are those of ``steps_read``, in order, with a table (steps, 1 + C, D, samples).
        """
        own = slice(point, point + 1)
        part = slice(span.start - self._chunk_start, span.stop - self._chunk_start)
        extremes: Array | None = None
        watched = len(self._extremes) > 0

        def arrive(reached: NDArray[np.intp], tables: Array) -> None:
            nonlocal extremes
            if self._own:
                self._path[reached, point, part] = tables[:, 0].swapaxes(1, 2)
            for step, table in zip(reached.tolist(), tables, strict=True):
                if watched and extremes is None:
                    extremes = np.stack([table[0], table[0]])[:, :, None]
                elif extremes is not None:
                    np.minimum(extremes[0], table[0, :, None], out=extremes[0])
                    np.maximum(extremes[1], table[0, :, None], out=extremes[1])
                self._store(step, table[:, :, None], extremes, own, span)

        return arrive

    def _store(
        self, step: int, table: Array, extremes: Array | None, points: slice, span: slice
    ) -> None:
        """Keep states and derivatives of a step, (1 + C, D, P, N), if something is read there."""
        for place in self._places.get(step, ()):
            self._values[:, place, :, points, span] = table
            if extremes is not None:
                self._extremes[:, place, :, points, span] = extremes
        if step == self._block.first.steps:
            finite = np.asarray(np.isfinite(table).all(axis=1))
            self._finite[:, points, span] = finite & finite[0]

    def finish_chunk(self, span: slice) -> None:
        """Read the whole paths of a span of samples before they go."""
        for place, scenario in enumerate(self._block.scenarios):
            times = np.linspace(0.0, scenario.horizon, scenario.steps + 1)
            for number, measure in enumerate(self._own):
                found = measure.numbers(times, self._path[:, place])
                self._numbers[number, place, span] = found

    @property
    def exploded(self) -> NDArray[np.int64]:
        """Samples of each point whose state exploded, (P,)."""
        return np.asarray((~self._finite[0]).sum(axis=1), dtype=np.int64)

    def estimates(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values and standard errors, (P, E) each, of the samples that are finite."""
        whole: NDArray[np.bool_] = np.all(self._finite, axis=(0, 2))
        if whole.all():
            value, error = self._estimates(slice(None), slice(None))
            return value, error
        parts: list[_Group] = [(np.array([p]), self._finite[:, p]) for p in np.flatnonzero(~whole)]
        groups: list[_Group] = (
            [(np.flatnonzero(whole), slice(None)), *parts] if whole.any() else parts
        )
        found = [(places, self._estimates(places, kept)) for places, kept in groups]
        table = np.empty((2, len(whole), found[0][1].shape[-1]))
        for places, numbers in found:
            table[:, places] = numbers
        return table[0], table[1]

    def _estimates(
        self, places: slice | NDArray[np.intp], kept: slice | NDArray[np.bool_]
    ) -> Array:
        """Values and errors of points that keep the same samples, (2, points, E).

        ``kept`` chooses samples for the state and for each column, (1 + C, N).
        """

        def chosen(table: Array, column: int = 0) -> Array:
            if isinstance(places, slice):
                return table
            return table[..., places, :][..., kept if isinstance(kept, slice) else kept[column]]

        def of(measure: Measure, sample: SampleStatistics, column: int) -> Array:
            if isinstance(measure, Crossing):
                low, high = self._extremes
                hits = measure.crossed(self._starts(places), chosen(low), chosen(high))
                sample = SampleStatistics(hits.astype(self._values.dtype))
            if isinstance(measure, StdSlope):
                return np.stack(measure.slope(chosen(self._values[0], column), sample.values))
            return np.stack(measure.estimate(sample))

        parts: list[Array] = []
        for column, table in enumerate(self._values):
            measures = self._of_sensitivities if parts else self._of_states
            sample = SampleStatistics(chosen(table, column))
            cells = [of(measure, sample, column) for measure in measures]
            shape = (len(cells), 2, *sample.values.shape[:3])
            numbers = np.reshape(cells, shape).transpose(1, 4, 2, 3, 0)
            parts.append(numbers.reshape(*numbers.shape[:3], -1))
        body = np.concatenate(parts, axis=-1)
        paths = [np.stack(m.estimate(SampleStatistics(chosen(row)))) for m, row in self._of_paths()]
        ends = np.stack(paths, axis=-1) if paths else body[:, :, 0, :0]
        return np.concatenate([body.reshape(*body.shape[:2], -1), ends], axis=-1)

    def _of_paths(self) -> list[tuple[PathFunctional, Array]]:
        return list(zip(self._own, self._numbers, strict=True))

    def _starts(self, places: slice | NDArray[np.intp]) -> Array:
        """Initial states of these points, (D, points, 1)."""
        starts = np.array([s.initial for s in self._block.scenarios], self._values.dtype)
        return starts[places].T[..., None]


class _Extremes:
    """The least and the greatest state of each row so far."""

    def __init__(self) -> None:
        self._seen: tuple[Tensor, Tensor] | None = None

    def see(self, x: Tensor) -> None:
        """Take the next state (rows, D) into account."""
        if self._seen is None:
            self._seen = x.clone(), x.clone()
        else:
            low, high = self._seen
            self._seen = torch.minimum(low, x), torch.maximum(high, x)

    def table(self, points: int) -> Array:
        """Both, (2, D, points, samples)."""
        assert self._seen is not None
        both = torch.stack(self._seen).transpose(1, 2)
        return both.reshape(*both.shape[:2], points, -1).cpu().numpy()
