"""The tables of the Gradients page."""

from __future__ import annotations

import html
import inspect
import math
import textwrap
from collections.abc import Callable, Sequence

import streamlit as st

from sde_lab.formatting import readable_bytes, readable_seconds
from sde_lab.scenario import Scenario
from sde_lab.schemes import SCHEMES, fitting_schemes
from sde_lab.studies.benchmark.registry import METHODS
from sde_lab.studies.benchmark.trial import TrialResult
from sde_lab.studies.gradient_kinds import KINDS, GradientComparison


def benchmark_table(results: Sequence[TrialResult], scenario: Scenario) -> str:
    """Return one row for each result of a benchmark, as HTML."""
    head = (
        "method",
        "samples",
        "output",
        "time",
        "peak memory",
        "passes",
        "largest relative difference",
        "",
    )
    rows = [
        (
            METHODS[r.method].title,
            f"{r.samples:,}",
            " × ".join(map(str, r.shape)) or "–",
            _known(r.seconds, readable_seconds),
            _known(r.memory, readable_bytes),
            METHODS[r.method].passes(scenario.replace(samples=r.samples)),
            "–" if math.isnan(r.relative_error) else f"{r.relative_error:.1e}",
            f"predicted: {r.reason}" if r.status == "predicted" else r.reason,
        )
        for r in results
    ]
    return html_table(head, rows)


def unsupported_pairs_table(scenario: Scenario) -> str:
    """Return the methods that do not support a scheme for this model, as HTML."""
    rows = []
    for name in fitting_schemes(scenario.model_spec):
        other = scenario.replace(scheme=name)
        reasons = [(method.title, method.why_unsupported(other)) for method in METHODS.values()]
        scheme = SCHEMES[name].title
        rows += [(scheme, title, reason) for title, reason in reasons if reason is not None]
    if not rows:
        return "<p>Every method supports every scheme for this model.</p>"
    return html_table(("scheme", "method", "reason"), rows)


def draw_gradient_kinds(found: GradientComparison) -> None:
    """Draw the three gradients side by side: formula, weights, and both computed values."""
    numbers = zip(KINDS, found.from_autograd, found.from_jacobian, strict=True)
    for column, (kind, by_autograd, by_jacobian) in zip(st.columns(3), numbers, strict=True):
        with column, st.container(border=True):
            st.markdown(f"**{kind.name}**: {kind.meaning}")
            lines = inspect.getsource(kind.grad_outputs).splitlines()[1:-1]
            st.code(textwrap.dedent("\n".join(lines)), language="python")
            st.markdown(
                f"${kind.formula}$ = **{by_autograd:.8g}** by `grad_outputs=v`,"
                f" {by_jacobian:.8g} from the Jacobian"
            )


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows of plain text as an HTML table that scrolls sideways in a narrow window."""
    top = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        '<div class="lab-table" tabindex="0" role="region" aria-label="Table">'
        f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _known(value: float, readable: Callable[[float], str]) -> str:
    return "–" if math.isnan(value) else readable(value)
