"""The fan chart: where the paths go, and the law at one time at its right edge."""

from __future__ import annotations

from typing import Any

import numpy as np

from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import (
    Trace,
    band,
    cursor_line,
    exact_lines,
    joined,
    line,
    padded,
    single,
)
from sde_lab.models.exact import Law
from sde_lab.summary import Summary

EDGE = 0.83
"""Share of the width that time takes; the marginal law has the rest."""


def fan(
    summary: Summary,
    component: int,
    exact_state: Law | None,
    scheme_state: Law | None,
    cursor: int,
    theme: Theme,
    ghost: Summary | None = None,
) -> dict[str, Any]:
    """Bands, mean and some paths of one component over time, beside its law at the cursor.

    Args:
        summary: what was simulated.
        component: index of the state component.
        exact_state: exact law at ``summary.times``, drawn dashed; None where there is none.
        scheme_state: the scheme's own law, drawn dotted.
        cursor: index of the displayed time that the marginal law shows.
        theme: colours and sizes.
        ghost: a pinned summary, drawn in grey behind.
    """
    traces = [
        *_ghost(ghost, component, theme),
        *_simulated(summary, component, theme),
        *_theory(summary, component, exact_state, scheme_state, theme),
        *_marginal(summary, component, exact_state, cursor, theme),
    ]
    name = summary.scenario.sde.components[component]
    return {"data": traces, "layout": _layout(summary, component, cursor, theme, name)}


def _simulated(summary: Summary, component: int, theme: Theme) -> list[Trace]:
    bands, times, colour = summary.states[component], summary.times, theme.state
    q05, q25, _, q75, q95 = bands.quantiles
    x, y = joined(times, summary.paths[..., component])
    return [
        band(times, q05, q95, theme.faded(colour, 0.16), name="90 %"),
        band(times, q25, q75, theme.faded(colour, 0.26), name="50 %"),
        line(x, y, theme.faded(colour, 0.35), theme.line * 0.4, name="paths"),
        line(
            times,
            bands.mean,
            colour,
            theme.line * 1.25,
            name="mean",
            hoverinfo="text",
            hovertemplate="t = %{x:.3g}<br>mean %{y:.4g}<br>sd %{customdata:.4g}<extra></extra>",
            customdata=single(bands.std),
        ),
    ]


def _theory(
    summary: Summary, component: int, exact: Law | None, scheme: Law | None, theme: Theme
) -> list[Trace]:
    found: list[Trace] = []
    if scheme is not None:
        found.append(
            line(
                summary.times,
                scheme.mean[:, component],
                theme.muted,
                theme.line * 0.8,
                dash="dot",
                name="exact for the scheme",
                visible="legendonly",
            )
        )
    if exact is not None and np.isfinite(exact.mean[:, component]).any():
        found += exact_lines(
            summary.times, exact, component, theme, name="exact", legendgroup="exact"
        )
    return found


def _ghost(ghost: Summary | None, component: int, theme: Theme) -> list[Trace]:
    if ghost is None or component >= len(ghost.states):
        return []
    bands, times = ghost.states[component], ghost.times
    group = {"legendgroup": "pinned"}
    edges = [
        line(times, bands.quantiles[i], theme.faded(theme.muted, 0.7), theme.line * 0.5, **group)
        for i in (0, 4)
    ]
    mean = line(times, bands.mean, theme.muted, theme.line * 0.9, name="pinned", **group)
    return [*edges, mean]


def _marginal(
    summary: Summary, component: int, exact: Law | None, cursor: int, theme: Theme
) -> list[Trace]:
    histogram = summary.histograms[component]
    edges, heights = histogram.edges[cursor], histogram.density[cursor]
    own = {"xaxis": "x2", "yaxis": "y"}
    steps_x = np.concatenate([[0.0], np.repeat(heights, 2), [0.0]])
    steps_y = np.repeat(edges, 2)
    filled = {
        **line(steps_x, steps_y, theme.faded(theme.state, 0.9), theme.line * 0.4),
        "fill": "tozerox",
        "fillcolor": theme.faded(theme.state, 0.3),
        **own,
    }
    if exact is None:
        return [filled]
    grid = np.linspace(edges[0], edges[-1], 161)
    density = exact.density(grid, cursor, component)
    if density is None:
        return [filled]
    curve = line(density, grid, theme.exact, theme.line * 0.8, dash="dash", legendgroup="exact")
    return [filled, {**curve, **own}]


def _layout(
    summary: Summary, component: int, cursor: int, theme: Theme, name: str
) -> dict[str, Any]:
    size = theme.font_size
    bands = summary.states[component]
    shown = summary.paths[..., component]
    low = np.nanmin([bands.quantiles[0].min(), np.nanmin(shown, initial=np.inf)])
    high = np.nanmax([bands.quantiles[4].max(), np.nanmax(shown, initial=-np.inf)])
    spread = bands.quantiles[4].max() - bands.quantiles[0].min()
    low = max(low, bands.quantiles[0].min() - spread)
    high = min(high, bands.quantiles[4].max() + spread)
    if not np.isfinite([low, high]).all():
        low, high = -1.0, 1.0
    time = float(summary.times[cursor])
    return theme.layout(
        margin={"l": 3.6 * size + 8, "r": 10, "t": 2.6 * size + 6, "b": 3.2 * size + 6},
        xaxis=theme.axis(
            domain=[0, EDGE],
            range=[0.0, float(summary.times[-1])],
            title={"text": "time t", "standoff": 4},
        ),
        xaxis2=theme.axis(
            domain=[EDGE + 0.02, 1],
            rangemode="tozero",
            showticklabels=False,
            showgrid=False,
            zeroline=False,
            title={"text": f"law at t = {time:.3g}", "standoff": 4, "font": {"size": size - 1}},
            fixedrange=True,
        ),
        yaxis=theme.axis(range=padded(low, high), title={"text": name, "standoff": 6}),
        shapes=[cursor_line(time, "", theme)],
        meta={"time": ["xaxis"]},
        uirevision=f"{summary.scenario.model}.{component}",
    )
