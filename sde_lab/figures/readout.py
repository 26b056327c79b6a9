"""Estimates with their standard errors, beside the exact values."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass

import numpy as np

from sde_lab.figures.theme import Theme, palette_index
from sde_lab.models.laws.base import Law
from sde_lab.summaries.summary import Summary
from sde_lab.theory.exact_laws import ExactLaws

Z_TOOLTIP = "z: difference in standard errors"
BIAS_TOOLTIP = "Δ: difference; the standard error is 0"


@dataclass(frozen=True)
class ReadoutRow:
    """One estimate of the readout.

    Attributes:
        name: what it estimates.
        parameter: of a sensitivity, what it is by; None for the state itself.
        value: the estimate.
        error: its standard error; NaN with one sample.
        exact: the exact value; NaN where none is known.
    """

    name: str
    parameter: str | None
    value: float
    error: float
    exact: float
    colour_index: int | None = None
    """Palette index of the parameter; None for the colour of text."""

    @property
    def text(self) -> str:
        """Value and standard error, such as ``0.3702 ± 0.0031``."""
        if not math.isfinite(self.value):
            return "unknown"
        if math.isnan(self.error):
            return _plain(f"{self.value:.4g} from one sample")
        if not self.error > 1e-6 * abs(self.value):
            return _plain(f"{self.value:.4g}")
        digits = min(8, max(0, 1 - math.floor(math.log10(self.error))))
        if abs(self.value) >= 1e6 or digits == 8:
            return _plain(f"{self.value:.4g} ± {self.error:.2g}")
        return _plain(f"{self.value:.{digits}f} ± {self.error:.{digits}f}")

    @property
    def comparison(self) -> str:
        """Exact value and difference from it, such as ``exact 0.3679, z = 0.7``.

        The difference is in standard errors. Without noise the standard error is 0: then it is
        the difference itself, and left out where rounding explains it.
        """
        if not math.isfinite(self.exact) or not math.isfinite(self.value):
            return ""
        if math.isnan(self.error):
            return _plain(f"exact {self.exact + 0.0:.4g}")
        off = self.value - self.exact
        if self.error > 1e-6 * abs(self.value):
            z = round(off / self.error, 1) + 0.0  # adding 0 turns -0.0 into 0.0
            return _plain(f"exact {self.exact + 0.0:.4g}, z = {z:.1f}")
        bias = "" if abs(off) <= 1e-5 * max(1.0, abs(self.exact)) else f", Δ = {off:.2g}"
        return _plain(f"exact {self.exact + 0.0:.4g}{bias}")


def _plain(text: str) -> str:
    """Return the text with U+2212 for minus signs, but for those of exponents."""
    return text.replace("-", "−").replace("e−", "e-")


def rows_at_cursor(
    summary: Summary, exact: ExactLaws | None, component: int, cursor: int
) -> list[ReadoutRow]:
    """Return mean and standard deviation of one component, and the mean of its sensitivities.

    Args:
        summary: what is shown.
        exact: its exact laws; None where none are known or shown.
        component: index of the state component.
        cursor: index of the displayed time.
    """
    state = summary.states[component]
    law = None if exact is None else exact.state
    mean, variance = _moments(law, component, cursor)
    found = [
        ReadoutRow("mean", None, state.mean[cursor], state.mean_error[cursor], mean),
        ReadoutRow(
            "standard deviation",
            None,
            state.std[cursor],
            state.std_error[cursor],
            math.sqrt(variance),
        ),
    ]
    model = summary.scenario.model_spec
    for parameter in (*model.initial, *model.parameters):
        bands = summary.sensitivities[parameter.name][component]
        law = None if exact is None else exact.sensitivities.get(parameter.name)
        known, _ = _moments(law, component, cursor)
        label = f"∂{model.symbols[component]}/∂{parameter.symbol}"
        value, error = bands.mean[cursor], bands.mean_error[cursor]
        colour = palette_index(model, parameter.name)
        found.append(ReadoutRow(label, parameter.name, value, error, known, colour))
    return found


def _moments(law: Law | None, component: int, cursor: int) -> tuple[float, float]:
    if law is None:
        return math.nan, math.nan
    return float(law.mean[cursor, component]), float(np.maximum(law.variance, 0)[cursor, component])


def readout_html(rows: list[ReadoutRow], theme: Theme) -> str:
    """Return the rows as a line of HTML, each name in the colour of its parameter."""
    cells = []
    for row in rows:
        colour = theme.column_colour(row.colour_index)
        cells.append(
            f'<div class="lab-figure"><span class="lab-name" style="color:{colour}">'
            f'{html.escape(row.name)}</span><br><span class="lab-value">{html.escape(row.text)}'
            f"</span><br>{_comparison_html(row.comparison)}</div>"
        )
    return f'<div class="lab-figures">{"".join(cells)}</div>'


def _comparison_html(comparison: str) -> str:
    """Return the comparison as HTML; on hover it says what z, or Δ, is."""
    tooltips = {", z = ": Z_TOOLTIP, ", Δ = ": BIAS_TOOLTIP}
    tooltip = next(
        (f' title="{text}"' for mark, text in tooltips.items() if mark in comparison), ""
    )
    return f'<span class="lab-exact"{tooltip}>{html.escape(comparison)}&nbsp;</span>'
