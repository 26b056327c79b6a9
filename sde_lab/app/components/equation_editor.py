"""Write your own: a text area, a gallery to start from, and a finger on what cannot be read."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import streamlit as st

from sde_lab.app.state.widget_keys import horizon_key, knob_key
from sde_lab.equations import EquationError, parse_sde
from sde_lab.equations.examples import GALLERY
from sde_lab.equations.lexer import LONGEST
from sde_lab.equations.model import KEY
from sde_lab.models.base import Model

OWN = KEY
"""The entry of the model picker."""
WRITE = "Write your own…"
TEXT = "equation"
START = "dx = kappa*(theta - x)*dt + sigma*dW"
HELP = """
One line per state: `dx = …*dt + …*dW`. Noises by name: `dW1`, `dW2`; the same name is the same
noise, `corr(dW1, dW2) = rho` correlates two. Every other name becomes a slider: `kappa = 1 in
[0, 5]` sets it, `x(0) = 2` the start, `t in [0, 10]` the horizon. `∘ dW`, or a line `stratonovich`,
reads the noise in the sense of Stratonovich. Functions: sqrt exp log sin cos tan atan sinh cosh
tanh sign step abs max min. `#` begins a remark.
"""
STEPS = 400
"""Steps that every example of the gallery needs at least."""
_GOOD, _KNOBS, _MENU = "own_good", "own_knobs", "gallery"

# Registered once, on import; mounting registers it again where a new runtime needs it.
_live = st.components.v2.component(
    "sde_lab_live", js=(Path(__file__).parent / "equation_editor.js").read_text(encoding="utf-8")
)


def typed_model(**binding: Any) -> Model:
    """The model of the text on the page; under a mistake, that of the last text without one.

    Raises:
        EquationError: if there was none yet.
    """
    text = st.text_area(
        "Your equation",
        START,
        key=TEXT,
        height="content",
        max_chars=LONGEST,
        help=HELP,
        **binding,
    )
    _live(key="live")
    _gallery()
    try:
        model = parse_sde(text or "")
    except EquationError as error:
        st.html(_pointed(error, text or ""))
        good: str | None = st.session_state.get(_GOOD)
        if good is None:
            raise
        return parse_sde(good)
    st.session_state[_GOOD] = model.name
    _keep_what_did_not_change(model)
    return model


def _pointed(error: EquationError, text: str) -> str:
    """One calm line, below the place it speaks of."""
    return (
        f'<div class="lab-mistake" role="status"><pre>{html.escape(error.pointed(text))}</pre>'
        f"{html.escape(str(error))}</div>"
    )


def _gallery() -> None:
    menu = st.popover("Start from an example", width="stretch", key=_MENU, on_change="rerun")
    if not menu.open:
        return
    with menu:
        for example in GALLERY:
            with st.container(gap="xxsmall"):
                st.button(
                    example.title,
                    key=f"{_MENU}.{example.title}",
                    on_click=_start_from,
                    args=(example.text,),
                    type="tertiary",
                )
                st.caption(example.source)


def _start_from(text: str) -> None:
    """Put an example into the text area, its own values on the sliders, and steps that hold it."""
    model = parse_sde(text)
    st.session_state[TEXT] = text
    st.session_state[_MENU] = False
    st.session_state["steps"] = max(STEPS, st.session_state.get("steps", STEPS))
    for knob in (*model.initial, *model.parameters):
        st.session_state[knob_key(model, knob)] = knob.default
    st.session_state[horizon_key(model)] = model.horizon


def _keep_what_did_not_change(model: Model) -> None:
    """Leave a slider where it is, or at the nearest end, when the text only gives another range.

    When the text gives another value, the slider follows.
    """
    state = st.session_state
    before: dict[str, tuple[str, float]] = state.get(_KNOBS, {})
    now: dict[str, tuple[str, float]] = {}
    for knob in (*model.initial, *model.parameters):
        key = knob_key(model, knob)
        now[knob.name] = (key, knob.default)
        old, default = before.get(knob.name, now[knob.name])
        if old != key and default == knob.default and key not in state and old in state:
            state[key] = min(max(float(state[old]), knob.low), knob.high)
            if state[key] != knob.default:  # of a widget not drawn before, Streamlit tells no link
                st.query_params[key] = f"{state[key]:.12g}"
    state[_KNOBS] = {**before, **now}
