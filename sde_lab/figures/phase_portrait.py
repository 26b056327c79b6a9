"""The phase portrait of a model with two state components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sde_lab.figures.axis_range import axis_range
from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import (
    MEDIAN,
    Array,
    Trace,
    as_float32,
    corner_note,
    join_with_gaps,
    line,
    range_curves,
)
from sde_lab.summaries.summary import Summary


def phase_portrait(
    summary: Summary, cursor: int, theme: Theme, names: Sequence[str]
) -> dict[str, Any]:
    """Draw some paths in the plane of the first two components, with markers at the cursor.

    Args:
        summary: what was simulated, with two state components or more.
        cursor: index of the displayed time at which the markers stand.
        theme: colours and sizes.
        names: names of the components.

    Returns:
        ``data`` and ``layout``; no axis shows time.
    """
    time = float(summary.times[cursor])
    return {
        "data": _traces(summary, cursor, theme),
        "layout": theme.layout(
            xaxis=theme.axis(title=names[0], range=_range(summary, 0)),
            yaxis=theme.axis(title=names[1], range=_range(summary, 1)),
            annotations=[corner_note(f"t = {time:.3g}", theme)],
            hovermode="closest",
            meta={"time": [], "ground": theme.background},
            uirevision=f"{summary.scenario.model}.phase",
        ),
    }


def _traces(summary: Summary, cursor: int, theme: Theme) -> list[Trace]:
    first, second = summary.paths[..., 0], summary.paths[..., 1]
    x, y = join_with_gaps(first, second)
    incomplete = summary.incomplete()
    mean_x, mean_y = (
        bands.quantiles[2] if incomplete else bands.mean for bands in summary.states[:2]
    )
    name, uid = (MEDIAN, "median") if incomplete else ("mean", "mean")
    colour, size, now = theme.state, 3.0 * theme.line, slice(cursor, cursor + 1)
    return [
        line(
            x,
            y,
            theme.with_alpha(colour, 0.3),
            theme.line * 0.4,
            name="paths",
            uid="paths",
            legendrank=2,
        ),
        line(mean_x, mean_y, colour, theme.line * 1.25, name=name, uid=uid, legendrank=1),
        _dots(
            first[cursor], second[cursor], theme.with_alpha(colour, 0.9), size, "paths at t", theme
        ),
        _dots(mean_x[now], mean_y[now], theme.text, size * 1.6, f"{uid} at t", theme),
        _dots(mean_x[:1], mean_y[:1], theme.muted, size * 1.6, "initial value", theme, "diamond"),
    ]


def _dots(
    x: Array, y: Array, colour: str, size: float, name: str, theme: Theme, symbol: str = "circle"
) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": as_float32(x),
        "y": as_float32(y),
        "marker": {
            "color": colour,
            "size": size,
            "symbol": symbol,
            "line": {"color": theme.background, "width": theme.line * 0.5},
        },
        "name": name,
        "uid": name.replace(" ", "-"),
        "legendgroup": name,
        "showlegend": True,
        "legendrank": 3,
        "hovertemplate": "%{x:.3g}, %{y:.3g}<extra>" + name + "</extra>",
    }


def _range(summary: Summary, component: int) -> list[float]:
    bands = summary.states[component]
    incomplete = summary.incomplete()
    middle = bands.quantiles[2] if incomplete else bands.mean
    required = range_curves(bands, None, component, incomplete=incomplete)
    return axis_range(required, [middle, summary.paths[..., component]])
