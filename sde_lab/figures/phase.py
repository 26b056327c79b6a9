"""The phase portrait of a two-dimensional model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import joined, line, padded, single
from sde_lab.summary import Summary


def phase(summary: Summary, cursor: int, theme: Theme, names: Sequence[str]) -> dict[str, Any]:
    """Some paths in the plane of the first two components, and where they are at the cursor.

    Args:
        summary: what was simulated, with two state components or more.
        cursor: index of the displayed time at which the markers stand.
        theme: colours and sizes.
        names: names of the components.
    """
    first, second = summary.paths[..., 0], summary.paths[..., 1]
    x, y = joined(first, second)
    mean_x, mean_y = summary.states[0].mean, summary.states[1].mean
    colour = theme.state
    traces = [
        line(x, y, theme.faded(colour, 0.35), theme.line * 0.45, name="paths"),
        line(mean_x, mean_y, colour, theme.line * 1.25, name="mean"),
        _dots(first[cursor], second[cursor], theme.faded(colour, 0.9), 6, "paths at the cursor"),
        _dots(mean_x[cursor : cursor + 1], mean_y[cursor : cursor + 1], theme.text, 9, "mean then"),
        _dots(mean_x[:1], mean_y[:1], theme.muted, 9, "start", "diamond-open"),
    ]
    size = theme.font_size
    layout = theme.layout(
        margin={"l": 3.6 * size + 8, "r": 10, "t": 2.6 * size + 6, "b": 3.2 * size + 6},
        xaxis=theme.axis(title={"text": names[0], "standoff": 4}, range=_range(first)),
        yaxis=theme.axis(title={"text": names[1], "standoff": 6}, range=_range(second)),
        hovermode="closest",
        meta={"time": []},
        uirevision=f"{summary.scenario.model}.phase",
    )
    return {"data": traces, "layout": layout}


def _dots(
    x: Any, y: Any, colour: str, size: int, name: str, symbol: str = "circle"
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": single(x),
        "y": single(y),
        "marker": {"color": colour, "size": size, "symbol": symbol, "line": {"width": 1.5}},
        "name": name,
        "hovertemplate": "%{x:.3g}, %{y:.3g}<extra>" + name + "</extra>",
    }


def _range(values: Any) -> list[float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return [-1.0, 1.0]
    return padded(float(finite.min()), float(finite.max()))
