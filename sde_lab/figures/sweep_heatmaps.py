"""Sweep of two parameters: a measure by colour, its exact value, and their difference."""

from __future__ import annotations

from typing import Any

import numpy as np

from sde_lab.figures.readout import TOO_FEW
from sde_lab.figures.sweep_axis import SweepAxis
from sde_lab.figures.sweep_curve import SweepCurveData, hover_template
from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import Array, as_float32, corner_note, without_rounded_zeros

MAX_Z = 4.0
"""Standard errors at which the colours of the difference end."""
Z_TITLE = "z: difference in standard errors"


def sweep_heatmaps(
    across: SweepAxis, up: SweepAxis, measured: SweepCurveData, now: tuple[Any, Any], theme: Theme
) -> list[dict[str, Any]]:
    """Draw heatmaps of one sweep: simulated, exact, and their difference in standard errors.

    Where no exact value is known, the standard error is drawn instead of the last two.

    Args:
        across: what runs to the right.
        up: what runs upwards, the faster of the two in the order of the points.
        measured: what was found, (points,) each.
        now: the values that the sidebar has for both, marked by a ring.
        theme: colours and sizes.

    Returns:
        ``data`` and ``layout`` of each; ``layout.meta.clicks`` says that a click is a choice.
    """
    shape = (len(across.values), len(up.values))
    value, error, exact = (
        np.reshape(table, shape).T for table in (measured.value, measured.error, measured.exact)
    )
    known = bool(np.isfinite(exact).any())
    both = np.concatenate([value.ravel(), exact.ravel()])
    finite = both[np.isfinite(both)]
    ends = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    plain = {"colorscale": "Viridis", "zmin": ends[0], "zmax": ends[1]}
    maps = [(measured.title, value, plain)]
    z = np.divide(
        value - exact, error, out=np.full(shape[::-1], np.nan), where=error > 1e-9 * abs(value)
    )
    if known:
        signed = {"colorscale": "RdBu", "zmin": -MAX_Z, "zmax": MAX_Z}
        maps += [("exact", exact, plain), (Z_TITLE, z, signed)]
    else:
        maps.append(("standard error", error, {"colorscale": "Cividis"}))
    hover = _told(
        across, up, np.stack([value, error, without_rounded_zeros(exact), z], axis=-1), known=known
    )
    layout = _layout(across, up, now, measured.scene, theme)
    return [
        {"data": [_map(title, table, {**hover, **look}, theme)], "layout": layout}
        for title, table, look in maps
    ]


def _map(title: str, table: Array, overrides: dict[str, Any], theme: Theme) -> dict[str, Any]:
    size = theme.font_size
    bar = {
        "orientation": "h",
        "y": 1.0,
        "yanchor": "bottom",
        "ypad": 3,
        "thickness": 0.8 * size,
        "outlinewidth": 0,
        "nticks": 5,
        "title": {"text": title, "side": "top", "font": {"size": size + 1, "color": theme.text}},
        "tickfont": {"size": size - 1, "color": theme.muted},
    }
    return {
        "type": "heatmap",
        "z": as_float32(table),
        "colorbar": bar,
        "hoverongaps": False,
        "uid": "map",
        **overrides,
    }


def _layout(
    across: SweepAxis, up: SweepAxis, now: tuple[Any, Any], scene: str, theme: Theme
) -> dict[str, Any]:
    size = theme.font_size
    inside = across.position_of(now[0]) is not None and up.position_of(now[1]) is not None
    xaxis = across.axis(theme)
    # Beside a colour bar Plotly moves the title of an axis into the map; a remark stays.
    title = {**corner_note(xaxis["title"]["text"], theme), "x": 0.5, "xanchor": "center"}
    title["font"] = xaxis["title"]["font"]
    return theme.layout(
        margin={"l": 3.4 * size + 10, "r": 10, "t": 4.6 * size + 6, "b": 2.9 * size + 6},
        annotations=[title, *([corner_note("○ current value", theme)] if inside else [])],
        xaxis={**xaxis, "title": {"text": ""}},
        yaxis=up.axis(theme),
        shapes=_ring(across, up, now, theme),
        hovermode="closest",
        meta={"time": [], "ground": theme.background, "clicks": True},
        uirevision=scene,
    )


def _told(across: SweepAxis, up: SweepAxis, numbers: Array, *, known: bool) -> dict[str, Any]:
    """Return the axes of the cells, and their hover text: value, standard error, exact value."""
    place = f"{across.symbol} = %{{x:.6~g}}, {up.symbol} = %{{y:.6~g}}"
    overrides: dict[str, Any] = {"x": as_float32(across.positions), "y": as_float32(up.positions)}
    if across.categorical or up.categorical:
        place = "%{text}"
        overrides["text"] = [
            [f"{across.symbol} = {x}, {up.symbol} = {y}" for x in across.labels] for y in up.labels
        ]
    exact = "<br>exact %{customdata[2]:.4~g}" if known else ""
    stated = " ± %{customdata[1]:.2~g}" + exact + (", z = %{customdata[3]:.1f}" if known else "")
    value = f"{place}<br>%{{customdata[0]:.4~g}}"
    text = hover_template(numbers[..., 1], value + stated, f"{value}, {TOO_FEW}{exact}")
    return {
        **overrides,
        "customdata": as_float32(numbers),
        "hovertemplate": text,
    }


def _ring(
    across: SweepAxis, up: SweepAxis, now: tuple[Any, Any], theme: Theme
) -> list[dict[str, Any]]:
    """Mark the current values; beyond the map the ring is there too, but not seen."""
    x, y = across.coordinate_of(now[0]), up.coordinate_of(now[1])
    if x is None or y is None:
        return []
    size = 0.42 * theme.font_size
    return [
        {
            "type": "circle",
            "xsizemode": "pixel",
            "ysizemode": "pixel",
            "xanchor": x,
            "yanchor": y,
            "x0": -size,
            "x1": size,
            "y0": -size,
            "y1": size,
            "line": {"color": "#ffffff", "width": theme.line},
        }
    ]
