"""The fan chart as an animation: a slider in the figure moves the parameter, in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sde_lab.figures.axis_range import axis_range, typical
from sde_lab.figures.sweep_axis import SweepAxis
from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import BANDS_LABEL, Array, Trace, as_float32, band, join_with_gaps, line


@dataclass(frozen=True)
class AnimationData:
    """Data of the animation at each of P points over T times; NaN where nothing is known.

    Attributes:
        name: of the state component.
        times: (P, T)
        mean: (P, T)
        quantiles: at 5, 25, 75 and 95 %, (4, P, T).
        exact_mean: (P, T)
        exact_quantiles: (4, P, T)
        scene: what the figure is of; while it stays the same, so does the reader's zoom.
        diverged: whether paths of the point diverged, (P,).
    """

    name: str
    times: Array
    mean: Array
    quantiles: Array
    exact_mean: Array
    exact_quantiles: Array
    scene: str
    diverged: NDArray[np.bool_]


def sweep_animation(
    swept: SweepAxis, fans: AnimationData, now: Any, theme: Theme
) -> dict[str, Any]:
    """Draw the fan chart of one finished point, with a frame for each of them.

    Args:
        swept: the swept parameter and its values.
        fans: what was found.
        now: the value that the sidebar has for it: the animation starts at the nearest.
        theme: colours and sizes.

    Returns:
        ``data``, ``layout`` and ``frames``; ``layout.meta.animation`` is what the page's own slider
        and button below the chart need: ``symbol`` and ``colour`` of the parameter, the ``names``
        of the frames, the ``start`` among them that ``data`` shows, and ``now``, where the sidebar
        stands.
    """
    done = _finished(fans)
    names = [swept.labels[i] for i in done.tolist()]
    start = names.index(nearest_frame(swept, fans, now))
    controls = {
        "symbol": swept.symbol,
        "colour": theme.column_colour(swept.colour_index),
        "names": names,
        "start": start,
        "now": swept.coordinate_of(now),
    }
    return {
        "data": _traces(fans, int(done[start]), theme),
        "layout": theme.layout(
            xaxis=theme.axis(title="time t", range=[0.0, float(np.max(fans.times))]),
            yaxis=theme.axis(title=fans.name, range=_range(fans)),
            hovermode=False,
            meta={
                "time": ["xaxis"],
                "scene": fans.scene,
                "ground": theme.background,
                "animation": controls,
            },
            uirevision=fans.scene,
        ),
        "frames": [
            {"name": name, "data": [_moving(trace) for trace in _traces(fans, i, theme)]}
            for name, i in zip(names, done.tolist(), strict=True)
        ],
    }


def nearest_frame(swept: SweepAxis, fans: AnimationData, value: Any) -> str:
    """Return the name of the frame nearest to a value; of the first for one that is not listed."""
    done, place = _finished(fans), swept.coordinate_of(value)
    gaps = np.abs(swept.positions[done] - (swept.positions[0] if place is None else place))
    return swept.labels[int(done[np.argmin(gaps)])]


def _finished(fans: AnimationData) -> NDArray[np.intp]:
    """Return the indices of the points that are done; of the first one if none is."""
    done = np.flatnonzero(np.isfinite(fans.quantiles[:, :, -1]).all(axis=0))
    return done if len(done) else np.array([0])


def with_controls(animation: dict[str, Any], theme: Theme) -> dict[str, Any]:
    """Return an animation with Plotly's own slider and button, for a page that has no others."""
    controls, size = animation["layout"]["meta"]["animation"], theme.font_size
    margin = {"l": 3.4 * size + 10, "r": 8, "t": 2.0 * size + 6, "b": 8.4 * size + 6}
    layout = {
        **animation["layout"],
        "margin": margin,
        "sliders": [_slider(controls, theme)],
        "updatemenus": [_player(controls["names"], theme)],
    }
    return {**animation, "layout": layout}


def _traces(fans: AnimationData, point: int, theme: Theme) -> list[Trace]:
    times, mean = fans.times[point], fans.mean[point]
    q05, q25, q75, q95 = fans.quantiles[:, point]
    colour = theme.state
    grouped = {"legendgroup": "bands"}
    outer = band(times, q05, q95, theme.with_alpha(colour, 0.15), uid="film-90", **grouped)
    inner = band(
        times, q25, q75, theme.with_alpha(colour, 0.24), uid="film-50", name=BANDS_LABEL, **grouped
    )
    middle = line(times, mean, colour, theme.line * 1.25, name="mean", uid="film-mean")
    if not np.isfinite(fans.exact_mean).any():
        return [outer, inner, middle]
    curves = np.stack([fans.exact_mean[point], *fans.exact_quantiles[:, point]], axis=1)
    x, y = join_with_gaps(times, curves)
    style = {"dash": theme.dashed, "name": "exact", "uid": "film-exact"}
    return [outer, inner, middle, line(x, y, theme.exact, theme.line * 0.6, **style)]


def _moving(trace: Trace) -> Trace:
    """Return the part of a trace that changes from frame to frame."""
    return {"x": as_float32(trace["x"]), "y": as_float32(trace["y"])}


def _slider(controls: dict[str, Any], theme: Theme) -> dict[str, Any]:
    at_once = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}}
    at_once["transition"] = {"duration": 0}
    size = theme.font_size
    return {
        "active": controls["start"],
        "x": 0.17,
        "len": 0.8,
        "y": 0,
        "yanchor": "top",
        "pad": {"t": 3.4 * size, "b": 0},
        "currentvalue": {
            "prefix": f"{controls['symbol']} = ",
            "xanchor": "left",
            "offset": 6,
            "font": {"size": size + 2, "color": controls["colour"]},
        },
        "font": {"size": size - 1, "color": theme.muted},
        "tickcolor": theme.muted,
        "bgcolor": theme.with_alpha(theme.muted, 0.25),
        "activebgcolor": controls["colour"],
        "bordercolor": theme.muted,
        "steps": [
            {"label": name, "method": "animate", "args": [[name], at_once]}
            for name in controls["names"]
        ],
    }


def _player(names: list[str], theme: Theme) -> dict[str, Any]:
    """Play and pause in one button."""
    play = {"mode": "immediate", "fromcurrent": True, "transition": {"duration": 0}}
    play["frame"] = {"duration": 180, "redraw": False}
    stop = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}}
    return {
        "type": "buttons",
        "direction": "left",
        "showactive": False,
        "active": -1,  # else the first press is taken for the second, which pauses
        "x": 0,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "pad": {"t": 4.6 * theme.font_size, "l": 0, "r": 0},
        "bgcolor": theme.background,
        "bordercolor": theme.muted,
        "font": {"size": theme.font_size, "color": theme.text},
        "buttons": [
            {
                "label": "▶",
                "method": "animate",
                "args": [names, play],
                "args2": [[None], stop],
            }
        ],
    }


def _range(fans: AnimationData) -> list[float]:
    """One range for all frames, so that they can be compared.

    Points whose paths diverged, or are about to, do not decide on it.
    """
    size = np.nan_to_num(np.abs(fans.quantiles[[0, 3]]).max(axis=(0, 2)), nan=np.inf)
    whole = ~fans.diverged & typical(size)
    if not whole.any():
        whole = np.ones(len(size), dtype=bool)
    edges = [*fans.quantiles[[0, 3]][:, whole], *fans.exact_quantiles[[0, 3]]]
    return axis_range(edges, [fans.mean[whole], fans.exact_mean])
