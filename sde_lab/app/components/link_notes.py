"""What a link says and the page does not show, in a line: Streamlit drops it without a word."""

from __future__ import annotations

import streamlit as st

from sde_lab.app.state.current_scenario import current_scenario
from sde_lab.app.state.link_values import take_unread
from sde_lab.app.state.options import SAMPLES, STEPS, TEXT_KEY, horizons
from sde_lab.app.state.url_state import scheme_key, scheme_label
from sde_lab.app.state.widget_keys import horizon_key, parameter_key
from sde_lab.equations.model import CUSTOM_KEY
from sde_lab.errors import ScenarioError
from sde_lab.models import MODELS
from sde_lab.models.base import Model
from sde_lab.schemes import fitting_schemes

NOTE_SECONDS = 15
"""Seconds for which the note lies over the page."""
MOST_LINES = 5
"""Values that are named one by one."""
_PLAIN = {"cursor", "engine", "hide", "lesson", "part", "projector", "seed", "way"}
"""Names of widgets that show what a link says of them, if they understand it."""
_ELSEWHERE = {*_PLAIN, "pin", TEXT_KEY}
"""Names that some pages know and others do not draw."""
_PREFIXES = {*MODELS, CUSTOM_KEY, "sweep"}
"""What stands before the dot in the names of other models and pages."""
_TRACKING = ("utm_", "fbclid", "gclid")
"""Beginnings of names that other sites add to a link."""


def draw_link_notes() -> None:
    """After the first run of a session, say which values of its link are left out, and why."""
    unread = take_unread()
    try:
        model = current_scenario().model_spec
    except ScenarioError:  # the page shows it
        return
    lines = [_line(name, text, model) for name, text in unread.items()]
    if said := [line for line in lines if line]:
        more = [f"And {len(said) - MOST_LINES} more."] if len(said) > MOST_LINES else []
        st.toast(
            "\n\n".join(["Left out of the link:", *said[:MOST_LINES], *more]),
            icon=":material/link_off:",
            duration=NOTE_SECONDS,
        )


def _line(name: str, text: str, model: Model) -> str:
    """Return the name, its value and what would work; nothing if the name has its place."""
    written = f"`{_shortened(name)}={_shortened(text)}`"
    if hint := _hint(name, model):
        return f"{written}: {hint}"
    if name in _PLAIN and name in st.session_state:
        return f"{written} is not one of its values."
    elsewhere = name in _ELSEWHERE or name.partition(".")[0] in _PREFIXES
    if elsewhere or name.endswith(".scheme") or name.startswith(_TRACKING):
        return ""
    return f"{written} names nothing on this page."


def _shortened(text: str) -> str:
    """Return at most 40 characters of a text, without what would end its quotation."""
    plain = "".join(c if c.isprintable() and c != "`" else "?" for c in text)
    return plain if len(plain) <= 40 else f"{plain[:39]}…"


def _hint(name: str, model: Model) -> str:
    """Return what the widget of this name takes."""
    for parameter in (*model.parameters, *model.initial):
        if name == parameter_key(model, parameter):
            return f"{parameter.symbol} lies between {parameter.low:g} and {parameter.high:g}."
    options = {
        "model": [m.title for m in MODELS.values()],
        "steps": [f"{steps}" for steps in STEPS],
        "samples": [f"{samples}" for samples in SAMPLES],
        horizon_key(model): [f"{horizon:g}" for horizon in horizons(model)],
        scheme_key(model): [scheme_label(scheme) for scheme in fitting_schemes(model)],
    }
    return f"it is one of {', '.join(options[name])}." if name in options else ""
