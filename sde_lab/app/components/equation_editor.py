"""Equation editor: text area, example gallery, and errors shown below the offending column."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import streamlit as st

from sde_lab.app.state.options import STEPS, TEXT_KEY
from sde_lab.app.state.widget_keys import horizon_key, parameter_key
from sde_lab.equations import EquationError, Reading, normalise_text, parse_sde, read_sde
from sde_lab.equations.analysis import MAX_NOISES, MAX_PARAMETERS, MAX_STATES
from sde_lab.equations.examples import EXAMPLES
from sde_lab.equations.lexer import MAX_TEXT_CHARS
from sde_lab.equations.reading.repair import repaired_line
from sde_lab.models.base import Model
from sde_lab.theory.optional_facts import fact_or_none
from sde_lab.theory.time_scales import suggested_steps

DEFAULT_TEXT = "dx = kappa*(theta - x)*dt + sigma*dW"
HELP = f"""
Paste an equation as you find it: LaTeX, `dx/dt = … + ξ(t)`, second order, drift and diffusion
apart, products without a sign, Unicode. How it was read is shown below. Or write it plainly, one
line per state: `dx = …*dt + …*dW`. Brownian motions by name: `dW1`, `dW2`; the same name is the
same Brownian motion, `corr(dW1, dW2) = rho` correlates two. Every other name becomes a parameter
with a slider: `kappa = 1 in [0, 5]` sets its value and range, `x(0) = 2` the initial value,
`t in [0, 10]` the horizon. `∘ dW`, or a line `stratonovich`, selects the Stratonovich
interpretation. Functions: sqrt exp log sin cos tan atan sinh cosh tanh sign step abs max min.
`#` begins a comment. At most {MAX_STATES} states, {MAX_NOISES} noises, {MAX_PARAMETERS} parameters
and {MAX_TEXT_CHARS} characters.
"""
EXAMPLE_STEPS = 400
"""Steps at least with which an example is loaded: with fewer, some of them diverge."""
_GOOD, _KNOBS, _MENU, _READING = "own_good", "own_knobs", "gallery", "own_reading"

# Registered once, on import; mounting registers it again where a new runtime needs it.
_live = st.components.v2.component(
    "sde_lab_live", js=(Path(__file__).parent / "equation_editor.js").read_text(encoding="utf-8")
)


def draw_equation_editor(**binding: Any) -> Model:
    """Draw the editor; return the model of its text, or of the last text that could be parsed.

    Args:
        binding: how the text area is kept in the link, see ``URL_BOUND``.

    Raises:
        EquationError: if no text could be parsed yet.
    """
    text = st.text_area(
        "Your equation",
        DEFAULT_TEXT,
        key=TEXT_KEY,
        height="content",
        max_chars=MAX_TEXT_CHARS,
        help=HELP,
        **binding,
    )
    _live(key="live")
    _draw_examples()
    try:
        reading = read_sde(text or "")
        model = parse_sde(text or "")
    except EquationError as error:
        st.html(_error_html(error, text or ""))
        good: str | None = st.session_state.get(_GOOD)
        if good is None:
            raise
        return parse_sde(good)
    if st.session_state.get(_GOOD, model.name) != model.name:
        _raise_steps(model)
    st.session_state[_GOOD] = model.name
    _draw_reading(reading, text or "")
    _keep_unchanged_sliders(model)
    return model


def _raise_steps(model: Model) -> None:
    """Raise the number of steps to what a newly typed equation needs; never lower it.

    A link opens as it was saved: this happens when the text changes in a session.
    """
    needed = fact_or_none(lambda: suggested_steps(model, model.horizon), "steps", model.name)
    enough = next((count for count in STEPS if count >= (needed or 0.0)), STEPS[-1])
    current = st.session_state.get("steps", enough)
    if enough > current:
        st.session_state["steps"] = enough


def _draw_reading(reading: Reading, text: str) -> None:
    """Show how a text was read, if it is not in the plain grammar, and offer that form to edit."""
    if reading.text == normalise_text(text):
        return
    with st.container(gap="xsmall", key=_READING):
        st.caption("Read as")
        st.code(reading.text, language=None, wrap_lines=True)
        if reading.remarks:
            st.html(_remarks_html(reading.remarks))
        st.button(
            "Edit this form",
            key="own_plain",
            on_click=_load_plain,
            args=(reading.text,),
            type="tertiary",
            help="Put what was read into the field above, to change it there.",
        )


def _remarks_html(remarks: tuple[str, ...]) -> str:
    """Return the remarks on a reading as a list, as HTML."""
    entries = "".join(f"<li>{html.escape(remark)}</li>" for remark in remarks)
    return f'<ul class="lab-remarks">{entries}</ul>'


def _load_plain(text: str) -> None:
    st.session_state[TEXT_KEY] = text


def _error_html(error: EquationError, text: str) -> str:
    """Return the line of the error with a caret below its column, and the message, as HTML."""
    works = repaired_line(normalise_text(text), error)
    proposal = f"<p>This works:</p><pre>{html.escape(works)}</pre>" if works else ""
    return (
        f'<div class="lab-mistake" role="status"><pre>{html.escape(error.with_caret(text))}</pre>'
        f"{html.escape(str(error))}{proposal}</div>"
    )


def _draw_examples() -> None:
    menu = st.popover("Start from an example", width="stretch", key=_MENU, on_change="rerun")
    if not menu.open:
        return
    with menu:
        for example in EXAMPLES:
            with st.container(gap="xxsmall"):
                st.button(
                    example.title,
                    key=f"{_MENU}.{example.title}",
                    on_click=_load_example,
                    args=(example.text,),
                    type="tertiary",
                )
                st.caption(example.source)


def _load_example(text: str) -> None:
    """Put an example into the text area, its values on the sliders, and enough steps for it."""
    model = parse_sde(text)
    st.session_state[TEXT_KEY] = text
    st.session_state[_MENU] = False
    st.session_state["steps"] = max(EXAMPLE_STEPS, st.session_state.get("steps", EXAMPLE_STEPS))
    for parameter in (*model.initial, *model.parameters):
        st.session_state[parameter_key(model, parameter)] = parameter.default
    st.session_state[horizon_key(model)] = model.horizon


def _keep_unchanged_sliders(model: Model) -> None:
    """Keep a slider's value when the text changes its range, moved to the nearest end if outside.

    A slider whose default the text changes starts at the new default: that is what was typed. The
    range is part of the widget's key, so without this each new range would reset the slider.
    """
    state = st.session_state
    before: dict[str, tuple[str, float]] = state.get(_KNOBS, {})
    now: dict[str, tuple[str, float]] = {}
    for parameter in (*model.initial, *model.parameters):
        key = parameter_key(model, parameter)
        now[parameter.name] = (key, parameter.default)
        old, default = before.get(parameter.name, now[parameter.name])
        if old != key and default == parameter.default and key not in state and old in state:
            state[key] = min(max(float(state[old]), parameter.low), parameter.high)
            # Streamlit writes session state into the link only for widgets that were drawn before.
            if state[key] != parameter.default:
                st.query_params[key] = f"{state[key]:.12g}"
    state[_KNOBS] = {**before, **now}
