"""Hide the answer: what theory says waits for a click, so that a class can guess first."""

from __future__ import annotations

import streamlit as st

from sde_lab.app.jobs.results import cached_exact_laws
from sde_lab.app.state.options import URL_BOUND
from sde_lab.summaries.summary import Summary
from sde_lab.theory.exact_laws import ExactLaws

HIDE_KEY = "hide"


def draw_toggle() -> None:
    """The switch; what it says stands in the link."""
    st.toggle(
        "Hide the answer",
        key=HIDE_KEY,
        help="Leave out what theory says, dashed curves and exact numbers, until it is asked for",
        **URL_BOUND,
    )


def answer_hidden() -> bool:
    """Whether the answer is hidden."""
    return bool(st.session_state.get(HIDE_KEY))


def visible_exact_laws(summary: Summary) -> ExactLaws | None:
    """The exact laws, unless there are none or they are hidden."""
    return None if answer_hidden() else cached_exact_laws(summary)
