"""Gradients: autograd returns a sum over times and paths; how to get one for each, and how fast."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from sde_lab.app.components.benchmark_tables import (
    benchmark_table,
    draw_gradient_kinds,
    unsupported_pairs_table,
)
from sde_lab.app.components.chart import draw_chart
from sde_lab.app.components.style import current_theme
from sde_lab.app.jobs.benchmark_job import advancing_job, draw_controls
from sde_lab.app.state.current_scenario import (
    LAST_SCENARIO,
    current_or_last_valid,
    current_scenario,
)
from sde_lab.app.state.link_values import accept_spellings, spellings
from sde_lab.app.state.options import URL_BOUND
from sde_lab.errors import ScenarioError
from sde_lab.figures.benchmark_bars import benchmark_bars
from sde_lab.figures.gradient_kinds import gradient_kinds_chart
from sde_lab.figures.replay_diagram import replay_diagram
from sde_lab.figures.scaling_chart import MAX_SLOPE_ERROR, scaling_chart
from sde_lab.figures.step_maps import step_maps_chart, step_products_chart
from sde_lab.figures.summed_gradient import summed_gradient_chart
from sde_lab.scenario import Scenario
from sde_lab.sensitivity.compiled_engine import generated_code, why_not_compiled
from sde_lab.server.scheduling import limit_to_interactive, run_study
from sde_lab.studies.benchmark.listing import runnable_listing
from sde_lab.studies.benchmark.registry import METHODS
from sde_lab.studies.benchmark.report import comparison_sentences
from sde_lab.studies.benchmark.scaling import FIXED_SIZE, MAX_POINT_SECONDS
from sde_lab.studies.benchmark.trial import MIN_TIMED
from sde_lab.studies.gradient_kinds import GradientComparison, compare_gradients
from sde_lab.studies.step_maps import StepMaps, step_maps
from sde_lab.studies.summed_gradient import SummedGradient, summed_gradient


def render() -> None:
    """Draw the page: one section at a time."""
    scenario = current_or_last_valid(LAST_SCENARIO, current_scenario)
    if scenario is None:
        return
    titles = list(SECTIONS)
    accept_spellings("part", spellings(EARLIER_TITLES, {title: title for title in titles}))
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
        SECTIONS.get(str(chosen), _summed_gradient)(scenario)
    except ScenarioError as error:
        st.error(str(error), icon=":material/error:")


def _summed_gradient(scenario: Scenario) -> None:
    few = limit_to_interactive(scenario)
    found = _summed_study(few)
    total = float(found.derivatives.sum())
    off = abs(total - found.returned) / max(abs(found.returned), abs(total), 1e-300)
    starts = [parameter.symbol for parameter in scenario.model_spec.initial]
    count, sums, summed = "one number", f"**{found.returned:.10g}**", "times and paths"
    if len(starts) > 1:
        # A state has as many initial values as components, and autograd a number for each.
        count, summed = f"one number for each of {', '.join(starts)}", "times, paths and components"
        sums = " and ".join(f"**{number:.10g}**" for number in found.each_returned)
        sums += f". That of {starts[0]} is shown"
    st.markdown(
        r"You want $\partial X_t/\partial x_0$ at every time; `autograd.grad` with `ones_like`"
        f" gives {count}, {sums}. The bars add up to **{total:.10g}**, equal to it within a"
        f" relative {off:.1e}: it is the sum over all {summed}. The code is the call from"
        " the original question."
    )
    _fewer_samples_caption(scenario, few)
    left, right = st.columns([46, 54], gap="medium")
    with left:
        st.code(runnable_listing(METHODS["summed"], few), language="python", wrap_lines=True)
    with right:
        figure = summed_gradient_chart(found, hidden=False, theme=current_theme())
        _chart(figure, "trap", "The derivatives at each time, and their sum", 230)


def _benchmark(scenario: Scenario) -> None:
    with advancing_job("race", scenario) as job:
        draw_controls(job, "Run benchmark")
        left, right = st.columns([58, 42], gap="medium")
        with left:
            size = f"{scenario.steps} × {scenario.samples}"
            text = f"Time of each method for the gradient at {size}, on a log axis"
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
                f"Time: median of the repeats after a first run, one thread, {scenario.dtype},"
                " garbage collected before each. Memory: peak of the process in the first run,"
                " less what it held before. Largest relative difference: from the replay method in"
                " float64, relative to the largest derivative; for the sum, to the sum."
            )
        _code(scenario)
        with st.expander("Schemes that a method does not support, and why"):
            st.html(unsupported_pairs_table(scenario))


def _scaling(scenario: Scenario) -> None:
    one = scenario.replace(samples=1, steps=25, seed=0)
    with advancing_job("growth", one) as job:
        draw_controls(job, "Measure")
        columns = st.columns(2, gap="medium")
        for column, study in zip(columns, ("samples", "steps"), strict=True):
            with column:
                figure = scaling_chart(job.results, study, current_theme())
                text = f"Time of each method against {study}, log-log"
                _chart(figure, f"growth-{study}", text, 240)
        st.caption(
            "After each name: the slope of the dashed line through its last three points, with its"
            " standard error, where that is below"
            f" {MAX_SLOPE_ERROR:g}; 1 means O(N), 2 means O(N²). Each point is the median of"
            f" {MIN_TIMED} runs or more. Samples vary at {FIXED_SIZE[0]} steps, steps at"
            f" {FIXED_SIZE[1]} samples; a curve ends where the next run would take over"
            f" {MAX_POINT_SECONDS:g} s."
        )


def _replay(scenario: Scenario) -> None:
    found = _step_maps_study(limit_to_interactive(scenario))
    st.markdown("**Replay** is the batched pathwise (tangent) recursion along a known path:")
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
        "Once the path is known, the steps are independent: all Aₖ and Bₖ of all samples come from"
        " **one** solver step over rows = steps × samples and one backward pass for each component."
        " What remains is one multiplication for each step."
    )


def _gradient_kinds(scenario: Scenario) -> None:
    few = limit_to_interactive(scenario)
    found = _gradient_comparison(few)
    _fewer_samples_caption(scenario, few)
    draw_gradient_kinds(found)
    text = (
        "The derivatives of single paths, their mean, and the area under it that a sum over time is"
    )
    _chart(gradient_kinds_chart(found, current_theme()), "wanted", text, 440)


SECTIONS: Mapping[str, Callable[[Scenario], None]] = {
    "Summed gradient": _summed_gradient,
    "Benchmark": _benchmark,
    "Scaling": _scaling,
    "Replay": _replay,
    "Kinds of gradient": _gradient_kinds,
}
"""Title, as it stands in the link → what draws the section."""
EARLIER_TITLES = {
    "The trap": "Summed gradient",
    "The race": "Benchmark",
    "How it grows": "Scaling",
    "Why replay works": "Replay",
    "Which gradient?": "Kinds of gradient",
}
"""Titles that links saved before still hold."""
EARLIER_METHODS = {
    "grad, summed": "summed",
    "loop over t": "loop",
    "jacrev": "jacrev",
    "jacrev, chunks of 64": "jacrev_chunked",
    "is_grads_batched": "batched",
    "jacfwd": "jacfwd",
    "first variation": "first_variation",
    "replay": "replay",
}
"""Titles of methods in links saved before → their names."""


def _code(scenario: Scenario) -> None:
    """Draw the list of methods, and the code of the chosen one."""
    titles = {name: method.title for name, method in METHODS.items()}
    accept_spellings("way", spellings(EARLIER_METHODS, titles))
    name = st.selectbox(
        "Code of",
        list(titles),
        format_func=lambda name: titles.get(name, name),
        key="way",
        index=list(METHODS).index("replay"),
        width=300,
        **URL_BOUND,
    )
    method = METHODS.get(str(name), METHODS["replay"])
    st.caption(f"{method.summary} {method.passes(scenario).capitalize()}.")
    st.code(runnable_listing(method, scenario), language="python", wrap_lines=True)
    if method.name == "compiled" and why_not_compiled(scenario) is None:
        with st.expander("The loop that is generated for this equation and scheme, and compiled"):
            st.code(generated_code(scenario), language="python", height=400)


def _chart(figure: dict[str, object], name: str, alt: str, above: int) -> None:
    """Draw a chart as tall as the window less ``above`` pixels for what surrounds it."""
    height = f"clamp(260px, calc(100vh - {above}px), 900px)"
    draw_chart(figure, key=name, height=height, alt=alt, filename=f"gradients-{name}")


def _fewer_samples_caption(scenario: Scenario, few: Scenario) -> None:
    if few.samples < scenario.samples:
        st.caption(f"Computed from the first {few.samples:,} of {scenario.samples:,} samples.")


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={Scenario: repr})
def _summed_study(scenario: Scenario) -> SummedGradient:
    return run_study(summed_gradient, scenario)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={Scenario: repr})
def _step_maps_study(scenario: Scenario) -> StepMaps:
    return run_study(step_maps, scenario)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={Scenario: repr})
def _gradient_comparison(scenario: Scenario) -> GradientComparison:
    return run_study(compare_gradients, scenario)
