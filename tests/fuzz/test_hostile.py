"""What arrives from outside may be anything: no traceback, no hang, no NaN on an axis.

Four gates, from the cheapest to the whole: scenario dicts in the library; query strings through
Streamlit's own parsing into the sidebar; slider values to the axes of the figures; and raw query
strings and widget values over the websocket of a running server. How many of each are tried stands
in ``tests/support/fuzz.py``.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.testing.v1 import AppTest

import sde_lab as lab
from sde_lab.app.state.options import HORIZONS, SAMPLES, STEPS
from sde_lab.figures.fan_chart import fan_chart
from sde_lab.figures.phase_portrait import phase_portrait
from sde_lab.figures.sensitivity_panels import sensitivity_panels
from sde_lab.figures.serialize import figure_to_json
from sde_lab.figures.theme import Theme
from sde_lab.summaries.chunked_run import simulate_summary
from sde_lab.summaries.summary import display_times
from sde_lab.theory.exact_laws import exact_laws
from tests.load.browser import Answer, Tab, opened
from tests.support.fuzz import share_of
from tests.support.schemes import solving_schemes
from tests.support.server import ROOT, start_server, stop_server

PATIENCE = 30.0
KNOBS = [
    f"{model.name}.{parameter.name}"
    for model in lab.MODELS.values()
    for parameter in (*model.parameters, *model.initial)
]
KEYS = [
    "model",
    "steps",
    "samples",
    "scheme",
    "scalar.scheme",
    "seed",
    "cursor",
    "projector",
    *KNOBS,
    *(f"{name}.horizon" for name in lab.MODELS),
    *(f"{name}.show" for name in lab.MODELS),
]
NUMBERS = st.one_of(
    st.floats().map(repr),
    st.floats(-100.0, 100.0).map(repr),
    st.integers().map(str),
    st.integers(-3, 120).map(str),
    st.sampled_from(
        ["nan", "-inf", "1e400", "-0.0", "0x10", "1_000", "١٢٣", "½", "9" * 5000, "1e-320"]
    ),
)
WORDS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "",
            "None",
            "true",
            "<script>alert(1)</script>",
            "$$\\frac{1}{0}$$",
            "../../etc/passwd",
            "{{7*7}}",
            "\x00",
            "a" * 20_000,
            *(model.title for model in lab.MODELS.values()),
            *(f"{s.title} · {s.interpretation_title}" for s in lab.SCHEMES.values()),
            # as many as a page has while these tests wait for it
            *(f"{count:,}".replace(",", "\u202f") for count in SAMPLES if count <= 100_000),
            *map(str, STEPS),
            *(f"{horizon:g}" for horizon in HORIZONS),
        ]
    ),
)
VALUES = st.one_of(NUMBERS, WORDS)
QUERIES = st.dictionaries(
    st.one_of(st.sampled_from(KEYS), st.text(max_size=10)),
    st.lists(VALUES, min_size=1, max_size=2),
    max_size=6,
)


def counted(examples: int) -> Any:
    """So many examples, times what the environment asks."""
    return settings(
        max_examples=share_of(examples),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def refused(plain: Any) -> lab.ScenarioError | None:
    try:
        lab.Scenario.from_dict(plain)
    except lab.ScenarioError as error:
        return error
    return None


# Scenario dicts.

LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
PLAIN = st.one_of(
    LEAVES, st.lists(LEAVES, max_size=3), st.dictionaries(st.text(max_size=5), LEAVES, max_size=2)
)
FIELDS = [*lab.Scenario().to_dict(), "", "stesp", "__class__"]


@counted(8500)
@given(st.dictionaries(st.sampled_from(FIELDS), PLAIN, max_size=4))
@example({"parameters": {"\n": None}})
@example({"model": "="})
@example({"parameters": {"k" * 1000: 1.0}})
def test_a_dict_gives_a_scenario_or_one_line_that_says_why_not(plain: dict[str, Any]) -> None:
    error = refused(plain)
    if error is not None:
        equation = isinstance(error, lab.EquationError)  # of which it names line and column
        assert str(error).startswith("line " if equation else str(error.field))
        assert "\n" not in str(error)
        assert len(str(error)) < 500


# Query strings, through Streamlit's own parsing, into the sidebar.


def sidebar_only() -> None:
    import streamlit

    from sde_lab.app.components.sidebar import draw_sidebar
    from sde_lab.app.state.current_scenario import current_scenario
    from sde_lab.errors import ScenarioError

    draw_sidebar()
    try:
        streamlit.session_state["found"] = current_scenario()
    except ScenarioError as error:
        streamlit.session_state["found"] = error


@counted(1200)
@given(QUERIES)
@example({"seed": ["inf"]})
@example({"model": [""], "steps": ["nan"]})
@example({"heston.v0": ["1e-320"], "model": ["Heston"]})
def test_a_query_string_sets_the_sidebar_or_is_let_go(query: dict[str, list[str]]) -> None:
    app = AppTest.from_function(sidebar_only, default_timeout=PATIENCE)
    for name, values in query.items():
        assume(name)
        app.query_params[name] = values
    app.run()
    assert not app.exception
    found = app.session_state["found"]
    if isinstance(found, lab.ScenarioError):
        assert "\n" not in str(found)
        assert len(str(found)) < 500
        return
    assert found.steps in STEPS
    assert found.samples in SAMPLES
    assert found.horizon in HORIZONS
    for parameter in (*found.model_spec.parameters, *found.model_spec.initial):
        value = {**found.parameters, **dict(zip(names(found), found.initial, strict=True))}[
            parameter.name
        ]
        assert parameter.low <= value <= parameter.high


def names(scenario: lab.Scenario) -> list[str]:
    return [parameter.name for parameter in scenario.model_spec.initial]


# Slider values, to the axes.


@st.composite
def drawn(draw: st.DrawFn) -> lab.Scenario:
    """Any place of every slider of any model, its ends more often than the rest."""
    model = draw(st.sampled_from(list(lab.MODELS.values())))

    def place(parameter: Any) -> float:
        return draw(
            st.one_of(
                st.sampled_from([parameter.low, parameter.high]),
                st.floats(parameter.low, parameter.high),
            )
        )

    parameters = {parameter.name: place(parameter) for parameter in model.parameters}
    return lab.Scenario(
        model=model.name,
        parameters=parameters,
        x0=[place(parameter) for parameter in model.initial],
        horizon=draw(st.sampled_from(HORIZONS)),
        steps=draw(st.sampled_from(STEPS[:3])),
        samples=draw(st.sampled_from(SAMPLES[:6])),
        scheme=draw(st.sampled_from(solving_schemes(model, parameters))),
        seed=draw(st.integers(0, 999_999)),
    )


def square_root(**parameters: float) -> lab.Scenario:
    return lab.Scenario(model="cox_ingersoll_ross", parameters=parameters, steps=25, samples=5)


@counted(180)
@given(drawn(), st.integers(0, 100))
@example(lab.Scenario(model="brownian_motion", parameters={"sigma": 1.7e-161}, steps=25), 10)
@example(
    lab.Scenario(model="geometric_brownian_motion", parameters={"sigma": 1.5e-175}, steps=25), 3
)
@example(square_root(kappa=0.0, theta=0.0, sigma=5e-324), 100)
@example(square_root(sigma=1e-200), 100)
@example(square_root(sigma=1e-4), 100)
def test_every_place_of_every_slider_has_finite_axes(scenario: lab.Scenario, percent: int) -> None:
    summary = simulate_summary(scenario)
    exact = exact_laws(scenario.replace(samples=1, seed=0), times=display_times(scenario))
    law = None if exact is None else exact.scheme
    cursor, look = summary.index_nearest(percent / 100), Theme(dark=False, projector=False)
    model = scenario.model_spec
    labels = {
        parameter.name: (parameter.symbol, parameter.latex)
        for parameter in (*model.initial, *model.parameters)
    }
    for component in range(len(model.components)):
        assert_finite(
            fan_chart(
                summary,
                component,
                None if exact is None else exact.state,
                None if law is None else law.state,
                cursor,
                look,
                None,
            )
        )
        assert_finite(
            sensitivity_panels(
                summary,
                component,
                {} if exact is None else exact.sensitivities,
                {} if law is None else law.sensitivities,
                labels,
                cursor,
                look,
                None,
            )
        )
    if len(model.components) == 2:
        assert_finite(phase_portrait(summary, cursor, look, model.components))


def assert_finite(figure: Any) -> None:
    """Every axis has a range, finite and not empty, and no number is NaN."""
    assert_finite_as_sent(figure_to_json(figure))


def assert_finite_as_sent(text: str) -> None:
    """The same of a figure as JSON; the letters NaN stand by chance in the base64 of arrays."""
    assert_finite_axes(json.loads(text, parse_constant=_refuse))


def assert_finite_chart(text: str) -> None:
    """The same of what a page sends for a chart."""
    assert_finite_axes(json.loads(text, parse_constant=_refuse)["figure"])


def assert_finite_axes(figure: dict[str, Any]) -> None:
    axes = {name: a for name, a in figure["layout"].items() if name[1:].startswith("axis")}
    assert axes
    for name, axis in axes.items():
        if "range" in axis:
            low, high = axis["range"]
            assert math.isfinite(low), name
            assert math.isfinite(high), name
            assert low < high, name


def _refuse(constant: str) -> None:
    raise AssertionError(f"the figure holds {constant}")


def test_the_check_sees_what_is_not_finite() -> None:
    sound = {"data": [], "layout": {"xaxis": {"range": [0.0, 1.0]}}}
    assert_finite(sound)
    for bad in (
        {**sound, "data": [{"y": [math.nan]}]},
        {**sound, "layout": {"xaxis": {"range": [0.0, math.inf]}}},
        {**sound, "layout": {"xaxis": {"range": [1.0, 1.0]}}},
    ):
        with pytest.raises(AssertionError):
            assert_finite_as_sent(json.dumps(bad))


# A running server.


class Line:
    """A tab that any number of examples may misuse; a new one where the server hung up."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.thread = ThreadPoolExecutor(1)  # Playwright keeps an event loop in the tests' own
        self.runner = self.thread.submit(asyncio.Runner).result()
        self.tab: Tab | None = None
        self.charts: list[str] = []

    def run(self, job: Any) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(PATIENCE):
                return await job

        return self.thread.submit(self.runner.run, bounded()).result()

    async def reloaded(self) -> Answer:
        """The page as it is for whoever opens it now."""
        if self.tab is not None:
            await self.tab.socket.close()
        self.tab, answer = await opened(self.server, "samples=10&steps=25")
        assert not answer.errors
        return answer

    async def fresh(self) -> Tab:
        self.charts = (await self.reloaded()).charts
        assert self.tab is not None
        return self.tab


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """To a server of its own: what is forged may be complained of in its log."""
    log = tmp_path_factory.mktemp("hostile") / "server.log"
    address, process = start_server(ROOT / "app.py", log, {})
    line = Line(address)
    line.run(line.fresh())
    yield line
    line.run(line.fresh())
    assert line.tab is not None
    line.run(line.tab.socket.close())
    line.thread.submit(line.runner.close).result()
    line.thread.shutdown()
    stop_server(process)


RAW = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=30).map(quote),
    st.sampled_from(
        ["%", "%%%", "&&&==", "?" * 100, "a=1&" * 300, "=;=", "%00=%00", "%ff%fe=%80", "#"]
    ),
    st.tuples(st.sampled_from(KEYS), VALUES).map(lambda pair: f"{quote(pair[0])}={quote(pair[1])}"),
)


@counted(60)
@given(st.lists(RAW, min_size=1, max_size=4).map("&".join))
@example("seed=inf")
@example("samples=%F0%9F%92%A3")
def test_a_raw_query_string_opens_a_page_with_charts(line: Line, query: str) -> None:
    async def visit() -> None:
        text = query.encode("utf-8", "replace").decode()
        tab, answer = await opened(line.server, text)
        await tab.socket.close()
        assert not answer.errors, answer.errors
        assert len(answer.charts) == 2
        for chart in answer.charts:
            assert_finite_chart(chart)

    line.run(visit())


CONTENT = st.one_of(
    st.tuples(st.just("double_value"), st.floats()),
    st.tuples(st.just("int_value"), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just("bool_value"), st.booleans()),
    st.tuples(st.just("trigger_value"), st.booleans()),
    st.tuples(st.just("string_value"), st.one_of(VALUES, st.just("x" * 100_000))),
    st.tuples(st.just("json_value"), st.one_of(VALUES, st.just("[" * 1000))),
    st.tuples(st.just("bytes_value"), st.binary(max_size=20)),
    st.tuples(st.just("double_array_value"), st.lists(st.floats(), max_size=4)),
    st.tuples(st.just("int_array_value"), st.lists(st.integers(-(2**40), 2**40), max_size=4)),
    st.tuples(st.just("string_array_value"), st.lists(VALUES, max_size=4)),
)
REDACTED = "The original error message is redacted"
LIGHT = ("Samples", "Steps")
"""Widgets whose true values could ask for long work, which other tests do."""


@counted(60)
@given(st.data())
def test_a_forged_widget_value_leaves_a_page_that_works(line: Line, data: st.DataObject) -> None:
    """Any value of any kind for any widget of the page, and for one that does not exist.

    A value of a kind that the widget cannot have trips Streamlit itself: whoever forged it sees one
    line, without the reason, until they reload the page; nobody else sees anything.
    """

    tab = line.run(line.fresh())
    ids = sorted(w.id for w in tab.widgets.values() if w.label not in LIGHT)
    chosen = data.draw(st.lists(st.sampled_from([*ids, "no-such-widget"]), min_size=1, max_size=3))
    for widget in chosen:
        kind, content = data.draw(CONTENT)
        if isinstance(content, str):
            content = content.encode("utf-8", "replace").decode()
        if kind == "string_array_value":
            content = [text.encode("utf-8", "replace").decode() for text in content]
        tab.set(widget, **{kind: content})

    async def forge() -> None:
        answer = await tab.move()
        if answer.errors:
            assert all(REDACTED in error for error in answer.errors), answer.errors
            assert all("\n" not in error for error in answer.errors)
            assert not any(box.stack_trace for box in answer.of("exception"))
        else:
            assert len(answer.charts) == 2
            for chart in answer.charts:
                assert_finite_chart(chart)
        assert (await line.reloaded()).charts == line.charts

    line.run(forge())


@counted(60)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_message_end_the_connection_at_most(line: Line, noise: bytes) -> None:
    message = BackMsg()
    try:
        message.ParseFromString(noise)
        known = message.WhichOneof("type")
    except Exception:  # noqa: BLE001
        known = None
    assume(known in (None, "app_heartbeat", "load_git_info"))

    async def send() -> None:
        assert line.tab is not None
        await line.tab.socket.send(noise)
        await line.fresh()

    line.run(send())


def test_values_beyond_the_sliders_become_their_defaults(line: Line) -> None:
    async def forge() -> int:
        tab = await line.fresh()
        kappa = tab.named("κ").id
        seen = []
        for value in (1e9, -1.0, math.nan, math.inf):
            tab.set(kappa, double_array_value=[value])
            answer = await tab.move()
            assert not answer.errors
            seen.append(answer.charts[0])
        tab.set(kappa, double_array_value=[1.0])
        default = (await tab.move()).charts[0]
        assert all(chart == default for chart in seen)
        return len(seen)

    assert line.run(forge()) == 4


def test_the_smallest_summary_survives_everything() -> None:
    """One sample has no spread: what is unknown is a gap on the chart, not a word on an axis."""
    summary = simulate_summary(lab.Scenario(samples=1, steps=25))
    assert np.isnan(summary.states[0].std).all()
    assert_finite(fan_chart(summary, 0, None, None, 3, Theme(dark=True, projector=True), None))
