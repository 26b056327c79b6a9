"""One measure against the swept parameter, with the tangents that the Jacobian gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sde_lab.figures.axis_range import axis_range, typical
from sde_lab.figures.readout import TOO_FEW
from sde_lab.figures.sweep_axis import SweepAxis
from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import (
    Array,
    Trace,
    as_float32,
    band,
    cursor_line,
    join_with_gaps,
    line,
    without_rounded_zeros,
)

TANGENTS = 13
"""Tangents shown, at most: more would run into each other."""


@dataclass(frozen=True)
class SweepCurveData:
    """A measure at the points of a sweep, (P,) each, with NaN for what is not known.

    Attributes:
        title: what it is, such as ``mean of X``.
        colour: of what is simulated.
        value: estimates.
        error: their standard errors; NaN for too few effective samples.
        exact: what theory says.
        slope: derivative of the value by the swept parameter; None where there is none.
        slope_error: its standard errors; NaN for too few effective samples.
        scene: what the figure is of; while it stays the same, so does the reader's zoom.
    """

    title: str
    colour: str
    value: Array
    error: Array
    exact: Array
    slope: Array | None
    slope_error: Array | None
    scene: str


def sweep_curve(
    swept: SweepAxis,
    measured: SweepCurveData,
    now: Any,
    theme: Theme,
    over_time: Sequence[SweepCurveData] = (),
) -> dict[str, Any]:
    """Draw the measure as a line with a band of two standard errors, the exact value dashed.

    Args:
        swept: the swept parameter and its values.
        measured: what was found.
        now: the value that the sidebar has for it, marked by a thin line.
        theme: colours and sizes.
        over_time: the same measure at each time of the sweep, for frames.

    Returns:
        ``data`` and ``layout``; no axis shows time. With ``over_time`` also ``frames``, named by
        the index of the time, and in ``layout.meta.ranges`` the vertical range of each.
    """
    place = swept.coordinate_of(now)
    figure: dict[str, Any] = {
        "data": _traces(swept, measured, theme),
        "layout": theme.layout(
            xaxis=swept.axis(theme),
            yaxis=theme.axis(title=measured.title, range=_range(measured)),
            shapes=[] if place is None else [cursor_line(place, "", theme)],
            hovermode="closest",
            meta={"time": [], "ground": theme.background},
            uirevision=measured.scene,
        ),
    }
    if over_time:
        figure["layout"]["meta"]["ranges"] = [_range(one) for one in over_time]
        figure["frames"] = [
            {"name": str(i), "data": _moving(figure["data"], _traces(swept, one, theme))}
            for i, one in enumerate(over_time)
        ]
    return figure


def _traces(swept: SweepAxis, measured: SweepCurveData, theme: Theme) -> list[Trace]:
    return [
        *_simulated(swept, measured, theme),
        *_exact(swept, measured, theme),
        *_tangents(swept, measured, theme),
    ]


def _moving(shown: list[Trace], others: list[Trace]) -> list[Trace]:
    """Return what changes in the traces on show; one that there is none of then is empty.

    Positions along the axis stay, but for those of the band, which leaves out what is not known.
    """
    found = {trace["uid"]: trace for trace in others}
    hole = {trace["uid"]: {"y": np.full_like(trace["y"], np.nan)} for trace in shown}
    return [
        {
            key: value
            for key, value in found.get(trace["uid"], hole[trace["uid"]]).items()
            if key in ("y", "error_y") or (key == "x" and "fill" in trace)
        }
        for trace in shown
    ]


def _simulated(swept: SweepAxis, measured: SweepCurveData, theme: Theme) -> list[Trace]:
    x, value, reach = swept.positions, measured.value, 2.0 * measured.error
    colour = measured.colour
    shade = theme.with_alpha(colour, 0.2)
    known = [measured.error]
    exact = ""
    if np.isfinite(measured.exact).any():
        exact = "<br>exact %{customdata[1]:.4~g}"
        known.append(without_rounded_zeros(measured.exact))
    text = "%{text}: %{y:.4~g}"
    stated, few = f"{text} ± %{{customdata[0]:.2~g}}{exact}", f"{text}, {TOO_FEW}{exact}"
    main = line(
        x,
        value,
        colour,
        theme.line,
        simplify=False,
        name="simulated",
        uid="simulated",
        legendrank=1,
        hoverinfo="text",
        hovertemplate=hover_template(measured.error, stated, few),
        text=[f"{swept.symbol} = {label}" for label in swept.labels],
        customdata=as_float32(np.stack(known, axis=1)),
    )
    main |= {"mode": "lines+markers", "marker": {"color": colour, "size": 2.6 * theme.line}}
    if not swept.numeric:
        bars = {"type": "data", "array": as_float32(reach), "thickness": theme.line, "width": 6}
        return [{**main, "mode": "markers", "error_y": bars, "name": "simulated ± 2 SE"}]
    low, high = value - reach, value + reach
    return [band(x, low, high, shade, name="± 2 SE", uid="error", legendrank=2), main]


def hover_template(error: Array, stated: str, few: str) -> Any:
    """Return Plotly's hover text: one for all points, or one for each where errors are unknown.

    Args:
        error: standard errors, of any shape; NaN for too few effective samples.
        stated: text where the error is known.
        few: text where it is not.
    """
    known = np.isfinite(error)
    if known.all():
        return f"{stated}<extra></extra>"
    return np.where(known, f"{stated}<extra></extra>", f"{few}<extra></extra>").tolist()


def _exact(swept: SweepAxis, measured: SweepCurveData, theme: Theme) -> list[Trace]:
    if not np.isfinite(measured.exact).any():
        return []
    style: dict[str, Any] = {"dash": theme.dashed, "name": "exact", "legendrank": 3}
    width = theme.line * 0.8
    return [line(swept.positions, measured.exact, theme.exact, width, uid="exact", **style)]


def _tangents(swept: SweepAxis, measured: SweepCurveData, theme: Theme) -> list[Trace]:
    """Short lines through some of the points, with the slope that the derivative of paths has.

    Around each is the area of two standard errors of the slope. Where too few effective samples
    leave the error unknown, the line is faint and dotted.
    """
    if measured.slope is None or measured.slope_error is None or swept.categorical:
        return []
    chosen = np.unique(np.linspace(0, len(swept.values) - 1, TANGENTS).round().astype(np.intp))
    x, y, slope = swept.positions[chosen], measured.value[chosen], measured.slope[chosen]
    half = 0.34 * (swept.spacing * (len(swept.values) - 1) / max(len(chosen) - 1, 1) or 1.0)
    colour = theme.column_colour(swept.colour_index)
    reach = 2.0 * measured.slope_error[chosen]
    stated = np.isfinite(reach)
    style: dict[str, Any] = {"name": "derivative (pathwise estimate)", "legendrank": 4}
    traces: list[Trace] = []
    if stated.any() or not np.isfinite(slope).any():
        # Two triangles that meet in the point: from it to both ends of the steepest and flattest.
        xs, fan = x[stated], half * reach[stated]
        low, high = y[stated] - half * slope[stated], y[stated] + half * slope[stated]
        around_x = np.stack([xs - half, xs + half, xs + half, xs - half, xs - half])
        around_y = np.stack([low - fan, high + fan, high - fan, low + fan, low - fan])
        area = line(*join_with_gaps(around_x, around_y), colour, 0.0, uid="tangent-errors")
        shade = theme.with_alpha(colour, 0.22)
        area |= {"fill": "toself", "fillcolor": shade, "legendgroup": "tangents"}
        ends = _ends(xs, y[stated], slope[stated], half)
        traces += [
            area,
            line(*ends, colour, theme.line * 1.9, uid="tangents", opacity=0.75, **style),
        ]
    few = ~stated & np.isfinite(slope)
    if few.any():
        style["name"] = f"derivative, {TOO_FEW}"
        ends = _ends(x[few], y[few], slope[few], half)
        style |= {"uid": "tangents-few", "opacity": 0.4, "dash": theme.dotted}
        traces.append(line(*ends, colour, theme.line, **style))
    return traces


def _ends(x: Array, y: Array, slope: Array, half: float) -> tuple[Array, Array]:
    """Return lines of these slopes through the points, ``half`` wide to each side, with gaps."""
    xs, ys = np.stack([x - half, x + half]), np.stack([y - half * slope, y + half * slope])
    return join_with_gaps(xs, ys)


def _range(measured: SweepCurveData) -> list[float]:
    reach = 2.0 * np.nan_to_num(measured.error)
    whole = typical(np.abs(measured.value) + reach)
    ends = (measured.value - reach)[whole], (measured.value + reach)[whole]
    return axis_range([*ends, measured.exact], [])
