"""The few pieces that all figures are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sde_lab.figures.theme import Theme
from sde_lab.models.laws.base import Law
from sde_lab.summaries.summary import Bands

Array = NDArray[np.floating]
Trace = dict[str, Any]
ROUNDING = 1e-14
"""Size up to which a number is a rounded zero, relative to the numbers it is computed with."""
BANDS_LABEL = "central 50 %, 90 %"
"""Legend entry of both bands: the central 50 % and 90 % of the paths."""


def line(x: Array, y: Array, colour: str, width: float, **overrides: Any) -> Trace:
    """Return a line trace; solid by default, in the legend if it has a name."""
    _set_legend_group(overrides)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": as_float32(x),
        "y": as_float32(y),
        "line": {"color": colour, "width": width, **_stroke(overrides)},
        "hoverinfo": "skip",
        "showlegend": "name" in overrides,
        **overrides,
    }


def _stroke(overrides: dict[str, Any]) -> dict[str, Any]:
    """Dash, and whether points closer than the width may go: a smooth curve shows corners then."""
    return {"dash": overrides.pop("dash", "solid"), "simplify": overrides.pop("simplify", True)}


def _set_legend_group(overrides: dict[str, Any]) -> None:
    """Give a named trace its own legend group, unless it has one.

    Plotly sets groups side by side, each as wide as its words; without groups a legend that does
    not fit in one row becomes a table, each column as wide as the longest entry.
    """
    if "name" in overrides:
        overrides.setdefault("legendgroup", overrides.get("uid", overrides["name"]))


def band(x: Array, low: Array, high: Array, fill: str, **overrides: Any) -> Trace:
    """Return the area between two curves (T,): a closed polygon for each run without a NaN."""
    _set_legend_group(overrides)
    whole = np.isfinite(low) & np.isfinite(high)
    runs = np.split(np.arange(len(x)), np.flatnonzero(np.diff(whole)) + 1)
    runs = [run for run in runs if len(run) and whole[run[0]]]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": as_float32(_outline(x, x, runs)),
        "y": as_float32(_outline(high, low, runs)),
        "fill": "toself",
        "fillcolor": fill,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": "name" in overrides,
        **overrides,
    }


def _outline(there: Array, back: Array, runs: list[NDArray[np.intp]]) -> Array:
    """Join one curve forwards and the other backwards, run by run, with a NaN between runs."""
    parts: list[Array] = []
    for run in runs:
        parts += [np.array([np.nan])] if parts else []
        parts += [there[run], back[run][::-1], there[run][:1]]
    return np.concatenate(parts) if parts else there[:0]


def band_traces(times: Array, bands: Bands, colour: str, theme: Theme, prefix: str) -> list[Trace]:
    """Draw the central 90 % and 50 % of one quantity; ``prefix`` begins the uid of its traces."""
    q05, q25, _, q75, q95 = bands.quantiles
    return [
        band(times, q05, q95, theme.with_alpha(colour, 0.15), uid=f"{prefix}-90"),
        band(times, q25, q75, theme.with_alpha(colour, 0.24), uid=f"{prefix}-50"),
    ]


MEDIAN = "median of finite paths"
"""What stands in for a mean where paths diverged."""


def centre_line(
    times: Array,
    bands: Bands,
    law: Law | None,
    component: int,
    style: tuple[str, float],
    *,
    incomplete: bool,
) -> Trace:
    """Draw the simulated mean, with the exact values in its hover text.

    Args:
        times: (T,)
        bands: what was simulated.
        law: its exact law.
        component: index of the state component.
        style: colour and width.
        incomplete: whether samples diverged: then the median of the others stands in.
    """
    if not incomplete:
        return _mean_line(times, bands, law, component, *style)
    text = f"{MEDIAN} %{{y:.4~g}}<extra></extra>"
    return line(times, bands.quantiles[2], *style, hoverinfo="text", hovertemplate=text)


def _mean_line(
    times: Array, bands: Bands, law: Law | None, component: int, colour: str, width: float
) -> Trace:
    """Draw the simulated mean, with the exact values in its hover text."""
    columns: list[Array] = []

    def hover_numbers(values: Array) -> str:
        columns.append(without_rounded_zeros(values))
        return f"%{{customdata[{len(columns) - 1}]:.4~g}}"

    text = "mean %{y:.4~g}"
    if law is not None and np.isfinite(law.mean[:, component]).all():
        text += ", exact " + hover_numbers(law.mean[:, component])
    if np.isfinite(bands.std).all():
        text += "<br>standard deviation " + hover_numbers(bands.std)
        if law is not None and np.isfinite(law.variance[:, component]).all():
            text += ", exact " + hover_numbers(np.sqrt(np.maximum(law.variance[:, component], 0.0)))
    return line(
        times,
        bands.mean,
        colour,
        width,
        simplify=False,
        hoverinfo="text",
        hovertemplate=text + "<extra></extra>",
        **({"customdata": as_float32(np.stack(columns, axis=1))} if columns else {}),
    )


def exact_law_traces(
    times: Array,
    law: Law | None,
    component: int,
    theme: Theme,
    prefix: str,
    *,
    dash: str,
    quantiles: tuple[float, ...] = (0.05, 0.95),
    **overrides: Any,
) -> list[Trace]:
    """Mean of an exact law and its quantiles, where they are known and differ from the mean.

    They are one trace, with gaps: what a browser draws it draws by the trace.
    """
    if law is None or not np.isfinite(law.mean[:, component]).any():
        return []
    middle = law.mean[:, component]
    curves = [middle]
    for q in quantiles:
        curve = law.quantile(q)
        if curve is None:
            continue
        values = curve[:, component]
        if np.isfinite(values).any() and np.nanmax(np.abs(values - middle)) > 0:
            curves.append(values)
    x, y = join_with_gaps(times, np.stack(curves, axis=1))
    colour = theme.muted if dash == theme.dotted else theme.exact
    return [
        line(x, y, colour, theme.line * 0.6, dash=dash, uid=prefix, legendgroup=prefix, **overrides)
    ]


def visible_scheme_law(
    scheme: Law | None, exact: Law | None, component: int, extent: list[float]
) -> Law | None:
    """Return the scheme's law if it departs from the exact one by a line's width, else None.

    Two lines on one another say nothing, and cost as much to draw as two lines.
    """
    if scheme is None or exact is None:
        return scheme
    thin = 0.004 * (extent[1] - extent[0])
    apart = np.abs(scheme.mean - exact.mean)[:, component]
    std_difference = np.abs(np.sqrt(scheme.variance) - np.sqrt(exact.variance))[:, component]
    return scheme if np.nanmax(np.fmax(apart, 1.64 * std_difference)) > thin else None


def reserved_entry(name: str, uid: str, **overrides: Any) -> Trace:
    """Return a trace without a curve whose legend entry takes the room of another, unseen.

    A curve that is not seen now may be at another value of a slider: if its entry came then, it
    could take a row of the legend, and the chart would jump.
    """
    hole, unseen = np.full(2, np.nan), "rgba(0,0,0,0)"
    text = f'<span style="color:{unseen}">{name}</span>'
    return line(hole, hole, unseen, 1.0, uid=f"{uid}-entry", name=text, **overrides)


def range_curves(
    bands: Bands, law: Law | None, component: int, *, incomplete: bool = False
) -> list[Array]:
    """Return the curves that an axis must show: the central 90 %, simulated and exact.

    Where samples diverged, others are about to: then it is the central 50 % of what is simulated.
    """
    low, high = (1, 3) if incomplete else (0, 4)
    curves = [] if law is None else [law.quantile(q) for q in (0.05, 0.95)]
    exact = [curve[:, component] for curve in curves if curve is not None]
    return [bands.quantiles[low], bands.quantiles[high], *exact]


def pinned(times: Array, bands: Bands, theme: Theme, prefix: str, **overrides: Any) -> list[Trace]:
    """Mean and 90 % outline of earlier curves, in grey."""
    faint = theme.with_alpha(theme.muted, 0.75)
    edges = [
        line(
            times,
            bands.quantiles[i],
            faint,
            theme.line * 0.5,
            legendgroup=prefix,
            uid=f"{prefix}-{i}",
        )
        for i in (0, 4)
    ]
    mean = line(
        times,
        bands.mean,
        theme.muted,
        theme.line * 0.9,
        legendgroup=prefix,
        uid=f"{prefix}-mean",
        **overrides,
    )
    return [*edges, mean]


def join_with_gaps(x: Array, y: Array) -> tuple[Array, Array]:
    """Many curves y (T, S) over x (T,) or (T, S) as one (S·(T + 1),), a NaN after each."""
    count = y.shape[1]
    if x.ndim == 1:
        x = np.repeat(x[:, None], count, axis=1)
    gap = np.full((1, count), np.nan)
    return np.concatenate([x, gap]).T.ravel(), np.concatenate([y, gap]).T.ravel()


def cursor_line(time: float, axis: str, theme: Theme) -> dict[str, Any]:
    """Draw a vertical line at the cursor, as tall as the panel of ``axis`` ("" is the first)."""
    return {
        "type": "line",
        "xref": f"x{axis}",
        "yref": f"y{axis} domain",
        "x0": time,
        "x1": time,
        "y0": 0,
        "y1": 1,
        "line": {"color": theme.with_alpha(theme.text, 0.6), "width": theme.line * 0.5},
        "layer": "above",
    }


def corner_note(text: str, theme: Theme) -> dict[str, Any]:
    """Return a note below the right end of the chart, beside the axis title."""
    return {
        "xref": "paper",
        "yref": "paper",
        "x": 1,
        "y": 0,
        "xanchor": "right",
        "yanchor": "top",
        "yshift": -1.39 * theme.font_size,
        "text": text,
        "showarrow": False,
    }


def without_rounded_zeros(values: Array) -> Array:
    """Return values with 0 for what is below the rounding of the largest of them."""
    size = np.abs(values)
    largest = np.max(size[np.isfinite(size)], initial=0.0)
    return np.where(size <= ROUNDING * largest, 0.0, values)


def as_float32(values: Array) -> Array:
    """Float32: half the bytes, and finer than a screen. What is too large for it becomes a gap."""
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=np.float32)
