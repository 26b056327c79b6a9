"""X_T of single paths and of their mean over a parameter: simulated, and predicted by tangents."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sde_lab.figures.axis_range import axis_range
from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import (
    Array,
    Trace,
    as_float32,
    cursor_line,
    join_with_gaps,
    line,
)
from sde_lab.studies.first_order import TOLERANCE, FirstOrderStudy, Prediction

GAP = 0.05
"""Share of the width between two panels."""
INTERVAL_LABEL = f"error < {100 * TOLERANCE:g} %"
"""Legend entry of the shaded interval; the share is of the standard deviation of X_T."""


def first_order_chart(study: FirstOrderStudy, hidden: bool, theme: Theme) -> dict[str, Any]:
    """Draw X_T over each parameter: tangents dashed, simulated curves solid unless hidden.

    Args:
        study: what was simulated and predicted.
        hidden: show tangents and current states alone.
        theme: colours and sizes.

    Returns:
        ``data`` and ``layout``, one panel per parameter; no axis shows time.
    """
    count = len(study.predictions)
    extent = _extent(study)
    model = study.scenario.model_spec
    layout = theme.layout(
        shapes=[],
        hovermode="closest",
        meta={"time": [], "ground": theme.background},
        uirevision="first order",
    )
    traces: list[Trace] = []
    for number, prediction in enumerate(study.predictions):
        axis = "" if number == 0 else str(number + 1)
        colour = theme.parameter_colour(prediction.parameter.name, model)
        place = {"xaxis": f"x{axis}", "yaxis": f"y{axis}"}
        panel = _panel(prediction, colour, hidden, theme)
        traces += [{**t, **place, "showlegend": t["showlegend"] and number == 0} for t in panel]
        width = (1.0 - GAP * (count - 1)) / count
        left = number * (width + GAP)
        layout[f"xaxis{axis}"] = theme.axis(
            prediction.parameter.symbol if hidden else _interval_text(prediction),
            anchor=f"y{axis}",
            domain=[left, left + width],
            range=prediction.values[[0, -1]].tolist(),
            zeroline=False,
            nticks=7,
        )
        font = {"size": theme.font_size + 2, "color": colour}
        layout[f"xaxis{axis}"]["title"]["font"] = font
        layout[f"yaxis{axis}"] = theme.axis(
            anchor=f"x{axis}",
            range=extent,
            title=_state_label(study) if number == 0 else "",
            showticklabels=number == 0,
            **({"matches": "y"} if axis else {}),
        )
        layout["shapes"].append(cursor_line(prediction.current, axis, theme))
        if not hidden:
            # Without an interval it has no width: while a slider moves, there may come one.
            ends = prediction.interval or (prediction.current, prediction.current)
            layout["shapes"].append(_shade(ends, colour, axis, theme))
    return {"data": traces, "layout": layout}


def _panel(prediction: Prediction, colour: str, hidden: bool, theme: Theme) -> list[Trace]:
    name, state = prediction.parameter.name, theme.state
    tangents = _tangents(prediction, colour, theme)
    now: Trace = {
        "type": "scatter",
        "mode": "markers",
        "x": as_float32(np.full(len(prediction.slopes), prediction.current)),
        "y": as_float32(prediction.paths[prediction.index]),
        "marker": {"color": state, "size": 2.4 * theme.line},
        "hoverinfo": "skip",
        "showlegend": False,
        "uid": f"{name}-now",
    }
    if hidden:
        return [*tangents, now]
    return [*_simulated(prediction, theme), *tangents, now]


def _simulated(prediction: Prediction, theme: Theme) -> list[Trace]:
    """Draw the paths as thin lines, the mean as a thick one."""
    name, colour, values = prediction.parameter.name, theme.state, prediction.values
    x, y = join_with_gaps(values, prediction.paths)
    symbol, shared = prediction.parameter.symbol, {"legendgroup": "simulated"}
    text = f"{symbol} = %{{x:.4~g}}<br>simulated mean %{{y:.3~g}}, predicted %{{customdata:.3~g}}"
    return [
        line(x, y, theme.with_alpha(colour, 0.6), 0.5 * theme.line, uid=f"{name}-paths", **shared),
        line(
            values,
            prediction.mean,
            colour,
            1.5 * theme.line,
            simplify=False,
            name="simulated",
            uid=f"{name}-mean",
            hoverinfo="text",
            hovertemplate=text + "<extra></extra>",
            customdata=as_float32(prediction.predicted_mean),
            **shared,
        ),
    ]


def _tangents(prediction: Prediction, colour: str, theme: Theme) -> list[Trace]:
    """Draw the tangents of the paths as thin dashed lines, that of the mean as a thick one."""
    name, ends = prediction.parameter.name, [0, -1]
    x, y = join_with_gaps(prediction.values[ends], prediction.predicted_paths[ends])
    style: dict[str, Any] = {"dash": theme.dashed, "legendgroup": "predicted"}
    return [
        line(
            x,
            y,
            theme.with_alpha(colour, 0.75),
            0.5 * theme.line,
            uid=f"{name}-tangents",
            **style,
        ),
        line(
            prediction.values[ends],
            prediction.predicted_mean[ends],
            colour,
            1.5 * theme.line,
            name="predicted",
            uid=f"{name}-mean-tangent",
            **style,
        ),
    ]


def _shade(interval: tuple[float, float], colour: str, axis: str, theme: Theme) -> dict[str, Any]:
    """Shade the interval over the whole height, wherever the reader zooms."""
    return {
        "type": "rect",
        "xref": f"x{axis}",
        "yref": f"y{axis} domain",
        "x0": interval[0],
        "x1": interval[1],
        "y0": 0,
        "y1": 1,
        "fillcolor": theme.with_alpha(colour, 0.16),
        "line": {"width": 0},
        "layer": "below",
        "showlegend": axis == "" and interval[0] < interval[1],
        "name": INTERVAL_LABEL,
        "legendrank": 2000,
    }


def _interval_text(prediction: Prediction) -> str:
    """Return the symbol of the parameter, between the ends of the shaded interval if there is one.

    The ends have about three digits of the slider's range.
    """
    symbol = prediction.parameter.symbol
    if prediction.interval is None:
        return symbol
    digits = 2 - math.floor(math.log10(np.ptp(prediction.values)))
    low, high = (f"{round(end, digits):g}".replace("-", "−") for end in prediction.interval)
    return f"{low} ≤ {symbol} ≤ {high}"


def _state_label(study: FirstOrderStudy) -> str:
    label = study.scenario.model_spec.axis_labels[0]
    return f"{label} at t = {study.scenario.horizon:g}"


def _extent(study: FirstOrderStudy) -> list[float]:
    """Return a range with the paths at the current value and at three quarters of the others.

    A scheme may be unstable at one end of a slider, and its paths there of any size: the last
    quarter widens the range by half at most. Tangents may leave it.
    """
    required: list[Array] = []
    every: list[Array] = []
    for prediction in study.predictions:
        whole = prediction.paths[np.isfinite(prediction.paths).all(axis=1)]
        most = [np.quantile(whole.min(axis=1), 0.25), np.quantile(whole.max(axis=1), 0.75)]
        required += [prediction.paths[prediction.index], np.array(most)]
        every.append(whole)
    return axis_range(required, every)
