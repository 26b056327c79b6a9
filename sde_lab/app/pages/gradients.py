"""Gradients: one number, or one per time? The question this laboratory came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from sde_lab.app.components.benchmark_tables import (
    benchmark_table,
    draw_gradient_kinds,
    unsupported_pairs_table,
)
from sde_lab.app.components.chart import draw_chart
from sde_lab.app.components.sidebar import current_or_last_valid
from sde_lab.app.components.style import current_theme
from sde_lab.app.jobs.benchmark_job import advancing_job, draw_controls
from sde_lab.app.state.options import URL_BOUND
from sde_lab.errors import ScenarioError
from sde_lab.figures.benchmark_bars import benchmark_bars
from sde_lab.figures.gradient_kinds import gradient_kinds_chart
from sde_lab.figures.replay_diagram import replay_diagram
from sde_lab.figures.scaling_chart import scaling_chart
from sde_lab.figures.step_maps import step_maps_chart, step_products_chart
from sde_lab.figures.summed_gradient import summed_gradient_chart
from sde_lab.scenario import Scenario
from sde_lab.server.scheduling import limit_to_interactive, run_study
from sde_lab.studies.benchmark.listing import runnable_listing
from sde_lab.studies.benchmark.registry import METHODS
from sde_lab.studies.benchmark.report import comparison_sentences
from sde_lab.studies.benchmark.scaling import FIXED_SIZE, MAX_POINT_SECONDS
from sde_lab.studies.gradient_kinds import GradientComparison, compare_gradients
from sde_lab.studies.step_maps import StepMaps, step_maps
from sde_lab.studies.summed_gradient import SummedGradient, summed_gradient


def render() -> None:
    """Draw the page: one question at a time, each with its chart."""
    scenario = current_or_last_valid()
    if scenario is None:
        return
    titles = list(SECTIONS)
    chosen = st.segmented_control(
        "Part",
        titles,
        default=titles[0],
        key="part",
        required=True,
        label_visibility="collapsed",
        **URL_BOUND,
    )
    try:
        SECTIONS.get(str(chosen), _trap)(scenario)
    except ScenarioError as error:
        st.error(str(error), icon=":material/error:")


def _trap(scenario: Scenario) -> None:
    few = limit_to_interactive(scenario)
    found = _summed(few)
    total = float(found.derivatives.sum())
    st.markdown(
        r"You want $\partial X_t/\partial x_0$ at every time; `autograd.grad` with `ones_like`"
        f" gives **one number, {found.returned:.10g}**. The bars add up to **{total:.10g}**,"
        f" the same but for {abs(total - found.returned):.1e}: it is the sum over all times and"
        " paths."
    )
    _say_fewer(scenario, few)
    left, right = st.columns([46, 54], gap="medium")
    with left:
        st.code(runnable_listing(METHODS["summed"], few), language="python", wrap_lines=True)
    with right:
        figure = summed_gradient_chart(found, hidden=False, theme=current_theme())
        _chart(figure, "trap", "The derivatives at each time, and their sum", 230)


def _race(scenario: Scenario) -> None:
    with advancing_job("race", scenario) as job:
        draw_controls(job, "Race")
        left, right = st.columns([58, 42], gap="medium")
        with left:
            size = f"{scenario.steps} × {scenario.samples}"
            text = f"Time of each way to the gradient at {size}, on a log axis"
            _chart(
                benchmark_bars(job.results, current_theme()),
                "race",
                text,
                180 if job.results else 360,
            )
        with right:
            for sentence in comparison_sentences(job.results):
                st.markdown(sentence)
        if job.results:
            st.html(benchmark_table(job.results, scenario))
            st.caption(
                f"Seconds: median of the repeats after a first run, one thread, {scenario.dtype},"
                " garbage collected before each. Memory: what the process held at its peak in the"
                " first run, beyond what it held before. Difference: the largest from the float64"
                " replay."
            )
        _code(scenario)
        with st.expander("Which pairs of scheme and way cannot work, and why"):
            st.html(unsupported_pairs_table(scenario))


def _growth(scenario: Scenario) -> None:
    one = scenario.replace(samples=1, steps=25, seed=0)
    with advancing_job("growth", one) as job:
        draw_controls(job, "Measure")
        columns = st.columns(2, gap="medium")
        for column, study in zip(columns, ("samples", "steps"), strict=True):
            with column:
                figure = scaling_chart(job.results, study, current_theme())
                text = f"Time of each way against {study}, log-log"
                _chart(figure, f"growth-{study}", text, 240)
        st.caption(
            "After each name: the slope of the dashed line through its last three points. 1 is in"
            f" proportion, 2 is with the square. Samples grow at {FIXED_SIZE[0]} steps, steps at"
            f" {FIXED_SIZE[1]} samples; a way ends where its next run would take over"
            f" {MAX_POINT_SECONDS:g} s."
        )


def _replay(scenario: Scenario) -> None:
    found = _step_maps(limit_to_interactive(scenario))
    st.latex(
        r"X_{k+1} = \Phi(X_k, \Delta W_k, \theta) \qquad A_k = \frac{\partial\Phi}{\partial x}"
        r"\quad B_k = \frac{\partial\Phi}{\partial\theta} \qquad J_{k+1} = A_k\,J_k + B_k"
    )
    st.image(replay_diagram(current_theme()), width="stretch")
    left, right = st.columns(2, gap="medium")
    with left:
        _chart(
            step_maps_chart(found, current_theme()), "step-maps", "The derivative of each step", 415
        )
    with right:
        text = "The running product of the steps' derivatives, on the exact curve"
        _chart(step_products_chart(found, current_theme()), "products", text, 415)
    st.markdown(
        "Once the path is known, no step waits for another: all Aₖ and Bₖ of all samples come from"
        " **one** solver step over rows = steps × samples and one backward pass for each component."
        " What is left is one multiplication for each step."
    )


def _which(scenario: Scenario) -> None:
    few = limit_to_interactive(scenario)
    found = _wanted(few)
    _say_fewer(scenario, few)
    draw_gradient_kinds(found)
    text = "The derivative of single paths, their mean, and the area that a sum adds up"
    _chart(gradient_kinds_chart(found, current_theme()), "wanted", text, 440)


SECTIONS: Mapping[str, Callable[[Scenario], None]] = {
    "The trap": _trap,
    "The race": _race,
    "How it grows": _growth,
    "Why replay works": _replay,
    "Which gradient?": _which,
}


def _code(scenario: Scenario) -> None:
    """The code of one way, chosen by the reader."""
    name = st.selectbox(
        "Code of",
        list(METHODS),
        format_func=lambda name: METHODS[name].title,
        key="way",
        index=len(METHODS) - 1,
        width=300,
        **URL_BOUND,
    )
    way = METHODS.get(str(name), METHODS["replay"])
    st.caption(f"{way.summary} {way.passes(scenario).capitalize()}.")
    st.code(runnable_listing(way, scenario), language="python", wrap_lines=True)


def _chart(figure: dict[str, object], name: str, alt: str, above: int) -> None:
    """A chart as tall as the window less what stands above and below it, in pixels."""
    height = f"clamp(260px, calc(100vh - {above}px), 900px)"
    draw_chart(figure, key=name, height=height, alt=alt, filename=f"gradients-{name}")


def _say_fewer(scenario: Scenario, few: Scenario) -> None:
    if few.samples < scenario.samples:
        st.caption(f"Shown for the first {few.samples:,} of {scenario.samples:,} samples.")


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={Scenario: repr})
def _summed(scenario: Scenario) -> SummedGradient:
    return run_study(summed_gradient, scenario)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={Scenario: repr})
def _step_maps(scenario: Scenario) -> StepMaps:
    return run_study(step_maps, scenario)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={Scenario: repr})
def _wanted(scenario: Scenario) -> GradientComparison:
    return run_study(compare_gradients, scenario)
