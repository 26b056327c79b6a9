"""The page without a browser: every model, every scheme, bad input, the memory budget."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import sde_lab as lab
from sde_lab.app.components.pin import STATE_KEY
from sde_lab.app.state.scenario_code import encode_scenario
from sde_lab.app.state.url_state import scheme_key
from sde_lab.schemes import fitting_schemes
from sde_lab.summaries.chunked_run import simulate_summary
from tests.support.app_pages import APP, opened, readout_of, shown, widget


def test_default_is_the_question_this_project_came_from() -> None:
    scenario = shown(opened()).scenario
    assert scenario == lab.Scenario()


@pytest.mark.parametrize("model", lab.MODELS)
def test_every_model_opens_and_answers_every_slider(model: str) -> None:
    app = opened(model=lab.MODELS[model].title)
    assert not app.error
    before = shown(app)
    for parameter in (*lab.MODELS[model].initial, *lab.MODELS[model].parameters):
        slider = widget(app, f"{model}.{parameter.name}")
        for end in (parameter.low, parameter.high, parameter.default):
            slider.set_value(float(end)).run()
            assert not app.exception
            assert not app.error
    assert shown(app).scenario == before.scenario


@pytest.mark.parametrize("model", lab.MODELS)
def test_every_fitting_scheme_runs_and_others_are_not_offered(model: str) -> None:
    app = opened(model=lab.MODELS[model].title, samples=50, steps=25)
    fitting = fitting_schemes(lab.MODELS[model])
    key = scheme_key(lab.MODELS[model])
    for name in fitting:
        widget(app, key).set_value(name).run()
        assert not app.error
        assert shown(app).scenario.scheme == name
    assert len(widget(app, key).options) == len(fitting)


def test_sliders_say_what_the_library_computes() -> None:
    app = opened(samples=200)
    widget(app, "ornstein_uhlenbeck.kappa").set_value(2.5).run()
    widget(app, "steps").set_value(50).run()
    expected = simulate_summary(lab.Scenario(parameters={"kappa": 2.5}, samples=200, steps=50))
    found = shown(app)
    np.testing.assert_array_equal(found.states[0].mean, expected.states[0].mean)
    np.testing.assert_array_equal(
        found.sensitivities["kappa"][0].quantiles, expected.sensitivities["kappa"][0].quantiles
    )


def test_address_bar_sets_every_control() -> None:
    app = opened(
        model="Geometric Brownian motion",
        geometric_brownian_motion__sigma=0.5,
        geometric_brownian_motion__horizon=2,
        steps=200,
        samples=500,
        scheme="Milstein · Itô",
        seed=7,
        cursor=50,
    )
    scenario = shown(app).scenario
    assert scenario.model == "geometric_brownian_motion"
    assert scenario.parameters["sigma"] == 0.5
    assert (scenario.horizon, scenario.steps, scenario.samples) == (2.0, 200, 500)
    assert (scenario.scheme, scenario.seed) == ("milstein", 7)
    assert widget(app, "cursor").value == 50


@pytest.mark.parametrize(
    "value", ["nan", "inf", "-1e999", "x", "", "1e400", "<script>", "9" * 5000]
)
@pytest.mark.parametrize("name", ["ornstein_uhlenbeck.kappa", "model", "steps", "seed", "cursor"])
def test_nonsense_in_the_address_bar_leaves_a_working_page(name: str, value: str) -> None:
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params[name] = value
    app.run()
    assert shown(app).kept > 0


def test_a_new_seed_changes_the_paths_and_nothing_else() -> None:
    app = opened(samples=100)
    before = shown(app)
    widget(app, "new_noise").click().run()
    after = shown(app)
    assert after.scenario == before.scenario.replace(seed=after.scenario.seed)
    assert after.scenario.seed != before.scenario.seed
    assert not np.array_equal(after.paths, before.paths)


def test_pin_keeps_the_old_curves_and_unpin_drops_them() -> None:
    app = opened(samples=100)
    widget(app, "pin").click().run()
    pinned = app.session_state[STATE_KEY]
    assert pinned == shown(app).scenario
    widget(app, "ornstein_uhlenbeck.kappa").set_value(3.0).run()
    assert app.session_state[STATE_KEY] == pinned
    assert shown(app).scenario != pinned
    widget(app, "pin").click().run()
    assert app.session_state[STATE_KEY] is None


def test_a_run_over_the_budget_is_refused_and_the_last_picture_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = opened(samples=1000)
    before = shown(app)
    monkeypatch.setenv("SDE_LAB_MEMORY_GB", "0.1")  # the workers, started now, keep their limit
    widget(app, "samples").set_value(100_000).run()
    assert shown(app) is before
    assert "samples" in app.error[0].value
    assert "fit" in app.error[0].value
    widget(app, "samples").set_value(500).run()
    assert not app.error
    assert shown(app).scenario.samples == 500


def test_samples_that_do_not_fit_are_not_kept_and_the_page_says_what_that_costs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sde_lab.app.jobs.summary_job.capacity_bytes", lambda: 0.24e9)
    app = opened(samples="100\u202f000", steps=25)
    assert not app.error
    summary = shown(app)
    assert summary.kept == 100_000
    assert 0.0 < summary.relative_quantile_bound < 0.001
    (said,) = [c.value for c in app.caption if "Too many samples to keep" in c.value]
    assert f"{100.0 * summary.relative_quantile_bound:.1g} %" in said
    widget(app, "pin").click().run()
    assert not app.exception
    widget(app, "samples").set_value(500).run()
    assert shown(app).relative_quantile_bound == 0.0
    assert not [c for c in app.caption if "Too many samples to keep" in c.value]


def test_a_link_with_ten_million_samples_asks_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def few(scenario: lab.Scenario, engine: str | None) -> lab.Summary:
        asked.append(scenario)
        return simulate_summary(scenario.replace(samples=100), engine)

    monkeypatch.setattr("sde_lab.app.components.path_board.get_summary", few)
    app = opened(samples="10\u202f000\u202f000", steps=25)
    assert not app.exception
    assert not app.error
    assert asked == [lab.Scenario(samples=10_000_000, steps=25)]
    assert widget(app, "samples").value == 10_000_000


def test_diverging_paths_are_counted_and_said() -> None:
    app = opened(model="Double well", steps=25, double_well__horizon=20)
    assert shown(app).exploded > 0
    assert "diverged" in app.warning[0].value
    # The mean of those that are left is no estimate: median and share stand in.
    assert "median of finite paths" in readout_of(app)
    assert ">standard deviation<" not in readout_of(app)
    assert "% of paths" in readout_of(app)
    app.button(key="find_steps").click().run()
    assert not app.exception
    assert shown(app).exploded == 0
    assert shown(app).scenario.scheme == "heun" or shown(app).scenario.steps > 25
    assert "no path diverges" in app.toast[0].value
    assert ">standard deviation<" in readout_of(app)


def test_step_bias_is_named_and_a_button_removes_it() -> None:
    app = opened(model="Damped noisy oscillator")
    assert ": step bias" in readout_of(app)
    app.button(key="reduce_bias").click().run()
    assert not app.exception
    assert "step bias" not in readout_of(app)
    assert shown(app).scenario.scheme == "heun"


def test_a_long_run_finishes_and_survives_a_cursor_move(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sde_lab.server.scheduling.MAX_INTERACTIVE_WORK", 0)
    app = opened(samples="5\u202f000", steps=25)
    found = shown(app)
    assert found.kept == 5000
    widget(app, "cursor").set_value(10).run()
    assert shown(app) is found


def test_projector_and_back() -> None:
    app = opened()
    widget(app, "projector").set_value(True).run()
    assert not app.exception
    widget(app, "projector").set_value(False).run()
    assert not app.exception


def test_a_pinned_scenario_in_the_link_is_pinned_again() -> None:
    old = lab.Scenario(parameters={"kappa": 3.0}, samples=100)
    app = opened(samples=200, pin=encode_scenario(old))
    assert shown(app).scenario.samples == 200
    assert app.session_state[STATE_KEY] == old
    assert not app.warning
    assert widget(app, "pin").label == "Unpin"


@pytest.mark.parametrize(
    "pin", ["nonsense", "9" * 5000, encode_scenario(lab.Scenario(steps=999_999)), "<script>", ""]
)
def test_nonsense_pinned_in_the_link_is_said_in_one_line_and_can_be_dropped(pin: str) -> None:
    app = opened(pin=pin)
    assert shown(app).scenario == lab.Scenario()
    assert len(app.warning) == 1
    assert len(app.warning[0].value) < 250
    assert widget(app, "pin").label == "Pin"
    widget(app, "pin").click().run()
    assert not app.warning
    assert app.session_state[STATE_KEY] == lab.Scenario()


def test_a_large_pinned_scenario_is_shown_from_its_first_samples() -> None:
    app = opened(steps=25, pin=encode_scenario(lab.Scenario(steps=3200, samples=10_000_000)))
    assert not app.warning
    assert app.session_state[STATE_KEY].samples == 10_000_000


def test_a_hidden_answer_is_nowhere_on_the_page() -> None:
    app = opened(hide="true")
    assert widget(app, "hide").value is True
    assert ">exact" not in readout_of(app)
    widget(app, "hide").set_value(False).run()
    assert ">exact" in readout_of(app)
    assert not app.exception


def test_the_engine_is_a_choice_that_stands_in_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDE_LAB_ENGINE", "compiled")
    # Here, not in the interactive process, which has another environment.
    monkeypatch.setattr(
        "sde_lab.server.scheduling.run_interactive", lambda function, *args: function(*args)
    )
    app = opened(samples=50, seed=4)
    assert shown(app).engine == "compiled"
    assert any("compiled loop differed from torchsde by" in text.value for text in app.caption)
    other = opened(samples=50, seed=4, engine="torchsde")
    assert shown(other).engine == "torchsde"
    assert any("Computed by torchsde" in text.value for text in other.caption)
    one, two = shown(app).states[0], shown(other).states[0]
    np.testing.assert_allclose(one.mean, two.mean, atol=1e-6)
