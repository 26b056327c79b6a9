"""A call and a digital option: their derivatives by several estimators, against the strike."""

from __future__ import annotations

from typing import Any

import numpy as np

from sde_lab.figures.axis_range import axis_range
from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import Array, Trace, as_float32, band, line
from sde_lab.studies.payoffs import RELATIVE_BUMP, PayoffDeltas, PayoffStudy

BUMP_LABEL = f"finite difference (bump ± {100 * RELATIVE_BUMP:g} %)"
GAP = 0.16
"""Share of the height between the panels."""
TITLE_HEIGHT = 0.07
"""Share of the height that the upper panel's title takes."""


def payoff_deltas_chart(study: PayoffStudy, hidden: bool, theme: Theme) -> dict[str, Any]:
    """Path by path (solid), by moving the start (dots), and exactly (dashed) unless hidden.

    Returns:
        ``data`` and ``layout``; no axis shows time.
    """
    strikes, half = study.strikes, (1 - GAP - TITLE_HEIGHT) / 2
    panels = [
        (
            "kink",
            study.call,
            "",
            "call option: ∂/∂x₀ E max(X − K, 0)",
            [half + GAP, 1.0 - TITLE_HEIGHT],
        ),
        ("jump", study.digital, "2", "digital option: ∂/∂x₀ P[X > K]", [0.0, half]),
    ]
    layout = theme.layout(
        annotations=[], meta={"time": [], "ground": theme.background}, uirevision="payoffs"
    )
    traces: list[Trace] = []
    for name, deltas, axis, title, domain in panels:
        place = {"xaxis": f"x{axis}", "yaxis": f"y{axis}"}
        traces += [{**t, **place} for t in _panel(name, strikes, deltas, hidden, theme)]
        layout |= _axes(axis, strikes, deltas, domain, theme)
        layout["annotations"].append(_title(title, axis, theme))
    return {"data": traces, "layout": layout}


def _panel(
    name: str, strikes: Array, deltas: PayoffDeltas, hidden: bool, theme: Theme
) -> list[Trace]:
    colour, first = theme.state, name == "kink"
    path, bump = deltas.pathwise, deltas.bumped
    named: dict[str, Any] = {"legendgroup": "path", "uid": f"{name}-path"}
    traces = [
        band(
            strikes,
            path.mean - 2 * path.error,
            path.mean + 2 * path.error,
            theme.with_alpha(colour, 0.2),
            legendgroup="path",
            uid=f"{name}-error",
        ),
        {
            **line(
                strikes, path.mean, colour, theme.line * 1.5, name="pathwise estimator", **named
            ),
            "showlegend": first,
        },
        {
            "type": "scatter",
            "mode": "markers",
            "x": as_float32(strikes[::2]),
            "y": as_float32(bump.mean[::2]),
            "error_y": {
                "type": "data",
                "array": as_float32(2 * bump.error[::2]),
                "width": 0,
                "thickness": theme.line * 0.5,
            },
            "marker": {"color": theme.series_colour(1), "size": 2.6 * theme.line},
            "name": BUMP_LABEL,
            "legendgroup": "bump",
            "showlegend": first,
            "hoverinfo": "skip",
            "uid": f"{name}-bump",
        },
    ]
    if hidden or deltas.exact is None:
        return traces
    exact = line(
        strikes,
        deltas.exact,
        theme.exact,
        theme.line * 0.8,
        dash=theme.dashed,
        name="exact",
        legendgroup="exact",
        uid=f"{name}-exact",
    )
    return [*traces, {**exact, "showlegend": first}]


def _axes(
    axis: str, strikes: Array, deltas: PayoffDeltas, domain: list[float], theme: Theme
) -> dict[str, Any]:
    lowest = axis == "2"
    bulk = [np.zeros(1), deltas.pathwise.mean, deltas.bumped.mean]
    return {
        f"xaxis{axis}": theme.axis(
            anchor=f"y{axis}",
            range=[float(strikes[0]), float(strikes[-1])],
            showticklabels=lowest,
            title="strike K" if lowest else "",
            **({"matches": "x"} if axis else {}),
        ),
        f"yaxis{axis}": theme.axis(
            anchor=f"x{axis}", domain=domain, range=axis_range(bulk, []), nticks=5
        ),
    }


def _title(text: str, axis: str, theme: Theme) -> dict[str, Any]:
    return {
        "text": f"<b>{text}</b>",
        "xref": f"x{axis} domain",
        "yref": f"y{axis} domain",
        "x": 0,
        "y": 1,
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": theme.font_size + 1, "color": theme.state},
    }
