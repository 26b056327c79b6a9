"""X_T of single paths and of their mean over a parameter: simulated, and predicted by tangents."""

from __future__ import annotations

from typing import Any

import numpy as np

from sde_lab.figures.axis_range import axis_range
from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import (
    Array,
    Trace,
    as_float32,
    band,
    cursor_line,
    join_with_gaps,
    line,
)
from sde_lab.studies.first_order import TOLERANCE, FirstOrderStudy, Prediction

GAP = 0.05
"""Share of the width between two panels."""
WITHIN_LABEL = f"error < {100 * TOLERANCE:g} % of std"
"""Legend entry of the interval in which the prediction of every path on show holds."""


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
        annotations=[],
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
        panel = _panel(prediction, colour, extent, hidden, theme)
        traces += [{**t, **place, "showlegend": t["showlegend"] and number == 0} for t in panel]
        width = (1.0 - GAP * (count - 1)) / count
        left = number * (width + GAP)
        layout[f"xaxis{axis}"] = _parameter_axis(prediction, colour, axis, theme) | {
            "domain": [left, left + width]
        }
        layout[f"yaxis{axis}"] = theme.axis(
            anchor=f"x{axis}",
            range=extent,
            title=_state_label(study) if number == 0 else "",
            showticklabels=number == 0,
            **({"matches": "y"} if axis else {}),
        )
        layout["shapes"].append(cursor_line(prediction.current, axis, theme))
        layout["annotations"] += _interval_note(prediction, colour, axis, hidden, theme)
    return {"data": traces, "layout": layout}


def _panel(
    prediction: Prediction, colour: str, extent: list[float], hidden: bool, theme: Theme
) -> list[Trace]:
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
    within = _interval(prediction, colour, extent, theme)
    return [*within, *_simulated(prediction, theme), *tangents, now]


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


def _interval(
    prediction: Prediction, colour: str, extent: list[float], theme: Theme
) -> list[Trace]:
    """Shade the values at which the prediction of every path on show holds."""
    if prediction.interval is None:
        return []
    x, one = np.array(prediction.interval), np.ones(2)
    fill = theme.with_alpha(colour, 0.18)
    uid = f"{prediction.parameter.name}-interval"
    shade = band(x, extent[0] * one, extent[1] * one, fill, name=WITHIN_LABEL, uid=uid)
    return [{**shade, "legendgroup": "interval"}]


def _interval_note(
    prediction: Prediction, colour: str, axis: str, hidden: bool, theme: Theme
) -> list[dict[str, Any]]:
    """Write the ends of the shaded interval above its panel."""
    if hidden or prediction.interval is None:
        return []
    low, high = (f"{end:.2f}".replace("-", "−") for end in prediction.interval)
    return [
        {
            "text": f"<b>{low} < {prediction.parameter.symbol} < {high}</b>",
            "xref": f"x{axis} domain",
            "yref": f"y{axis} domain",
            "x": 0.5,
            "y": 1,
            "xanchor": "center",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"size": theme.font_size, "color": colour},
        }
    ]


def _parameter_axis(prediction: Prediction, colour: str, axis: str, theme: Theme) -> dict[str, Any]:
    values = prediction.values
    found = theme.axis(
        prediction.parameter.symbol,
        anchor=f"y{axis}",
        range=[float(values[0]), float(values[-1])],
        zeroline=False,
        nticks=7,
    )
    found["title"]["font"] = {"size": theme.font_size + 2, "color": colour}
    return found


def _state_label(study: FirstOrderStudy) -> str:
    label = study.scenario.model_spec.axis_labels[0]
    return f"{label} at t = {study.scenario.horizon:g}"


def _extent(study: FirstOrderStudy) -> list[float]:
    """Return a range with every simulated path; tangents may widen it."""
    simulated: list[Array] = [p.paths for p in study.predictions]
    tangents: list[Array] = [p.predicted_paths for p in study.predictions]
    return axis_range(simulated, tangents)
