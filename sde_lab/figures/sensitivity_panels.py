"""Sensitivity panels: one for each column of the Jacobian."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sde_lab.figures.axis_range import axis_range
from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import (
    Array,
    Trace,
    band_traces,
    centre_line,
    cursor_line,
    exact_law_traces,
    pinned,
    range_curves,
    visible_scheme_law,
)
from sde_lab.models.laws.base import Law
from sde_lab.summaries.summary import Bands, Summary

PLOT = 390.0
"""Height in pixels that the gaps between panels are made for."""


def sensitivity_panels(
    summary: Summary,
    component: int,
    laws: Mapping[str, Law],
    scheme_laws: Mapping[str, Law],
    labels: Mapping[str, tuple[str, str]],
    cursor: int,
    theme: Theme,
    pinned: Summary | None = None,
) -> dict[str, Any]:
    """Mean and bands of ∂X_t/∂p over time for each p, in a grid of panels.

    Args:
        summary: what was simulated.
        component: index of the state component X.
        laws: exact laws at ``summary.times`` by column name, drawn dashed.
        scheme_laws: the exact laws of the scheme, drawn dotted.
        labels: column name → (symbol, LaTeX).
        cursor: index of the displayed time under the cursor.
        theme: colours and sizes.
        pinned: a pinned summary, drawn in grey behind.

    Returns:
        ``data`` and ``layout``; ``layout.meta.time`` names the axes that show time.
    """
    names = list(summary.sensitivities)
    layout = _frame(summary, theme)
    traces: list[Trace] = []
    state, time = summary.scenario.model_spec.symbols[component], float(summary.times[cursor])
    for place, name in enumerate(names):
        panel = _Panel(
            name,
            summary.times,
            summary.sensitivities[name][component],
            (laws.get(name), scheme_laws.get(name)),
            component,
            _former(pinned, name, component),
            theme.parameter_colour(name, summary.scenario.model_spec),
            summary.incomplete(name),
        )
        cell = _Cell(place, len(names))
        axes = {"xaxis": f"x{cell.axis}", "yaxis": f"y{cell.axis}"}
        traces += [{**trace, **axes} for trace in panel.traces(theme)]
        layout |= cell.axes(summary, panel, theme)
        symbol = labels[name][0] if name in labels else name
        layout["annotations"].append(cell.title(f"∂{state}/∂{symbol}", panel.colour, theme))
        layout["shapes"].append(cursor_line(time, cell.axis, theme))
        layout["meta"]["time"].append(f"xaxis{cell.axis}")
    return {"data": traces, "layout": layout}


def _frame(summary: Summary, theme: Theme) -> dict[str, Any]:
    size = theme.font_size
    return theme.layout(
        margin={"l": 2.9 * size + 6, "r": 8, "t": 2.0 * size + 6, "b": 2.9 * size + 6},
        showlegend=False,
        shapes=[],
        annotations=[],
        meta={"time": [], "scene": summary.scenario.model, "ground": theme.background},
        uirevision=summary.scenario.model,
    )


def _former(earlier: Summary | None, name: str, component: int) -> tuple[Array, Bands] | None:
    if earlier is None or component >= len(earlier.sensitivities.get(name, ())):
        return None
    return earlier.times, earlier.sensitivities[name][component]


@dataclass(frozen=True)
class _Panel:
    """Data of one panel: ∂X/∂p for one component X and one p.

    Attributes:
        name: of p.
        times: (T,)
        bands: what was simulated.
        laws: the exact law of the equation and that of the scheme.
        component: index of X.
        former: times and bands of a pinned run.
        colour: of p, ``#rrggbb``.
        incomplete: whether samples are left out of ``bands`` that diverged.
    """

    name: str
    times: Array
    bands: Bands
    laws: tuple[Law | None, Law | None]
    component: int
    former: tuple[Array, Bands] | None
    colour: str
    incomplete: bool

    def traces(self, theme: Theme) -> list[Trace]:
        """Bands, mean and theory, before a pinned former run."""
        name, times, component = self.name, self.times, self.component
        exact, overrides = self.laws
        scheme = visible_scheme_law(overrides, exact, component, self.range())
        style = self.colour, theme.line * 2.0
        mean = centre_line(times, self.bands, exact, component, style, incomplete=self.incomplete)
        old = [] if self.former is None else pinned(*self.former, theme, f"{name}-pinned")
        return [
            *old,
            *band_traces(times, self.bands, self.colour, theme, name),
            {**mean, "uid": f"{name}-{'median' if self.incomplete else 'mean'}"},
            *exact_law_traces(times, exact, component, theme, f"{name}-exact", dash=theme.dashed),
            *exact_law_traces(times, scheme, component, theme, f"{name}-scheme", dash=theme.dotted),
        ]

    def range(self) -> list[float]:
        """From the 90 % band and the means: outliers do not decide what is seen."""
        optional = [self.bands.quantiles[2] if self.incomplete else self.bands.mean]
        if self.laws[0] is not None:
            optional.append(self.laws[0].mean[:, self.component])
        if self.former is not None:
            optional += [*self.former[1].quantiles[[0, 4]]]
        required = range_curves(
            self.bands, self.laws[0], self.component, incomplete=self.incomplete
        )
        return axis_range(required, optional)


@dataclass(frozen=True)
class _Cell:
    """Position of one of ``count`` panels: up to three in one column, more in two."""

    place: int
    count: int

    @property
    def wide(self) -> int:
        return 1 if self.count <= 3 else 2

    @property
    def tall(self) -> int:
        return -(-self.count // self.wide)

    @property
    def axis(self) -> str:
        """Suffix of this panel's axes."""
        return "" if self.place == 0 else str(self.place + 1)

    def axes(self, summary: Summary, panel: _Panel, theme: Theme) -> dict[str, Any]:
        """Both axes: where they stand and what they span."""
        gap_x = 0.16 if theme.projector else 0.13
        gap_y = (1.9 * theme.font_size + 4) / PLOT
        width = (1 - gap_x * (self.wide - 1)) / self.wide
        height = (1 - gap_y * (self.tall - 1)) / self.tall
        row, column = divmod(self.place, self.wide)
        left, top = column * (width + gap_x), 1 - row * (height + gap_y)
        lowest = self.place + self.wide >= self.count
        ticks = 5 if self.tall <= 3 else 4
        return {
            f"xaxis{self.axis}": theme.axis(
                domain=[left, min(1.0, left + width)],
                anchor=f"y{self.axis}",
                range=[0.0, float(summary.times[-1])],
                showticklabels=lowest,
                nticks=5,
                title="time t" if lowest else "",
                **({"matches": "x"} if self.axis else {}),
            ),
            f"yaxis{self.axis}": theme.axis(
                domain=[max(0.0, top - height), top],
                anchor=f"x{self.axis}",
                range=panel.range(),
                nticks=ticks,
            ),
        }

    def title(self, text: str, colour: str, theme: Theme) -> dict[str, Any]:
        """Return the panel's title, above its left end, in the parameter's colour."""
        return {
            "text": f"<b>{text}</b>",
            "xref": f"x{self.axis} domain",
            "yref": f"y{self.axis} domain",
            "x": 0,
            "y": 1,
            "xanchor": "left",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"size": theme.font_size + 1, "color": colour},
        }
