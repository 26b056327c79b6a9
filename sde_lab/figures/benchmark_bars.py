"""The benchmark as bars: measured ones full, predicted ones hatched, on a log axis."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import Trace
from sde_lab.formatting import (
    readable_bytes,
    readable_seconds,
    readable_times,
)
from sde_lab.studies.benchmark.registry import METHODS
from sde_lab.studies.benchmark.trial import TrialResult

REPLAY = "replay"
SUMMED = "summed"
SERIES_INDICES: Mapping[str, int] = {
    name: k
    for k, name in enumerate(
        (REPLAY, *(name for name in reversed(tuple(METHODS)) if name != REPLAY))
    )
}
"""Colour and symbol of each method, as a palette index; replay has the first."""
MAX_LINE_CHARS = 18
"""Characters to a line of a method's title beside its bar."""

MOST_TICKS = 5
"""Ticks on the axis of seconds, which has room for them on a phone."""


def benchmark_bars(results: Sequence[TrialResult], theme: Theme) -> dict[str, Any]:
    """Draw the time of each method at the benchmark's size, the slowest at the bottom.

    Args:
        results: of a benchmark, as far as it has come; those at other sizes are left out.
        theme: colours and sizes.

    Returns:
        ``data`` and ``layout``; no axis shows time.
    """
    shown = _at_full_size(results)
    timed = sorted((r for r in shown if math.isfinite(r.seconds)), key=lambda r: -r.seconds)
    others = [r for r in shown if not math.isfinite(r.seconds)]
    order = [r.method for r in (*others, *timed)]
    base = next((r.seconds for r in timed if r.method == REPLAY), math.nan)
    size = theme.font_size
    layout = theme.layout(
        xaxis=theme.axis(
            title="seconds", type="log", tickangle=0, fixedrange=True, **_decades(timed)
        ),
        yaxis=theme.axis(
            type="category",
            categoryorder="array",
            categoryarray=[METHODS[name].title for name in order],
            range=[len(order) - len(METHODS) - 0.5, len(order) - 0.5],
            tickvals=[METHODS[name].title for name in order],
            ticktext=[_wrap(METHODS[name].title) for name in order],
            tickfont={"size": size, "color": theme.text},
            automargin=True,
            showgrid=False,
            fixedrange=True,
        ),
        margin={"l": size, "r": 10, "t": 8, "b": 2.9 * size + 6},
        bargap=0.28,
        showlegend=False,
        hovermode="closest",
        annotations=[_excuse(r, theme) for r in others] if results else [_invitation(theme)],
        meta={"time": [], "ground": theme.background},
        uirevision="race",
    )
    return {"data": [_bars(timed, base, theme)] if timed else [], "layout": layout}


def _wrap(title: str) -> str:
    """Return the title in lines of at most ``MAX_LINE_CHARS``, as Plotly breaks them."""
    return "<br>".join(textwrap.wrap(title, MAX_LINE_CHARS))


def _at_full_size(results: Sequence[TrialResult]) -> list[TrialResult]:
    """Return one result for each method: those at the largest number of samples."""
    most = max((r.samples for r in results), default=0)
    found: dict[str, TrialResult] = {}
    for r in results:
        if r.samples == most:
            found.setdefault(r.method, r)
    return list(found.values())


def _bars(timed: Sequence[TrialResult], base: float, theme: Theme) -> Trace:
    colours = [_colour(r.method, theme) for r in timed]
    return {
        "type": "bar",
        "orientation": "h",
        "x": [r.seconds for r in timed],
        "y": [METHODS[r.method].title for r in timed],
        "text": [_label(r, base) for r in timed],
        "textposition": "outside",
        "textfont": {"size": theme.font_size, "color": theme.text},
        "cliponaxis": False,
        "marker": {
            "color": [
                theme.with_alpha(c, 0.25) if r.status == "predicted" else c
                for c, r in zip(colours, timed, strict=True)
            ],
            "line": {"color": colours, "width": theme.line * 0.6},
            "pattern": {
                "shape": ["/" if r.status == "predicted" else "" for r in timed],
                "fgcolor": theme.muted,
                "fillmode": "overlay",
                "size": 6,
            },
        },
        "customdata": [METHODS[r.method].summary for r in timed],
        "hovertemplate": "%{customdata}<extra></extra>",
        "uid": "race",
    }


def _colour(name: str, theme: Theme) -> str:
    """Return replay's colour, grey for the method that gives the sum, one colour for the others."""
    if name == SUMMED:
        return theme.muted
    return theme.state if name == REPLAY else theme.series_colour(1)


def _label(result: TrialResult, base: float) -> str:
    """Return a bar's label: its time, the ratio to replay's, and whether it is predicted."""
    parts = [readable_seconds(result.seconds)]
    if result.status == "predicted":
        parts.append(f"{readable_bytes(result.memory)}<br>  predicted")
    elif result.method not in (REPLAY, SUMMED) and math.isfinite(base):
        parts.append(f"{readable_times(result.seconds / base)} ×")
    if result.method == SUMMED:
        parts.append("but only a sum")
    return "  " + " · ".join(parts)


def _decades(timed: Sequence[TrialResult]) -> dict[str, list[float]]:
    """Return the ``range`` of the axis in exponents of ten, and whole decades as its ``tickvals``.

    The bars begin at a whole decade and have labels to their right, so the ticks end with them. A
    tick lies well inside: where Plotly hides all labels, as beyond the edge, it loses the title.
    """
    if not timed:
        return {"range": [-3.0, 1.0], "tickvals": [1e-3, 1e-2, 1e-1, 1.0]}
    exponents = [math.log10(r.seconds) for r in timed]
    low, high = math.floor(min(exponents) - 0.3), max(exponents)
    last = math.ceil(high)
    step = math.ceil((last - low) / (MOST_TICKS - 1))
    return {
        "range": [low, max(high + 1.6 * (high - low), last + 0.4)],
        "tickvals": [10.0**k for k in range(low, last + 1, step)],
    }


def _invitation(theme: Theme) -> dict[str, Any]:
    """Return the note that the empty chart shows before a measurement."""
    return {
        "text": f"{len(METHODS)} methods, one after the other:<br>about twenty seconds",
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.6,
        "showarrow": False,
        "font": {"size": theme.font_size + 2, "color": theme.muted},
    }


def _excuse(result: TrialResult, theme: Theme) -> dict[str, Any]:
    """In the place of a bar: that there is none."""
    text = "does not support this scheme" if result.status == "refused" else "failed"
    return {
        "text": text,
        "xref": "paper",
        "x": 0.01,
        "y": METHODS[result.method].title,
        "xanchor": "left",
        "showarrow": False,
        "font": {"size": theme.font_size, "color": theme.muted},
    }
