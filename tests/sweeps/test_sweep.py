"""Sweeps: each point is what a run of its own gives, and its errors are honest."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import sde_lab as lab
from sde_lab.solver.brownian import STREAM_SAMPLES
from sde_lab.sweeps import SweepRun, batching, make_plan

BASE = lab.Scenario(x0=1.5, steps=20, samples=300, dtype="float64")
MEASURES = ("mean", "std", "q05", "q50", "q97.5")
AXES: dict[str, list[Any]] = {
    "x0": [-1.0, 0.0, 2.0],
    "kappa": [0.0, 0.5, 3.0],
    "theta": [-1.0, 1.0],
    "sigma": [0.0, 0.4, 2.0],
    "horizon": [0.5, 1.0, 4.0],
    "steps": [10, 20, 15],
    "samples": [50, 300, 7],
    "scheme": ["euler", "srk", "heun"],
    "seed": [0, 1, 2**40],
}


def expected(point: lab.Scenario, columns: tuple[str, ...], index: int) -> dict[Any, list[float]]:
    """Estimates of one point by the front page's own means, quantiles by numpy."""
    paths = lab.simulate(point)
    jacobian = lab.jacobian(paths)
    tables = {"x": paths.values[index, :, 0].numpy()}
    tables |= {f"dx_d{name}": jacobian.wrt(name)[index, :, 0].numpy() for name in columns}
    found = {}
    for quantity, values in tables.items():
        found[quantity] = [
            values.mean(),
            values.std(ddof=1),
            *np.quantile(values, [0.05, 0.5, 0.975]),
        ]
    return found


@pytest.mark.parametrize("name", AXES)
def test_each_point_is_what_a_run_of_its_own_gives(name: str) -> None:
    columns = ("kappa", "x0")
    result = lab.sweep(BASE, {name: AXES[name]}, MEASURES, columns)
    assert result.done.all()
    table = result.table()
    assert table[name].tolist() == [v for v in AXES[name] for _ in range(15)]
    for place, value in enumerate(AXES[name]):
        changes = {"parameters": {name: value}} if name in BASE.parameters else {name: value}
        point = BASE.replace(**changes)
        for quantity, numbers in expected(point, columns, -1).items():
            rows = table[(table["quantity"] == quantity)].iloc[5 * place : 5 * place + 5]
            assert rows["measure"].tolist() == list(MEASURES)
            np.testing.assert_allclose(rows["value"], numbers, rtol=1e-9, atol=1e-12)
            assert (rows["time"] == point.horizon).all()


def test_a_summary_and_a_sweep_agree_on_errors_and_truth() -> None:
    result = lab.sweep(
        BASE, {"kappa": [0.5, 2.0]}, ("mean", "std"), BASE.model_spec.jacobian_columns, times=20
    )
    for place, kappa in enumerate((0.5, 2.0)):
        point = BASE.replace(parameters={"kappa": kappa})
        paths = lab.simulate(point)
        summary, exact = lab.summarise(paths, lab.jacobian(paths)), lab.exact_laws(point)
        bands = {"x": (summary.states[0], exact.state)}
        bands |= {
            f"dx_d{name}": (rows[0], exact.sensitivities[name])
            for name, rows in summary.sensitivities.items()
        }
        for quantity, (band, law) in bands.items():
            for time in range(21):
                mean = result.curve(quantity, "mean", time)
                std = result.curve(quantity, "std", time)
                assert mean.time[place] == pytest.approx(summary.times[time], rel=1e-14)
                # Where the samples cannot tell an error, a sweep takes that of the scheme's law.
                sampled = (
                    exact.scheme.state
                    if quantity == "x"
                    else exact.scheme.sensitivities[quantity[4:]]
                )
                by_law = [errors[time, 0] for errors in sampled.standard_errors(BASE.samples)]
                stated = [band.mean_error[time], band.std_error[time]]
                expected = np.where(np.isnan(stated), by_law, stated)
                assert mean.error[place] == pytest.approx(expected[0], rel=1e-9, abs=1e-9)
                assert std.error[place] == pytest.approx(expected[1], rel=1e-6, abs=1e-9)
                assert mean.exact[place] == pytest.approx(law.mean[time, 0], abs=1e-14)
                spread = math.sqrt(law.variance[time, 0])
                assert std.exact[place] == pytest.approx(spread, abs=1e-14)


@pytest.mark.parametrize("name", ["heston", "lotka_volterra", "damped_oscillator"])
def test_every_component_is_measured(name: str) -> None:
    scenario = lab.Scenario(name, steps=15, samples=40, dtype="float64")
    parameter, start = scenario.model_spec.parameters[0], scenario.model_spec.initial[1]
    over = {
        parameter.name: [parameter.default, parameter.high],
        start.name: [start.default, start.high],
    }
    result = lab.sweep(
        scenario, over, ("mean", "q25"), (parameter.name,), times=[scenario.horizon / 2]
    )
    point = scenario.replace(
        parameters={parameter.name: parameter.high}, x0=[scenario.initial[0], start.default]
    )
    paths = lab.simulate(point)
    derivatives = lab.jacobian(paths).wrt(parameter.name)
    index = round(15 / 2)
    for d, component in enumerate(scenario.model_spec.components):
        for quantity, values in (
            (component, paths.values),
            (f"d{component}_d{parameter.name}", derivatives),
        ):
            numbers = values[index, :, d].numpy()
            assert result.curve(quantity, "mean").value[2] == pytest.approx(numbers.mean())
            assert result.curve(quantity, "q25").value[2] == pytest.approx(
                np.quantile(numbers, 0.25)
            )


def test_an_explicit_list_of_points_is_taken_as_it_is() -> None:
    points = [{"kappa": 1.0, "sigma": 2.0}, {"sigma": 0.5, "kappa": 3.0}]
    paired = lab.sweep(BASE, points)
    full = lab.sweep(BASE, {"kappa": [1.0, 3.0], "sigma": [0.5, 2.0]})
    assert paired.grid.points == ((1.0, 2.0), (3.0, 0.5))
    assert full.grid.shape == (2, 2)
    np.testing.assert_array_equal(
        paired.curve("x", "std").value, full.curve("x", "std").value[[1, 2]]
    )


def test_blocks_and_spans_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = lab.Scenario(samples=2 * STREAM_SAMPLES + 100, steps=30)
    over = {"kappa": np.linspace(0.2, 3.0, 7), "seed": [3, 4]}
    arguments = (scenario, over, ("mean", "std", "q05", "crosses 1", largest), ("x0", "sigma"), 3)
    whole = lab.sweep(*arguments)
    monkeypatch.setattr(batching, "MAX_BLOCK_POINTS", 3)
    monkeypatch.setattr(batching, "MAX_BLOCK_ROWS", STREAM_SAMPLES)
    monkeypatch.setattr(batching, "BLOCK_BYTES", 1.0)
    plan = make_plan(*arguments)
    assert len(plan.blocks) == 14
    assert plan.blocks[0].span == STREAM_SAMPLES
    np.testing.assert_array_equal(lab.sweep(*arguments).value, whole.value)


def largest(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The largest value of the first component."""
    return values[..., 0].max(axis=0)


def test_own_measures_see_whole_paths() -> None:
    seen = []

    def area(times: np.ndarray, values: np.ndarray) -> np.ndarray:
        seen.append((times, values.shape))
        return np.trapezoid(values[..., 0], times, axis=0)

    result = lab.sweep(BASE, {"horizon": [1.0, 2.0]}, ("mean", area, largest))
    for place, horizon in enumerate((1.0, 2.0)):
        paths = lab.simulate(BASE.replace(horizon=horizon))
        values = np.trapezoid(paths.values[..., 0], paths.times, axis=0)
        curve = result.curve("path", "area")
        assert curve.value[place] == pytest.approx(values.mean())
        assert curve.error[place] == pytest.approx(values.std(ddof=1) / math.sqrt(300))
        assert math.isnan(curve.exact[place])
        assert seen[place][0][-1] == horizon
        assert seen[place][1] == (21, 300, 1)
    with pytest.raises(lab.ScenarioError, match="must give one number each"):
        lab.sweep(BASE, {"kappa": [1.0]}, (lambda t, x: x,))


def test_a_level_is_crossed_from_the_side_where_the_path_began() -> None:
    for x0, level in ((0.0, 0.8), (1.5, 0.8), (0.8, 0.8), (5.0, -90.0)):
        result = lab.sweep(BASE, {"x0": [x0]}, (f"crosses {level}",), times=2)
        values = lab.simulate(BASE.replace(x0=x0)).values[..., 0].numpy()
        for time, last in enumerate((0, 10, 20)):
            seen = values[: last + 1]
            hits = (seen >= level).any(0) if x0 < level else (seen <= level).any(0)
            curve = result.curve("x", f"crosses {level:g}", time)
            assert curve.value[0] == pytest.approx(hits.mean(), abs=1e-15)
            assert curve.error[0] > 0.0


def test_brownian_motion_crosses_as_the_reflection_principle_says() -> None:
    """P(max W ≥ a) = 2(1 − Φ(a/√t)), the level moved by 0.5826 σ√Δ because the maximum is looked at
    at steps only (Broadie, Glasserman and Kou 1997)."""
    scenario = lab.Scenario("brownian_motion", x0=0.0, parameters={"mu": 0.0}, samples=20_000)
    result = lab.sweep(scenario, {"sigma": [0.5, 1.0, 2.0]}, ("crosses 1",))
    curve = result.curve("x", "crosses 1")
    for place, sigma in enumerate((0.5, 1.0, 2.0)):
        level = (1.0 + 0.5826 * sigma * 0.1) / sigma
        exact = math.erfc(level / math.sqrt(2.0))
        assert abs(curve.value[place] - exact) < 3.5 * curve.error[place] + 0.002


@pytest.mark.slow
def test_two_standard_errors_cover_as_often_as_they_say() -> None:
    """400 seeds × 3 settings of each OU parameter: 95 % within 2 SE, neither much fewer nor all.

    The share of 1200 has a standard error of 1 % or so, settings of one seed not being independent.
    A scheme of high order and small steps: its bias is far below the errors.
    """
    base = lab.Scenario(x0=1.0, scheme="srk", steps=16, samples=250, dtype="float64")
    axes = {
        "x0": [-2.0, 0.5, 2.0],
        "kappa": [0.2, 1.0, 2.5],
        "theta": [-1.0, 0.2, 1.0],
        "sigma": [0.3, 1.0, 2.0],
    }
    names = ("mean", "std", "q05", "q50", "q95")
    for name, values in axes.items():
        result = lab.sweep(base, {"seed": range(400), name: values}, names, ("kappa", "sigma"))
        for quantity in ("x", "dx_dkappa", "dx_dsigma"):
            for measure in names:
                curve = result.curve(quantity, measure)
                stated = np.isfinite(curve.error)
                inside = (np.abs(curve.value - curve.exact) < 2.0 * curve.error)[stated]
                assert stated.mean() > 0.99, (name, quantity, measure)
                assert 0.91 < inside.mean() < 0.985, (name, quantity, measure, inside.mean())


@pytest.mark.parametrize("name", ["x0", "kappa", "theta", "sigma"])
@pytest.mark.parametrize(("measure", "of"), [("mean", "mean"), ("std slope", "std")])
def test_a_curve_has_the_slope_that_the_jacobian_predicts(name: str, measure: str, of: str) -> None:
    """Against differences of the exact curve, within the error of the estimated slope."""
    base = lab.Scenario(x0=1.0, scheme="srk", steps=50, samples=4000, dtype="float64")
    values = np.linspace(0.4, 2.0, 7)
    h = 1e-4
    slope = lab.sweep(base, {name: values}, (measure,), (name,)).curve(f"dx_d{name}", measure)
    above, below = (
        lab.sweep(base.replace(samples=2), {name: values + by}, (of,)).curve("x", of).exact
        for by in (h, -h)
    )
    true = (above - below) / (2 * h)
    assert (np.abs(slope.value - true) < 4.0 * slope.error + 1e-4).all()


def test_the_slope_of_the_spread_is_that_of_the_simulated_curve_and_its_error_is_honest() -> None:
    """Differences of the simulated spread on the same noise; 95 % of 400 seeds within 2 SE."""
    h, kappas = 1e-5, np.array([0.5, 2.0])
    slope = lab.sweep(BASE, {"kappa": kappas}, ("std slope",), ("kappa",))
    above, below = (
        lab.sweep(BASE, {"kappa": kappas + by}, ("std",)).curve("x", "std").value for by in (h, -h)
    )
    found = slope.curve("dx_dkappa", "std slope").value
    np.testing.assert_allclose(found, (above - below) / (2 * h), rtol=1e-6)
    base = BASE.replace(scheme="srk", samples=2000)
    many = lab.sweep(base, {"seed": range(400)}, ("std slope",), ("sigma",))
    curve = many.curve("dx_dsigma", "std slope")
    true = math.sqrt(-math.expm1(-2.0) / 2.0)
    assert np.isfinite(curve.error).mean() > 0.95
    inside = np.abs(curve.value - true) < 2.0 * curve.error
    assert 0.91 < inside.mean() < 0.985
    still = lab.sweep(
        BASE.replace(parameters={"sigma": 0.0}), {"samples": [1, 20]}, ("std slope",), ("kappa",)
    )
    assert math.isnan(still.value[0, 0])
    assert abs(still.value[1, 0]) < 1e-12


def test_exploded_samples_are_counted_and_left_out() -> None:
    scenario = lab.Scenario("double_well", x0=0.5, horizon=25.0, steps=30, samples=200)
    result = lab.sweep(
        scenario, {"x0": [0.0, 0.6, 50.0]}, ("mean", "q50", "crosses 1", largest), ("b",)
    )
    assert 0 < result.exploded[0] < 200
    assert result.exploded[2] == 200
    for place, x0 in enumerate((0.0, 0.6)):
        paths = lab.simulate(scenario.replace(x0=x0))
        jacobian = lab.jacobian(paths).wrt("b")
        finite = paths.values[-1].isfinite()[:, 0]
        usable = finite & jacobian[-1].isfinite()[:, 0]
        assert result.exploded[place] == int((~finite).sum())
        assert result.curve("x", "mean").value[place] == pytest.approx(
            float(paths.values[-1, finite].mean()), rel=1e-5
        )
        assert result.curve("dx_db", "mean").value[place] == pytest.approx(
            float(jacobian[-1, usable].mean()), rel=1e-4, abs=1e-6
        )
    assert np.isnan(result.value[2]).all()


def test_a_derivative_that_fails_does_not_take_its_sample_out_of_the_state() -> None:
    """∂(xⁿ)/∂n is NaN below zero; at n = 1 the equation is Ornstein–Uhlenbeck."""
    scenario = lab.Scenario("dx = -x**n*dt + dW", x0=1.0, parameters={"n": 1.0}, samples=1000)
    over, measures = {"x0": [0.5, 1.0, 40.0]}, ("mean", "std", "std slope", largest)
    plain = lab.sweep(scenario, over, ("mean", "std", largest))
    result = lab.sweep(scenario, over, measures, ("x0", "n"))
    assert not result.exploded.any()
    for name in ("mean", "std"):
        assert np.array_equal(result.curve("x", name).value, plain.curve("x", name).value)
    for place, x0 in enumerate((0.5, 1.0, 40.0)):
        paths = lab.simulate(scenario.replace(x0=x0))
        table = lab.jacobian(paths).wrt("n")[-1, :, 0]
        assert result.curve("dx_dn", "mean").value[place] == pytest.approx(
            float(table[table.isfinite()].mean()), rel=1e-4, abs=1e-6
        )
        assert result.curve("dx_dx0", "mean").value[place] == pytest.approx(
            (1.0 - scenario.step) ** scenario.steps, rel=1e-4
        )


def test_few_samples_say_what_they_do_not_know() -> None:
    result = lab.sweep(BASE, {"samples": [1, 2, 10, 200]}, ("mean", "q05", "q50"))
    mean, tail, middle = (result.curve("x", name) for name in ("mean", "q05", "q50"))
    # From 3 samples on, as many as the kurtosis, the law of Gaussian samples gives the error.
    assert np.isnan(mean.error).tolist() == [True, True, False, False]
    assert np.isnan(tail.error).tolist() == [True, True, True, False]
    assert np.isnan(middle.error).tolist() == [True, True, False, False]
    assert np.isfinite(np.stack([mean.value, tail.value, middle.value])).all()


def test_threads_of_torch_do_not_change_a_bit() -> None:
    scenario = lab.Scenario("heston", samples=900, steps=12)
    over = {"rho": np.linspace(-0.9, 0.9, 40)}
    one = lab.sweep(scenario, over, ("mean", "std"), ("rho",))
    try:
        torch.set_num_threads(2)
        two = lab.sweep(scenario, over, ("mean", "std"), ("rho",))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    np.testing.assert_array_equal(one.value, two.value)


def test_times_are_those_of_the_grid() -> None:
    near = lab.sweep(BASE, {"steps": [10, 20]}, times=[0.0, 0.33, 1.0]).times
    np.testing.assert_allclose(near, [[0.0, 0.3, 1.0], [0.0, 0.35, 1.0]], rtol=1e-14)
    shares = lab.sweep(BASE, {"horizon": [1.0, 4.0]}, times=4).times
    np.testing.assert_allclose(shares, np.outer([1, 4], [0, 0.25, 0.5, 0.75, 1]), rtol=1e-14)
    start = lab.sweep(BASE, {"x0": [-1.0, 2.0]}, times=[0.0]).curve("x", "mean")
    np.testing.assert_array_equal(start.value, [-1.0, 2.0])
    np.testing.assert_array_equal(start.exact, [-1.0, 2.0])


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"over": {}}, "over", "nothing to sweep"),
    ({"over": []}, "over", "at least one point"),
    ({"over": {"kappa": []}}, "over.kappa", "at least one value"),
    ({"over": {"kappa": np.array([])}}, "over.kappa", "at least one value"),
    ({"over": {"kappa": [1.0, math.nan]}}, "over.kappa", "finite"),
    ({"over": {"kappa": [1.0, math.inf]}}, "over.kappa", "finite"),
    ({"over": {"kappa": ["a"]}}, "over.kappa", "number"),
    ({"over": {"kappa": 1.0}}, "over.kappa", "list of values"),
    ({"over": {"kappa": "12"}}, "over.kappa", "list of values"),
    ({"over": {"sigma": [-1.0]}}, "over.sigma", "at least 0"),
    ({"over": {"kapa": [1.0]}}, "over.kapa", "x0, kappa, theta, sigma, horizon"),
    ({"over": {"model": ["heston"]}}, "over.model", "cannot be swept"),
    ({"over": {"steps": [10.5]}}, "over.steps", "whole number"),
    ({"over": {"scheme": ["none"]}}, "over.scheme", "must be one of"),
    ({"over": {"x0": [1.0, None]}}, "over.x0", "number"),
    ({"over": [{"kappa": 1.0}, {"sigma": 1.0}]}, "over", "same names"),
    ({"over": [{"kappa": 1.0}, 3]}, "over", "same names"),
    ({"over": "kappa"}, "over", "mapping"),
    ({"over": {"kappa": range(2_000_000)}}, "over.kappa", "at most 1,000,000 points"),
    ({"over": {"kappa": range(1, 3000), "theta": range(3000)}}, "over", "at most 1,000,000 points"),
    ({"measures": ()}, "measures", "list"),
    ({"measures": "mean"}, "measures", "list"),
    ({"measures": ("mode",)}, "measures", "quantile such as q05"),
    ({"measures": ("q0",)}, "measures", "quantile such as q05"),
    ({"measures": ("q100",)}, "measures", "quantile such as q05"),
    ({"measures": ("crosses 1.2.3",)}, "measures", "crosses 1.5"),
    ({"measures": ("q05", "q5")}, "measures", "twice"),
    ({"measures": (3,)}, "measures", "a function"),
    ({"sensitivities": ("rho",)}, "sensitivities", "x0, kappa"),
    ({"sensitivities": ("kappa", "kappa")}, "sensitivities", "once"),
    ({"sensitivities": "kappa"}, "sensitivities", "list"),
    ({"times": [0.5, 0.2]}, "times", "increase"),
    ({"times": [0.5, 3.0]}, "times", "within the horizon"),
    ({"times": [-1.0]}, "times", "within the horizon"),
    ({"times": [math.nan]}, "times", "finite"),
    ({"times": 0}, "times", "from 1"),
    ({"times": []}, "times", "list of times"),
    ({"executor": 3}, "executor", "Executor"),
]


@pytest.mark.parametrize(("change", "field", "words"), REFUSED, ids=lambda v: str(v)[:40])
def test_what_cannot_work_is_refused_by_name(
    change: dict[str, Any], field: str, words: str
) -> None:
    arguments = {"over": {"kappa": [1.0]}, **change}
    with pytest.raises(lab.ScenarioError) as caught:
        lab.sweep(BASE, **arguments)
    assert caught.value.field == field
    assert words in caught.value.hint


def test_more_than_the_budget_holds_is_refused_with_what_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SDE_LAB_MEMORY_GB", "0.1")
    over = {"kappa": np.linspace(0, 1, 300), "theta": np.linspace(0, 1, 300)}
    with pytest.raises(lab.ScenarioError, match="points fit") as caught:
        make_plan(BASE, over, MEASURES, ("kappa",))
    fits = int(caught.value.hint.split()[-3])
    make_plan(BASE, {"kappa": np.linspace(0, 1, fits)}, MEASURES, ("kappa",))
    with pytest.raises(lab.ScenarioError, match="points fit"):
        make_plan(BASE, {"kappa": np.linspace(0, 1, fits + 1)}, MEASURES, ("kappa",))
    with pytest.raises(lab.ScenarioError, match="should fit"):
        make_plan(BASE.replace(samples=10_000_000), {"kappa": [1.0]}, MEASURES)
    with pytest.raises(lab.ScenarioError, match="should fit"):
        make_plan(BASE.replace(steps=1_000_000), {"kappa": [1.0]}, MEASURES)


def test_a_run_tells_how_far_it_is_and_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MAX_BLOCK_POINTS", 2)
    over = {"kappa": [0.5, 1.0, 1.5, 2.0, 2.5]}
    whole = lab.sweep(BASE, over)
    run = SweepRun(make_plan(BASE, over, ("mean", "std")))
    assert (run.done, run.finished) == (0, False)
    assert math.isnan(run.progress.left)
    run.advance()
    assert (run.done, run.progress.points) == (2, 5)
    assert run.progress.left > 0.0
    part = run.result()
    assert len(part.table()) == 4
    assert np.isnan(part.curve("x", "mean").value).tolist() == [False, False, True, True, True]
    run.cancel()
    while not run.finished:
        run.advance()
    assert run.progress.left == 0.0
    np.testing.assert_array_equal(run.result().value, whole.value)
    assert not part.done.all()


def test_progress_is_reported() -> None:
    seen: list[Any] = []
    lab.sweep(BASE, {"steps": [5, 10, 15]}, progress=seen.append)
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert seen[-1].done == seen[-1].points == 3
