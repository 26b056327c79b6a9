"""The values of the controls: Explore, Gradients and Sweep share one set, Lessons has its own.

A lesson sets sliders, hides the answer and unpins. Whoever opens one and goes back finds the values
that they had before, and on Lessons those of the lesson.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from sde_lab.app.components.answer_toggle import HIDE_KEY
from sde_lab.app.components.pin import STATE_KEY
from sde_lab.app.state.model_scenarios import default_scenario
from sde_lab.app.state.options import TEXT_KEY
from sde_lab.app.state.url_state import all_widget_values, set_widgets
from sde_lab.equations.model import CUSTOM_KEY
from sde_lab.models import MODELS
from sde_lab.models.base import Model

_ON_LESSONS = "values.on_lessons"
"""Session key: whether the set in use is that of Lessons."""
_OTHER = "values.other"
"""Session key of the set that is not in use: widget key → value."""
_CURSOR_KEY = "cursor"
_VIEW: dict[str, Any] = {_CURSOR_KEY: 100, HIDE_KEY: False}
"""Widgets that belong to a set beside those of the scenario, with their defaults."""


def use_values_of_page(*, on_lessons: bool) -> None:
    """Set the controls to the values of this page; to be called before they are drawn.

    A session whose first page is another than Lessons takes its values along when it first goes
    there; one that begins with a lesson finds the defaults elsewhere.

    Args:
        on_lessons: whether the page is Lessons.
    """
    state = st.session_state
    if state.setdefault(_ON_LESSONS, on_lessons) == on_lessons:
        return
    state[_ON_LESSONS] = on_lessons
    present = _present()
    other = state.get(_OTHER, present if on_lessons else {})
    state[_OTHER] = present
    defaults = _defaults()
    set_widgets({**defaults, **other}, defaults)
    state[STATE_KEY] = other.get(STATE_KEY)


def take_values_along() -> None:
    """Let the other pages show what Lessons shows, as a callback before one of them is opened."""
    st.session_state[_OTHER] = _present()


def open_explore() -> None:
    """Change over to Explore, with the values of the set of Explore."""
    # With no mapping it would try to clear the address bar, to which widgets are bound.
    st.switch_page("explore.py", query_params={})


def reset_values(model: Model) -> None:
    """Set the controls of a model, the cursor, the switch of the answer and the pin to defaults."""
    values = {**all_widget_values(default_scenario(model)), **_VIEW}
    set_widgets(values, {**values, "model": next(iter(MODELS))})
    st.session_state[STATE_KEY] = None


def _present() -> dict[str, Any]:
    """Return the values of the set in use; of the widgets that the session has drawn or set."""
    state = st.session_state
    typed = [key for key in state if str(key).startswith(f"{CUSTOM_KEY}.")]
    return {key: state[key] for key in (*_defaults(), *typed, TEXT_KEY, STATE_KEY) if key in state}


def _defaults() -> dict[str, Any]:
    """Return the defaults of the widgets of all models, and of what else belongs to a set."""
    first = next(iter(MODELS))
    values = dict(_VIEW)
    for model in MODELS.values():
        values |= all_widget_values(default_scenario(model))
    return {**values, "model": first}
