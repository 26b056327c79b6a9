"""Every lesson opens with its scene, and what it says can be seen is true in numbers."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import sde_lab as lab
from sde_lab.app.components.pin import STATE_KEY
from sde_lab.app.state.options import HORIZONS, SAMPLES, STEPS
from sde_lab.figures.serialize import figure_to_json
from sde_lab.figures.theme import Theme
from sde_lab.lessons import LESSONS
from sde_lab.lessons.base import Lesson
from sde_lab.solver.simulate import brownian_increments
from sde_lab.studies.first_order import SHOWN_PATHS, TOLERANCE, first_order_study
from sde_lab.studies.payoffs import payoff_study
from sde_lab.studies.summed_gradient import summed_gradient
from sde_lab.summaries.chunked_run import simulate_summary
from sde_lab.summaries.summary import Bands
from tests.support.app_pages import APP, shown, widget

FAR = 4.5
"""Standard errors beyond which a deviation is no chance: 7 in a million."""
CHECKS: dict[str, Callable[[lab.Scenario], None]] = {}


def seen(title: str) -> Callable[[Callable[[lab.Scenario], None]], Callable[[lab.Scenario], None]]:
    """What a lesson claims to be visible, checked on its own scenario."""

    def keep(check: Callable[[lab.Scenario], None]) -> Callable[[lab.Scenario], None]:
        CHECKS[title] = check
        return check

    return keep


def by(scenario: lab.Scenario, name: str) -> Bands:
    """The sensitivity to one parameter of a model with one component."""
    return simulate_summary(scenario).sensitivities[name][0]


@seen("The start fades")
def _(scene: lab.Scenario) -> None:
    for kappa in (0.0, 1.0, 3.0):
        scenario = scene.replace(parameters={"kappa": kappa})
        bands, times = by(scenario, "x0"), simulate_summary(scenario).times
        np.testing.assert_allclose(bands.std, 0.0, atol=1e-6)
        eulers = kappa * scenario.step / 2
        np.testing.assert_allclose(bands.mean, np.exp(-kappa * times), atol=eulers + 1e-5)


@seen("Half-life")
def _(scene: lab.Scenario) -> None:
    for kappa, half in ((0.7, 1.0), (1.4, 0.5)):
        scenario = scene.replace(parameters={"kappa": kappa})
        curve, times = by(scenario, "x0").mean, simulate_summary(scenario).times
        crossing = np.interp(-0.5, -curve, times)
        assert abs(crossing - math.log(2) / kappa) < 0.015
        assert abs(crossing - half) < 0.02
    found = simulate_summary(scene)
    at = found.index_nearest(0.2)
    assert abs(found.times[at] - 1.0) < 0.03
    assert f"{found.sensitivities['x0'][0].mean[at]:.1f}" == "0.5"


@seen("Noise that cancels")
def _(scene: lab.Scenario) -> None:
    calm, rough = (
        simulate_summary(scene),
        simulate_summary(scene.replace(parameters={"sigma": 3.0})),
    )
    for summary in (calm, rough):
        np.testing.assert_allclose(summary.sensitivities["x0"][0].std, 0.0, atol=1e-6)
    np.testing.assert_array_equal(
        calm.sensitivities["x0"][0].mean, rough.sensitivities["x0"][0].mean
    )
    np.testing.assert_allclose(rough.states[0].std[1:] / calm.states[0].std[1:], 6.0, rtol=1e-4)


def std_of_growth(sigma: float, horizon: float) -> float:
    """The standard deviation of exp(σW − σ²t/2), log-normal of mean one."""
    return math.sqrt(math.expm1(sigma**2 * horizon))


@seen("Noise that stays")
def _(scene: lab.Scenario) -> None:
    for sigma in (0.4, 1.0):
        summary = simulate_summary(scene.replace(parameters={"sigma": sigma}))
        bands = summary.sensitivities["x0"][0]
        np.testing.assert_allclose(
            bands.quantiles * scene.initial[0], summary.states[0].quantiles, rtol=1e-4
        )
        off = abs(bands.mean[-1] - math.exp(0.1 * scene.horizon))
        by_law = std_of_growth(sigma, scene.horizon) / math.sqrt(scene.samples)
        assert off < FAR * by_law + 0.01 * scene.step
        assert bands.std[-1] > 0.5
    still = by(scene.replace(parameters={"sigma": 0.0}), "x0")
    np.testing.assert_allclose(still.std, 0.0, atol=1e-6)


@seen("Predict with the Jacobian")
def _(scene: lab.Scenario) -> None:
    lesson, fine = LESSONS["Predict with the Jacobian"], scene.replace(dtype="float64")
    assert f"{SHOWN_PATHS} paths" in lesson.watch
    assert f"{100 * TOLERANCE:g} % of the standard deviation" in lesson.answer
    for linear in first_order_study(fine, ("sigma", "theta", "x0")).predictions:
        np.testing.assert_allclose(linear.predicted_paths, linear.paths, atol=1e-11)
        assert linear.interval == (linear.parameter.low, linear.parameter.high)
    # twice the Δ, four times the error: of every path, on either side
    (curved,) = first_order_study(fine, ("kappa",)).predictions

    def error(change: float) -> np.ndarray:
        moved = fine.replace(parameters={"kappa": curved.current + change})
        ends = lab.simulate(moved).values[-1, :SHOWN_PATHS, 0].numpy()
        return ends - curved.paths[curved.index] - change * curved.slopes

    for change, tolerance in ((0.1, 0.1), (-0.1, 0.1), (0.01, 0.01), (-0.01, 0.01)):
        assert np.abs(error(change)).min() > 1e-5
        np.testing.assert_allclose(error(2 * change) / error(change), 4.0, rtol=tolerance)
    # the shaded interval, and that what it leaves out is visibly wrong
    widths = []
    for kappa in (0.5, 1.0, 3.0):
        study = first_order_study(scene.replace(parameters={"kappa": kappa}), ("kappa", "sigma"))
        found, straight = study.predictions
        low, high = found.interval
        off = np.abs(found.paths - found.predicted_paths).max(axis=1) / study.spread
        inside = (found.values >= low) & (found.values <= high)
        assert (off[inside] <= TOLERANCE).all()
        assert (off[~inside] > TOLERANCE).all()
        assert max(off[0], off[-1]) > 1.0
        assert straight.interval == (straight.parameter.low, straight.parameter.high)
        widths.append(high - low)
    assert widths[0] < 0.8 * widths[1] < 0.4 * widths[2]
    slopes = [
        np.abs(by(scene.replace(parameters={"kappa": kappa}), "kappa").mean[-1])
        for kappa in (0.5, 1.0, 3.0)
    ]
    assert slopes[0] > 2 * slopes[1] > 20 * slopes[2]  # flatter and flatter
    # the readout beside the figure is of the same samples
    (found,) = first_order_study(scene, ("kappa",)).predictions
    mean = simulate_summary(scene).states[0].mean[-1]
    assert found.mean[found.index] == pytest.approx(mean, rel=1e-5)


@seen("On the ridge")
def _(scene: lab.Scenario) -> None:
    ridge, valley = by(scene, "x0"), by(scene.replace(x0=1.0), "x0")
    assert ridge.mean[-1] - FAR * ridge.mean_error[-1] > 5.0
    assert ridge.mean.max() > 10.0
    assert valley.mean.max() <= 1.0
    assert valley.quantiles[4].max() <= 1.0 + 1e-6
    assert valley.mean[-1] < 0.001
    calm = by(scene.replace(parameters={"sigma": 0.05}), "x0")
    assert calm.mean[-1] > 1.5 * ridge.mean[-1]
    on_top = by(scene.replace(parameters={"sigma": 0.0}), "x0")
    growth = (1.0 + scene.step) ** scene.steps
    assert on_top.mean[-1] == pytest.approx(growth, rel=1e-4)


@seen("The price of a digit")
def _(scene: lab.Scenario) -> None:
    few = simulate_summary(scene).states[0].mean_error[-1]
    many = simulate_summary(scene.replace(samples=10_000)).states[0].mean_error[-1]
    own = FAR / math.sqrt(2 * scene.samples)
    assert abs(few / many / 10.0 - 1.0) < own
    means = [simulate_summary(scene.replace(seed=seed)).states[0].mean[-1] for seed in range(40)]
    assert abs(np.std(means, ddof=1) / few - 1.0) < FAR / math.sqrt(2 * 39) + own


@seen("A stubborn bias")
def _(scene: lab.Scenario) -> None:
    excess = []
    for steps in (25, 50, 100, 200):
        scenario = scene.replace(steps=steps)
        found, theory = simulate_summary(scenario).states[0], lab.exact_laws(scenario)
        of_scheme, exact = (law.variance[-1, 0] for law in (theory.scheme, theory))
        assert abs(found.std[-1] - math.sqrt(of_scheme)) < FAR * found.std_error[-1]
        if steps == 25:
            assert found.std[-1] - math.sqrt(exact) > 20 * found.std_error[-1]
            assert of_scheme == pytest.approx(0.125 / (1 - 4 * scenario.step / 2), rel=1e-6)
            few = simulate_summary(scenario.replace(samples=1000)).states[0]
            assert few.std[-1] - math.sqrt(exact) > FAR * few.std_error[-1]
        excess.append(of_scheme - exact)
    assert all(late < early / 2 for early, late in itertools.pairwise(excess))


@seen("Itô or Stratonovich")
def _(scene: lab.Scenario) -> None:
    lifted = scene.replace(parameters={"mu": 0.5})
    for scenario in (scene, lifted, lifted.replace(scheme="heun"), scene.replace(scheme="heun")):
        state, mu = simulate_summary(scenario).states[0], scenario.parameters["mu"]
        middle = math.exp((mu - 0.5) * scenario.horizon)
        error = math.sqrt(math.pi / 2 * scenario.horizon / scenario.samples)
        assert abs(math.log(state.quantiles[2, -1] / middle)) < FAR * error + 3 * scenario.step
        rise = math.exp(mu * scenario.horizon)
        # The samples say too little to estimate an error, which the lesson says; the law has one.
        assert np.isnan(state.std_error[-1])
        by_law = rise * std_of_growth(1.0, scenario.horizon) / math.sqrt(scenario.samples)
        assert abs(state.mean[-1] - rise) < FAR * by_law + scenario.step


@seen("The summed gradient")
def _(scene: lab.Scenario) -> None:
    found = summed_gradient(scene)
    assert found.returned == pytest.approx(found.derivatives.sum(), rel=1e-5)
    assert found.returned > 11.0
    assert found.derivatives.max() <= 1.0 + 1e-6
    finer, more = (
        summed_gradient(scene.replace(steps=50)),
        summed_gradient(scene.replace(samples=10)),
    )
    assert finer.returned > 1.9 * found.returned
    assert more.returned == pytest.approx(10 * found.returned, rel=1e-5)


@seen("A kink and a jump")
def _(scene: lab.Scenario) -> None:
    for sigma in (0.3, 0.1):
        found = payoff_study(scene.replace(parameters={"sigma": sigma}))
        for estimate in (found.call.pathwise, found.call.bumped):
            off = np.abs(estimate.mean - found.call.exact)
            stated = np.isfinite(estimate.error)
            assert stated.mean() > 0.8
            assert (off < FAR * estimate.error + scene.step)[stated].all()
        assert not found.digital.pathwise.mean.any()
        assert found.digital.exact.max() > 1.0
        truth, bumped = found.digital.exact, found.digital.bumped
        smoothing = 0.02 * truth.max()
        stated = np.isfinite(bumped.error)
        assert stated.mean() > 0.8
        assert (np.abs(bumped.mean - truth) < FAR * bumped.error + smoothing)[stated].all()
        assert (np.abs(bumped.mean[20]) > FAR * bumped.error[20]).all()


def test_eulers_variances_in_the_answer_are_those_of_its_recursion() -> None:
    """X ← (1 − κΔ) X + σ ΔW: no step crosses the mean, yet the stationary variance is too large."""
    lesson = LESSONS["A stubborn bias"]
    scenario = lesson.scenario
    kappa, sigma = scenario.parameters["kappa"], scenario.parameters["sigma"]
    factor, exact_factor = 1 - kappa * scenario.step, math.exp(-kappa * scenario.step)
    assert factor == pytest.approx(0.2)  # positive: it does not cross the mean
    added = sigma**2 * scenario.step
    added_exactly = sigma**2 * (1 - exact_factor**2) / (2 * kappa)
    stationary, stationary_exactly = added / (1 - factor**2), sigma**2 / (2 * kappa)
    laws = lab.exact_laws(scenario)
    for theory, first, last in (
        (laws.scheme, added, stationary),
        (laws, added_exactly, stationary_exactly),
    ):
        assert theory.variance[1, 0] == pytest.approx(first, rel=1e-9)
        assert theory.variance[-1, 0] == pytest.approx(last, rel=1e-9)
    for number in (f"σ²Δ = {added:.1f}", f"{added_exactly:.4f}", f"{stationary:.3f} instead"):
        assert number in lesson.answer
    assert f"instead of {stationary_exactly:.3f}" in lesson.answer
    assert "overshoot" not in lesson.answer


def test_heuns_paths_are_eulers_up_to_the_discretisation_error() -> None:
    scene = LESSONS["Itô or Stratonovich"].scenario.replace(samples=1000)
    differences = []
    for steps in (200, 800):
        fine = scene.replace(steps=steps)
        noise = brownian_increments(fine)
        by_euler, by_heun = (
            lab.simulate(fine.replace(scheme=scheme), noise).values[-1, :, 0].double()
            for scheme in ("euler", "heun")
        )
        differences.append(float((by_euler.log() - by_heun.log()).square().mean().sqrt()))
    # strong order 1/2: a quarter of the step, half the difference; both are far from equal
    assert differences[0] > 0.01
    assert differences[1] / differences[0] == pytest.approx(0.5, rel=0.15)


def test_on_the_ridge_a_perturbation_grows_where_the_drift_rises() -> None:
    """The derivative of a x − b x³ changes its sign at √(a/(3b))."""
    scene = LESSONS["On the ridge"].scenario
    a, b = scene.parameters["a"], scene.parameters["b"]
    edge = math.sqrt(a / (3 * b))
    for x0, grows in ((0.9 * edge, True), (1.1 * edge, False)):
        start = by(scene.replace(x0=x0, parameters={"sigma": 0.0}), "x0")
        assert (start.mean[1] > 1.0) == grows


def test_there_is_a_check_for_every_lesson() -> None:
    assert CHECKS.keys() == LESSONS.keys()
    assert len(LESSONS) >= 8


@pytest.mark.parametrize("title", LESSONS)
def test_what_a_lesson_claims_to_be_visible_is_true_in_numbers(title: str) -> None:
    CHECKS[title](LESSONS[title].scenario)


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS.keys())
def test_a_scene_is_one_that_the_sliders_offer(lesson: Lesson) -> None:
    scenario = lesson.scenario
    assert scenario.horizon in HORIZONS
    assert scenario.steps in STEPS
    assert scenario.samples in SAMPLES
    assert set(lesson.columns) <= set(scenario.model_spec.jacobian_columns)
    parameters = (*scenario.model_spec.initial, *scenario.model_spec.parameters)
    values = (
        *scenario.initial,
        *(scenario.parameters[k.name] for k in scenario.model_spec.parameters),
    )
    for parameter, value in zip(parameters, values, strict=True):
        assert parameter.low <= value <= parameter.high


def lessons_page() -> AppTest:
    """The page of lessons, before one is chosen."""
    return AppTest.from_file(APP, default_timeout=60).switch_page("lessons.py").run()


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS.keys())
def test_a_lesson_opens_its_scene_and_shows_its_answer_at_a_click(lesson: Lesson) -> None:
    app = lessons_page()
    widget(app, f"open.{lesson.title}").click().run()
    assert shown(app).scenario == lesson.scenario
    assert not app.error
    assert app.subheader[0].value == lesson.question
    assert lesson.answer not in everything(app)
    widget(app, "show_answer").click().run()
    assert not app.exception
    assert lesson.answer in everything(app)
    assert app.latex[0].value.strip("$\n") == lesson.equation
    assert shown(app).scenario == lesson.scenario


def everything(app: AppTest) -> list[str]:
    """Every piece of text."""
    return [text.value for text in app.markdown]


def test_lessons_follow_one_another_and_start_over() -> None:
    app = lessons_page()
    titles = list(LESSONS)
    widget(app, "lesson").set_value(titles[-1]).run()
    assert shown(app).scenario == LESSONS[titles[-1]].scenario
    widget(app, "Next lesson").click().run()
    assert shown(app).scenario == LESSONS[titles[0]].scenario
    widget(app, "ornstein_uhlenbeck.kappa").set_value(2.5).run()
    widget(app, "pin").click().run()
    widget(app, "show_answer").click().run()
    widget(app, "Start over").click().run()
    assert shown(app).scenario == LESSONS[titles[0]].scenario
    assert app.session_state[STATE_KEY] is None
    assert app.session_state["hide"] is True


@pytest.mark.parametrize("model", ["Heston", "Lotka–Volterra", "Ornstein–Uhlenbeck"])
def test_a_lesson_survives_another_model(model: str) -> None:
    names = {m.title: m.name for m in lab.MODELS.values()}
    for title in (
        "A kink and a jump",
        "Predict with the Jacobian",
        "The summed gradient",
        "On the ridge",
    ):
        app = lessons_page()
        widget(app, f"open.{title}").click().run()
        widget(app, "model").set_value(names[model]).run()
        assert not app.exception
        assert not app.error
        said = any("another model" in caption.value for caption in app.caption)
        assert said == (LESSONS[title].scenario.model != names[model])


def test_where_every_path_explodes_the_payoffs_say_so() -> None:
    scenario = lab.Scenario(model="double_well", x0=2.0, horizon=50.0, steps=25, samples=50)
    with pytest.raises(lab.ScenarioError, match="every path diverges"):
        payoff_study(scenario)


def test_exact_payoff_sensitivities_are_those_of_black_and_scholes() -> None:
    scenario = LESSONS["A kink and a jump"].scenario
    study = payoff_study(scenario)
    mu, sigma, horizon = scenario.parameters["mu"], scenario.parameters["sigma"], scenario.horizon
    spread = sigma * math.sqrt(horizon)
    d2 = (np.log(1 / study.strikes) + (mu - sigma**2 / 2) * horizon) / spread
    normal = np.array([math.erf(x / math.sqrt(2)) for x in d2 + spread])
    np.testing.assert_allclose(
        study.call.exact, math.exp(mu * horizon) * (1 + normal) / 2, atol=5e-4
    )
    density = np.exp(-(d2**2) / 2) / math.sqrt(2 * math.pi)
    np.testing.assert_allclose(study.digital.exact, density / spread, rtol=1e-3)


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("theme", [Theme(), Theme(dark=True, projector=True)])
def test_a_lessons_own_figure_keeps_its_answer_until_asked(hidden: bool, theme: Theme) -> None:
    for lesson in LESSONS.values():
        if lesson.figure is None:
            continue
        found = lesson.figure.study(lesson.scenario.replace(samples=50))
        figure = lesson.figure.draw(found, hidden, theme)
        uids = {trace["uid"] for trace in figure["data"]}
        answers = {"kink-exact", "jump-exact", "summands", "kappa-paths", "sigma-paths"}
        assert bool(uids & answers) != hidden
        json.loads(figure_to_json(figure))
