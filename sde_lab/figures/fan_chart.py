"""The fan chart: where the paths go, and the law at one time at its right edge."""

from __future__ import annotations

from typing import Any

import numpy as np

from sde_lab.figures.axis_range import axis_range
from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import (
    BANDS_LABEL,
    MEDIAN,
    Array,
    Trace,
    as_float32,
    band_traces,
    centre_line,
    corner_note,
    cursor_line,
    exact_law_traces,
    join_with_gaps,
    line,
    pinned,
    range_curves,
    reserved_entry,
    visible_scheme_law,
)
from sde_lab.models.laws.base import Law
from sde_lab.summaries.summary import Summary
from sde_lab.theory.stationary_density import StationaryDensity

EDGE = 0.82
"""Share of the width that time takes; the law at the cursor has the rest."""
QUANTILES = (0.05, 0.25, 0.75, 0.95)


def fan_chart(
    summary: Summary,
    component: int,
    exact_state: Law | None,
    scheme_state: Law | None,
    cursor: int,
    theme: Theme,
    pinned: Summary | None = None,
    stationary: StationaryDensity | None = None,
) -> dict[str, Any]:
    """Bands, mean and some paths of one component over time, beside its law at the cursor.

    Args:
        summary: what was simulated.
        component: index of the state component.
        exact_state: exact law at ``summary.times``, drawn dashed; None where there is none.
        scheme_state: the exact law of the scheme at the same times, drawn dotted where it differs
            visibly from the exact one.
        cursor: index of the displayed time whose law stands at the right edge.
        theme: colours and sizes.
        pinned: a pinned summary, drawn in grey behind.
        stationary: the stationary density, drawn beside the histogram where no exact one is known.

    Returns:
        ``data`` and ``layout``; ``layout.meta.time`` names the axes that show time.
    """
    marginal, tallest = _marginal(summary, component, exact_state, stationary, cursor, theme)
    extent = _range(summary, component, exact_state, pinned)
    seen = visible_scheme_law(scheme_state, exact_state, component, extent)
    traces = [
        *_pinned_traces(pinned, component, theme),
        *_simulated(summary, component, exact_state, theme),
        *_theory(summary, component, exact_state, seen, theme),
        *marginal,
    ]
    if seen is None and scheme_state is not None:
        style = {"dash": theme.dotted, "legendrank": 6}
        traces.append(reserved_entry(_scheme_label(summary), "scheme", **style))
    layout = _layout(summary, component, cursor, theme)
    layout["xaxis2"]["range"] = [0.0, tallest * 1.06]
    layout["yaxis"]["range"] = extent
    return {"data": traces, "layout": layout}


def _simulated(summary: Summary, component: int, law: Law | None, theme: Theme) -> list[Trace]:
    bands, times, colour = summary.states[component], summary.times, theme.state
    x, y = join_with_gaps(times, summary.paths[..., component])
    outer, inner = band_traces(times, bands, colour, theme, "state")
    outer.update(legendgroup="bands")
    inner.update(legendgroup="bands", name=BANDS_LABEL, showlegend=True, legendrank=2)
    incomplete = summary.incomplete()
    style = colour, theme.line * 1.25
    mean = centre_line(times, bands, law, component, style, incomplete=incomplete)
    mean.update(name=MEDIAN if incomplete else "mean", showlegend=True, legendrank=1)
    mean["uid"] = "state-median" if incomplete else "state-mean"
    paths = line(x, y, theme.with_alpha(colour, 0.38), theme.line * 0.35, name="paths", uid="paths")
    return [outer, inner, {**paths, "legendrank": 4}, mean]


def _theory(
    summary: Summary, component: int, exact: Law | None, scheme: Law | None, theme: Theme
) -> list[Trace]:
    times = summary.times
    dotted: dict[str, Any] = {"dash": theme.dotted, "name": _scheme_label(summary), "legendrank": 6}
    dashed: dict[str, Any] = {"dash": theme.dashed, "name": "exact", "legendrank": 5}
    return [
        *exact_law_traces(times, exact, component, theme, "exact", quantiles=QUANTILES, **dashed),
        *exact_law_traces(times, scheme, component, theme, "scheme", **dotted),
    ]


def _scheme_label(summary: Summary) -> str:
    """Name the dotted curves in the legend."""
    name = "Euler scheme" if summary.scenario.scheme == "euler" else "scheme"
    return f"exact distribution of the {name}"


def _pinned_traces(earlier: Summary | None, component: int, theme: Theme) -> list[Trace]:
    if earlier is None or component >= len(earlier.states):
        return []
    bands = earlier.states[component]
    return pinned(earlier.times, bands, theme, "pinned", name="pinned", legendrank=7)


def _marginal(
    summary: Summary,
    component: int,
    exact: Law | None,
    settled: StationaryDensity | None,
    cursor: int,
    theme: Theme,
) -> tuple[list[Trace], float]:
    """Return the traces of the density at the cursor, and the largest density that must fit."""
    histogram = summary.histograms[component]
    bins, heights = histogram.edges[cursor], histogram.density[cursor]
    place = {"xaxis": "x2", "yaxis": "y"}
    outline = line(
        np.concatenate([[0.0], np.repeat(heights, 2), [0.0]]),
        np.repeat(bins, 2),
        theme.with_alpha(theme.state, 0.75),
        theme.line * 0.4,
        fill="tozerox",
        fillcolor=theme.with_alpha(theme.state, 0.3),
        uid="histogram",
        **place,
    )
    if summary.incomplete():
        # Its bins reach as far as the paths that are about to diverge: one bar would fill the view.
        # A curve without points would leave the panel's axis without a place.
        gap = as_float32(np.full(2, np.nan))
        return [{**outline, "x": gap, "y": gap}], 1.0
    tallest = float(np.max(heights, initial=0.0)) or 1.0
    style: dict[str, Any] = {"dash": theme.dashed, "legendgroup": "exact", "uid": "exact-density"}
    curve = None if exact is None else _density(exact, bins, cursor, component)
    if curve is None and settled is not None:
        curve = _settled(settled, bins)
        named: dict[str, Any] = {"name": "stationary density", "legendrank": 6, "uid": "stationary"}
        style = {"dash": theme.stationary_dash, **named}
        if curve is None:
            return [outline, reserved_entry(**named)], tallest
    if curve is None:
        return [outline], tallest
    density, values = curve
    drawn = line(density, values, theme.exact, theme.line * 0.8, **style, **place)
    return [outline, drawn], max(tallest, min(float(np.max(density)), 1.6 * tallest))


def _density(law: Law, bins: Array, time: int, component: int) -> tuple[Array, Array] | None:
    """Exact density on a fine grid a little wider than the histogram: densities, values."""
    air = 0.12 * float(bins[-1] - bins[0])
    values = np.linspace(float(bins[0]) - air, float(bins[-1]) + air, 181)
    density = law.density(values, time, component)
    if density is None:
        return None
    finite = np.isfinite(density)
    seen = finite & (density > 2e-3 * np.max(density[finite], initial=0.0))
    return (density[seen], values[seen]) if seen.any() else None


def _settled(stationary: StationaryDensity, bins: Array) -> tuple[Array, Array] | None:
    """Return the stationary density from a little below to a little above the histogram.

    None where all of it lies elsewhere, as of paths that have just begun far away.
    """
    air = 0.5 * float(bins[-1] - bins[0])
    values = np.linspace(float(bins[0]) - air, float(bins[-1]) + air, 241)
    density = np.interp(values, stationary.values, stationary.density, left=0.0, right=0.0)
    seen = density > 2e-3 * np.max(density)
    return (density[seen], values[seen]) if seen.any() else None


def _layout(summary: Summary, component: int, cursor: int, theme: Theme) -> dict[str, Any]:
    horizon, time = float(summary.times[-1]), float(summary.times[cursor])
    model = summary.scenario.model_spec
    symbol = model.symbols[component]
    return theme.layout(
        xaxis=theme.axis(domain=[0, EDGE], range=[0.0, horizon], title=""),
        xaxis2=theme.axis(
            domain=[EDGE + 0.015, 1],
            showticklabels=False,
            showgrid=False,
            zeroline=False,
            fixedrange=True,
        ),
        yaxis=theme.axis(title=model.axis_labels[component]),
        shapes=[cursor_line(time, "", theme)],
        annotations=[
            corner_note(f"density of {symbol}<sub>t</sub> at t = {time:.3g}", theme),
            # In the middle, the axis title would run into this note on a phone.
            {**corner_note("time t", theme), "x": 0, "xanchor": "left"},
        ],
        meta={"time": ["xaxis"], "scene": summary.scenario.model, "ground": theme.background},
        uirevision=f"{summary.scenario.model}.{component}",
    )


def _range(
    summary: Summary, component: int, exact: Law | None, earlier: Summary | None
) -> list[float]:
    bands = summary.states[component]
    incomplete = summary.incomplete()
    optional = [bands.quantiles[2] if incomplete else bands.mean, summary.paths[..., component]]
    if exact is not None:
        optional.append(exact.mean[:, component])
    if earlier is not None and component < len(earlier.states):
        optional += [*earlier.states[component].quantiles[[0, 4]]]
    required = range_curves(bands, exact, component, incomplete=incomplete)
    return axis_range(required, optional)
