"""Scaling of the gradient methods: time against samples or steps, on log-log axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sde_lab.figures.benchmark_bars import SERIES_INDICES
from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import Trace, as_float32
from sde_lab.studies.benchmark.cost_model import FITTED, slope
from sde_lab.studies.benchmark.registry import METHODS
from sde_lab.studies.benchmark.trial import TrialResult

MAX_SLOPE_ERROR = 0.25
"""Largest standard error of a slope that is shown: it still tells O(N) from O(N²)."""
_SYMBOLS = (
    "circle",
    "square",
    "diamond",
    "cross",
    "x",
    "triangle-up",
    "star",
    "circle-open",
    "square-open",
)
"""Of the methods, by their index: each is told from the others without its colour too."""


def scaling_chart(results: Sequence[TrialResult], study: str, theme: Theme) -> dict[str, Any]:
    """Draw the measured points of every method, and the line that was fitted to the last of them.

    Args:
        results: of a scaling study, as far as it has come.
        study: what grows, "samples" or "steps".
        theme: colours and sizes.

    Returns:
        ``data`` and ``layout``; the legend gives each slope on the log-log axes.
    """
    traces: list[Trace] = []
    for name in METHODS:
        points = [r for r in results if (r.method, r.study, r.status) == (name, study, "measured")]
        if points:
            traces += _method_traces(name, points, study, theme)
    size = theme.font_size
    layout = theme.layout(
        xaxis=theme.axis(title=study, type="log", nticks=6),
        yaxis=theme.axis(title="seconds", type="log", nticks=6),
        margin={"l": 3.4 * size + 10, "r": 8, "t": 6.6 * size, "b": 2.9 * size + 6},
        hovermode="closest",
        meta={"time": [], "ground": theme.background},
        uirevision=f"growth.{study}",
    )
    return {"data": traces, "layout": layout}


def _method_traces(
    name: str, points: Sequence[TrialResult], study: str, theme: Theme
) -> list[Trace]:
    index, title = SERIES_INDICES[name], METHODS[name].title
    colour = theme.series_colour(index)
    x = np.array([getattr(p, study) for p in points], dtype=np.float64)
    y = np.array([p.seconds for p in points])
    power, error = slope(x, y, [p.seconds_error for p in points])
    stated = error <= MAX_SLOPE_ERROR  # not of a NaN
    label = f"{title}  {power:.2f} ± {error:.2f}" if stated else title
    dots: Trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": as_float32(x),
        "y": as_float32(y),
        "line": {"color": theme.with_alpha(colour, 0.45), "width": theme.line * 0.5},
        "marker": {"color": colour, "size": 3.6 * theme.line, "symbol": _SYMBOLS[index]},
        "name": label,
        "legendgroup": name,
        "hovertemplate": f"{title}<br>%{{x:,}} {study}: %{{y:.2~s}}s<extra></extra>",
        "uid": f"{study}-{name}",
    }
    if not stated:
        return [dots]
    return [dots, _fitted(name, x[-FITTED:], y[-FITTED:], power, colour, theme)]


def _fitted(
    name: str, x: np.ndarray, y: np.ndarray, power: float, colour: str, theme: Theme
) -> Trace:
    """Draw the line of this slope through the mean of the points, a little longer than they are."""
    middle = float(np.log(y).mean() - power * np.log(x).mean())
    ends = np.array([x[0], x[-1] * 1.6])
    return {
        "type": "scatter",
        "mode": "lines",
        "x": as_float32(ends),
        "y": as_float32(np.exp(middle) * ends**power),
        "line": {"color": colour, "width": theme.line * 0.8, "dash": theme.dashed},
        "legendgroup": name,
        "showlegend": False,
        "hoverinfo": "skip",
        "uid": f"fit-{name}",
    }
