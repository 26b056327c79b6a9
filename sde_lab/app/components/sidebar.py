"""Specifications → widgets → a scenario. Everything a widget says stands in the address bar."""

from __future__ import annotations

import secrets
from typing import Any

import streamlit as st

from sde_lab.app.components.equation_editor import OWN, WRITE, typed_model
from sde_lab.app.components.presets import presets
from sde_lab.app.components.share_dialog import share_button
from sde_lab.app.components.style import projector_switch
from sde_lab.app.state.url_state import scheme_key, scheme_label
from sde_lab.app.state.widget_keys import horizon_key, knob_key
from sde_lab.errors import ScenarioError
from sde_lab.models import MODELS
from sde_lab.models.base import Model, Parameter
from sde_lab.scenario import Scenario
from sde_lab.schemes import fitting_schemes

STEPS = (25, 50, 100, 200, 400, 800, 1600, 3200)
SAMPLES = (1, 2, 5, *(m * 10**e for e in (1, 2, 3, 4) for m in (1, 2, 5)), 100_000)
HORIZONS = (0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 50.0)
LARGEST_SEED = 999_999.0
"""A float: over an infinite whole number in the address bar Streamlit's own widget stumbles."""
_ASKED, _WORKED = "asked", "asked.worked"
BOUND: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}


def sidebar() -> None:
    """Draw the controls of every page, and keep what they say for :func:`asked`."""
    try:
        st.session_state[_ASKED] = _controls()
    except ScenarioError as error:
        st.session_state[_ASKED] = error


def asked() -> Scenario:
    """The scenario that the sidebar describes.

    Raises:
        ScenarioError: if what it describes cannot work.
    """
    found: Scenario | ScenarioError = st.session_state[_ASKED]
    if isinstance(found, ScenarioError):
        raise found
    return found


def asked_or_last() -> Scenario | None:
    """What the sidebar describes, or under a message the last that could work, if there was one."""
    try:
        st.session_state[_WORKED] = asked()
    except ScenarioError as error:
        st.error(str(error), icon=":material/error:")
    found: Scenario | None = st.session_state.get(_WORKED)
    return found


def _controls() -> Scenario:
    with st.sidebar:
        model = _model()
        presets(model)
        parameters = {knob.name: _slider(model, knob) for knob in model.parameters}
        x0 = [_slider(model, knob) for knob in model.initial]
        grid = _grid(model)
        scheme = _scheme(model)
        seed = _seed()
        with st.container(horizontal=True, horizontal_alignment="distribute"):
            projector_switch(**BOUND)
            share_button()
    return Scenario(
        model=model.name, parameters=parameters, x0=x0, scheme=scheme, seed=seed, **grid
    )


def _model() -> Model:
    name = st.selectbox(
        "Model",
        [*MODELS, OWN],
        format_func=lambda name: WRITE if name == OWN else MODELS[name].title,
        key="model",
        **BOUND,
    )
    if name == OWN:
        model = typed_model(**BOUND)
    else:
        model = MODELS.get(str(name), next(iter(MODELS.values())))
    st.caption(model.meaning)
    return model


def _slider(model: Model, knob: Parameter) -> float:
    value = st.slider(
        f"{knob.symbol}  {knob.meaning}",
        min_value=float(knob.low),
        max_value=float(knob.high),
        value=float(knob.default),
        step=float(knob.step),
        format=f"%.{_decimals(knob.step)}f",
        key=knob_key(model, knob),
        **BOUND,
    )
    return float(value)


def _decimals(step: float) -> int:
    """Digits after the point that tell neighbouring slider values apart."""
    return len(f"{step:.6f}".rstrip("0").partition(".")[2])


def _grid(model: Model) -> dict[str, Any]:
    left, right = st.columns(2)
    with left:
        horizon = st.select_slider(
            "T  horizon",
            sorted({*HORIZONS, model.horizon}),
            value=model.horizon,
            format_func=lambda value: f"{value:g}",
            key=horizon_key(model),
            **BOUND,
        )
    with right:
        steps = st.select_slider("Steps", STEPS, value=100, key="steps", **BOUND)
    samples = st.select_slider(
        "Samples",
        SAMPLES,
        value=1000,
        format_func=lambda count: f"{count:,}".replace(",", "\u202f"),
        key="samples",
        **BOUND,
    )
    return {"horizon": horizon, "steps": steps, "samples": samples}


def _scheme(model: Model) -> str:
    fitting = fitting_schemes(model)
    chosen = st.selectbox(
        "Scheme",
        fitting,
        format_func=scheme_label,
        key=scheme_key(model),
        **BOUND,
    )
    return str(chosen or fitting[0])


def _seed() -> int:
    left, right = st.columns([1, 1], vertical_alignment="bottom")
    with left:
        seed = st.number_input(
            "Seed", 0.0, LARGEST_SEED, 0.0, step=1.0, format="%.0f", key="seed", **BOUND
        )
    with right:
        st.button("New noise", key="new_noise", on_click=_new_noise, width="stretch", shortcut="n")
    return int(seed or 0)


def _new_noise() -> None:
    st.session_state["seed"] = float(secrets.randbelow(int(LARGEST_SEED) + 1))
