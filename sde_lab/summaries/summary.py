"""Paths and Jacobian → the small arrays that a page shows: means, bands, histograms, errors.

Statistics of the state leave out the samples that exploded (a state of Inf or NaN); those of a
derivative also leave out the samples in which it is Inf or NaN itself. Both are counted instead. A
derivative may fail where the state does not, as that of xⁿ by n does below zero: that is no reason
to leave the path out of the mean of x.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sde_lab.memory import MAX_DISPLAY_STEPS
from sde_lab.scenario import Scenario
from sde_lab.sensitivity.jacobian import Jacobian
from sde_lab.solver.simulate import Paths
from sde_lab.summaries.estimators import Array, moments, quantiles

BAND_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
MAX_PATHS_SHOWN = 30


@dataclass(frozen=True)
class Bands:
    """One quantity over the displayed times.

    Attributes:
        mean: (T,)
        std: sample standard deviation, (T,).
        quantiles: (5, T) at BAND_LEVELS.
        mean_error: standard error of the mean, (T,).
        std_error: standard error of the standard deviation, (T,), from the fourth moment.
    """

    mean: Array
    std: Array
    quantiles: Array
    mean_error: Array
    std_error: Array


@dataclass(frozen=True)
class Histogram:
    """Density histogram of one quantity at every displayed time.

    Attributes:
        edges: (T, bins + 1)
        density: (T, bins); integrates to the share of samples between the edges.
    """

    edges: Array
    density: Array


@dataclass(frozen=True)
class Summary:
    """What a page shows of one scenario.

    Attributes:
        scenario: what was simulated.
        indices: positions of the displayed times on the solver's grid, (T,).
        times: (T,)
        states: one Bands per state component.
        histograms: one Histogram per state component.
        sensitivities: column name → one Bands per state component.
        paths: the first few samples, (T, S, D), those that exploded left out.
        kept: number of samples in the statistics of the state.
        exploded: number of samples left out of them.
        excluded: column name → number of samples left out of that column's statistics: those that
            exploded, and those whose derivative is not finite.
    """

    scenario: Scenario
    indices: NDArray[np.intp]
    times: Array
    states: tuple[Bands, ...]
    histograms: tuple[Histogram, ...]
    sensitivities: Mapping[str, tuple[Bands, ...]]
    paths: Array
    kept: int
    exploded: int
    excluded: Mapping[str, int] = field(default_factory=dict)

    def index_nearest(self, fraction: float) -> int:
        """Index of the displayed time nearest to ``fraction`` of the horizon."""
        return int(np.abs(self.times - fraction * self.times[-1]).argmin())


def display_indices(steps: int) -> NDArray[np.intp]:
    """Positions on a grid of ``steps`` steps that a page shows, both ends included."""
    return np.linspace(0, steps, min(steps, MAX_DISPLAY_STEPS) + 1).round().astype(np.intp)


def display_times(scenario: Scenario) -> NDArray[np.float64]:
    """Real times of those positions, (T,)."""
    return display_indices(scenario.steps) / scenario.steps * scenario.horizon


def summarise(paths: Paths, jacobian: Jacobian | None = None) -> Summary:
    """Reduce paths (and Jacobian) to what a page shows."""
    indices = display_indices(paths.scenario.steps)
    names = () if jacobian is None else jacobian.names
    tables = [to_display_layout(paths.values, indices)]
    if jacobian is not None:
        tables += [to_display_layout(jacobian.values[..., i], indices) for i in range(len(names))]
    return summarise_tables(paths.scenario, names, tables)


def to_display_layout(table: Tensor, indices: NDArray[np.intp]) -> Array:
    """The displayed times of a (T, N, D) table as a (T', D, N) array on the CPU."""
    chosen = table if len(indices) == len(table) else table[indices]
    return chosen.detach().cpu().numpy().transpose(0, 2, 1)


def summarise_tables(scenario: Scenario, names: Sequence[str], tables: Sequence[Array]) -> Summary:
    """Reduce the displayed times of the states and of each sensitivity, (T, D, N) each.

    Args:
        scenario: where they come from.
        names: what the sensitivities are by.
        tables: the states, then one table for each name.
    """
    finite = _finite(tables[0])
    kept = _chosen(tables[0], finite)
    usable = {name: finite & _finite(table) for name, table in zip(names, tables[1:], strict=True)}
    states = np.sort(kept, axis=-1)
    indices = display_indices(scenario.steps)
    return _read_only(
        Summary(
            scenario=scenario,
            indices=indices,
            times=display_times(scenario),
            states=tuple(_bands(states[:, d]) for d in range(states.shape[1])),
            histograms=tuple(_histogram(states[:, d]) for d in range(states.shape[1])),
            sensitivities={
                name: _per_component(_chosen(table, usable[name]))
                for name, table in zip(names, tables[1:], strict=True)
            },
            paths=np.moveaxis(kept[..., :MAX_PATHS_SHOWN], 2, 1).copy(),
            kept=int(finite.sum()),
            exploded=int(finite.size - finite.sum()),
            excluded={name: int(mask.size - mask.sum()) for name, mask in usable.items()},
        )
    )


def _finite(table: Array) -> NDArray[np.bool_]:
    """Return which samples of (T, D, N) are finite, (N,).

    The last time tells: a step adds to the state, and to the derivative, so that Inf and NaN stay.
    """
    return np.asarray(np.isfinite(table[-1]).all(axis=0))


def _chosen(table: Array, samples: NDArray[np.bool_]) -> Array:
    """Return these samples of (T, D, N); all of them without a copy."""
    return table if samples.all() else table[..., samples]


def _per_component(table: Array) -> tuple[Bands, ...]:
    ordered = np.sort(table, axis=-1)
    return tuple(_bands(ordered[:, d]) for d in range(ordered.shape[1]))


def _bands(ordered: Array) -> Bands:
    """Statistics of a (T, N) array sorted along its samples."""
    found = moments(ordered)
    levels = np.ascontiguousarray(quantiles(ordered, BAND_LEVELS).T)
    return Bands(found.mean, found.std, levels, found.mean_error, found.std_error)


def _histogram(ordered: Array) -> Histogram:
    """Histograms of a (T, N) array sorted along its samples, one per time."""
    times, count = ordered.shape
    bins = int(min(60, max(10, round(2.0 * count ** (1.0 / 3.0)))))
    if count == 0:
        return Histogram(np.zeros((times, bins + 1)), np.zeros((times, bins)))
    low, high = ordered[:, 0].astype(np.float64), ordered[:, -1].astype(np.float64)
    if count >= 200:
        tail = count // 200
        low, high = ordered[:, tail].astype(np.float64), ordered[:, -1 - tail].astype(np.float64)
    high = np.where(high > low, high, low + np.maximum(1e-6, 1e-6 * np.abs(low)))
    edges = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, bins + 1)
    edges[:, -1] = high
    below = np.stack([row.searchsorted(edge) for row, edge in zip(ordered, edges, strict=True)])
    below[:, -1] = [
        row.searchsorted(edge[-1], side="right") for row, edge in zip(ordered, edges, strict=True)
    ]
    width = (edges[:, 1:2] - edges[:, :1]) * count
    return Histogram(edges, np.diff(below, axis=1) / width)


def _read_only(summary: Summary) -> Summary:
    """The same, its arrays read-only: a cache shares one summary between sessions."""
    arrays = [summary.indices, summary.times, summary.paths]
    for bands in (*summary.states, *(b for row in summary.sensitivities.values() for b in row)):
        arrays += [bands.mean, bands.std, bands.quantiles, bands.mean_error, bands.std_error]
    for histogram in summary.histograms:
        arrays += [histogram.edges, histogram.density]
    for array in arrays:
        array.flags.writeable = False
    return summary
