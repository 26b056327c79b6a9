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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sde_lab.figures.readout import ReadoutRow

Figure = Mapping[str, Any]
UNITS = 6000
"""Integers from one end of an axis to the other: finer than a twelfth of a pixel on 500 pixels."""
LARGEST = 32_000
"""Values beyond are cut there: five lengths of the axis away, where nothing is seen."""
GAP = -32_768
"""Stands for NaN: the line has a gap."""


def encode_frame(
    charts: Mapping[str, Figure], rows: Sequence[ReadoutRow], *, approximate: bool
) -> bytes:
    """Return a frame of figures and readout.

    Args:
        charts: key of each chart on the page → ``data`` and ``layout`` of its figure.
        rows: of the readout.
        approximate: True if it rests on fewer samples than the scenario has.

    Returns:
        The frame, compressed.
    """
    arrays: dict[bytes, int] = {}
    header = {
        "approximate": approximate,
        "charts": {key: _chart(figure, arrays) for key, figure in charts.items()},
        "readout": [[row.name, row.text, row.comparison, row.tooltip] for row in rows],
        "lengths": [],
    }
    header["lengths"] = [len(raw) // 2 for raw in arrays]
    text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
    return zlib.compress(b"".join([struct.pack("<I", len(text)), text, *arrays]), level=1)


def _chart(figure: Figure, arrays: dict[bytes, int]) -> dict[str, Any]:
    """Describe one chart; put its arrays into ``arrays``, where equal ones are kept once."""
    layout = figure["layout"]
    axes = {
        name.replace("axis", ""): [float(end) for end in axis["range"]]
        for name, axis in layout.items()
        if name[1:5] == "axis" and "range" in axis
    }
    return {
        "axes": axes,
        "traces": [_trace(trace, axes, arrays) for trace in figure["data"]],
        "cursor": [[line["xref"], line["x0"]] for line in layout.get("shapes", ())],
        "notes": [note["text"] for note in layout.get("annotations", ())],
    }


def _trace(
    trace: Mapping[str, Any], axes: Mapping[str, Sequence[float]], arrays: dict[bytes, int]
) -> dict[str, Any]:
    places = {direction: trace.get(f"{direction}axis", direction) for direction in ("x", "y")}
    numbers = {}
    for direction, place in places.items():
        raw = _integers(trace[direction], *axes[place]).tobytes()
        numbers[direction] = arrays.setdefault(raw, len(arrays))
    described = {"uid": trace["uid"], "axes": [places["x"], places["y"]], **numbers}
    if trace["mode"] == "markers":
        return {**described, "markers": True}
    style = trace["line"]
    return {
        **described,
        "fill": trace.get("fillcolor", ""),
        "line": [style.get("color", ""), style["width"], style.get("dash", "solid")],
    }


def _integers(values: NDArray[np.floating], low: float, high: float) -> NDArray[np.int16]:
    """Return values as integers: 0 at the lower end of the axis, UNITS at the upper one."""
    units = np.asarray(values, dtype=np.float64) - low
    units *= UNITS / (high - low)
    np.clip(units, -LARGEST, LARGEST, out=units)
    np.rint(units, out=units)
    units[np.isnan(units)] = GAP
    return units.astype("<i2")
