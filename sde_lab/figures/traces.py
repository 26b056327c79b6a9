"""The few kinds of trace that all figures are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sde_lab.figures.theme import Theme
from sde_lab.models.exact import Law

Array = NDArray[np.floating]
Trace = dict[str, Any]


def line(x: Array, y: Array, colour: str, width: float, **own: Any) -> Trace:
    """A line; solid unless told otherwise."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": single(x),
        "y": single(y),
        "line": {"color": colour, "width": width, "dash": own.pop("dash", "solid")},
        "hoverinfo": "skip",
        "showlegend": "name" in own,
        **own,
    }


def band(x: Array, low: Array, high: Array, fill: str, **own: Any) -> Trace:
    """The area between two curves, as one closed polygon."""
    whole = np.isfinite(low) & np.isfinite(high)
    x, low, high = x[whole], low[whole], high[whole]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": single(np.concatenate([x, x[::-1], x[:1]])),
        "y": single(np.concatenate([high, low[::-1], high[:1]])),
        "fill": "toself",
        "fillcolor": fill,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": "name" in own,
        **own,
    }


def joined(x: Array, y: Array) -> tuple[Array, Array]:
    """Many curves y (T, S) over x (T,) or (T, S) as one, with a gap (NaN) after each."""
    count = y.shape[1]
    if x.ndim == 1:
        x = np.repeat(x[:, None], count, axis=1)
    gap = np.full((1, count), np.nan)
    return (
        np.concatenate([x, gap]).T.ravel(),
        np.concatenate([y, gap]).T.ravel(),
    )


def exact_lines(times: Array, law: Law, component: int, theme: Theme, **own: Any) -> list[Trace]:
    """The exact mean, and the exact 5 % and 95 % quantiles where they are known: dashed."""
    named = {key: own.pop(key) for key in ("name",) if key in own}
    mean = line(
        times, law.mean[:, component], theme.exact, theme.line * 0.8, dash="dash", **named, **own
    )
    found = [mean]
    for q in (0.05, 0.95):
        curve = law.quantile(q)
        if curve is not None and np.isfinite(curve[:, component]).any():
            wide = np.ptp(curve[:, component] - law.mean[:, component]) > 0
            if wide:
                found.append(
                    line(
                        times,
                        curve[:, component],
                        theme.faded(theme.exact, 0.75),
                        theme.line * 0.55,
                        dash="dash",
                        **own,
                    )
                )
    return found


def cursor_line(time: float, axis: str, theme: Theme) -> dict[str, Any]:
    """A thin upright line at the cursor, as tall as the panel of ``axis``."""
    return {
        "type": "line",
        "xref": f"x{axis}",
        "yref": f"y{axis} domain",
        "x0": time,
        "x1": time,
        "y0": 0,
        "y1": 1,
        "line": {"color": theme.muted, "width": 1, "dash": "dot"},
        "layer": "above",
    }


def single(values: Array) -> Array:
    """Float32: half the bytes, and finer than a screen."""
    return np.asarray(values, dtype=np.float32)


def padded(low: float, high: float, share: float = 0.06, least: float = 1e-3) -> list[float]:
    """An axis range around [low, high] with some air, never absurdly narrow."""
    middle, half = (low + high) / 2, (high - low) / 2
    half = max(half, least * max(1.0, abs(middle))) * (1 + 2 * share)
    return [middle - half, middle + half]
