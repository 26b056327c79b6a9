"""The controls of every page: the widgets that a scenario is read from, each kept in the link."""

from __future__ import annotations

import secrets
from typing import Any

import streamlit as st

from sde_lab.app.components.equation_editor import draw_equation_editor
from sde_lab.app.components.presets import draw_presets
from sde_lab.app.components.share_dialog import draw_share_button
from sde_lab.app.components.style import draw_presentation_toggle
from sde_lab.app.state.current_scenario import store_scenario
from sde_lab.app.state.link_values import (
    accept_plain_name,
    accept_spellings,
    number_spellings,
    spellings,
)
from sde_lab.app.state.options import (
    COMPILED,
    CUSTOM_MODEL_KEY,
    CUSTOM_MODEL_LABEL,
    ENGINE_KEY,
    MAX_SEED,
    SAMPLES,
    STEPS,
    TORCHSDE,
    URL_BOUND,
    horizon_label,
    horizons,
    samples_label,
)
from sde_lab.app.state.url_state import scheme_key, scheme_label
from sde_lab.app.state.widget_keys import horizon_key, parameter_key
from sde_lab.equations import EquationModel
from sde_lab.errors import ScenarioError
from sde_lab.models import MODELS
from sde_lab.models.base import Model, Parameter
from sde_lab.scenario import Scenario
from sde_lab.schemes import fitting_schemes
from sde_lab.summaries.summary import Summary
from sde_lab.sweeps import SweepResult

_ENGINE_NOTE = "engine.note"
"""Session key of the empty line below the choice of engine."""
_SEED_PIXELS = 90
"""Width of the seed's field: beside it the button's label fits, in presentation mode too."""


def draw_sidebar() -> None:
    """Draw the controls of every page, and store the scenario that they describe."""
    try:
        store_scenario(_controls())
    except ScenarioError as error:
        store_scenario(error)


def _controls() -> Scenario:
    with st.sidebar:
        model = _model()
        draw_presets(model)
        parameters = {parameter.name: _slider(model, parameter) for parameter in model.parameters}
        x0 = [_slider(model, parameter) for parameter in model.initial]
        grid = _grid(model)
        scheme = _scheme(model)
        seed = _seed()
        with st.container(horizontal=True, horizontal_alignment="distribute"):
            draw_presentation_toggle(**URL_BOUND)
            draw_share_button()
        _engine()
    return Scenario(
        model=model.name, parameters=parameters, x0=x0, scheme=scheme, seed=seed, **grid
    )


def _model() -> Model:
    titles = {name: model.title for name, model in MODELS.items()}
    titles[CUSTOM_MODEL_KEY] = CUSTOM_MODEL_LABEL
    accept_spellings("model", spellings({}, titles))
    name = st.selectbox(
        "Model",
        list(titles),
        format_func=lambda name: titles[name],
        key="model",
        **URL_BOUND,
    )
    if name == CUSTOM_MODEL_KEY:
        model = draw_equation_editor(**URL_BOUND)
    else:
        model = MODELS.get(str(name), next(iter(MODELS.values())))
    st.caption(model.description)
    return model


def _slider(model: Model, parameter: Parameter) -> float:
    if not isinstance(model, EquationModel):  # whose parameters may have any name
        accept_plain_name(parameter_key(model, parameter), parameter.name)
    value = st.slider(
        f"{parameter.symbol}  {parameter.description}",
        min_value=float(parameter.low),
        max_value=float(parameter.high),
        value=float(parameter.default),
        step=float(parameter.step),
        format=f"%.{_decimals(parameter.step)}f",
        key=parameter_key(model, parameter),
        **URL_BOUND,
    )
    return float(value)


def _decimals(step: float) -> int:
    """Return the digits after the point that tell neighbouring slider values apart."""
    return len(f"{step:.6f}".rstrip("0").partition(".")[2])


def _grid(model: Model) -> dict[str, Any]:
    accept_plain_name(horizon_key(model), "horizon")
    accept_spellings(horizon_key(model), number_spellings(horizons(model), horizon_label))
    accept_spellings("steps", number_spellings(STEPS, str))
    accept_spellings("samples", number_spellings(SAMPLES, samples_label))
    with st.container(horizontal=True, wrap=False):
        horizon = st.select_slider(
            "T  horizon",
            horizons(model),
            value=model.horizon,
            format_func=horizon_label,
            key=horizon_key(model),
            **URL_BOUND,
        )
        steps = st.select_slider("Steps", STEPS, value=100, key="steps", **URL_BOUND)
    samples = st.select_slider(
        "Samples",
        SAMPLES,
        value=1000,
        format_func=samples_label,
        key="samples",
        **URL_BOUND,
    )
    return {"horizon": horizon, "steps": steps, "samples": samples}


def _scheme(model: Model) -> str:
    fitting = fitting_schemes(model)
    accept_plain_name(scheme_key(model), "scheme")
    accept_spellings(scheme_key(model), spellings({}, {n: scheme_label(n) for n in fitting}))
    chosen = st.selectbox(
        "Scheme",
        fitting,
        format_func=scheme_label,
        key=scheme_key(model),
        **URL_BOUND,
    )
    return str(chosen or fitting[0])


def _seed() -> int:
    with st.container(horizontal=True, wrap=False, vertical_alignment="bottom"):
        seed = st.number_input(
            "Seed",
            0.0,
            MAX_SEED,
            0.0,
            step=1.0,
            format="%.0f",
            key="seed",
            width=_SEED_PIXELS,
            **URL_BOUND,
        )
        st.button(
            "New seed", key="new_noise", on_click=_draw_new_seed, width="stretch", shortcut="n"
        )
    return int(seed or 0)


def _engine() -> None:
    """Draw the choice of engine, and a line below it that :func:`draw_engine_note` fills."""
    st.selectbox(
        "Engine",
        [COMPILED, TORCHSDE],
        key=ENGINE_KEY,
        help=(
            "Compiled: one loop over steps and samples, generated from the equation, compiled in"
            " the background and checked against torchsde; until it is ready, and where an equation"
            " has none, torchsde computes. torchsde: `sdeint`, and the Jacobian by replay. Both"
            " use the same noise and agree to rounding."
        ),
        **URL_BOUND,
    )
    st.session_state[_ENGINE_NOTE] = st.empty()


def draw_engine_note(result: Summary | SweepResult) -> None:
    """Say below the choice which engine computed the result, and how far the other one is."""
    if result.engine_difference is None:
        derivatives = "replay" if isinstance(result, Summary) else "tangents step by step"
        text = f"Computed by torchsde: `sdeint` and {derivatives}."
    else:
        text = (
            f"Computed by: {result.engine}. When checked, the compiled loop differed from torchsde"
            f" by {result.engine_difference:.1e}, relative to the largest value."
        )
    if result.engine:
        st.session_state[_ENGINE_NOTE].caption(text)


def _draw_new_seed() -> None:
    st.session_state["seed"] = float(secrets.randbelow(int(MAX_SEED) + 1))
