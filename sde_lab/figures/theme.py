"""Colours, letters and lines: the same for the same thing on every page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Ten colours after Okabe and Ito (2008), darkened on white and lightened on black until text in
# them reaches a contrast of 4.5 : 1.
_LIGHT = (
    "#0068a3", "#b84a00", "#00754f", "#a03c7c", "#8a5d00",
    "#3b3aa5", "#7d2b52", "#4f6b00", "#00707f", "#5c6670",
)  # fmt: skip
_DARK = (
    "#56b4e9", "#f58a3c", "#2cc5a0", "#e59bc3", "#e6a817",
    "#a3b1ff", "#e08fa8", "#b5cf4f", "#5fd0dd", "#b7c0ca",
)  # fmt: skip

_PLACE = {
    "x0": 0, "s0": 0, "prey0": 0,
    "kappa": 1, "a": 1, "r": 1, "alpha": 1, "omega": 1, "k": 1,
    "theta": 2, "b": 2, "K": 2, "beta": 2, "gamma": 2,
    "sigma": 3, "xi": 3, "sigma1": 3,
    "v0": 4, "predator0": 4,
    "mu": 5, "delta": 5,
    "rho": 6, "sigma2": 6,
}  # fmt: skip


@dataclass(frozen=True)
class Theme:
    """How figures look.

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
    def rule(self) -> str:
        """Grid lines."""
        return "rgba(230,234,238,0.13)" if self.dark else "rgba(31,41,51,0.10)"

    @property
    def ground(self) -> str:
        """The page behind the figures."""
        return "#11161c" if self.dark else "#ffffff"

    @property
    def state(self) -> str:
        """Simulated paths and their bands."""
        return _DARK[0] if self.dark else _LIGHT[0]

    @property
    def exact(self) -> str:
        """What theory says; drawn dashed."""
        return self.text

    @property
    def font_size(self) -> int:
        """Letters, in pixels."""
        return 17 if self.projector else 12

    @property
    def line(self) -> float:
        """Width of a main line, in pixels."""
        return 3.4 if self.projector else 2.0

    def parameter_colour(self, name: str) -> str:
        """The colour of a parameter or initial state, by its name."""
        palette = _DARK if self.dark else _LIGHT
        place = _PLACE.get(name, sum(name.encode()) % len(palette))
        return palette[place]

    def faded(self, colour: str, share: float) -> str:
        """A colour with this opacity."""
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        return f"rgba({red},{green},{blue},{share:g})"

    def axis(self, **own: Any) -> dict[str, Any]:
        """An axis in this theme."""
        size = self.font_size
        return {
            "gridcolor": self.rule,
            "linecolor": self.rule,
            "zerolinecolor": self.rule,
            "zerolinewidth": 1,
            "tickfont": {"size": size - 1, "color": self.muted},
            "automargin": False,
            **own,
        }

    def layout(self, **own: Any) -> dict[str, Any]:
        """A layout in this theme, with no template behind it."""
        return {
            "template": {},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {
                "family": '"Source Sans", "Source Sans Pro", "Helvetica Neue", Arial, sans-serif',
                "size": self.font_size,
                "color": self.text,
            },
            "hovermode": "x",
            "hoverlabel": {
                "bgcolor": self.ground,
                "bordercolor": self.muted,
                "font": {"size": self.font_size, "color": self.text},
            },
            "legend": {
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "y": 1.02,
                "yanchor": "bottom",
                "font": {"size": self.font_size},
                "bgcolor": "rgba(0,0,0,0)",
            },
            "modebar": {
                "bgcolor": "rgba(0,0,0,0)",
                "color": self.muted,
                "activecolor": self.text,
            },
            "dragmode": "zoom",
            **own,
        }
