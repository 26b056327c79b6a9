"""Hide the exact solution, so that a class can guess before it is shown."""

from __future__ import annotations

import streamlit as st

from sde_lab.app.jobs.results import cached_exact_laws, cached_stationary_density
from sde_lab.app.state.options import URL_BOUND
from sde_lab.summaries.summary import Summary
from sde_lab.theory.exact_laws import ExactLaws
from sde_lab.theory.stationary_density import StationaryDensity

HIDE_KEY = "hide"


def draw_toggle() -> None:
    """Draw the switch; its state is kept in the link."""
    st.toggle(
        "Hide exact solution",
        key=HIDE_KEY,
        help="Leave out the exact distributions: dashed curves and exact numbers",
        **URL_BOUND,
    )


def answer_hidden() -> bool:
    """Return whether the exact solution, and the answer of a lesson, are hidden."""
    return bool(st.session_state.get(HIDE_KEY))


def visible_exact_laws(summary: Summary) -> ExactLaws | None:
    """Return the exact laws; None where none are known or they are hidden."""
    return None if answer_hidden() else cached_exact_laws(summary)


def visible_stationary_density(summary: Summary) -> StationaryDensity | None:
    """Return the stationary density; None where none is known or it is hidden."""
    return None if answer_hidden() else cached_stationary_density(summary)
