"""The page with an equation of one's own, without a browser."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import sde_lab as lab
from sde_lab.app.components.equation_editor import DEFAULT_TEXT
from sde_lab.app.state.options import CUSTOM_MODEL_LABEL
from sde_lab.app.state.widget_keys import parameter_key
from sde_lab.equations.examples import EXAMPLES
from tests.support.app_pages import APP, opened, shown, widget

OTHER = "dX = a*(b - X)*dt + sigma*sqrt(abs(X))*dW; a = 1 in [0, 5]; b = 2 in [0, 4]"


def typed(app: AppTest, text: str) -> AppTest:
    """Type a text and leave the area."""
    return app.text_area(key="equation").set_value(text).run()


def knob(app: AppTest, name: str) -> Any:
    """The slider of a symbol of the equation on show."""
    model = shown(app).scenario.model_spec
    found = {k.name: k for k in (*model.initial, *model.parameters)}
    return widget(app, parameter_key(model, found[name]))


def test_the_last_entry_of_the_picker_starts_with_an_equation_that_works() -> None:
    app = opened(model=CUSTOM_MODEL_LABEL)
    assert not app.error
    assert shown(app).scenario.model == DEFAULT_TEXT
    assert widget(app, "model").options[-1] == CUSTOM_MODEL_LABEL


def test_every_symbol_gets_a_slider_and_the_link_carries_the_text() -> None:
    app = opened(model=CUSTOM_MODEL_LABEL, equation=OTHER, own__a__1_0_5=2.5)
    scenario = shown(app).scenario
    assert scenario == lab.Scenario(model=OTHER, parameters={"a": 2.5})
    for name in ("a", "b", "sigma", "X0"):
        knob(app, name)


def test_a_mistake_points_at_its_column_and_the_last_good_picture_stays() -> None:
    app = opened(model=CUSTOM_MODEL_LABEL, equation=OTHER)
    before = shown(app)
    typed(app, "dX = a*(b - X]*dt")
    assert shown(app) is before
    assert not app.error
    message = next(block.value for block in app.get("html") if "lab-mistake" in block.value)
    assert "line 1, column 14" in message
    knob(app, "a").set_value(3.0).run()
    assert shown(app).scenario.parameters["a"] == 3.0
    typed(app, "dX = a*(b - X)*dt + dW")
    assert shown(app).scenario.model == "dX = a*(b - X)*dt + dW"


def test_a_pasted_text_is_read_and_the_reading_can_be_edited() -> None:
    app = opened(model=CUSTOM_MODEL_LABEL, samples=50)
    typed(app, r"dX_t = \kappa(\theta - X_t)\,dt + \sigma\,dW_t, \quad X_0 = 2")
    plain = "dX = kappa*(theta - X)*dt + sigma*dW\nX(0) = 2"
    assert shown(app).scenario.model == plain
    assert app.code[0].value == plain
    typed(app, "dX = k(m - X) dt + s dW")
    assert any("read as products: k(m - X)" in block.value for block in app.get("html"))
    widget(app, "own_plain").click().run()
    assert app.text_area(key="equation").value == "dX = k*(m - X)*dt + s*dW"
    assert not app.code
    typed(app, "dX = k(m - X]dt + s dW")
    message = next(block.value for block in app.get("html") if "lab-mistake" in block.value)
    assert "dX = k(m - X)dt + s dW" in message


def test_a_new_equation_gets_the_steps_that_it_needs_and_a_link_stays_as_it_was() -> None:
    fast = "dx = -100*x*dt + dW; t in [0, 5]"
    app = opened(model=CUSTOM_MODEL_LABEL, equation=fast, samples=50)
    assert shown(app).scenario.steps == 100
    typed(app, fast.replace("100", "101"))
    assert shown(app).scenario.steps == 1600
    assert shown(app).exploded == 0
    typed(app, DEFAULT_TEXT)
    assert shown(app).scenario.steps == 1600


def test_a_link_with_a_mistake_says_so_and_leaves_a_working_page() -> None:
    app = opened(model=CUSTOM_MODEL_LABEL, equation="dx = __import__('os')*dt")
    assert not app.exception
    assert "line 1, column 6" in app.error[0].value
    typed(app, DEFAULT_TEXT)
    assert not app.error
    assert shown(app).kept == 1000


@pytest.mark.parametrize("text", ["", "   ", "x" * 4001, "dx = \x00", "</textarea><script>", "#"])
def test_nonsense_in_the_link_leaves_a_working_page(text: str) -> None:
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["model"] = CUSTOM_MODEL_LABEL
    app.query_params["equation"] = text
    app.run()
    assert not app.exception
    typed(app, DEFAULT_TEXT)
    assert shown(app).scenario.model == DEFAULT_TEXT


def test_another_range_moves_no_other_slider_and_another_value_moves_its_own() -> None:
    app = opened(
        model=CUSTOM_MODEL_LABEL, equation="dx = a*x*dt + b*dW; a = 1 in [-2, 2]; b = 1 in [0, 4]"
    )
    knob(app, "a").set_value(-1.0).run()
    knob(app, "b").set_value(3.0).run()
    typed(app, "dx = a*x*dt + b*dW; a = 1 in [-2, 2]; b = 1 in [0, 2]")
    assert shown(app).scenario.parameters == {"a": -1.0, "b": 2.0}
    typed(app, "dx = a*x*dt + b*dW; a = 0.5 in [-2, 2]; b = 1 in [0, 2]")
    assert shown(app).scenario.parameters == {"a": 0.5, "b": 2.0}
    typed(app, "dx = a*x*dt + b*dW + c*dt; a = 0.5 in [-2, 2]; b = 1 in [0, 2]")
    assert shown(app).scenario.parameters == {"a": 0.5, "b": 2.0, "c": 1.0}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.title)
def test_every_example_opens_at_its_own_values_and_says_what_it_is(example: object) -> None:
    app = opened(model=CUSTOM_MODEL_LABEL, samples=50, own__horizon__1=3)
    knob(app, "sigma").set_value(1.7).run()
    app.session_state["gallery"] = True
    app.run()
    widget(app, f"gallery.{example.title}").click().run()
    assert not app.exception
    assert not app.error
    assert not app.warning
    model = lab.parse_sde(example.text)
    scenario = lab.Scenario(model=example.text, horizon=model.horizon, steps=400, samples=50)
    assert shown(app).scenario == scenario
    assert not app.session_state["gallery"]
    app.session_state["says"] = True
    app.run()
    assert not app.exception
    assert any("The noise is" in entry.value for entry in app.markdown)


def test_schemes_offered_are_those_that_fit() -> None:
    app = opened(model=CUSTOM_MODEL_LABEL, equation="dx = -x*dt + x*dW; dy = -y*dt + y*dW")
    assert shown(app).scenario.model_spec.noise_type == "scalar"
    offered = widget(app, "scalar.scheme").options
    assert "Milstein · Itô" not in offered
    assert len(offered) == len(lab.SCHEMES) - 1


def test_another_model_and_back_keeps_the_equation() -> None:
    app = opened(model=CUSTOM_MODEL_LABEL, equation=OTHER)
    widget(app, "model").set_value("double_well").run()
    assert shown(app).scenario.model == "double_well"
    widget(app, "model").set_value("own").run()
    assert shown(app).scenario.model == OTHER


@pytest.mark.parametrize(
    "text",
    [
        "dx = sqrt(-1 - x**2)*dt + dW",
        "dx = -x*dt + sqrt(a)*dW; a = -1 in [-2, 2]",
        "dx = -x**a*dt + 1/(a - a)*dW",
        "dx = y*dt + log(a - 5)*dW; dy = -x/(b - 1)*dt; a = 1; b = 1",
        "dx = exp(exp(x))*dt + exp(x**4)*dW",
    ],
)
def test_an_equation_without_any_finite_path_leaves_a_working_page(text: str) -> None:
    app = opened(model=CUSTOM_MODEL_LABEL, equation=text, samples=50)
    app.session_state["says"] = True
    app.run()
    assert not app.exception
    assert shown(app).exploded > 0
    typed(app, DEFAULT_TEXT)
    assert shown(app).exploded == 0


def test_explosions_are_said() -> None:
    app = opened(
        model=CUSTOM_MODEL_LABEL, equation="dx = log(x)*dt + sigma*dW; t in [0, 5]", samples=200
    )
    assert shown(app).exploded > 0
    assert "diverged" in app.warning[0].value
