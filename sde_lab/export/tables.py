"""Summary → tidy tables, and the files that hold them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.summaries.summary import BAND_LEVELS, Bands, Summary
from sde_lab.theory.exact_laws import ExactLaws

if TYPE_CHECKING:
    import pandas as pd

    from sde_lab.models.laws.base import Law

METADATA_KEY = b"sde_lab.scenario"
"""Key of the scenario's JSON in the metadata of a Parquet file."""
QUANTILES = tuple(f"q{round(100 * level):02d}" for level in BAND_LEVELS)
"""Column names of the quantiles: ``q05`` … ``q95``."""


def summary_table(summary: Summary, exact: ExactLaws | None = None) -> pd.DataFrame:
    """Return the statistics of every quantity at every displayed time, one row each.

    Args:
        summary: of a simulation.
        exact: exact laws at ``summary.times``, for the columns that begin with ``exact_``.

    Returns:
        Columns time, quantity (``x``, ``dx_dkappa``), mean, mean_se, std, std_se, q05 … q95,
        exact_mean, exact_std, exact_q05 … exact_q95, q05_bound … q95_bound; NaN where nothing is
        known, as standard errors are of too few effective samples, and mean and standard
        deviation where samples diverged (quantiles are those of the others). All are float64;
        times are in units of the horizon, derivatives in units of the state per parameter.
        A bound is that of the error of a run of too many samples to keep
        (:attr:`sde_lab.summaries.summary.Bands.quantile_bound`), zero in all others.

    Raises:
        ValueError: if the exact laws are those of other times.
    """
    import pandas as pd

    if exact is not None and not np.array_equal(exact.times, summary.times):
        raise ValueError("exact: must be at summary.times, as exact_laws(scenario, times=…) gives")
    parts = []
    for d, component in enumerate(summary.scenario.model_spec.components):
        law = None if exact is None else exact.state
        parts.append(
            _rows(summary, component, _estimates(summary, summary.states[d], None), law, d)
        )
        for name, bands in summary.sensitivities.items():
            law = None if exact is None else exact.sensitivities.get(name)
            kept = _estimates(summary, bands[d], name)
            parts.append(_rows(summary, f"d{component}_d{name}", kept, law, d))
    return pd.DataFrame({key: np.concatenate([p[key] for p in parts]) for key in parts[0]})


def _estimates(summary: Summary, bands: Bands, column: str | None) -> Bands:
    """Return the statistics without mean and standard deviation where samples diverged."""
    if not summary.incomplete(column):
        return bands
    none = np.full(summary.times.shape, np.nan)
    return replace(bands, mean=none, std=none, mean_error=none, std_error=none)


def _rows(summary: Summary, quantity: str, bands: Bands, law: Law | None, d: int) -> dict[str, Any]:
    """Return one quantity's part of each column, (T,)."""
    numbers = {
        "mean": bands.mean,
        "mean_se": bands.mean_error,
        "std": bands.std,
        "std_se": bands.std_error,
        **dict(zip(QUANTILES, bands.quantiles, strict=True)),
        **_theory(law, d, len(summary.times)),
        **{
            f"{name}_bound": np.broadcast_to(bound, summary.times.shape)
            for name, bound in zip(QUANTILES, bands.quantile_bound, strict=True)
        },
    }
    return {
        "time": summary.times,
        "quantity": np.full(len(summary.times), quantity, dtype=object),
        **{name: np.asarray(values, dtype=np.float64) for name, values in numbers.items()},
    }


def _theory(law: Law | None, d: int, times: int) -> dict[str, Any]:
    """Return exact mean, standard deviation and quantiles of one component, (T,) each."""
    unknown = np.full(times, np.nan)
    quantiles = [None if law is None else law.quantile(level) for level in BAND_LEVELS]
    columns = {
        f"exact_{name}": unknown if values is None else values[:, d]
        for name, values in zip(QUANTILES, quantiles, strict=True)
    }
    if law is None:
        return {"exact_mean": unknown, "exact_std": unknown, **columns}
    std = np.sqrt(np.maximum(law.variance[:, d], 0.0))  # rounding may leave a variance below zero
    return {"exact_mean": law.mean[:, d], "exact_std": std, **columns}


def paths_table(summary: Summary) -> pd.DataFrame:
    """Return the sample paths that a page shows, one row per path, component and time.

    Returns:
        Columns path (0, 1, … among the samples that stayed finite), time, quantity (``x``) and
        value, in this order of nesting: time runs within quantity, quantity within path.
    """
    import pandas as pd

    times, count, _ = summary.paths.shape
    # The array is (time, path, component); the rows run over path, component, time, the last first.
    names = np.array(summary.scenario.model_spec.components, dtype=object)
    return pd.DataFrame(
        {
            "path": np.repeat(np.arange(count), len(names) * times),
            "time": np.tile(summary.times, count * len(names)),
            "quantity": np.tile(np.repeat(names, times), count),
            "value": summary.paths.transpose(1, 2, 0).astype(np.float64).ravel(),
        }
    )


def to_csv(frame: pd.DataFrame) -> bytes:
    """Return CSV in UTF-8, with every digit: ``pandas.read_csv`` gives the same numbers back."""
    return frame.to_csv(index=False, lineterminator="\n").encode("utf-8")


def to_parquet(frame: pd.DataFrame, scenario: Scenario) -> bytes:
    """Return a Parquet file, with the scenario as JSON in its metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = pa.Table.from_pandas(frame, preserve_index=False)
    added = {METADATA_KEY: json.dumps(scenario.to_dict()).encode("utf-8")}
    sink = io.BytesIO()
    pq.write_table(data.replace_schema_metadata({**(data.schema.metadata or {}), **added}), sink)
    return sink.getvalue()


def read_scenario(parquet: bytes) -> Scenario:
    """Return the scenario that :func:`to_parquet` wrote into a file.

    Raises:
        ScenarioError: if the file holds none, or one that is not valid.
        ValueError: if it is no Parquet file.
    """
    import pyarrow.parquet as pq

    metadata = pq.read_schema(io.BytesIO(parquet)).metadata or {}
    if METADATA_KEY not in metadata:
        hint = f"the file's metadata has no {METADATA_KEY.decode()!r}; files of to_parquet do"
        raise ScenarioError("scenario", None, hint)
    return Scenario.from_dict(json.loads(metadata[METADATA_KEY]))
