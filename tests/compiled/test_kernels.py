"""Compiled kernels: the numbers of replay and of reverse mode, for every equation and scheme."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import sde_lab as lab
from sde_lab.compiled import kernel as compiler
from sde_lab.compiled.kernel import Kernel, KernelCache, Key
from sde_lab.compiled.run import Tables, run_kernel
from sde_lab.compiled.source import SourceError, TooLongError, check, write
from sde_lab.equations.examples import EXAMPLES
from sde_lab.equations.model import EquationModel, parse_sde
from sde_lab.schemes import fitting_schemes
from sde_lab.sensitivity.compiled_engine import (
    compiled_tables,
    equation_columns,
    equation_of,
)
from tests.support.server import ROOT

EXTRA = {
    "time in both": "dx = a*cos(t)*x*dt + (s + t)*dW; a = 1 in [0, 2]; s = 0.2 in [0, 1]",
    "Stratonovich": "dx = a*x*dt + s*x ∘ dW; a = 0.3 in [0, 1]; s = 0.4 in [0, 1]; x(0) = 1",
    "additive, two noises": "dx = -a*x*dt + s*dW1 + r*dW2; dy = -y*dt + r*dW2; corr(dW1, dW2) = q",
    "kinks": "dx = (max(x, a) - min(abs(x), 2) + step(x) - sign(x))*dt + tanh(x)*exp(-x*x)*dW",
    "powers": "dx = -x**3/(1 + x**2)*dt + s*(1 + x*x)**g*dW; g = 0.7 in [0, 1]; s = 0.1 in [0, 1]",
    "functions": "dx = (sin(x) + atan(x) - sinh(x)/cosh(x))*dt + s*log(2 + sqrt(1 + x*x))*dW",
}
EQUATIONS = {name: name for name in lab.MODELS} | {one.title: one.text for one in EXAMPLES} | EXTRA
PAIRS = [
    (name, scheme)
    for name, text in EQUATIONS.items()
    for scheme in fitting_schemes(lab.Scenario(model=text).model_spec)
]


def compiled(scenario: lab.Scenario) -> tuple[Kernel, Tables]:
    """The kernel of a scenario, and states and derivatives at every time."""
    model = equation_of(scenario.model_spec)
    assert model is not None
    columns = equation_columns(scenario.model_spec, model)
    kernel = compiler.compile_kernel(model, scenario.scheme_spec, columns, scenario.dtype)
    return kernel, run_kernel(kernel, scenario, np.arange(scenario.steps + 1))


@pytest.mark.parametrize(("name", "scheme"), PAIRS)
def test_paths_and_derivatives_are_those_of_replay(name: str, scheme: str) -> None:
    scenario = lab.Scenario(
        model=EQUATIONS[name],
        scheme=scheme,
        horizon=0.5,
        steps=12,
        samples=20,
        seed=3,
        dtype="float64",
    )
    _, tables = compiled(scenario)
    paths = lab.simulate(scenario)
    states = torch.from_numpy(tables.states).permute(0, 2, 1)
    torch.testing.assert_close(states, paths.values, rtol=1e-12, atol=1e-12, equal_nan=True)
    found = torch.from_numpy(tables.derivatives).permute(1, 3, 2, 0)
    expected = lab.jacobian(paths).values
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10, equal_nan=True)


@pytest.mark.parametrize("name", ["heston", "lotka_volterra", "damped_oscillator"])
def test_the_engine_of_the_library_agrees_with_reverse_mode(name: str) -> None:
    scenario = lab.Scenario(model=name, steps=6, samples=3, dtype="float64")
    paths = lab.simulate(scenario)
    found = lab.jacobian(paths, "compiled").values
    expected = lab.jacobian(paths, "reverse").values
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_it_differentiates_on_the_noise_of_the_paths() -> None:
    scenario = lab.Scenario(model="heston", steps=7, samples=1100, dtype="float64")
    other = lab.simulate(scenario.replace(seed=8)).noise
    paths = lab.simulate(scenario, other)
    found = lab.jacobian(paths, "compiled").values
    torch.testing.assert_close(found, lab.jacobian(paths).values, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", lab.MODELS)
def test_float32_keeps_to_replay_over_many_steps(name: str) -> None:
    """3200 steps accumulate some sqrt(3200) roundings, amplified by the flow of the equation."""
    scenario = lab.Scenario(model=name, steps=3200, samples=16, horizon=1.0)
    _, tables = compiled(scenario)
    expected = lab.simulate(scenario).values.permute(0, 2, 1).numpy()
    scale = np.abs(expected).max()
    assert np.abs(tables.states - expected).max() < 3e-5 * scale


def test_the_paths_that_diverge_are_those_of_replay() -> None:
    scenario = lab.Scenario(
        model="dx = x**3*dt + dW; x(0) = 1 in [0, 2]", steps=50, samples=200, horizon=1.0
    )
    _, tables = compiled(scenario)
    expected = lab.simulate(scenario).values.permute(0, 2, 1).numpy()
    finite = np.isfinite(expected[-1])
    assert 0.1 < finite.mean() < 0.9
    np.testing.assert_array_equal(np.isfinite(tables.states[-1]), finite)


def test_the_numbers_do_not_depend_on_threads_or_on_other_samples() -> None:
    scenario = lab.Scenario(steps=20, samples=5000)
    kernel, tables = compiled(scenario)
    indices = np.arange(21)
    for threads in (1, 2, 3):
        again = run_kernel(kernel, scenario, indices, threads=threads)
        np.testing.assert_array_equal(again.states, tables.states)
        np.testing.assert_array_equal(again.derivatives, tables.derivatives)
    part = run_kernel(kernel, scenario.replace(samples=100), indices, first_sample=2048)
    np.testing.assert_array_equal(part.states, tables.states[..., 2048:2148])


def test_stored_times_are_those_asked_for() -> None:
    scenario = lab.Scenario(steps=40, samples=3)
    kernel, tables = compiled(scenario)
    for indices in ([0, 40], [7], [1, 2, 39]):
        part = run_kernel(kernel, scenario, np.array(indices))
        np.testing.assert_array_equal(part.states, tables.states[indices])
        np.testing.assert_array_equal(part.derivatives, tables.derivatives[:, indices])


@pytest.mark.parametrize("engine", ["torchsde", "compiled"])
def test_a_summary_is_the_same_by_both_engines(engine: str) -> None:
    scenario = lab.Scenario(model="heston", samples=3000, steps=200, dtype="float64")
    expected = lab.summarise(paths := lab.simulate(scenario), lab.jacobian(paths))
    found = lab.simulate_summary(scenario, engine)
    for one, other in zip(found.states, expected.states, strict=True):
        np.testing.assert_allclose(one.mean, other.mean, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(one.quantiles, other.quantiles, rtol=1e-9, atol=1e-9)
    with pytest.raises(lab.ScenarioError, match="engine"):
        lab.simulate_summary(scenario, "other")


def test_nothing_of_a_text_stands_in_the_source() -> None:
    text = "dtotally_hostile = -evil*totally_hostile*dt + import_os*dW"
    model = parse_sde(text)
    assert isinstance(model, EquationModel)
    source = write(model, lab.SCHEMES["milstein"], model.jacobian_columns)
    for word in ("hostile", "evil", "import"):
        assert word not in source.text


@pytest.mark.parametrize(
    "bad",
    [
        "import os",
        "def kernel(w):\n v1 = __import__('os')",
        "def kernel(w):\n v1 = w.ctypes",
        "def kernel(w):\n v1 = open(v2)",
        "def kernel(w):\n v1 = sin(x0, out=v2)",
        "def kernel(w):\n v1 = 'text'",
        "def kernel(w):\n while v1:\n  v2 = v3",
        "def kernel(w):\n v1 = (lambda: v2)()",
    ],
)
def test_source_outside_the_language_is_refused(bad: str) -> None:
    with pytest.raises(SourceError):
        check(bad)


def test_an_equation_too_long_is_left_to_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sde_lab.compiled.source.MAX_STEP_OPERATIONS", 10)
    scenario = lab.Scenario(model="dx = -5*sin(x)*dt + 0.5*cos(x)*dW", samples=2, steps=2)
    model = scenario.model_spec
    assert isinstance(model, EquationModel)
    with pytest.raises(TooLongError, match="more than 10"):
        write(model, scenario.scheme_spec, model.jacobian_columns)
    assert compiled_tables(scenario, np.arange(3), wait=True) is None
    assert lab.simulate_summary(scenario, "auto").kept == 2


def test_the_cache_is_bounded_and_remembers_what_is_unusable() -> None:
    checked: list[Key] = []

    def check(key: Key, _: Kernel) -> float | None:
        checked.append(key)
        return None if key.model == "dx = -3*x*dt + dW" else 1e-7

    cache = KernelCache(check, maxsize=2)
    scheme = lab.SCHEMES["euler"]
    found = []
    for factor in (1, 2, 3, 3):
        model = parse_sde(f"dx = -{factor}*x*dt + dW")
        assert isinstance(model, EquationModel)
        found.append(cache.wait_for(Key(model.name, "euler", (), "float32"), model, scheme))
    assert [kernel is None for kernel in found] == [False, False, True, True]
    assert len(checked) == 3
    assert len(cache) == 2


def test_asking_never_waits_for_the_compiler() -> None:
    model = parse_sde("dx = -4*x*dt + dW")
    assert isinstance(model, EquationModel)
    cache = KernelCache(lambda *_: 0.0)
    key, scheme = Key(model.name, "euler", (), "float32"), lab.SCHEMES["euler"]
    assert cache.get(key, model, scheme) is None
    deadline = time.monotonic() + 60.0
    while cache.get(key, model, scheme) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_without_numba_everything_still_works() -> None:
    code = """
import sys
sys.modules["numba"] = None
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "numba" else find(name, *rest)
import sde_lab as lab
scenario = lab.Scenario(samples=10, steps=5)
print(lab.simulate_summary(scenario, "compiled").kept)
try:
    lab.jacobian(lab.simulate(scenario), "compiled")
except lab.ScenarioError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("10\nengine = 'compiled': cannot be compiled here")


def test_threads_that_wait_for_the_same_kernel_compile_it_once() -> None:
    model = parse_sde("dx = -5*x*dt + dW")
    assert isinstance(model, EquationModel)
    checked: list[Key] = []

    def check(key: Key, _: Kernel) -> float:
        checked.append(key)
        return 0.0

    cache = KernelCache(check)
    key, scheme = Key(model.name, "euler", (), "float32"), lab.SCHEMES["euler"]
    assert cache.get(key, model, scheme) is None  # begins to compile in the background
    with ThreadPoolExecutor(4) as pool:
        kernels = list(pool.map(lambda _: cache.wait_for(key, model, scheme), range(4)))
    assert len({id(kernel) for kernel in kernels}) == 1
    assert kernels[0] is not None
    assert checked == [key]
