"""Store the samples of a block at the measured times, and estimate its measures from them."""

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
"""Indices of points, and their finite samples, of the state and of each column, (1 + C, N)."""


class BlockAccumulator:
    """The stored samples of a block of P points, filled chunk by chunk of its N samples.

    Shapes use T measured times, D state components and C sensitivities. Samples that diverged are
    left out of the estimates, so a value is that of the finite samples.
    """

    def __init__(self, block: SweepBlock) -> None:
        scenario, points = block.first, len(block.scenarios)
        shape = (len(block.indices), len(scenario.initial), points, scenario.samples)
        columns, dtype = len(block.sensitivities), scenario.dtype
        self._block = block
        self._path_measures = [m for m in block.measures if isinstance(m, PathFunctional)]
        self._state_measures = [m for m in block.measures if m.requires in STATE_INPUTS]
        self._sensitivity_measures = [m for m in block.measures if m.requires in SENSITIVITY_INPUTS]
        crossings = any(m.requires == "extremes" for m in block.measures)
        # state and sensitivities: (1 + C, T, D, P, N)
        self._values = np.empty((1 + columns, *shape), dtype)
        # least and greatest state up to each time: (2, T, D, P, N), or nothing
        self._extremes = np.empty((2 if crossings else 0, *shape), dtype)
        # values of the path functionals: (functionals, P, N)
        self._functionals = np.empty((len(self._path_measures), points, scenario.samples))
        # Of the state, then of the state and each column: a derivative may overflow where the state
        # does not, and the sample still counts for the state.
        self._finite = np.empty((1 + columns, points, scenario.samples), dtype=bool)
        # whole paths of the chunk in progress, (steps + 1, P, chunk, D)
        self._path = np.empty(0, dtype)
        self._chunk_start = 0
        self._times_of_step: dict[int, list[int]] = {}
        for time, step in enumerate(block.indices):
            self._times_of_step.setdefault(step, []).append(time)

    @property
    def steps_read(self) -> list[int]:
        """Steps at which something is read, increasing; the last step is always one of them."""
        steps = self._block.first.steps
        if self._path_measures or len(self._extremes):
            return list(range(steps + 1))
        return sorted({*self._times_of_step, steps})

    def start_chunk(self, span: slice) -> None:
        """Allocate the whole paths of a chunk of samples, where a measure reads them."""
        self._chunk_start = span.start
        if self._path_measures:
            first, points = self._block.first, len(self._block.scenarios)
            shape = (first.steps + 1, points, span.stop - span.start, len(first.initial))
            self._path = np.empty(shape, first.dtype)

    def callback_for(self, span: slice) -> Callable[[int, Tensor, Tensor], None]:
        """Return the callback that stores each step of a chunk of samples, of all points.

        Args:
            span: the samples of the chunk.

        Returns:
            A function of the step, the states (P · chunk, D) and the tangents (D, C, P · chunk),
            which are overwritten after it returns. Rows run over points first, samples last.
        """
        self.start_chunk(span)
        steps, points = self._block.first.steps, len(self._block.scenarios)
        extremes = _RunningExtremes() if len(self._extremes) else None

        def on_step(step: int, x: Tensor, tangents: Tensor) -> None:
            if extremes is not None:
                extremes.update(x)
            if self._path_measures:
                self._path[step] = x.view(self._path.shape[1:]).cpu().numpy()
            if step in self._times_of_step or step == steps:
                # (rows, D) and (D, C, rows) -> (1 + C, D, rows) -> (1 + C, D, P, chunk)
                rows = torch.cat([x.T.unsqueeze(1), tangents], dim=1).transpose(0, 1)
                table = rows.reshape(*rows.shape[:2], points, -1).cpu().numpy()
                so_far = None if extremes is None else extremes.table(points)
                self._store(step, table, so_far, slice(None), span)

        return on_step

    def point_callback(self, point: int, span: slice) -> Callable[[NDArray[np.intp], Array], None]:
        """Return the callback that stores some samples of one point, several steps at a time.

        Args:
            point: index of the point in the block.
            span: the samples.

        Returns:
            A function of the steps reached (K,), which are those of :attr:`steps_read` in order,
            and of states and sensitivities (K, 1 + C, D, samples).
        """
        rows = slice(point, point + 1)
        part = slice(span.start - self._chunk_start, span.stop - self._chunk_start)
        extremes: Array | None = None
        watched = len(self._extremes) > 0

        def on_steps(reached: NDArray[np.intp], tables: Array) -> None:
            nonlocal extremes
            if self._path_measures:
                # (K, D, samples) -> (K, samples, D)
                self._path[reached, point, part] = tables[:, 0].swapaxes(1, 2)
            for step, table in zip(reached.tolist(), tables, strict=True):
                if watched and extremes is None:
                    extremes = np.stack([table[0], table[0]])[:, :, None]
                elif extremes is not None:
                    np.minimum(extremes[0], table[0, :, None], out=extremes[0])
                    np.maximum(extremes[1], table[0, :, None], out=extremes[1])
                self._store(step, table[:, :, None], extremes, rows, span)

        return on_steps

    def _store(
        self, step: int, table: Array, extremes: Array | None, points: slice, span: slice
    ) -> None:
        """Store states and sensitivities of a step, (1 + C, D, P, N), if it is a measured one."""
        for time in self._times_of_step.get(step, ()):
            self._values[:, time, :, points, span] = table
            if extremes is not None:
                self._extremes[:, time, :, points, span] = extremes
        if step == self._block.first.steps:
            # A path that diverged stays Inf or NaN, so the last step tells of all.
            finite = np.asarray(np.isfinite(table).all(axis=1))
            self._finite[:, points, span] = finite & finite[0]

    def finish_chunk(self, span: slice) -> None:
        """Evaluate the path functionals of a chunk, whose whole paths are then dropped."""
        for index, scenario in enumerate(self._block.scenarios):
            times = np.linspace(0.0, scenario.horizon, scenario.steps + 1)
            for values, measure in zip(self._functionals, self._path_measures, strict=True):
                values[index, span] = measure.evaluate(times, self._path[:, index])

    @property
    def exploded(self) -> NDArray[np.int64]:
        """Number of samples of each point whose state diverged (is not finite), (P,)."""
        return np.asarray((~self._finite[0]).sum(axis=1), dtype=np.int64)

    def estimates(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return values and standard errors from the finite samples, (P, E) each.

        Points without a divergent sample are estimated together, in whole arrays; each other point
        has its own choice of samples and is estimated alone.
        """
        all_finite: NDArray[np.bool_] = np.all(self._finite, axis=(0, 2))
        if all_finite.all():
            value, error = self._estimate(slice(None), slice(None))
            return value, error
        groups: list[_Group] = [
            (np.array([point]), self._finite[:, point]) for point in np.flatnonzero(~all_finite)
        ]
        if all_finite.any():
            groups.insert(0, (np.flatnonzero(all_finite), slice(None)))
        estimated = [(points, self._estimate(points, samples)) for points, samples in groups]
        table = np.empty((2, len(all_finite), estimated[0][1].shape[-1]))
        for points, numbers in estimated:
            table[:, points] = numbers
        return table[0], table[1]

    def _estimate(
        self, points: slice | NDArray[np.intp], samples: slice | NDArray[np.bool_]
    ) -> Array:
        """Return values and errors of some points, (2, points, E).

        Args:
            points: indices of the points, or a slice for all of the block.
            samples: which samples count, for the state and for each column, (1 + C, N); a slice
                for all.
        """

        def select(table: Array, column: int = 0) -> Array:
            if isinstance(points, slice):
                return table
            rows = samples if isinstance(samples, slice) else samples[column]
            return table[..., points, :][..., rows]

        def estimate(measure: Measure, sample: SampleStatistics, column: int) -> Array:
            if isinstance(measure, Crossing):
                low, high = self._extremes
                hits = measure.crossed(self._initial_states(points), select(low), select(high))
                sample = SampleStatistics(hits.astype(self._values.dtype))
            if isinstance(measure, StdSlope):
                return np.stack(measure.slope(select(self._values[0], column), sample.values))
            return np.stack(measure.estimate(sample))

        parts: list[Array] = []
        for column, table in enumerate(self._values):
            measures = self._sensitivity_measures if parts else self._state_measures
            sample = SampleStatistics(select(table, column))  # (T, D, points, samples)
            cells = [estimate(measure, sample, column) for measure in measures]
            # (measures, 2, T, D, points) -> (2, points, T, D, measures), whose last two axes are
            # joined: the order of the plan's columns. The shape is given in full, as there may be
            # no measures.
            shape = (len(cells), 2, *sample.values.shape[:3])
            numbers = np.reshape(cells, shape).transpose(1, 4, 2, 3, 0)
            parts.append(numbers.reshape(*numbers.shape[:3], -1))
        body = np.concatenate(parts, axis=-1)  # (2, points, T, columns per time)
        functionals = [
            np.stack(measure.estimate(SampleStatistics(select(values))))
            for measure, values in zip(self._path_measures, self._functionals, strict=True)
        ]
        ends = np.stack(functionals, axis=-1) if functionals else body[:, :, 0, :0]
        return np.concatenate([body.reshape(*body.shape[:2], -1), ends], axis=-1)

    def _initial_states(self, points: slice | NDArray[np.intp]) -> Array:
        """Return the initial states of some points, (D, points, 1)."""
        states = np.array([s.initial for s in self._block.scenarios], self._values.dtype)
        return states[points].T[..., None]


class _RunningExtremes:
    """The least and the greatest state of each row so far."""

    def __init__(self) -> None:
        self._extremes: tuple[Tensor, Tensor] | None = None

    def update(self, x: Tensor) -> None:
        """Take the next state (rows, D) into account."""
        if self._extremes is None:
            self._extremes = x.clone(), x.clone()
        else:
            low, high = self._extremes
            self._extremes = torch.minimum(low, x), torch.maximum(high, x)

    def table(self, points: int) -> Array:
        """Return least and greatest, (2, D, points, samples)."""
        assert self._extremes is not None
        both = torch.stack(self._extremes).transpose(1, 2)  # (2, rows, D) -> (2, D, rows)
        return both.reshape(*both.shape[:2], points, -1).cpu().numpy()
