"""Chunks of samples → summary, in memory that does not grow with the number of samples.

Moments are merged chunk by chunk. For quantiles and histograms the first samples choose the edges
of bins, narrow ones around the quantiles that a summary has. Of all samples the number below each
edge is kept, which is exact. So it is known in which bin each order statistic lies.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from sde_lab import memory
from sde_lab.scenario import Scenario
from sde_lab.summaries.estimators import Array, MergedMoments, Moments, binned_quantiles
from sde_lab.summaries.summary import (
    BAND_LEVELS,
    MAX_PATHS_SHOWN,
    Bands,
    Histogram,
    Summary,
    bands_over_time,
    display_indices,
    display_times,
    finite_samples,
    histogram_bins,
    histogram_edges,
    histogram_over_time,
    make_bands,
    make_histogram,
    read_only,
    select_samples,
)

WINDOW_ERRORS = 6.0
"""Half the width of the window of narrow bins around a quantile, in standard errors of the quantile
of the first samples. A window misses the quantile of all samples once in 5e8; the bound of the
error holds there too, but is larger."""
ROWS_AT_ONCE = 64
"""Rows of which quantiles are taken at once, to bound temporaries."""


class StreamedRows:
    """Statistics of a table (T, D, N) whose samples come in parts and are not kept.

    Mean and standard deviation, with their errors, are those of all samples to rounding of float64.
    Up to ``block`` samples, quantiles and histogram are those of the sorted samples. From then on
    the counts in histograms are exact, for the edges that the first ``block`` samples give, and a
    quantile is interpolated within the bin that is known to hold it. :attr:`Bands.quantile_bound`
    states the width that this leaves. Within the window around a quantile it is at most the
    window's width / bins: with n of N samples in the first block, about 12 √(N/n) / bins standard
    errors of the quantile.

    Args:
        times: T.
        components: D.
        dtype: of the samples.
        sizes: samples held and sorted at a time, and bins around each quantile.
        expected: number of samples that are going to come, which decides on the bins of histograms.
    """

    def __init__(
        self,
        times: int,
        components: int,
        dtype: str,
        sizes: memory.StreamingSizes,
        expected: int,
    ) -> None:
        rows = times * components
        self._shape = (times, components)
        self._buffer = np.empty((rows, sizes.block_samples), dtype)
        self._held = 0  # samples in the buffer
        self._bins = sizes.bins
        self._histogram_bins = histogram_bins(expected)
        self._edges: Array | None = None  # (rows, E): of the windows, then of the histogram
        self._histogram_edges: Array = np.empty((rows, 0))  # (rows, bins + 1), in float64
        self._ranks: NDArray[np.integer] = np.empty((rows, 0), np.int64)  # samples below each edge
        self._moments = MergedMoments(rows)

    @property
    def count(self) -> int:
        """Number of samples so far."""
        return self._moments.count + self._held

    def add(self, values: Array, threads: int | None = None) -> None:
        """Take more samples, (T, D, n), into account.

        Args:
            values: finite samples.
            threads: rows reduced in parallel; None takes the number of processor cores.
        """
        table = values.reshape(len(self._buffer), -1)
        size = self._buffer.shape[1]
        while table.shape[1]:
            if self._held == size:
                self._reduce(threads)
            part = table[:, : size - self._held]
            self._buffer[:, self._held : self._held + part.shape[1]] = part
            self._held += part.shape[1]
            table = table[:, part.shape[1] :]

    def _reduce(self, threads: int | None) -> None:
        """Reduce the samples in the buffer to counts and moments, and empty it."""
        samples = self._buffer[:, : self._held]
        first = self._edges is None
        means, sums = np.empty(len(samples)), np.empty((3, len(samples)))

        def reduce_rows(rows: slice) -> None:
            samples[rows].sort(axis=-1)
            for i in range(rows.start, rows.stop):
                means[i], sums[:, i] = _power_sums(samples[i])

        def count_rows(rows: slice) -> None:
            assert self._edges is not None
            for i in range(rows.start, rows.stop):
                self._ranks[i] += samples[i].searchsorted(self._edges[i])

        blocks = list(_row_slices(len(samples)))
        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            list(pool.map(reduce_rows, blocks))
            if first:
                self._choose_edges(samples)
            list(pool.map(count_rows, blocks))
        self._moments.add(self._held, means, sums, samples[:, 0], samples[:, -1])
        self._held = 0

    def _choose_edges(self, ordered: Array) -> None:
        """Choose the bins by the first samples, (rows, n), sorted."""
        count, dtype = ordered.shape[1], ordered.dtype.type
        share = np.linspace(0.0, 1.0, self._bins + 1)
        parts = []
        for level in BAND_LEVELS:
            middle = level * (count - 1)
            half = WINDOW_ERRORS * math.sqrt(count * level * (1.0 - level)) + 1.0
            left = ordered[:, max(0, math.floor(middle - half))]
            right = ordered[:, min(count - 1, math.ceil(middle + half))]
            ends = left.astype(np.float64)[:, None], right.astype(np.float64)[:, None]
            window = (ends[0] * (1.0 - share) + ends[1] * share).astype(dtype)
            window[:, 0] = left
            # Bins do not hold their right edge. So that the window holds the sample at its end, and
            # samples that are all equal have a bin of their own, it ends at the next number.
            window[:, -1] = np.nextafter(right, dtype(np.inf))
            parts.append(window)
        self._histogram_edges = histogram_edges(ordered, self._histogram_bins)
        edges = self._histogram_edges.astype(dtype)  # rounded up, as x < e is asked of such numbers
        up = np.nextafter(edges, dtype(np.inf))
        edges = np.where(edges < self._histogram_edges, up, edges)
        # The last bin is closed: x ≤ e is x < the next number, where e is one itself.
        closed = edges[:, -1] == self._histogram_edges[:, -1]
        edges[:, -1] = np.where(closed, up[:, -1], edges[:, -1])
        self._edges = np.concatenate([*parts, edges], axis=1)
        self._ranks = np.zeros(self._edges.shape, np.int64)

    def statistics(self) -> tuple[list[Bands], list[Histogram]]:
        """Return the statistics of all samples so far, one of each per component."""
        times, components = self._shape
        if self._edges is None:
            held = np.sort(self._buffer[:, : self._held], axis=-1).reshape(times, components, -1)
            by_component = [held[:, d] for d in range(components)]
            return (
                [bands_over_time(rows) for rows in by_component],
                [histogram_over_time(rows) for rows in by_component],
            )
        if self._held:
            self._reduce(None)
        estimates = self._moments.estimate()
        values, bounds = self._quantiles()
        ranks = self._ranks[:, -self._histogram_edges.shape[1] :]
        bands, histograms = [], []
        for d in range(components):
            rows = slice(d, None, components)
            part = Moments(
                estimates.mean[rows],
                estimates.std[rows],
                estimates.mean_error[rows],
                estimates.std_error[rows],
            )
            levels = (np.ascontiguousarray(table[rows].T) for table in (values, bounds))
            bands.append(make_bands(part, *levels))
            edges = self._histogram_edges[rows].copy()
            histograms.append(make_histogram(edges, ranks[rows], self.count))
        return bands, histograms

    def _quantiles(self) -> tuple[Array, Array]:
        """Return the quantiles and the bounds of their errors, (rows, levels) each."""
        assert self._edges is not None
        low, high = self._moments.extremes
        parts = []
        for rows in _row_slices(len(self._edges)):
            edges, ranks = self._edges[rows], self._ranks[rows]
            order = edges.argsort(axis=1)
            parts.append(
                binned_quantiles(
                    np.take_along_axis(edges, order, axis=1),
                    np.take_along_axis(ranks, order, axis=1),
                    low[rows],
                    high[rows],
                    self.count,
                    BAND_LEVELS,
                )
            )
        values, bounds = zip(*parts, strict=True)
        return np.concatenate(values), np.concatenate(bounds)


class StreamedSummary:
    """A summary of samples that come in chunks and are not kept.

    Args:
        scenario: the scenario, with the number of samples that are going to come.
        sizes: as :class:`StreamedRows` takes them.
    """

    def __init__(self, scenario: Scenario, sizes: memory.StreamingSizes) -> None:
        self._scenario = scenario
        self._names = scenario.model_spec.jacobian_columns
        shape = (len(display_indices(scenario.steps)), len(scenario.initial))
        self._rows = [
            StreamedRows(*shape, scenario.dtype, sizes, scenario.samples)
            for _ in range(1 + len(self._names))
        ]
        self._paths = np.empty((*shape, 0), scenario.dtype)
        self._done = 0

    def add(self, tables: Sequence[Array]) -> None:
        """Take a chunk into account: states, then derivatives by each column, (T, D, n) each."""
        finite = finite_samples(tables[0])
        states = select_samples(tables[0], finite)
        self._rows[0].add(states)
        missing = MAX_PATHS_SHOWN - self._paths.shape[-1]
        if missing:
            self._paths = np.concatenate([self._paths, states[..., :missing]], axis=-1)
        for rows, table in zip(self._rows[1:], tables[1:], strict=True):
            rows.add(select_samples(table, finite & finite_samples(table)))
        self._done += tables[0].shape[-1]

    def summary(self) -> Summary:
        """Return the summary of the samples so far, with their number as ``samples``."""
        scenario = self._scenario.replace(samples=max(self._done, 1))
        (states, histograms), *derivatives = [rows.statistics() for rows in self._rows]
        named = list(zip(self._names, derivatives, self._rows[1:], strict=True))
        kept = self._rows[0].count
        return read_only(
            Summary(
                scenario=scenario,
                indices=display_indices(scenario.steps),
                times=display_times(scenario),
                states=tuple(states),
                histograms=tuple(histograms),
                sensitivities={name: tuple(bands) for name, (bands, _), _ in named},
                paths=np.moveaxis(self._paths, 2, 1).copy(),
                kept=kept,
                exploded=self._done - kept,
                excluded={name: self._done - rows.count for name, _, rows in named},
            )
        )


def _row_slices(rows: int) -> Iterator[slice]:
    """Return slices of ROWS_AT_ONCE rows."""
    for start in range(0, rows, ROWS_AT_ONCE):
        yield slice(start, min(start + ROWS_AT_ONCE, rows))


def _power_sums(row: Array) -> tuple[float, tuple[float, float, float]]:
    """Return mean and sums of the second to fourth powers of x − mean of a sorted row, (n,)."""
    if row[0] == row[-1]:  # exactly, where a mean would round
        return float(row[0]), (0.0, 0.0, 0.0)
    mean = row.mean(dtype=np.float64)
    centred = row - mean
    with np.errstate(over="ignore", invalid="ignore"):
        square = centred * centred
        powers = square.sum(), np.dot(square, centred), np.dot(square, square)
    return float(mean), (float(powers[0]), float(powers[1]), float(powers[2]))
