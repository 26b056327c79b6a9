"""Presets: each is offered by the widgets, runs, and the way back leads to the defaults."""

from __future__ import annotations

import pytest

import sde_lab as lab
from sde_lab.app.state.model_scenarios import default_scenario, preset_scenario
from sde_lab.app.state.options import HORIZONS
from sde_lab.models.base import Preset
from sde_lab.summaries.chunked_run import simulate_summary
from tests.support.app_pages import opened, shown, widget

PAIRS = [(name, preset) for name, model in lab.MODELS.items() for preset in model.presets]
IDS = [f"{name}: {preset.title}" for name, preset in PAIRS]


@pytest.mark.parametrize("model", lab.MODELS.values(), ids=lambda model: model.name)
def test_every_model_has_presets_with_names_of_their_own(model: object) -> None:
    titles = [preset.title for preset in model.presets]
    assert len(titles) >= 3
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(("name", "preset"), PAIRS, ids=IDS)
def test_a_preset_is_a_setting_of_the_sliders_that_runs(name: str, preset: Preset) -> None:
    model = lab.MODELS[name]
    parameters = {parameter.name: parameter for parameter in (*model.initial, *model.parameters)}
    assert set(preset.values) <= set(parameters)
    for key, value in preset.values.items():
        parameter = parameters[key]
        assert parameter.low <= value <= parameter.high
        assert (
            abs(
                (value - parameter.low) / parameter.step
                - round((value - parameter.low) / parameter.step)
            )
            < 1e-6
        )
    scenario = preset_scenario(model, preset)
    assert scenario.horizon in HORIZONS
    assert scenario != default_scenario(model)
    assert simulate_summary(scenario.replace(samples=200)).exploded == 0


def test_a_preset_moves_the_sliders_of_its_model_and_keeps_the_grid() -> None:
    app = opened(model="Double well", samples=200, steps=50, seed=3)
    widget(app, "double_well.presets").click("On the ridge").run()
    scenario = shown(app).scenario
    assert (scenario.initial, scenario.parameters["sigma"]) == ((0.0,), 0.3)
    assert (scenario.samples, scenario.steps, scenario.seed) == (200, 50, 3)


def test_reset_leads_back_to_the_defaults_of_this_model_alone() -> None:
    app = opened(ornstein_uhlenbeck__kappa=2, samples=200)
    widget(app, "model").set_value("double_well").run()
    widget(app, "double_well.a").set_value(2.0).run()
    widget(app, "double_well.horizon").set_value(20.0).run()
    widget(app, "seed").set_value(5.0).run()
    widget(app, "reset").click().run()
    assert shown(app).scenario == default_scenario(lab.MODELS["double_well"])
    widget(app, "model").set_value("ornstein_uhlenbeck").run()
    assert shown(app).scenario.parameters["kappa"] == 2.0


RENAMED = {"Critical damping", "Extinction", "Weak mean reversion", "Damped by noise"}
"""Titles that were other words once; links were saved under the former ones."""


@pytest.mark.parametrize(
    ("name", "preset"),
    [pair for pair in PAIRS if pair[1].title in RENAMED],
    ids=lambda part: part.title if isinstance(part, Preset) else part,
)
def test_a_presets_link_holds_its_values_and_not_its_title(name: str, preset: Preset) -> None:
    model = lab.MODELS[name]
    app = opened(model=model.title, samples=100, steps=25)
    widget(app, f"{model.slug}.presets").click(preset.title).run()
    scenario = shown(app).scenario
    link = {
        key: value if isinstance(value, str) else value[-1]
        for key, value in app.query_params.items()
    }
    assert not any(preset.title in text for pair in link.items() for text in pair)
    again = opened(**link)
    assert shown(again).scenario == scenario
