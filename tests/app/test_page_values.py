"""Lessons has values of its own; those of the other pages are there again after it."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

import sde_lab as lab
from sde_lab.app.components.answer_toggle import HIDE_KEY
from sde_lab.app.components.pin import STATE_KEY
from sde_lab.lessons import LESSONS
from tests.support.app_pages import APP, opened, shown, widget

RIDGE = LESSONS["On the ridge"]


def with_lesson(app: AppTest) -> AppTest:
    """The app, changed over to Lessons and to a lesson."""
    app = app.switch_page("lessons.py").run()
    return widget(app, "lesson").set_value(RIDGE.title).run()


def test_a_lesson_gives_back_what_it_found() -> None:
    app = opened(ornstein_uhlenbeck__kappa=2, seed=5, samples=200, cursor=50, steps=25)
    widget(app, "pin").click().run()
    before = shown(app).scenario
    app = with_lesson(app)
    assert shown(app).scenario == RIDGE.scenario
    assert app.session_state[HIDE_KEY] is True
    assert app.session_state[STATE_KEY] is None
    widget(app, "double_well.sigma").set_value(0.5).run()
    moved = shown(app).scenario
    app = app.switch_page("explore.py").run()
    assert shown(app).scenario == before
    assert app.session_state[HIDE_KEY] is False
    assert app.session_state[STATE_KEY] == before
    assert app.session_state["cursor"] == 50
    app = app.switch_page("gradients.py").run()
    app = app.switch_page("lessons.py").run()
    assert shown(app).scenario == moved
    assert app.session_state[HIDE_KEY] is True
    assert not app.exception


def test_values_of_other_models_are_given_back_too() -> None:
    """The lesson sets the sliders of the double well, which Explore had left elsewhere."""
    app = opened(double_well__sigma=0.9, model="double_well", steps=25, samples=50)
    widget(app, "model").set_value("ornstein_uhlenbeck").run()
    app = with_lesson(app).switch_page("explore.py").run()
    assert shown(app).scenario.model == "ornstein_uhlenbeck"
    widget(app, "model").set_value("double_well").run()
    assert shown(app).scenario.parameters["sigma"] == 0.9


def test_a_typed_equation_is_given_back() -> None:
    app = opened(model="own", equation="dx = -a*x*dt + dW; a = 2 in [0, 9]", steps=25, samples=50)
    widget(app, "own.a.2_0_9").set_value(3.0).run()
    before = shown(app).scenario
    app = with_lesson(app)
    assert shown(app).scenario == RIDGE.scenario
    app = app.switch_page("explore.py").run()
    assert shown(app).scenario == before


def test_a_lesson_can_be_taken_along_to_explore() -> None:
    app = with_lesson(opened(ornstein_uhlenbeck__kappa=2, steps=25))
    widget(app, "Open in Explore").click().run()
    assert shown(app).scenario == RIDGE.scenario
    assert not app.get("subheader")  # the question of a lesson
    app.run()
    assert shown(app).scenario == RIDGE.scenario


def test_a_session_that_begins_with_a_lesson_finds_the_defaults_elsewhere() -> None:
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["lesson"] = RIDGE.title
    app = app.switch_page("lessons.py").run()
    assert shown(app).scenario == RIDGE.scenario
    app = app.switch_page("explore.py").run()
    assert shown(app).scenario == lab.Scenario()
    assert app.session_state[HIDE_KEY] is False


def test_reset_unpins_shows_the_answer_and_moves_the_cursor_back() -> None:
    app = opened(ornstein_uhlenbeck__kappa=2, cursor=50, hide="true", steps=25)
    widget(app, "pin").click().run()
    widget(app, "reset").click().run()
    assert shown(app).scenario == lab.Scenario()
    assert app.session_state[STATE_KEY] is None
    assert app.session_state["cursor"] == 100
    assert app.session_state[HIDE_KEY] is False
