"""A swept name as an axis: its values, where they stand and how they read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import Array


@dataclass(frozen=True)
class SweepAxis:
    """A swept name and its values, as the axis of a chart.

    Attributes:
        name: as the sweep knows it.
        symbol: as people read it.
        values: in the order of the sweep.
        categorical: whether the values stand side by side, evenly, each with its label: numbers of
            samples, schemes.
        colour_index: palette index of a parameter (:func:`sde_lab.figures.theme.palette_index`);
            None, the colour of text, for what is no Jacobian column: steps, samples, scheme.
    """

    name: str
    symbol: str
    values: tuple[Any, ...]
    categorical: bool = False
    colour_index: int | None = None

    @property
    def positions(self) -> Array:
        """Positions of the values on the axis, (P,)."""
        if self.categorical:
            return np.arange(len(self.values), dtype=np.float64)
        return np.array(self.values, dtype=np.float64)

    @property
    def labels(self) -> list[str]:
        """The values as people read them."""
        return [
            value.replace("_", " ") if isinstance(value, str) else f"{value:.6g}".replace("-", "−")
            for value in self.values
        ]

    @property
    def numeric(self) -> bool:
        """Tell whether a line from one value to the next makes sense."""
        return not isinstance(self.values[0], str)

    @property
    def spacing(self) -> float:
        """Distance of neighbours; 1 if there is one value only."""
        positions = self.positions
        return (
            float(positions[-1] - positions[0]) / (len(positions) - 1)
            if len(positions) > 1
            else 1.0
        )

    def axis(self, theme: Theme, padding: float = 0.5, **overrides: Any) -> dict[str, Any]:
        """Return the axis, ``padding`` spacings longer than its values on either side."""
        positions, by = self.positions, padding * self.spacing
        ticks: dict[str, Any] = {}
        if self.categorical:
            words = [label.replace(" ", "<br>", 1) for label in self.labels]
            ticks = {"tickvals": positions.tolist(), "ticktext": words, "tickangle": 0}
        ends = [float(positions[0]) - by, float(positions[-1]) + by]
        axis = theme.axis(
            self.symbol if self.numeric else "",
            range=ends,
            zeroline=False,
            ticks="",
            **ticks,
            **overrides,
        )
        axis["title"]["font"] = {
            "size": theme.font_size + 2,
            "color": theme.column_colour(self.colour_index),
        }
        return axis

    def coordinate_of(self, value: Any) -> float | None:
        """Return where a value stands, beyond the ends of the axis too; None for one not listed."""
        if self.categorical:
            return float(self.values.index(value)) if value in self.values else None
        return float(value)

    def position_of(self, value: Any) -> float | None:
        """Return the position of a value, or None if it is not on the axis."""
        if not self.categorical and not min(self.values) <= value <= max(self.values):
            return None
        return self.coordinate_of(value)
