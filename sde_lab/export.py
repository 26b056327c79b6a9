"""What a page hands out: the program that repeats it, its tables, and its figures in one file."""

from __future__ import annotations

import html
import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sde_lab.reference import Reference
from sde_lab.scenario import Scenario
from sde_lab.summary import LEVELS, Bands, Summary

if TYPE_CHECKING:
    import pandas as pd

    from sde_lab.models.exact import Law

METADATA = b"sde_lab.scenario"
QUANTILES = tuple(f"q{round(100 * level):02d}" for level in LEVELS)

_PROGRAM = '''\
"""{title}: paths and every pathwise derivative, as in the laboratory.

Needs the folder sde_lab beside this file or on the path.
"""

import sde_lab as lab

scenario = lab.Scenario(
{fields}
)
paths = lab.simulate(scenario)
jacobian = lab.jacobian(paths)
summary = lab.summarise(paths, jacobian)
exact = lab.reference(scenario, times=summary.times)


def show(name, bands, law, d):
    line = f"{{name:24s}} {{bands.mean[-1]: .6g}} ± {{bands.mean_error[-1]:.2g}}"
    print(line if law is None else f"{{line}}   exact {{law.mean[-1, d]: .6g}}")


print(f"at t = {{summary.times[-1]:g}}, {{summary.kept}} of {{scenario.samples}} samples finite")
for d, component in enumerate(scenario.sde.components):
    show(component, summary.states[d], exact and exact.state, d)
    for name in jacobian.names:
        law = exact and exact.sensitivities.get(name)
        show(f"d {{component}} / d {{name}}", summary.sensitivities[name][d], law, d)
'''

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{margin: 1rem; font-family: sans-serif; background: {ground}; color: {ink};}}
main {{display: flex; flex-wrap: wrap; gap: 1rem;}}
main > div {{flex: 1 1 26rem; height: 34rem; min-width: 0;}}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{caption}</p>
<main>{charts}</main>
<p>Solid: simulated. Dashed: exact.</p>
<script>{library}</script>
<script>
for (const [place, figure] of Object.entries({figures})) {{
  Plotly.newPlot("chart" + place, figure.data, figure.layout, {{responsive: true}});
}}
</script>
</body>
</html>
"""


def script(scenario: Scenario) -> str:
    """A Python program that computes and prints the numbers of the scenario at its horizon."""
    lines = [f"    {name}={value!r}," for name, value in scenario.to_dict().items()]
    return _PROGRAM.format(title=scenario.sde.title, fields="\n".join(lines))


def table(summary: Summary, exact: Reference | None = None) -> pd.DataFrame:
    """Statistics of every quantity at every displayed time, one row each.

    Args:
        summary: what was simulated.
        exact: exact laws at ``summary.times``, for the columns ``exact_mean`` and ``exact_std``.

    Returns:
        Columns time, quantity (``x``, ``dx_dkappa``), mean, mean_se, std, std_se, q05 … q95,
        exact_mean, exact_std; NaN where nothing is known.
    """
    import pandas as pd

    parts = []
    for d, component in enumerate(summary.scenario.sde.components):
        law = None if exact is None else exact.state
        parts.append(_rows(summary, component, summary.states[d], law, d))
        for name, bands in summary.sensitivities.items():
            law = None if exact is None else exact.sensitivities.get(name)
            parts.append(_rows(summary, f"d{component}_d{name}", bands[d], law, d))
    return pd.DataFrame({key: np.concatenate([p[key] for p in parts]) for key in parts[0]})


def _rows(summary: Summary, quantity: str, bands: Bands, law: Law | None, d: int) -> dict[str, Any]:
    unknown = np.full(len(summary.times), np.nan)
    variance = unknown if law is None else np.asarray(law.variance)[:, d]
    return {
        "time": summary.times,
        "quantity": np.full(len(summary.times), quantity, dtype=object),
        "mean": bands.mean,
        "mean_se": bands.mean_error,
        "std": bands.std,
        "std_se": bands.std_error,
        **{name: bands.quantiles[i].astype(np.float64) for i, name in enumerate(QUANTILES)},
        "exact_mean": unknown if law is None else np.asarray(law.mean)[:, d],
        "exact_std": np.sqrt(variance),
    }


def to_csv(frame: pd.DataFrame) -> bytes:
    """UTF-8, with every digit that the numbers have."""
    return frame.to_csv(index=False).encode("utf-8")


def to_parquet(frame: pd.DataFrame, scenario: Scenario) -> bytes:
    """Parquet, with the scenario as JSON in the file's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = pa.Table.from_pandas(frame, preserve_index=False)
    own = {METADATA: json.dumps(scenario.to_dict()).encode("utf-8")}
    sink = io.BytesIO()
    pq.write_table(data.replace_schema_metadata({**(data.schema.metadata or {}), **own}), sink)
    return sink.getvalue()


def read_scenario(parquet: bytes) -> Scenario:
    """The scenario that :func:`to_parquet` wrote into a file."""
    import pyarrow.parquet as pq

    metadata = pq.read_schema(io.BytesIO(parquet)).metadata or {}
    return Scenario.from_dict(json.loads(metadata[METADATA]))


def to_html(figures: Sequence[Mapping[str, Any]], scenario: Scenario) -> bytes:
    """One page with the figures, that needs nothing else: plotly.js is inside."""
    from plotly.io.json import to_json_plotly
    from plotly.offline import get_plotlyjs

    plain = json.dumps([json.loads(to_json_plotly(figure)) for figure in figures])
    layout = figures[0]["layout"]
    page = _PAGE.format(
        title=html.escape(scenario.sde.title),
        caption=html.escape(_caption(scenario)),
        ground=layout.get("meta", {}).get("ground", "#ffffff"),
        ink=layout["font"]["color"],
        charts="".join(f'<div id="chart{place}"></div>' for place in range(len(figures))),
        library=get_plotlyjs(),
        figures=plain.replace("<", "\\u003c"),
    )
    return page.encode("utf-8")


def _caption(scenario: Scenario) -> str:
    plain = scenario.to_dict()
    settings = ", ".join(f"{name} = {value:g}" for name, value in plain["parameters"].items())
    return (
        f"{scenario.sde.meaning} {settings}; x0 = {plain['x0']}; {scenario.samples} samples,"
        f" {scenario.steps} steps to T = {scenario.horizon:g}, {scenario.solver.title},"
        f" seed {scenario.seed}."
    )


def filename(scenario: Scenario, suffix: str) -> str:
    """A name for a file that says what is in it, in letters that every system takes."""
    size = f"{scenario.steps}x{scenario.samples}"
    return f"{scenario.model}-{size}-seed{scenario.seed}.{suffix}"
