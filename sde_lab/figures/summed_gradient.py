"""One number where a curve was asked for, and the bars that it is the sum of."""

from __future__ import annotations

from typing import Any

import numpy as np

from sde_lab.figures.frames import BAR_WIDTH
from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import as_float32
from sde_lab.studies.summed_gradient import SummedGradient


def summed_gradient_chart(results: SummedGradient, hidden: bool, theme: Theme) -> dict[str, Any]:
    """Draw what autograd returned and, unless hidden, the derivatives that it added up.

    Returns:
        ``data`` and ``layout``; ``layout.meta.time`` names the axis that shows time.
    """
    colour = theme.state
    bars = {
        "type": "bar",
        "x": as_float32(results.times),
        "y": as_float32(results.derivatives),
        "marker": {"color": theme.with_alpha(colour, 0.75)},
        "hovertemplate": "t = %{x:.3~g}: %{y:.4~g}<extra></extra>",
        "showlegend": False,
        "uid": "summands",
    }
    horizon, air = float(results.times[-1]), float(results.times[1]) / 2
    layout = theme.layout(
        xaxis=theme.axis(title="time t", range=[-air, horizon + air]),
        yaxis=theme.axis(
            title=_quantity(results),
            range=_range(results),
        ),
        annotations=_words(results, hidden, theme),
        bargap=1 - BAR_WIDTH,
        showlegend=False,
        meta={"time": [], "ground": theme.background},
        uirevision="summed",
    )
    return {"data": [] if hidden else [bars], "layout": layout}


def _quantity(results: SummedGradient) -> str:
    """Name what a bar is, and over what it is summed."""
    over = ["paths"] * (results.samples > 1) + ["components"] * (len(results.each_returned) > 1)
    return f"∂X/∂x₀, summed over the {' and '.join(over)}" if over else "∂X/∂x₀"


def _range(results: SummedGradient) -> list[float]:
    """From zero to the tallest bar, with room for the words above it."""
    ends = results.derivatives[np.isfinite(results.derivatives)]
    low, high = min(float(ends.min(initial=0)), 0.0), max(float(ends.max(initial=0)), 0.0)
    return [low * 1.1, high * 1.45 if high > 0 else 1.0]


def _words(results: SummedGradient, hidden: bool, theme: Theme) -> list[dict[str, Any]]:
    size = theme.font_size
    many = "" if results.samples == 1 else f", of {results.samples} paths each"
    numbers = ", ".join(f"{n:.6g}" for n in results.each_returned or (results.returned,))
    parts = [
        ("autograd.grad(X, x₀, ones_like(X)) =", size, 1.0, 0),
        (f"<b>{numbers}</b>", size * 2, 1.0, 1.4 * size),
    ]
    if not hidden:
        first = "the first is " if len(results.each_returned) > 1 else ""
        text = f"{first}the sum of these {len(results.times)} bars{many}"
        parts.append((text, size, 1.0, 4.2 * size))
    return [
        {
            "text": text,
            "xref": "paper",
            "yref": "paper",
            "x": 1,
            "y": y,
            "xanchor": "right",
            "yanchor": "top",
            "yshift": -down,
            "showarrow": False,
            "font": {"size": font, "color": theme.text},
        }
        for text, font, y, down in parts
    ]
