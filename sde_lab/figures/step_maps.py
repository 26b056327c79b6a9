"""Why replay works: the derivative of each step, and the running product of them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sde_lab.figures.axis_range import axis_range
from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import Array, Trace, join_with_gaps, line
from sde_lab.studies.step_maps import StepMaps


def step_maps_chart(results: StepMaps, theme: Theme) -> dict[str, Any]:
    """A_k of a few samples at the beginning of each step."""
    title = _entry("A<sub>k</sub>", results)
    traces = _samples(results.times[:-1], results.a, title, theme)
    return _figure(traces, [results.a], results, title, theme)


def step_products_chart(results: StepMaps, theme: Theme) -> dict[str, Any]:
    """Draw the running products A_{k−1} ⋯ A_0, and the exact ∂X_t/∂x₀ dashed."""
    traces = _samples(results.times, results.products, "running product", theme)
    curves, (symbol, start) = [results.products], results.symbols
    slope = f"∂{symbol}<sub>t</sub>/∂{start}"
    if results.exact is not None:
        curves.append(results.exact)
        style = {"dash": theme.dashed, "name": f"exact mean of {slope}", "uid": "exact"}
        traces.append(line(results.times, results.exact, theme.exact, theme.line * 0.9, **style))
    title = _entry("A<sub>k−1</sub> ⋯ A<sub>1</sub> A<sub>0</sub>", results)
    return _figure(traces, curves, results, title, theme)


def _entry(matrix: str, results: StepMaps) -> str:
    """Name the entry of a matrix that is drawn: the matrix itself where it has only one."""
    return f"({matrix})<sub>{results.entry}</sub>" if results.entry else matrix


def _samples(times: Array, values: Array, name: str, theme: Theme) -> list[Trace]:
    """Each sample's curve, and the first one's in full colour."""
    x, y = join_with_gaps(times, values)
    colour = theme.state
    return [
        line(x, y, theme.with_alpha(colour, 0.35), theme.line * 0.4, uid="samples"),
        line(times, values[:, 0], colour, theme.line, name=f"{name}, first path", uid="first"),
    ]


def _figure(
    traces: list[Trace], curves: Sequence[Array], results: StepMaps, title: str, theme: Theme
) -> dict[str, Any]:
    layout = theme.layout(
        xaxis=theme.axis(title="time t", range=[0.0, float(results.times[-1])]),
        yaxis=theme.axis(title=title, range=axis_range(curves, [])),
        meta={"time": ["xaxis"], "scene": "steps", "ground": theme.background},
        uirevision="steps",
    )
    return {"data": traces, "layout": layout}
