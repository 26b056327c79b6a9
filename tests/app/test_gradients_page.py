"""The Gradients page, without a browser and in one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import sde_lab as lab
from sde_lab.app.jobs.benchmark_job import session_key
from sde_lab.app.pages.gradients import SECTIONS
from sde_lab.app.state.options import CUSTOM_MODEL_LABEL
from sde_lab.equations.examples import EXAMPLES, Example
from sde_lab.studies.benchmark.listing import runnable_listing
from sde_lab.studies.benchmark.registry import METHODS
from tests.support.app_pages import APP
from tests.support.brief_benchmark import make_brief
from tests.support.browser import settle

PAGE = "gradients.py"
DRAWN = "() => document.querySelectorAll('.lab-chart .main-svg').length >= 1"


def opened(part: str = "Summed gradient", **query: str) -> AppTest:
    """The page at one of its parts, with this in the address bar."""
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    app.switch_page(PAGE).run()
    choice = app.button_group(key="part")
    return app if choice.value == part else choice.set_value(part).run()


@pytest.mark.parametrize("model", lab.MODELS)
def test_every_part_opens_for_every_model(model: str) -> None:
    for part in SECTIONS:
        app = opened(model=lab.MODELS[model].title, part=part, samples="50", steps="25")
        assert not app.exception
        assert not app.error


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_every_part_opens_for_every_example_of_the_gallery(example: Example) -> None:
    for part in SECTIONS:
        app = opened(
            model=CUSTOM_MODEL_LABEL, equation=example.text, part=part, samples="10", steps="25"
        )
        assert not app.exception
        assert not app.error


class Here:
    """A job of this process and thread."""

    def __init__(self, make: Callable[..., Any], *args: Any, **_: Any) -> None:
        self.task = make(*args)

    def call(self, method: str, **_: Any) -> Any:
        return getattr(self.task, method)()

    def close(self) -> None:
        """Nothing is held elsewhere."""

    def hold(self) -> None:
        """Nothing is ended to free memory."""

    def release(self) -> None:
        """Nothing to let go of."""


PARTS = {"race": "Benchmark", "growth": "Scaling"}


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
@pytest.mark.parametrize("study", PARTS)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_a_study_of_every_example_comes_to_its_end(
    monkeypatch: pytest.MonkeyPatch, example: Example, study: str
) -> None:
    make_brief(monkeypatch)
    monkeypatch.setattr("sde_lab.app.jobs.benchmark_job.start_job", Here)
    app = opened(
        PARTS[study], model=CUSTOM_MODEL_LABEL, equation=example.text, samples="2", steps="25"
    )
    app.button(key=f"{study}.begin").click().run()
    job = app.session_state[session_key(study)]
    assert (job.finished, job.running, job.error_message) == (True, False, "")
    assert {found.method for found in job.results} == set(METHODS)
    assert {found.status for found in job.results} <= {"measured", "refused"}


def test_a_study_that_raises_ends_with_a_message_and_can_begin_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        def __init__(self, *_: object) -> None:
            self.turns = 0

        def step(self) -> str | None:
            self.turns += 1
            if self.turns == 1:
                return "replay"
            raise ZeroDivisionError("no such luck")

    monkeypatch.setattr("sde_lab.app.jobs.benchmark_job.start_job", Here)
    monkeypatch.setattr("sde_lab.app.jobs.benchmark_job.BenchmarkStepper", Broken)
    app = opened("Benchmark", samples="2", steps="25")
    for _ in range(2):
        app.button(key="race.begin").click().run()
        job = app.session_state[session_key("race")]
        assert not app.exception
        assert (job.finished, job.running) == (False, False)
        assert "no such luck" in job.error_message
        assert any("no such luck" in caption.value for caption in app.caption)


@pytest.mark.parametrize("error", [lab.ScenarioError("x", 1, "no"), ZeroDivisionError("no")])
def test_a_page_that_cannot_be_drawn_leaves_no_study_running(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def raises(*_: object) -> str:
        raise error

    monkeypatch.setattr("sde_lab.app.jobs.benchmark_job.start_job", Here)
    app = opened("Benchmark", samples="2", steps="25")
    monkeypatch.setattr("sde_lab.app.pages.gradients.unsupported_pairs_table", raises)
    app.button(key="race.begin").click().run()
    job = app.session_state[session_key("race")]
    assert not job.running
    assert str(error) in job.error_message


@pytest.mark.parametrize("way", METHODS)
def test_the_page_shows_the_program_of_the_way_that_is_chosen(way: str) -> None:
    app = opened(part="Benchmark", samples="20")
    app.selectbox(key="way").set_value(way).run()
    shown = [code.value for code in app.code]
    assert runnable_listing(METHODS[way], lab.Scenario(samples=20)).rstrip() in shown


def test_the_trap_says_the_same_number_twice() -> None:
    words = opened(samples="10").markdown[0].value
    numbers = re.findall(r"\d+\.\d{3,}", words)
    assert len(numbers) >= 2
    assert numbers[0] == numbers[1]
    assert float(numbers[0]) == pytest.approx(10 * sum(0.99**k for k in range(101)), rel=1e-9)


def test_a_scheme_that_a_way_cannot_serve_is_explained() -> None:
    app = opened(model="Geometric Brownian motion", part="Benchmark", scheme="Milstein · Itô")
    text = " ".join(str(block.proto.body) for block in app.get("html"))
    assert "forward mode does not pass" in text


def test_a_scenario_that_cannot_work_leaves_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    app = AppTest.from_file(APP, default_timeout=60).run()
    monkeypatch.setenv("SDE_LAB_MEMORY_GB", "nonsense")  # of this process, the others have begun
    app.switch_page(PAGE).run()
    assert not app.exception
    assert "SDE_LAB_MEMORY_GB" in app.error[0].value


def visit(page: Any, server: str, query: str) -> None:
    page.goto(f"{server}/gradients?{query}")
    page.wait_for_function(DRAWN, timeout=60_000)
    settle(page)


def bars(page: Any) -> list[str]:
    """The labels of the bars of the race."""
    found = page.evaluate("() => document.querySelector('.lab-chart').data?.[0]?.y ?? []")
    return list(found)


def test_the_trap_in_a_browser_follows_the_sliders(page: Any, server: str) -> None:
    visit(page, server, "samples=1&steps=25")
    before = page.locator(".stMain .stMarkdown").first.inner_text()
    assert re.search(r"one number, 16\.\d+", before)
    page.get_by_role("slider", name=re.compile("κ")).press("Home")
    page.wait_for_function(
        "before => document.querySelector('.stMain .stMarkdown').innerText !== before", arg=before
    )
    settle(page)
    assert "one number, 26." in page.locator(".stMain .stMarkdown").first.inner_text()


def test_a_race_runs_and_its_link_shows_it_in_another_browser(
    page: Any, server: str, browser: Any
) -> None:
    visit(page, server, "part=Benchmark&samples=100&steps=25")
    page.get_by_role("button", name="Run benchmark").click()
    page.get_by_role("button", name="Measure again").wait_for(timeout=150_000)
    settle(page)
    assert set(bars(page)) == {way.title for way in METHODS.values()}
    assert page.get_by_text("times as long").count() >= 1
    link = page.evaluate("() => location.href")
    other = browser.window()
    other.goto(link)
    other.get_by_role("button", name="Measure again").wait_for(timeout=60_000)
    other.wait_for_function(DRAWN, timeout=60_000)
    settle(other)
    assert bars(other) == bars(page)
    tables = [view.locator(".lab-table").first.inner_text() for view in (page, other)]
    assert tables[0] == tables[1]


def test_a_race_can_be_halted_and_keeps_what_it_has(page: Any, server: str) -> None:
    visit(page, server, "part=Benchmark&samples=200&steps=100&seed=7")
    page.get_by_role("button", name="Run benchmark").click()
    page.wait_for_function(
        "() => (document.querySelector('.lab-chart').data?.[0]?.y.length ?? 0) >= 1", timeout=90_000
    )
    page.get_by_role("button", name="Stop here").click()
    page.get_by_role("button", name="Continue").wait_for(timeout=60_000)
    settle(page)
    assert 1 <= len(bars(page)) < len(METHODS)


def test_a_contestant_that_cannot_run_is_refused_in_words(page: Any, server: str) -> None:
    query = "model=Geometric+Brownian+motion&scheme=Milstein+%C2%B7+It%C3%B4&samples=5&steps=25"
    visit(page, server, f"part=Benchmark&{query}")
    page.get_by_role("button", name="Run benchmark").click()
    page.get_by_role("button", name="Measure again").wait_for(timeout=150_000)
    settle(page)
    assert "jacfwd" not in bars(page)
    assert "does not support this scheme" in page.locator(".lab-chart").first.inner_text()
    assert "forward mode does not pass" in page.locator(".lab-table").first.inner_text()


def test_a_snippet_can_be_copied(server: str, browser: Any) -> None:
    page = browser.window(permissions=["clipboard-read", "clipboard-write"])
    visit(page, server, "samples=10&steps=25")
    code = page.locator('[data-testid="stCode"]').first
    code.hover()
    code.get_by_role("button").first.click()
    copied = page.evaluate("() => navigator.clipboard.readText()")
    expected = runnable_listing(METHODS["summed"], lab.Scenario(samples=10, steps=25))
    assert copied.strip() == expected.strip()
