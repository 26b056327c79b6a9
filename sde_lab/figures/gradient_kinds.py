"""Three gradients of one Jacobian: of each path, of their mean, and summed over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from sde_lab.figures.axis_range import axis_range
from sde_lab.figures.readout import TOO_FEW
from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import band, join_with_gaps, line
from sde_lab.studies.gradient_kinds import GradientComparison


def gradient_kinds_chart(results: GradientComparison, theme: Theme) -> dict[str, Any]:
    """∂X_t/∂x₀ of a few paths, the mean of all, and the area that a sum over time adds up."""
    times, each, mean, error = (
        tensor.numpy() for tensor in (results.times, results.each, results.mean, results.mean_error)
    )
    colour, other = theme.state, theme.series_colour(1)
    x, y = join_with_gaps(times, each)
    traces = [
        band(
            times,
            np.zeros_like(mean),
            each[:, 0],
            theme.with_alpha(theme.muted, 0.18),
            name="summed over time",
            uid="sum",
            legendrank=3,
        ),
        line(x, y, theme.with_alpha(colour, 0.4), theme.line * 0.4, uid="each"),
        line(times, each[:, 0], colour, theme.line, name="this path", uid="first", legendrank=1),
        band(times, mean - 2 * error, mean + 2 * error, theme.with_alpha(other, 0.3), uid="error"),
        line(
            times,
            mean,
            other,
            theme.line,
            name="mean ± 2 SE" if np.isfinite(error).all() else f"mean, {TOO_FEW}",
            uid="mean",
            legendrank=2,
        ),
    ]
    layout = theme.layout(
        xaxis=theme.axis(title="time t", range=[0.0, float(times[-1])]),
        yaxis=theme.axis(title="∂X<sub>t</sub>/∂x₀", range=axis_range([mean, each[:, :1]], [each])),
        meta={"time": ["xaxis"], "scene": "wanted", "ground": theme.background},
        uirevision="wanted",
    )
    return {"data": traces, "layout": layout}
