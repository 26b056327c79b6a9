"""Links saved with earlier labels: Streamlit keeps labels in links, so each spelling is read."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import sde_lab as lab
from sde_lab.app.components.answer_toggle import HIDE_KEY
from sde_lab.app.pages.gradients import EARLIER_METHODS, EARLIER_TITLES, SECTIONS
from sde_lab.app.pages.sweep import LAST_SWEEP
from sde_lab.app.state.current_scenario import LAST_SUMMARY
from sde_lab.app.state.link_values import spellings
from sde_lab.app.state.sweep_request import quantity_titles
from sde_lab.lessons import LESSONS
from sde_lab.studies.benchmark.registry import METHODS
from tests.support.app_pages import APP

SMALL = {"samples": "20", "steps": "25"}


def opened(page: str, **query: str) -> AppTest:
    """A page of the app, opened with this in the address bar."""
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in {**SMALL, **query}.items():
        app.query_params[name.replace("__", ".")] = value
    app.run()
    app = app.switch_page(f"{page}.py").run()
    assert not app.exception
    assert not app.error
    return app


def selected(app: AppTest, key: str) -> Any:
    return app.selectbox(key=key).value


@pytest.mark.parametrize(("earlier", "title"), EARLIER_TITLES.items())
def test_a_section_of_gradients_opens_by_its_earlier_and_its_present_title(
    earlier: str, title: str
) -> None:
    for written in (earlier, title):
        assert opened("gradients", part=written).button_group(key="part").value == title


def test_each_section_and_each_method_had_an_earlier_title() -> None:
    assert list(EARLIER_TITLES.values()) == list(SECTIONS)
    newer = {"compiled"}
    assert list(EARLIER_METHODS.values()) == [name for name in METHODS if name not in newer]


@pytest.mark.parametrize(("earlier", "name"), EARLIER_METHODS.items())
def test_a_method_is_chosen_by_its_earlier_title_its_present_title_and_its_name(
    earlier: str, name: str
) -> None:
    for written in (earlier, METHODS[name].title, name):
        assert selected(opened("gradients", part="The race", way=written), "way") == name


@pytest.mark.parametrize("written", ["θ  mean", "theta", "θ  another description"])
def test_a_swept_parameter_is_read_whatever_its_description(written: str) -> None:
    app = opened("sweep", ornstein_uhlenbeck__sweep__turn=written)
    assert selected(app, "ornstein_uhlenbeck.sweep.turn") == "theta"
    assert app.session_state[LAST_SWEEP][1].grid.names == ("theta",)


@pytest.mark.parametrize("written", ["κ  rate of return", "kappa"])
def test_a_second_parameter_is_read_too(written: str) -> None:
    query = {"ornstein_uhlenbeck__sweep__turn": "σ  volatility", "sweep__points": "6"}
    app = opened("sweep", **query, ornstein_uhlenbeck__sweep__and=written)
    assert app.session_state[LAST_SWEEP][1].grid.names == ("sigma", "kappa")


@pytest.mark.parametrize("written", ["nothing else", "none", "nonsense  of a link", "\x00", "κ"])
def test_anything_else_for_a_second_parameter_is_none(written: str) -> None:
    app = opened("sweep", ornstein_uhlenbeck__sweep__and=written)
    assert selected(app, "ornstein_uhlenbeck.sweep.and") == "nothing else"
    assert "none" in app.selectbox(key="ornstein_uhlenbeck.sweep.and").options


@pytest.mark.parametrize("written", ["spread of V", "standard deviation of V", "1.std"])
def test_a_quantity_is_read_by_its_earlier_title(written: str) -> None:
    app = opened("sweep", model="Heston", heston__sweep__look=written, sweep__points="6")
    assert selected(app, "heston.sweep.look") == "1.std"
    assert app.session_state[LAST_SWEEP][0].title == "standard deviation of V"


def test_every_quantity_has_a_title_of_its_own() -> None:
    for model in lab.MODELS:
        titles = quantity_titles(lab.Scenario(model=model))
        assert len(set(titles.values())) == len(titles)


def test_two_labels_that_were_exchanged_do_not_send_each_other_round() -> None:
    label_of = spellings({"a": "second", "b": "first"}, {"first": "a", "second": "b"})
    assert label_of("a") == "a"
    assert label_of("b") == "b"
    assert label_of("first") == "a"
    assert label_of("else") is None


@pytest.mark.parametrize(
    ("query", "key", "value"),
    [
        ({"samples": "20000"}, "samples", 20000),
        ({"samples": "20 000"}, "samples", 20000),
        ({"samples": "20\u202f000"}, "samples", 20000),
        ({"steps": "200.0"}, "steps", 200),
        ({"ornstein_uhlenbeck.horizon": "2.0"}, "ornstein_uhlenbeck.horizon", 2.0),
        ({"horizon": "2"}, "ornstein_uhlenbeck.horizon", 2.0),
        ({"kappa": "2"}, "ornstein_uhlenbeck.kappa", 2.0),
        ({"model": "heston", "kappa": "3"}, "heston.kappa", 3.0),
        ({"model": "Heston", "heston.kappa": "3"}, "heston.kappa", 3.0),
        ({"scheme": "milstein"}, "scheme", "milstein"),
        ({"scheme": "Milstein · Itô"}, "scheme", "milstein"),
        ({"model": "heston", "scheme": "midpoint"}, "general.scheme", "midpoint"),
        ({"model": "own"}, "model", "own"),
    ],
)
def test_plain_spellings_are_read_without_a_word(
    query: dict[str, str], key: str, value: object
) -> None:
    app = AppTest.from_file(APP, default_timeout=60)
    for name, text in query.items():
        app.query_params[name] = text
    app.run()
    assert app.session_state[key] == value
    assert not app.toast
    assert not app.exception


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"samples": "20001"}, "`samples=20001`: it is one of 1, 2, 5, 10"),
        ({"kappa": "99"}, "`ornstein_uhlenbeck.kappa=99`: κ lies between 0 and 5."),
        ({"ornstein_uhlenbeck.kappa": "nan"}, "κ lies between 0 and 5."),
        ({"model": "Heston's"}, "`model=Heston's`: it is one of Ornstein–Uhlenbeck, "),
        ({"scheme": "leapfrog"}, "`scheme=leapfrog`: it is one of Euler–Maruyama · Itô, "),
        ({"kapa": "2"}, "`kapa=2` names nothing on this page."),
        ({"hide": "maybe"}, "`hide=maybe` is not one of its values."),
        ({"cursor": "200"}, "`cursor=200` is not one of its values."),
        ({"": ""}, "`=` names nothing on this page."),
        ({"$$ID-x": "1"}, "`$$ID-x=1` names nothing on this page."),
        ({"x`[a](http://b)": "1" * 99}, "`x?[a](http://b)=" + "1" * 39 + "…`"),
    ],
)
def test_what_a_link_says_in_vain_is_said_in_a_line(query: dict[str, str], said: str) -> None:
    app = AppTest.from_file(APP, default_timeout=60)
    for name, text in {**query, "steps": "25"}.items():
        app.query_params[name] = text
    app.run()
    (note,) = [toast.value for toast in app.toast]
    assert said in note
    assert "steps" not in note
    assert not app.run().toast


def test_nothing_is_said_of_defaults_other_pages_and_tracking() -> None:
    app = AppTest.from_file(APP, default_timeout=60)
    query = {"steps": "100", "model": "Ornstein–Uhlenbeck", "hide": "false", "seed": "0"}
    query |= {"heston.kappa": "3", "sweep.points": "6", "part": "Benchmark", "utm_source": "mail"}
    for name, text in query.items():
        app.query_params[name] = text
    assert not app.run().toast


def test_the_link_of_a_lesson_alone_opens_it_with_its_answer_hidden() -> None:
    """It showed the default model, with the answer."""
    lesson = LESSONS["On the ridge"]
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["lesson"] = lesson.title
    app = app.switch_page("lessons.py").run()
    assert app.session_state[LAST_SUMMARY].scenario == lesson.scenario
    assert app.session_state[HIDE_KEY] is True
    assert not app.toast
    again = AppTest.from_file(APP, default_timeout=60)
    for name, text in app.query_params.items():
        again.query_params[name] = text
    again.run()
    assert again.session_state[LAST_SUMMARY].scenario == lesson.scenario


def test_the_link_of_a_lesson_whose_values_were_moved_keeps_them() -> None:
    app = AppTest.from_file(APP, default_timeout=60)
    for name, text in {"lesson": "On the ridge", "model": "Double well", "steps": "25"}.items():
        app.query_params[name] = text
    app.run()
    assert app.session_state[LAST_SUMMARY].scenario == lab.Scenario(
        model="double_well", horizon=lab.MODELS["double_well"].horizon, steps=25
    )
    assert app.session_state[HIDE_KEY] is False
