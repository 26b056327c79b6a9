"""How every path answers to every knob: one panel for each column of the Jacobian."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sde_lab.figures.theme import Theme
from sde_lab.figures.traces import Trace, band, cursor_line, exact_lines, line, padded, single
from sde_lab.models.exact import Law
from sde_lab.summary import Bands, Summary


def sensitivities(
    summary: Summary,
    component: int,
    laws: Mapping[str, Law],
    scheme_laws: Mapping[str, Law],
    labels: Mapping[str, tuple[str, str]],
    cursor: int,
    theme: Theme,
    ghost: Summary | None = None,
) -> dict[str, Any]:
    """Mean and bands of ∂X_t/∂p over time for each p, in a grid of panels.

    Args:
        summary: what was simulated.
        component: index of the state component X.
        laws: exact laws at ``summary.times`` by column name, drawn dashed.
        scheme_laws: the scheme's own laws, drawn dotted.
        labels: column name → (symbol, LaTeX).
        cursor: index of the displayed time under the cursor.
        theme: colours and sizes.
        ghost: a pinned summary, drawn in grey behind.
    """
    names = list(summary.sensitivities)
    wide = 1 if len(names) == 1 else 2
    tall = -(-len(names) // wide)
    figure: dict[str, Any] = {"data": [], "layout": _frame(summary, theme)}
    for place, name in enumerate(names):
        axis = "" if place == 0 else str(place + 1)
        bands = summary.sensitivities[name][component]
        panel = _panel(summary, component, name, laws, scheme_laws, theme, ghost)
        for trace in panel:
            trace.update(xaxis=f"x{axis}", yaxis=f"y{axis}")
        figure["data"] += panel
        law = laws.get(name)
        last_row = place + wide >= len(names)
        _place(figure["layout"], place, (wide, tall), last_row, bands, law, component, theme)
        _title(figure["layout"], summary, component, name, labels[name][0], axis, theme)
        shape = cursor_line(float(summary.times[cursor]), axis, theme)
        figure["layout"]["shapes"].append(shape)
        figure["layout"]["meta"]["time"].append(f"xaxis{axis}")
    return figure


def _panel(
    summary: Summary,
    component: int,
    name: str,
    laws: Mapping[str, Law],
    scheme_laws: Mapping[str, Law],
    theme: Theme,
    ghost: Summary | None,
) -> list[Trace]:
    bands, times = summary.sensitivities[name][component], summary.times
    colour = theme.parameter_colour(name)
    q05, q25, _, q75, q95 = bands.quantiles
    found: list[Trace] = []
    if ghost is not None and name in ghost.sensitivities:
        old = ghost.sensitivities[name][component]
        faint = theme.faded(theme.muted, 0.7)
        found += [line(ghost.times, old.quantiles[i], faint, theme.line * 0.5) for i in (0, 4)]
        found.append(line(ghost.times, old.mean, theme.muted, theme.line * 0.9))
    found += [
        band(times, q05, q95, theme.faded(colour, 0.16)),
        band(times, q25, q75, theme.faded(colour, 0.26)),
        line(
            times,
            bands.mean,
            colour,
            theme.line * 1.1,
            hoverinfo="text",
            hovertemplate="t = %{x:.3g}<br>mean %{y:.4g}<br>sd %{customdata:.3g}<extra></extra>",
            customdata=single(bands.std),
        ),
    ]
    if name in laws and np.isfinite(laws[name].mean[:, component]).any():
        found += exact_lines(times, laws[name], component, theme)
    if name in scheme_laws:
        mean = scheme_laws[name].mean[:, component]
        found.append(line(times, mean, theme.muted, theme.line * 0.7, dash="dot"))
    return found


def _frame(summary: Summary, theme: Theme) -> dict[str, Any]:
    size = theme.font_size
    return theme.layout(
        margin={"l": 3.2 * size + 6, "r": 10, "t": 2.6 * size + 6, "b": 3.2 * size + 6},
        showlegend=False,
        shapes=[],
        annotations=[],
        meta={"time": []},
        uirevision=summary.scenario.model,
    )


def _place(
    layout: dict[str, Any],
    place: int,
    shape: tuple[int, int],
    last_row: bool,
    bands: Bands,
    law: Law | None,
    component: int,
    theme: Theme,
) -> None:
    """Axes of one panel: where it stands, what it spans."""
    wide, tall = shape
    row, column = divmod(place, wide)
    axis = "" if place == 0 else str(place + 1)
    gap_x, gap_y = 0.15 if wide > 1 else 0.0, (0.30 if theme.projector else 0.26) / max(tall, 2)
    width, height = (1 - gap_x * (wide - 1)) / wide, (1 - gap_y * (tall - 1)) / tall
    left, top = column * (width + gap_x), 1 - row * (height + gap_y)
    layout[f"xaxis{axis}"] = theme.axis(
        domain=[left, left + width],
        anchor=f"y{axis}",
        showticklabels=last_row,
        nticks=5,
        title={"text": "time t", "standoff": 4} if last_row else None,
        **({"matches": "x"} if axis else {}),
    )
    layout[f"yaxis{axis}"] = theme.axis(
        domain=[max(0.0, top - height), top],
        anchor=f"x{axis}",
        nticks=5,
        range=_span(bands, law, component),
    )


def _span(bands: Bands, law: Law | None, component: int) -> list[float]:
    """From the 90 % band, the mean and the exact mean: outliers do not decide what is seen."""
    curves = [bands.quantiles[0], bands.quantiles[4], bands.mean]
    if law is not None:
        curves.append(law.mean[:, component])
    low, high = np.nanmin(curves[:2]), np.nanmax(curves[:2])
    room = max(high - low, 1e-12)
    means = np.concatenate(curves[2:])
    means = means[np.isfinite(means)]
    if means.size and np.isfinite(room):
        low = min(low, max(means.min(), low - 2 * room))
        high = max(high, min(means.max(), high + 2 * room))
    if not np.isfinite([low, high]).all():
        return [-1.0, 1.0]
    return padded(float(low), float(high), least=0.05)


def _title(
    layout: dict[str, Any],
    summary: Summary,
    component: int,
    name: str,
    symbol: str,
    axis: str,
    theme: Theme,
) -> None:
    state = summary.scenario.sde.components[component]
    layout["annotations"].append(
        {
            "text": f"<b>∂{state}/∂{symbol}</b>",
            "xref": f"x{axis} domain",
            "yref": f"y{axis} domain",
            "x": 0,
            "y": 1,
            "xanchor": "left",
            "yanchor": "bottom",
            "yshift": 2,
            "showarrow": False,
            "font": {"size": theme.font_size + 1, "color": theme.parameter_colour(name)},
        }
    )
