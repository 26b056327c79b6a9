"""A frame: what a board shows at one value of a slider, as bytes that a browser draws at once.

While a slider is dragged, the curves of charts that are already there are moved; axes, legends and
colours stay. So a frame holds curves alone, as 16-bit integers relative to the axes' ranges: ten
kilobytes, where the same figures as JSON take a hundred.

Layout, little-endian, compressed by zlib: length of the header in bytes (uint32); the header, JSON;
the arrays (int16), one after the other, their lengths in the header's ``lengths``.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sde_lab.figures.readout import ReadoutRow

Figure = Mapping[str, Any]
UNITS = 6000
"""Integers from one end of an axis to the other: finer than a twelfth of a pixel on 500 pixels."""
LARGEST = 32_000
"""Values beyond are cut there: five lengths of the axis away, where nothing is seen."""
BAR_WIDTH = 0.85
"""Of the distance of two bars; figures with bars have the rest as their ``bargap``."""
GAP = -32_768
"""Stands for NaN: the line has a gap."""


@dataclass(frozen=True)
class FrameTexts:
    """What stands beside the charts of a frame.

    Attributes:
        rows: of the readout.
        time: what the time cursor points at.
        equation: the numbers in the equation, from left to right.
    """

    rows: Sequence[ReadoutRow]
    time: str
    equation: Sequence[str]


def encode_frame(charts: Mapping[str, Figure], texts: FrameTexts, *, approximate: bool) -> bytes:
    """Return a frame of figures and texts.

    Args:
        charts: key of each chart on the page → ``data`` and ``layout`` of its figure.
        texts: what stands beside them.
        approximate: True if it rests on fewer samples than the scenario has.

    Returns:
        The frame, compressed.
    """
    arrays: dict[bytes, int] = {}
    header = {
        "approximate": approximate,
        "charts": {key: _chart(figure, arrays) for key, figure in charts.items()},
        "readout": [[row.name, row.text, row.comparison, row.tooltip] for row in texts.rows],
        "time": texts.time,
        "equation": list(texts.equation),
        "lengths": [],
    }
    header["lengths"] = [len(raw) // 2 for raw in arrays]
    text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
    return zlib.compress(b"".join([struct.pack("<I", len(text)), text, *arrays]), level=1)


def _chart(figure: Figure, arrays: dict[bytes, int]) -> dict[str, Any]:
    """Describe one chart; put its arrays into ``arrays``, where equal ones are kept once."""
    layout = figure["layout"]
    axes = {name.replace("axis", ""): axis for name, axis in layout.items() if name[1:5] == "axis"}
    ranges = {
        name: _ends(*map(float, axis["range"])) for name, axis in axes.items() if "range" in axis
    }
    return {
        "axes": ranges,
        "titles": {name: axis["title"]["text"] for name, axis in axes.items()},
        "traces": [_trace(trace, ranges, arrays) for trace in figure["data"]],
        "marks": [_mark(shape) for shape in layout.get("shapes", ())],
        "notes": [note["text"] for note in layout.get("annotations", ())],
    }


def _ends(low: float, high: float) -> list[float]:
    """Return the ends of an axis; of one without length those that Plotly gives it."""
    air = max(1.0, 1e-6 * abs(low)) if low == high else 0.0
    return [low - air, high + air]


def _mark(shape: Mapping[str, Any]) -> list[Any]:
    """Describe a vertical line by its axis and place, an interval by its axis and both ends."""
    if shape["type"] == "line":
        return [shape["xref"], shape["x0"]]
    return [shape["xref"], shape["x0"], shape["x1"]]


def _trace(
    trace: Mapping[str, Any], axes: Mapping[str, Sequence[float]], arrays: dict[bytes, int]
) -> dict[str, Any]:
    places = {direction: trace.get(f"{direction}axis", direction) for direction in ("x", "y")}

    def index(values: NDArray[np.floating], direction: str) -> int:
        raw = _integers(values, *axes[places[direction]]).tobytes()
        return arrays.setdefault(raw, len(arrays))

    described = {"uid": trace["uid"], "axes": [places["x"], places["y"]]}
    if trace["type"] == "bar":
        x, y = _bars(trace["x"], trace["y"])
        fill = trace["marker"]["color"]
        shape = {"x": index(x, "x"), "y": index(y, "y"), "fill": fill, "line": ["", 0, "solid"]}
        return {**described, **shape, "bars": True}
    described |= {"x": index(trace["x"], "x"), "y": index(trace["y"], "y")}
    if trace["mode"] == "markers":
        if "error_y" in trace:
            reach = trace["error_y"]["array"]
            described["ends"] = [index(trace["y"] + sign * reach, "y") for sign in (-1, 1)]
        return {**described, "markers": True}
    style = trace["line"]
    return {
        **described,
        "fill": trace.get("fillcolor", ""),
        "line": [style.get("color", ""), style["width"], style.get("dash", "solid")],
    }


def _bars(
    x: NDArray[np.floating], y: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return bars as closed polygons with a gap after each; x increases evenly."""
    half = 0.5 * BAR_WIDTH * float(x[1] - x[0])
    zero, gap = np.zeros_like(y), np.full_like(y, np.nan)
    across = np.stack([x - half, x - half, x + half, x + half, gap], axis=1)
    return across.ravel(), np.stack([zero, y, y, zero, gap], axis=1).ravel()


def _integers(values: NDArray[np.floating], low: float, high: float) -> NDArray[np.int16]:
    """Return values as integers: 0 at the lower end of the axis, UNITS at the upper one."""
    units = np.asarray(values, dtype=np.float64) - low
    units *= UNITS / (high - low)
    np.clip(units, -LARGEST, LARGEST, out=units)
    np.rint(units, out=units)
    units[np.isnan(units)] = GAP
    return units.astype("<i2")
