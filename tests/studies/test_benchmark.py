"""The ways to a gradient: that they agree, that what is shown runs, that what is said is so."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch

import sde_lab as lab
from sde_lab.equations.examples import EXAMPLES
from sde_lab.figures.benchmark_bars import benchmark_bars
from sde_lab.figures.scaling_chart import scaling_chart
from sde_lab.figures.serialize import figure_to_json
from sde_lab.figures.theme import Theme
from sde_lab.schemes import fitting_schemes
from sde_lab.studies.benchmark.benchmark import ORDER, run_benchmark
from sde_lab.studies.benchmark.cost_model import CostSample, fit, slope
from sde_lab.studies.benchmark.listing import runnable_listing
from sde_lab.studies.benchmark.profiling import OutOfTimeError, deadline, profile
from sde_lab.studies.benchmark.registry import METHODS
from sde_lab.studies.benchmark.report import comparison_sentences
from sde_lab.studies.benchmark.stepper import STUDIES, BenchmarkStepper
from sde_lab.studies.benchmark.torchsde_setup import TorchsdeSetup, torchsde_setup
from sde_lab.studies.benchmark.trial import MAX_REPEATS, TrialResult, run_trial
from sde_lab.studies.gradient_kinds import compare_gradients
from sde_lab.studies.step_maps import step_maps
from sde_lab.studies.summed_gradient import summed_gradient
from tests.support.brief_benchmark import make_brief
from tests.support.server import ROOT

pytestmark = pytest.mark.filterwarnings(
    "ignore:`torch.jit.script` is deprecated:FutureWarning"  # torch's own, at its first jacfwd
)
RIGHT = [name for name, way in METHODS.items() if way.per_time]


def small(model: str, scheme: str) -> lab.Scenario:
    """A few steps of a few samples, exactly."""
    return lab.Scenario(model=model, scheme=scheme, steps=6, samples=3, seed=5, dtype="float64")


TITLES = {name: name for name in lab.MODELS} | {one.text: one.title for one in EXAMPLES}
"""Every model, built in or typed, and what a test of it is called."""
PAIRS = [
    (model, scheme)
    for model in TITLES
    for scheme in fitting_schemes(lab.Scenario(model=model).model_spec)
]
every_model = pytest.mark.parametrize("model", TITLES, ids=list(TITLES.values()))


@pytest.fixture
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let studies run a few tiny sizes, once each: what they say of cost means nothing then."""
    make_brief(monkeypatch)


@pytest.mark.parametrize(
    ("model", "scheme"), PAIRS, ids=[f"{TITLES[model]}-{scheme}" for model, scheme in PAIRS]
)
def test_all_right_ways_agree_and_the_wrong_one_is_their_sum(model: str, scheme: str) -> None:
    scenario = small(model, scheme)
    setup = torchsde_setup(scenario)
    truth = METHODS["replay"](setup)
    size = len(scenario.initial)
    assert truth.shape == (7, 3, size, size)
    assert truth[1:].abs().sum() > 0
    for name in RIGHT:
        if METHODS[name].why_unsupported(scenario) is None:
            found = METHODS[name](setup)
            torch.testing.assert_close(found, truth, rtol=1e-10, atol=1e-10)
    total = METHODS["summed"](setup)
    torch.testing.assert_close(total, truth.sum((0, 1, 2)), rtol=1e-10, atol=1e-10)


def test_what_is_refused_does_not_work_and_only_that() -> None:
    refused = 0
    for model, scheme in PAIRS:
        scenario = small(model, scheme)
        for name in RIGHT:
            reason = METHODS[name].why_unsupported(scenario)
            if reason is None:
                continue
            refused += 1
            assert len(reason) > 40
            setup = torchsde_setup(scenario)
            assert not right(name, setup), (model, scheme, name)
    assert refused > 5


def right(name: str, setup: TorchsdeSetup) -> bool:
    """Whether the way runs and gives the derivatives."""
    try:
        found = METHODS[name](setup)
    except (RuntimeError, ValueError, NotImplementedError):
        return False
    return bool((found - METHODS["replay"](setup)).abs().max() < 1e-6)


def test_two_threads_in_forward_mode_get_right_numbers() -> None:
    setups = [
        torchsde_setup(small("ornstein_uhlenbeck", "euler").replace(seed=s)) for s in range(8)
    ]
    truths = [METHODS["replay"](setup) for setup in setups]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(METHODS["jacfwd"], setups * 5))
    for result, truth in zip(found, truths * 5, strict=True):
        torch.testing.assert_close(result, truth, rtol=1e-10, atol=1e-10)


EACH_IN_A_PROCESS = """
import json, os, sys
import torch, torchsde
for name in json.load(sys.stdin):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        with open(name, encoding="utf-8") as file:
            exec(compile(file.read(), name, "exec"), {"__name__": "__main__"})
        sys.stdout.flush()
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit(f"{name} failed")
    print("---", flush=True)
"""
"""Runs programs, each in a fork of an interpreter that has torch and torchsde in memory. The names
that a program uses it must import itself all the same."""


def run_each(programs: list[str], folder: Path) -> list[str]:
    """What each program prints."""
    places = [folder / f"{number}.py" for number in range(len(programs))]
    for place, program in zip(places, programs, strict=True):
        place.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", EACH_IN_A_PROCESS],
        cwd=ROOT,
        input=json.dumps([str(place) for place in places]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("---\n")[:-1]


@pytest.mark.slow
def test_the_code_of_every_way_runs_by_itself_and_gives_its_numbers(tmp_path: Path) -> None:
    scenario = lab.Scenario(
        model="geometric_brownian_motion", samples=7, steps=10, seed=3, dtype="float64"
    )
    setup = torchsde_setup(scenario)
    codes = [runnable_listing(way, scenario) for way in METHODS.values()]
    printed = run_each(codes, tmp_path)
    for way, text in zip(METHODS.values(), printed, strict=True):
        expected = way(setup)
        *shape, total = re.findall(r"-?[\d.]+(?:e[+-]\d+)?", text)
        assert tuple(int(n) for n in shape) == tuple(expected.shape)
        assert float(total) == pytest.approx(float(expected.sum()), rel=1e-12)


@every_model
def test_the_trap_is_the_sum_of_the_bars(model: str) -> None:
    found = summed_gradient(lab.Scenario(model=model, samples=20, steps=25, scheme="euler"))
    assert found.returned == pytest.approx(float(found.derivatives.sum()), rel=1e-10)


def test_the_trap_of_the_question_in_closed_form() -> None:
    found = summed_gradient(lab.Scenario(samples=3))
    expected = 3 * sum(0.99**k for k in range(101))
    assert found.returned == pytest.approx(expected, rel=1e-12)


@every_model
def test_the_running_product_of_the_steps_is_the_derivative_of_the_path(model: str) -> None:
    scenario = lab.Scenario(model=model, samples=4, steps=20, dtype="float64")
    truth = lab.jacobian(lab.simulate(scenario)).values
    for component in range(len(scenario.initial)):
        found = step_maps(scenario, component)
        expected = truth[:, :, component, component].numpy()
        np.testing.assert_allclose(found.products, expected, rtol=1e-10, atol=1e-12)
        assert found.a.shape == (20, 4)


def test_the_step_maps_of_the_question() -> None:
    found = step_maps(lab.Scenario(samples=2))
    np.testing.assert_allclose(found.a, 0.99, rtol=1e-13)
    assert found.exact is not None
    np.testing.assert_allclose(found.products[:, 0], found.exact, atol=0.37 * 0.01)


def test_three_gradients_come_from_one_jacobian() -> None:
    scenario = lab.Scenario(model="geometric_brownian_motion", samples=50, steps=20)
    found = compare_gradients(scenario)
    np.testing.assert_allclose(found.from_autograd, found.from_jacobian, rtol=1e-10)
    exact = scenario.replace(dtype="float64")
    path = lab.simulate(exact).values[..., 0] / scenario.initial[0]  # ∂S/∂x₀ = S/x₀ under Euler
    np.testing.assert_allclose(found.from_jacobian[0], path[-1, 0], rtol=1e-10)
    np.testing.assert_allclose(found.from_jacobian[1], path[-1].mean(), rtol=1e-10)
    np.testing.assert_allclose(found.from_jacobian[2], path[:, 0].sum(), rtol=1e-10)


@pytest.mark.slow
def test_a_race_measures_what_fits_and_predicts_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDE_LAB_MEMORY_GB", "0.2")
    steps = list(run_benchmark(lab.Scenario(steps=50, samples=400)))
    assert [s for s in steps if isinstance(s, str)] == list(ORDER)
    results = [s for s in steps if isinstance(s, TrialResult)]
    full = {r.method: r for r in results if r.samples == 400}
    assert set(full) == set(METHODS)
    assert full["jacrev"].status == "predicted"
    assert full["jacrev"].memory > 4 * (51 * 400) ** 2  # as many cotangents as numbers
    assert "GB" in full["jacrev"].reason
    assert [full[name].reason for name in ("replay", "summed")] == ["", ""]
    assert full["replay"].status == full["summed"].status == "measured"
    assert full["replay"].shape == (51, 400, 1, 1)
    assert full["summed"].shape == (1,)
    for r in results:
        if r.status == "measured":
            assert r.seconds > 0
            assert r.memory >= 0
            if METHODS[r.method].per_time:
                assert r.relative_error < 1e-5
    smaller = [r for r in results if r.method == "jacrev" and r.status == "measured"]
    assert len(smaller) == 1
    both = [r for r in results if r.samples == smaller[0].samples]
    assert {(r.status, r.reason) for r in both} == {("measured", "")}
    assert {"jacrev", "replay"} <= {r.method for r in both}
    text = " ".join(comparison_sentences(results))
    assert "predicted, not attempted" in text
    assert f"{smaller[0].samples:,} samples, where both fit" in text
    figure = benchmark_bars(results, Theme())
    assert len(figure["data"][0]["x"]) == len(METHODS)
    assert "/" in figure["data"][0]["marker"]["pattern"]["shape"]
    figure_to_json(figure)


def test_slow_garbage_collection_ends_the_repeats_not_the_trial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sde_lab.studies.benchmark.trial.TIMEOUT_SECONDS", 3.0)
    monkeypatch.setattr("sde_lab.studies.benchmark.trial.MAX_REPEATING_SECONDS", 0.6)
    monkeypatch.setattr("sde_lab.studies.benchmark.trial.release_memory", lambda: time.sleep(0.5))
    result = run_trial(METHODS["replay"], lab.Scenario(steps=5, samples=2), None)
    assert (result.status, result.reason) == ("measured", "")
    assert 1 <= result.repeats < MAX_REPEATS


def test_a_race_says_what_it_refuses() -> None:
    scenario = lab.Scenario(
        model="geometric_brownian_motion", scheme="milstein", steps=10, samples=5
    )
    job = BenchmarkStepper("race", scenario)
    found = []
    while (step := job.step()) is not None:
        found.append(step)
    refused = {
        r.method: r.reason for r in found if isinstance(r, TrialResult) and r.status == "refused"
    }
    assert "jacfwd" in refused
    assert "first_variation" in refused
    assert "Milstein" in refused["jacfwd"]


@every_model
def test_three_gradients_agree_for_every_model(model: str) -> None:
    found = compare_gradients(lab.Scenario(model=model, samples=5, steps=25))
    np.testing.assert_allclose(found.from_autograd, found.from_jacobian, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("briefly")
@pytest.mark.parametrize("study", STUDIES)
@every_model
def test_every_way_ends_measured_or_refused_for_every_model(model: str, study: str) -> None:
    scenario = lab.Scenario(model=model, samples=3, steps=4, horizon=0.1)
    results = [found for found in STUDIES[study](scenario) if isinstance(found, TrialResult)]
    assert {found.method for found in results} == set(METHODS)
    for found in results:
        refusal = METHODS[found.method].why_unsupported(scenario)
        assert found.status == ("measured" if refusal is None else "refused")
        assert found.reason == (refusal or "")


@pytest.mark.usefixtures("briefly")
@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("largest", [0, 2])
def test_whatever_a_way_raises_ends_its_own_trial_alone(
    monkeypatch: pytest.MonkeyPatch, study: str, largest: int
) -> None:
    """At once, where its costs are forecast, or only at sizes over ``largest`` samples."""

    def broken(setup: TorchsdeSetup) -> torch.Tensor:
        if setup.samples > largest:
            raise ZeroDivisionError
        return METHODS["replay"](setup)

    ways = {**METHODS, "loop": replace(METHODS["loop"], run=broken)}
    monkeypatch.setattr("sde_lab.studies.benchmark.benchmark.METHODS", MappingProxyType(ways))
    results = [
        r for r in STUDIES[study](lab.Scenario(samples=3, steps=4)) if isinstance(r, TrialResult)
    ]
    status = {r.method: r.status for r in results}
    assert status.pop("loop") == "failed"
    assert set(status.values()) == {"measured"}
    assert set(status) == set(METHODS) - {"loop"}
    assert next(r for r in results if r.status == "failed").reason == "ZeroDivisionError"


@pytest.mark.parametrize("noise", [1e-4, 1.0])
def test_a_forecast_finds_the_law_that_made_the_numbers(noise: float) -> None:
    sizes = [(8, 4), (8, 64), (16, 16), (32, 32), (32, 128)]
    runs = [CostSample(k, n, 0.5 + 2e-3 * k**2 * n**2) for k, n in sizes]
    cost = fit(runs, ((0, 0), (1, 0), (2, 1), (2, 2)), noise)
    assert cost(100, 1000) == pytest.approx(0.5 + 2e-3 * 1e10, rel=1e-3)


def test_slopes_are_those_of_the_last_points() -> None:
    known = [1e-3 * cost for cost in (9, 9, 4, 16, 64)]
    power, error = slope([1, 2, 4, 8, 16], [9, 9, 4, 16, 64], known)
    assert power == pytest.approx(2.0)
    # weights ±1/(2 log 2) on the ends: their relative errors of 0.1 % add in squares
    assert error == pytest.approx(1e-3 / (math.sqrt(2.0) * math.log(2.0)), rel=1e-6)
    off = slope([1, 2, 4], [1, 4, 4], [0.0, 0.0, 0.0])
    assert off[1] == pytest.approx(math.sqrt(1.0 / 3.0), rel=1e-6)
    assert math.isnan(slope([1, 2, 4], [1, 2, 4], [0.1, math.nan, 0.1])[1])
    assert math.isnan(slope([1, 2], [1, 2], [0.1, 0.1])[0])


def test_memory_is_what_the_process_used() -> None:
    def work() -> float:
        return float(torch.ones(16 * 2**20).sum())

    found = profile(work)
    if math.isnan(found.extra):
        pytest.skip("this system does not tell a process's memory")
    assert 0.8 * 64 * 2**20 < found.extra < 1.5 * 64 * 2**20
    assert found.value == 16 * 2**20


def test_work_is_ended_when_its_time_is_up() -> None:
    def endless() -> None:
        with deadline(0.05):
            while True:
                pass

    with pytest.raises(OutOfTimeError):
        endless()


def test_growth_is_drawn_with_its_slopes() -> None:
    results = [
        TrialResult(
            "loop",
            50,
            n,
            "measured",
            seconds=1e-6 * n**2,
            study="samples",
            seconds_error=1e-8 * n**2,
        )
        for n in (1, 4, 16, 64)
    ]
    figure = scaling_chart([*results, replace(results[0], study="steps")], "samples", Theme())
    dots, fitted = figure["data"]
    assert dots["name"].endswith("2.00 ± 0.01")
    assert fitted["line"]["dash"] == Theme().dashed
    for doubtful in (math.nan, 1.0):  # one timing alone, and timings that vary by their own size
        noisy = [replace(r, seconds_error=doubtful * r.seconds) for r in results]
        (dots,) = scaling_chart(noisy, "samples", Theme())["data"]
        assert "±" not in dots["name"]
    figure_to_json(figure)
