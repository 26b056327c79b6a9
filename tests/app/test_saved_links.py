"""Links saved with earlier labels: Streamlit keeps labels in links, so each spelling is read."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import sde_lab as lab
from sde_lab.app.pages.gradients import EARLIER_METHODS, EARLIER_TITLES, SECTIONS
from sde_lab.app.pages.sweep import LAST_SWEEP
from sde_lab.app.state.link_values import spellings
from sde_lab.app.state.sweep_request import quantity_titles
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
