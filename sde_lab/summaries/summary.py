"""Paths and Jacobian → statistics over time: means, quantile bands, histograms, standard errors.

Statistics of the state exclude the samples that diverged (a state of Inf or NaN); those of a
derivative also exclude the samples in which it is Inf or NaN itself. Both are counted. A derivative
may have no value where the state has one, as that of xⁿ by n below zero: that is no reason to
exclude the path from the mean of x.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sde_lab.labelled import to_dataset, to_frame
from sde_lab.memory import MAX_DISPLAY_STEPS
from sde_lab.scenario import Scenario
from sde_lab.sensitivity.jacobian import Jacobian
from sde_lab.solver.simulate import Paths
from sde_lab.summaries.estimators import Array, Moments, moments, quantiles

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

BAND_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Levels of the quantiles of every quantity: the median, and central 50 % and 90 %."""
MAX_PATHS_SHOWN = 30
"""Sample paths in a summary."""
MIN_BINS, MAX_BINS = 10, 60
"""Bounds of the number of bins of a histogram, which is 2 N^(1/3) in between (Rice's rule)."""
TRIMMED_SAMPLES = 200
"""From this number of samples on, a histogram leaves out one in TRIMMED_SAMPLES at each end, so
that outliers do not widen its bins."""


@dataclass(frozen=True)
class Bands:
    """Statistics of one quantity over samples, at every displayed time; in units of the quantity.

    Attributes:
        mean: sample mean, (T,).
        std: sample standard deviation, (T,); NaN for one sample.
        quantiles: quantiles at 5, 25, 50, 75 and 95 %, (5, T).
        mean_error: standard error of the mean, (T,); NaN for too few effective samples
            (:mod:`sde_lab.summaries.estimators` says by which rule).
        std_error: standard error of the standard deviation, (T,), from the fourth moment; NaN for
            too few effective samples.
        quantile_bound: largest possible distance of each quantile from that of the same samples
            sorted, (5, T). Zero wherever all samples could be held and were sorted; above zero in a
            run of more (:class:`sde_lab.summaries.streaming.StreamedRows`). It is no Monte-Carlo
            error, which comes on top.
    """

    mean: Array
    std: Array
    quantiles: Array
    mean_error: Array
    std_error: Array
    quantile_bound: Array = field(default_factory=lambda: np.zeros((len(BAND_LEVELS), 1)))

    @property
    def relative_bound(self) -> float:
        """The largest bound, relative to the distance of the 5 % and 95 % quantiles at its time."""
        bound = np.broadcast_to(self.quantile_bound, self.quantiles.shape)
        height = self.quantiles[-1].astype(np.float64) - self.quantiles[0]
        height = np.where(height > 0.0, height, np.nan)
        share = np.where(bound > 0.0, np.nan_to_num(bound / height, nan=np.inf), 0.0)
        return float(share.max(initial=0.0))


@dataclass(frozen=True)
class Histogram:
    """Density histogram of one quantity at every displayed time.

    The counts are exact. In a run of more samples than can be held, the outer edges come from the
    first samples only.

    Attributes:
        edges: edges of the bins, (T, bins + 1).
        density: (T, bins); integrates to the share of samples between the outer edges.
    """

    edges: Array
    density: Array


@dataclass(frozen=True)
class Summary:
    """Statistics of the paths of a scenario and of their derivatives, at the displayed times.

    Attributes:
        scenario: the simulated scenario.
        indices: indices of the displayed times on the solver's grid, (T,), at most 121.
        times: real times, (T,).
        states: one Bands per state component.
        histograms: one Histogram per state component.
        sensitivities: column name → one Bands per state component, of ∂X/∂p.
        paths: the first finite sample paths, (T, S, D), S at most 30.
        kept: number of finite samples, on which the statistics of the state rest.
        exploded: number of samples that diverged (Inf or NaN), excluded from them.
        engine: what computed it: "torchsde", "compiled", or "torchsde, compiled" where the compiled
            loop became ready in between.
        engine_difference: largest difference between the compiled loop and torchsde when the loop
            was checked, relative to the largest number; None for torchsde.
        excluded: column name → number of samples excluded from that column's statistics: those that
            diverged, and those whose derivative is not finite.
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
    engine: str = "torchsde"
    engine_difference: float | None = None
    excluded: Mapping[str, int] = field(default_factory=dict)

    def quantities(self) -> dict[str, Bands]:
        """Return the statistics by quantity: ``x``, ``dx_dkappa``, …, component by component."""
        found: dict[str, Bands] = {}
        for d, component in enumerate(self.scenario.model_spec.components):
            found[component] = self.states[d]
            for name, bands in self.sensitivities.items():
                found[f"d{component}_d{name}"] = bands[d]
        return found

    def to_xarray(self) -> xr.Dataset:
        """Return an xarray dataset of the statistics by quantity and displayed time.

        Variables ``mean``, ``mean_se``, ``std`` and ``std_se`` (quantity, time), ``quantile`` and
        ``quantile_bound`` (quantity, level, time); the attribute ``scenario`` is the scenario as
        JSON.
        """
        bands = list(self.quantities().values())
        shape = (len(BAND_LEVELS), len(self.times))
        numbers = {
            "mean": [b.mean for b in bands],
            "mean_se": [b.mean_error for b in bands],
            "std": [b.std for b in bands],
            "std_se": [b.std_error for b in bands],
            "quantile": [b.quantiles for b in bands],
            "quantile_bound": [np.broadcast_to(b.quantile_bound, shape) for b in bands],
        }
        axes = {True: ("quantity", "level", "time"), False: ("quantity", "time")}
        return to_dataset(
            {
                name: (axes[name.startswith("quantile")], np.asarray(values, dtype=np.float64))
                for name, values in numbers.items()
            },
            {"quantity": list(self.quantities()), "level": list(BAND_LEVELS), "time": self.times},
            {"scenario": json.dumps(self.scenario.to_dict())},
        )

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each quantity and displayed time.

        Columns quantity (``x``, ``dx_dkappa``), time, mean, mean_se, std, std_se, q05 … q95.
        """
        names = ["mean", "mean_se", "std", "std_se", *(f"q{100 * q:02.0f}" for q in BAND_LEVELS)]
        rows = [
            np.stack([b.mean, b.mean_error, b.std, b.std_error, *b.quantiles], axis=-1)
            for b in self.quantities().values()
        ]
        axes = {"quantity": np.array(list(self.quantities()), dtype=object), "time": self.times}
        return to_frame(axes, names, np.asarray(rows, dtype=np.float64))

    @property
    def relative_quantile_bound(self) -> float:
        """Largest bound of a quantile's error, of all quantities at all displayed times.

        It is relative to the distance of the 5 % and 95 % quantiles of the same quantity at the
        same time; zero where all quantiles are those of sorted samples. See
        :attr:`Bands.quantile_bound`.
        """
        return max(bands.relative_bound for bands in _all_bands(self))

    def incomplete(self, column: str | None = None) -> bool:
        """Return True if samples that diverged are missing from the statistics of a quantity.

        A mean or a standard deviation of the others is no estimate of anything: which samples
        remain depends on how far they went. Medians hardly depend on it while few are missing.

        Args:
            column: name of a sensitivity; None for the state.
        """
        missing = self.exploded if column is None else self.excluded.get(column, self.exploded)
        return missing > 0

    def index_nearest(self, fraction: float) -> int:
        """Return the index of the displayed time nearest to ``fraction`` of the horizon."""
        return int(np.abs(self.times - fraction * self.times[-1]).argmin())


def display_indices(steps: int) -> NDArray[np.intp]:
    """Return the indices of the displayed times on a grid of ``steps`` steps, both ends included.

    All of them up to MAX_DISPLAY_STEPS steps, else as many, spaced as evenly as indices can be.
    """
    return np.linspace(0, steps, min(steps, MAX_DISPLAY_STEPS) + 1).round().astype(np.intp)


def display_times(scenario: Scenario) -> NDArray[np.float64]:
    """Return the displayed times in real time, (T,)."""
    return display_indices(scenario.steps) / scenario.steps * scenario.horizon


def summarise(paths: Paths, jacobian: Jacobian | None = None) -> Summary:
    """Compute the statistics of paths, and of their derivatives if given.

    Args:
        paths: simulated paths (T, N, D).
        jacobian: their derivatives (T, N, D, P), of :func:`sde_lab.jacobian`.

    Returns:
        The summary, with read-only arrays. It holds no reference to the paths.
    """
    indices = display_indices(paths.scenario.steps)
    names = () if jacobian is None else jacobian.names
    tables = [to_display_layout(paths.values, indices)]
    if jacobian is not None:
        tables += [to_display_layout(jacobian.values[..., i], indices) for i in range(len(names))]
    return summarise_tables(paths.scenario, names, tables)


def to_display_layout(table: Tensor, indices: NDArray[np.intp]) -> Array:
    """Return the displayed times of a table (T, N, D) as an array (T', D, N) on the CPU.

    Samples come last, so that sorting and statistics run along contiguous memory.
    """
    displayed = table if len(indices) == len(table) else table[indices]
    return displayed.detach().cpu().numpy().transpose(0, 2, 1)


def summarise_tables(scenario: Scenario, names: Sequence[str], tables: Sequence[Array]) -> Summary:
    """Compute the statistics of states and sensitivities at the displayed times.

    Args:
        scenario: the simulated scenario.
        names: columns of the sensitivities: names of initial values and parameters, (P,).
        tables: the states, then the derivatives by each name, (T, D, N) each.
    """
    finite = finite_samples(tables[0])
    finite_states = select_samples(tables[0], finite)
    usable = {
        name: finite & finite_samples(table) for name, table in zip(names, tables[1:], strict=True)
    }
    states = np.sort(finite_states, axis=-1)
    indices = display_indices(scenario.steps)
    return read_only(
        Summary(
            scenario=scenario,
            indices=indices,
            times=display_times(scenario),
            states=tuple(bands_over_time(states[:, d]) for d in range(states.shape[1])),
            histograms=tuple(histogram_over_time(states[:, d]) for d in range(states.shape[1])),
            sensitivities={
                name: _bands_per_component(select_samples(table, usable[name]))
                for name, table in zip(names, tables[1:], strict=True)
            },
            paths=np.moveaxis(finite_states[..., :MAX_PATHS_SHOWN], 2, 1).copy(),
            kept=int(finite.sum()),
            exploded=int(finite.size - finite.sum()),
            excluded={name: int(mask.size - mask.sum()) for name, mask in usable.items()},
        )
    )


def finite_samples(table: Array) -> NDArray[np.bool_]:
    """Return a mask of the samples of (T, D, N) that are finite, (N,).

    The last time suffices: a step adds to the state, and to the derivative, so that Inf and NaN
    persist.
    """
    return np.asarray(np.isfinite(table[-1]).all(axis=0))


def select_samples(table: Array, mask: NDArray[np.bool_]) -> Array:
    """Return the samples of (T, D, N) in the mask; without a copy if that is all of them."""
    return table if mask.all() else table[..., mask]


def _bands_per_component(table: Array) -> tuple[Bands, ...]:
    ordered = np.sort(table, axis=-1)
    return tuple(bands_over_time(ordered[:, d]) for d in range(ordered.shape[1]))


def bands_over_time(ordered: Array) -> Bands:
    """Return the statistics of an array (T, N) sorted along its samples."""
    estimates = moments(ordered)
    levels = np.ascontiguousarray(quantiles(ordered, BAND_LEVELS).T)
    return make_bands(estimates, levels, np.zeros(levels.shape))


def make_bands(estimates: Moments, levels: Array, bound: Array) -> Bands:
    """Return Bands of moments, (T,) each, quantiles and the bound of their error, (5, T) each."""
    mean, std, errors = estimates.mean, estimates.std, (estimates.mean_error, estimates.std_error)
    return Bands(mean, std, levels, *errors, bound)


def histogram_over_time(ordered: Array) -> Histogram:
    """Return histograms of an array (T, N) sorted along its samples, one per time."""
    times, count = ordered.shape
    bins = histogram_bins(count)
    if count == 0:
        return Histogram(np.zeros((times, bins + 1)), np.zeros((times, bins)))
    edges = histogram_edges(ordered, bins)
    # Rows are sorted, so counts are differences of ranks of the edges; the last bin is closed.
    below = np.stack([row.searchsorted(edge) for row, edge in zip(ordered, edges, strict=True)])
    below[:, -1] = [
        row.searchsorted(edge[-1], side="right") for row, edge in zip(ordered, edges, strict=True)
    ]
    return make_histogram(edges, below, count)


def histogram_bins(count: int) -> int:
    """Return the number of bins of a histogram of so many samples."""
    return int(min(MAX_BINS, max(MIN_BINS, round(2.0 * count ** (1.0 / 3.0)))))


def histogram_edges(ordered: Array, bins: int) -> Array:
    """Return the edges of the bins, (T, bins + 1), for an array (T, N ≥ 1) of sorted samples."""
    tail = ordered.shape[1] // TRIMMED_SAMPLES
    low, high = ordered[:, tail].astype(np.float64), ordered[:, -1 - tail].astype(np.float64)
    # Equal samples, such as all initial values, get an interval of a width that is not zero.
    high = np.where(high > low, high, low + np.maximum(1e-6, 1e-6 * np.abs(low)))
    edges = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, bins + 1)
    edges[:, -1] = high
    return np.asarray(edges)


def make_histogram(edges: Array, ranks: NDArray[np.integer], count: int) -> Histogram:
    """Return the histogram of ``count`` samples with so many of them below each edge."""
    width = (edges[:, 1:2] - edges[:, :1]) * count
    return Histogram(edges, np.diff(ranks, axis=1) / width)


def read_only(summary: Summary) -> Summary:
    """Make all arrays of a summary read-only: a cache shares one summary between sessions."""
    arrays = [summary.indices, summary.times, summary.paths]
    for bands in _all_bands(summary):
        arrays += [bands.mean, bands.std, bands.quantiles, bands.mean_error, bands.std_error]
        arrays.append(bands.quantile_bound)
    for histogram in summary.histograms:
        arrays += [histogram.edges, histogram.density]
    for array in arrays:
        array.flags.writeable = False
    return summary


def _all_bands(summary: Summary) -> list[Bands]:
    """Return the Bands of all states and sensitivities."""
    return [*summary.states, *(b for row in summary.sensitivities.values() for b in row)]
