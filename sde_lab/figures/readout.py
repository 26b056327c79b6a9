"""Estimates with their standard errors, beside the exact values."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, replace

import numpy as np

from sde_lab.figures.theme import Theme, palette_index
from sde_lab.figures.traces import MEDIAN
from sde_lab.models.laws.base import Law
from sde_lab.summaries.summary import Bands, Summary
from sde_lab.theory.exact_laws import ExactLaws

Z_TOOLTIP = "z: difference in standard errors"
EXACT_Z_TOOLTIP = f"{Z_TOOLTIP}, which are those of the exact distribution"
DELTA_TOOLTIP = "Δ: difference; the standard error is 0, so it is the error of the steps"
BIAS_TOOLTIP = (
    f"{Z_TOOLTIP}; noise explains up to 3. The rest is the error of the steps: more steps, or a"
    " scheme of higher order"
)
TOO_FEW = "too few effective samples"
TOO_FEW_TOOLTIP = (
    "Too few effective samples for a standard error: a few of the paths decide the estimate"
)
DIVERGED_TOOLTIP = (
    "Some paths diverged (numerical overflow). Mean and standard deviation of the others would be"
    " no estimates: which ones remain depends on how far they went"
)
NOISE = 3.0
"""Standard errors up to which noise explains a difference: in 99.7 % of all seeds."""
ROUNDING = 1e-12
"""Size up to which a number is a rounded zero, relative to the numbers it is computed from."""


@dataclass(frozen=True)
class ReadoutRow:
    """One estimate of the readout.

    Attributes:
        name: what it estimates.
        parameter: of a sensitivity, what it is by; None for the state itself.
        value: the estimate.
        error: its standard error; NaN where none can be stated.
        exact: the exact value; NaN where none is known.
        colour_index: palette index of the parameter; None for the colour of text.
        samples: number of samples.
        from_law: whether the error is that of the exact distribution, as the samples are too few to
            estimate one.
        scheme: exact value of the scheme; NaN where it is not known.
        scale: size of the numbers that the exact value is computed from.
    """

    name: str
    parameter: str | None
    value: float
    error: float
    exact: float
    colour_index: int | None = None
    samples: int = 2
    from_law: bool = False
    scheme: float = math.nan
    scale: float = 0.0
    words: str = ""
    """What stands in place of an estimate and its error, where paths diverged."""

    @property
    def text(self) -> str:
        """Value and standard error, such as ``0.3702 ± 0.0031``."""
        if self.words:
            return self.words
        if not math.isfinite(self.value):
            return "unknown"
        if math.isnan(self.error):
            alone = " from one sample" if self.samples == 1 else ""
            return _plain(f"{self.value:.4g}{alone}")
        if not self.error > 1e-6 * abs(self.value):
            return _plain(f"{self.value:.4g}")
        digits = min(8, max(0, 1 - math.floor(math.log10(self.error))))
        if abs(self.value) >= 1e6 or digits == 8:
            return _plain(f"{self.value:.4g} ± {self.error:.2g}")
        return _plain(f"{self.value:.{digits}f} ± {self.error:.{digits}f}")

    @property
    def z(self) -> float:
        """Difference from the exact value in standard errors; NaN where there is none."""
        if not self.error > 1e-6 * abs(self.value):
            return math.nan
        return (self.value - self.exact) / self.error

    @property
    def biased(self) -> bool:
        """True where noise does not explain the difference from the exact value.

        Then it is the error of the steps. Where the scheme's own value is known, it must be nearer.
        """
        if self.from_law or not abs(self.z) > NOISE:
            return False
        known = math.isfinite(self.scheme)
        return not known or abs(self.value - self.scheme) < abs(self.value - self.exact)

    @property
    def comparison(self) -> str:
        """Exact value and difference from it, such as ``exact 0.3679, z = 0.7``.

        The difference is in standard errors. Without noise the standard error is 0: then it is
        the difference itself, and left out where rounding explains it.
        """
        parts = [] if not math.isfinite(self.exact) else [f"exact {self._exact_value:.4g}"]
        if self.words or not math.isfinite(self.value):
            return ""
        if math.isnan(self.error):
            parts += [TOO_FEW] if self.samples > 1 else []
        elif parts and math.isfinite(self.z):
            z = round(self.z, 1) + 0.0  # adding 0 turns -0.0 into 0.0
            parts.append(f"z = {z:.1f}" + (": step bias" if self.biased else ""))
        elif parts and abs(off := self.value - self.exact) > 1e-5 * max(1.0, abs(self.exact)):
            parts.append(f"Δ = {off:.2g}")
        return _plain(", ".join(parts))

    @property
    def _exact_value(self) -> float:
        """The exact value, 0 where it is one within rounding."""
        scale = max(self.scale, abs(self.value), 0.0 if math.isnan(self.error) else self.error)
        return 0.0 if abs(self.exact) <= ROUNDING * scale else self.exact

    @property
    def tooltip(self) -> str:
        """What the comparison means, to be read on hover."""
        if self.words:
            return DIVERGED_TOOLTIP
        if TOO_FEW in self.comparison:
            return TOO_FEW_TOOLTIP
        if self.biased:
            return BIAS_TOOLTIP
        if "z = " in self.comparison:
            return EXACT_Z_TOOLTIP if self.from_law else Z_TOOLTIP
        return DELTA_TOOLTIP if "Δ = " in self.comparison else ""


def _plain(text: str) -> str:
    """Return the text with U+2212 for minus signs, but for those of exponents."""
    return text.replace("-", "−").replace("e−", "e-")


def rows_at_cursor(
    summary: Summary, exact: ExactLaws | None, component: int, cursor: int
) -> list[ReadoutRow]:
    """Return mean and standard deviation of one component, and the mean of its sensitivities.

    Where paths diverged, these are the median of the others and the share that diverged.

    Args:
        summary: what is shown.
        exact: its exact laws; None where none are known or shown.
        component: index of the state component.
        cursor: index of the displayed time.
    """
    scheme = None if exact is None else exact.scheme
    laws = _KnownLaws(
        None if exact is None else exact.state,
        None if scheme is None else scheme.state,
        summary.kept,
        component,
        cursor,
    )
    state = summary.states[component]
    found = _diverged_rows(summary, component, cursor) or [
        laws.row("mean", None, (state.mean[cursor], state.mean_error[cursor])),
        laws.row(
            "standard deviation", None, (state.std[cursor], state.std_error[cursor]), moment=1
        ),
    ]
    model = summary.scenario.model_spec
    for parameter in (*model.initial, *model.parameters):
        name = parameter.name
        bands = summary.sensitivities[name][component]
        laws = _KnownLaws(
            None if exact is None else exact.sensitivities.get(name),
            None if scheme is None else scheme.sensitivities.get(name),
            summary.kept + summary.exploded - summary.excluded.get(name, summary.exploded),
            component,
            cursor,
        )
        label = f"∂{model.symbols[component]}/∂{parameter.symbol}"
        if summary.incomplete(name):
            row = _median_row(f"median of {label}", name, bands, cursor)
        else:
            row = laws.row(label, name, (bands.mean[cursor], bands.mean_error[cursor]))
        found.append(replace(row, colour_index=palette_index(model, name)))
    return found


def _diverged_rows(summary: Summary, component: int, cursor: int) -> list[ReadoutRow]:
    """Return the state's rows where paths diverged; none where they did not."""
    if not summary.incomplete():
        return []
    share = summary.exploded / (summary.kept + summary.exploded)
    text = f"{100.0 * share:.2g} % of paths" if share < 1.0 else "all paths"
    unknown = math.nan
    return [
        _median_row(MEDIAN, None, summary.states[component], cursor),
        ReadoutRow("diverged", None, share, unknown, unknown, words=text),
    ]


def _median_row(name: str, parameter: str | None, bands: Bands, cursor: int) -> ReadoutRow:
    value = float(bands.quantiles[2, cursor])
    words = _plain(f"{value:.4g}") if math.isfinite(value) else "unknown"
    return ReadoutRow(name, parameter, value, math.nan, math.nan, words=words)


@dataclass(frozen=True)
class _KnownLaws:
    """What is known of one quantity at the cursor.

    Attributes:
        exact: its exact law, None where it is not known.
        scheme: its law under the scheme.
        samples: number of samples of the estimate.
        component: index of the state component.
        cursor: index of the displayed time.
    """

    exact: Law | None
    scheme: Law | None
    samples: int
    component: int
    cursor: int

    def row(
        self, name: str, parameter: str | None, estimate: tuple[float, float], moment: int = 0
    ) -> ReadoutRow:
        """Return the row of an estimate with its error: of the mean, or of the std (moment 1)."""
        value, error = (float(number) for number in estimate)
        known, scale = self._moments(self.exact)
        from_law = math.isnan(error) and self.samples > 1
        if from_law:
            error = self._error(moment)
        return ReadoutRow(
            name,
            parameter,
            value,
            error,
            known[moment],
            samples=self.samples,
            from_law=from_law,
            scheme=self._moments(self.scheme)[0][moment],
            scale=scale,
        )

    def _moments(self, law: Law | None) -> tuple[tuple[float, float], float]:
        """Return mean and standard deviation at the cursor, and how large they are over time."""
        if law is None:
            return (math.nan, math.nan), 0.0
        mean = law.mean[:, self.component]
        std = np.sqrt(np.maximum(law.variance[:, self.component], 0.0))
        largest = max(float(np.nanmax(np.abs(mean))), float(np.nanmax(np.nan_to_num(std))))
        return (float(mean[self.cursor]), float(std[self.cursor])), largest

    def _error(self, moment: int) -> float:
        """Return the standard error by the law of the scheme, or by the exact one."""
        for law in (self.scheme, self.exact):
            if law is not None:
                error = law.standard_errors(self.samples)[moment][self.cursor, self.component]
                if math.isfinite(error):
                    return float(error)
        return math.nan


def readout_html(rows: list[ReadoutRow], theme: Theme) -> str:
    """Return the rows as a line of HTML, each name in the colour of its parameter."""
    cells = []
    for row in rows:
        colour = theme.column_colour(row.colour_index)
        cells.append(
            f'<div class="lab-figure"><span class="lab-name" style="color:{colour}">'
            f'{html.escape(row.name)}</span><br><span class="lab-value">{html.escape(row.text)}'
            f'</span><br><span class="lab-exact" title="{html.escape(row.tooltip)}">'
            f"{html.escape(row.comparison)}&nbsp;</span></div>"
        )
    return f'<div class="lab-figures">{"".join(cells)}</div>'
