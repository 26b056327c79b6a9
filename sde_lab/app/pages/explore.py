"""Explore: the paths of a scenario and the derivatives of each path by every parameter."""

from __future__ import annotations

import streamlit as st

from sde_lab.app.components.path_board import current_summary, draw_board
from sde_lab.app.components.style import current_theme
from sde_lab.figures.live_equation import live_equation
from sde_lab.summaries.summary import Summary


def render() -> None:
    """Draw the page."""
    summary = current_summary()
    if summary is None:
        return
    with st.container(horizontal=True, gap="large", key="formulas"):
        for formula in live_equation(summary.scenario, current_theme()):
            st.latex(formula, width="content")
    draw_board(summary, _height(summary))


def _height(summary: Summary) -> str:
    """Return the window's height less what stands above and below the charts, as a CSS length.

    The readout has about seven numbers in a row; fractions make an equation's line taller.
    """
    rows = -(-(2 + len(summary.sensitivities)) // 7)
    equations = summary.scenario.model_spec.equation.split(r"\\")
    lines = 2.4 * (len(equations) - 1) + 1.5 * sum(r"\frac" in line for line in equations)
    return f"clamp(380px, calc(100vh - {12.2 + 3.8 * rows + lines}rem), 900px)"
