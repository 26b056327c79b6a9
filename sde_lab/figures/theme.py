"""Colours, letters and lines: the same for the same thing on every page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sde_lab.models.base import Model

# Nine colours after Okabe and Ito (2008), darkened on white and lightened on black until letters in
# them reach a contrast of 4.5 : 1. The first is the state's own; the first initial value shares it.
_LIGHT = (
    "#0072b2", "#b84a00", "#00754f", "#a3407f", "#8a5d00",
    "#4a3fa8", "#8c2f55", "#4f6b00", "#00707f",
)  # fmt: skip
_DARK = (
    "#56b4e9", "#f58a3c", "#2cc5a0", "#e59bc3", "#e6a817",
    "#a3b1ff", "#e08fa8", "#b5cf4f", "#5fd0dd",
)  # fmt: skip
PALETTE_SIZE = len(_LIGHT)
"""Number of colours; a model with more Jacobian columns uses them again."""

_INITIAL_VALUE_INDICES = (0, 4, 8)
"""Palette indices of the first initial values; the other columns take the rest in order."""

_FONT = '"Source Sans", "Source Sans Pro", "Helvetica Neue", Arial, sans-serif'


@dataclass(frozen=True)
class Theme:
    """Colours and line styles: simulated solid, exact dashed, the law of a scheme dotted.

    Attributes:
        dark: light lines on a dark ground.
        projector: letters and lines that can be read from the last row.
    """

    dark: bool = False
    projector: bool = False

    @property
    def text(self) -> str:
        """Letters."""
        return "#e6eaee" if self.dark else "#1f2933"

    @property
    def muted(self) -> str:
        """Letters and lines of second rank, still with a contrast of 4.5 : 1."""
        return "#a5b0bb" if self.dark else "#5c6670"

    @property
    def grid_color(self) -> str:
        """Grid lines."""
        return "rgba(230,234,238,0.10)" if self.dark else "rgba(31,41,51,0.08)"

    @property
    def background(self) -> str:
        """The page behind the figures, and the ground of a picture taken from one."""
        return "#11161c" if self.dark else "#ffffff"

    @property
    def state(self) -> str:
        """Simulated paths and their bands."""
        return self._palette[0]

    @property
    def exact(self) -> str:
        """Colour of exact curves, which are dashed."""
        return self.text

    @property
    def font_size(self) -> int:
        """Letters, in pixels."""
        return 17 if self.projector else 12

    @property
    def line(self) -> float:
        """Width of a main line, in pixels."""
        return 3.4 if self.projector else 2.0

    @property
    def dashed(self) -> str:
        """Pattern of a dashed line, in pixels."""
        return "10px,10px" if self.projector else "6px,6px"

    @property
    def dotted(self) -> str:
        """Pattern of a dotted line, in pixels."""
        return "3px,4px" if self.projector else "1.5px,3px"

    @property
    def stationary_dash(self) -> str:
        """Pattern of a stationary density, in pixels."""
        return "12px,4px,3px,4px" if self.projector else "8px,3px,2px,3px"

    @property
    def _palette(self) -> tuple[str, ...]:
        return _DARK if self.dark else _LIGHT

    def parameter_colour(self, name: str, model: Model) -> str:
        """Return the colour of a parameter or initial value of a model: ``#rrggbb``.

        Names that are no Jacobian column of the model (``steps``, ``scheme``) have the text's.
        """
        return self.column_colour(palette_index(model, name))

    def column_colour(self, index: int | None) -> str:
        """Return the colour at a palette index, the text's for None: ``#rrggbb``."""
        return self.text if index is None else self.series_colour(index)

    def series_colour(self, index: int) -> str:
        """Return the colour at a palette index, which wraps around: ``#rrggbb``."""
        return self._palette[index % PALETTE_SIZE]

    def with_alpha(self, colour: str, share: float) -> str:
        """Return a colour ``#rrggbb`` with this opacity, 0 to 1."""
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        return f"rgba({red},{green},{blue},{share:g})"

    def axis(self, title: str = "", **overrides: Any) -> dict[str, Any]:
        """Return an axis in this theme, with its title."""
        size = self.font_size
        return {
            "title": {"text": title, "standoff": 5, "font": {"size": size, "color": self.text}},
            "gridcolor": self.grid_color,
            "showline": True,
            "linecolor": self.with_alpha(self.muted, 0.55),
            "zerolinecolor": self.with_alpha(self.muted, 0.35),
            "zerolinewidth": 1,
            "tickfont": {"size": size - 1, "color": self.muted},
            "separatethousands": True,
            "exponentformat": "power",
            "hoverformat": ".3~g",
            "automargin": False,
            **overrides,
        }

    def layout(self, **overrides: Any) -> dict[str, Any]:
        """Return a layout in this theme; Plotly's template is switched off."""
        size = self.font_size
        return {
            "template": {},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": _FONT, "size": size, "color": self.text},
            "margin": {"l": 3.4 * size + 10, "r": 8, "t": 2.0 * size + 6, "b": 2.9 * size + 6},
            "separators": ".\u202f",
            "hovermode": "x",
            "hoverlabel": {
                "bgcolor": self.background,
                "bordercolor": self.muted,
                "font": {"family": _FONT, "size": size, "color": self.text},
                "align": "left",
            },
            "legend": {
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "y": 1,
                "yanchor": "bottom",
                "font": {"size": size, "color": self.text},
                "bgcolor": "rgba(0,0,0,0)",
                "tracegroupgap": 0,
            },
            "modebar": {
                "bgcolor": self.background,
                "color": self.muted,
                "activecolor": self.text,
            },
            "dragmode": "zoom",
            **overrides,
        }


def palette_index(model: Model, name: str) -> int | None:
    """Return the palette index of a Jacobian column, by its position among the model's columns.

    A name says nothing here: ``kappa`` of one equation may stand beside ``r`` of another, and any
    new model has colours. The columns of a model differ pairwise up to ``PALETTE_SIZE`` of them;
    beyond, the colours repeat in the same order, so that neighbours still differ.

    Returns:
        0 to ``PALETTE_SIZE`` − 1, or None if the model has no such column.
    """
    columns = model.jacobian_columns
    if name not in columns:
        return None
    initial = _INITIAL_VALUE_INDICES[: len(model.initial)]
    order = [*initial, *(index for index in range(PALETTE_SIZE) if index not in initial)]
    return order[columns.index(name) % PALETTE_SIZE]
