"""What does not fit is refused before it starts, with a size that does."""

from __future__ import annotations

import re
import sys
import tracemalloc
from typing import NoReturn

import numpy as np
import pytest

import sde_lab as lab
from sde_lab import memory
from sde_lab.summaries.streaming import StreamedRows

VARIABLE = "SDE_LAB_MEMORY_GB"


def refused(scenario: lab.Scenario, *, jacobian: bool) -> lab.ScenarioError | None:
    try:
        memory.check_run(scenario, jacobian=jacobian)
    except lab.ScenarioError as error:
        return error
    return None


@pytest.mark.parametrize("gigabytes", ["0.2", "0.5", "2", "7.3"])
@pytest.mark.parametrize("jacobian", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("model", "scheme"),
    [("ornstein_uhlenbeck", "euler"), ("lotka_volterra", "srk"), ("heston", "heun")],
)
def test_the_number_it_names_fits_and_one_more_does_not(
    monkeypatch: pytest.MonkeyPatch,
    gigabytes: str,
    jacobian: bool,
    dtype: lab.scenario.DType,
    model: str,
    scheme: str,
) -> None:
    monkeypatch.setenv(VARIABLE, gigabytes)
    scenario = lab.Scenario(model=model, scheme=scheme, dtype=dtype, steps=1000, samples=10_000_000)
    error = refused(scenario, jacobian=jacobian)
    assert error is not None
    assert error.field == "samples"
    assert error.value == 10_000_000
    found = re.search(r"(\d+) samples fit at 1000 steps", error.hint)
    assert found is not None, error.hint
    fits = int(found[1])
    assert fits == memory.max_samples(scenario, jacobian=jacobian)
    assert refused(scenario.replace(samples=fits), jacobian=jacobian) is None
    assert refused(scenario.replace(samples=fits + 1), jacobian=jacobian) is not None


@pytest.mark.parametrize("gigabytes", ["0.2", "2"])
def test_where_no_sample_fits_it_says_so(monkeypatch: pytest.MonkeyPatch, gigabytes: str) -> None:
    monkeypatch.setenv(VARIABLE, gigabytes)
    scenario = lab.Scenario(model="heston", steps=1_000_000, samples=10_000_000, dtype="float64")
    monkeypatch.setattr(memory, "bytes_per_sample", lambda scenario, jacobian: 1e12)
    error = refused(scenario, jacobian=True)
    assert error is not None
    assert "fewer than 1000000 steps" in error.hint
    assert memory.max_samples(scenario, jacobian=True) == 0


def test_the_jacobian_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "0.2")
    scenario = lab.Scenario(steps=1000, samples=10_000)
    paths = lab.simulate(scenario)
    with pytest.raises(lab.ScenarioError, match="the paths and their derivatives need"):
        lab.jacobian(paths)


def test_refusal_comes_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object, **options: object) -> NoReturn:
        raise AssertionError("work was started")

    module = sys.modules["sde_lab.solver.simulate"]
    for place in ("sample_increments", "solve", "initial_state"):
        monkeypatch.setattr(module, place, never)
    monkeypatch.setenv(VARIABLE, "2")
    scenario = lab.Scenario(steps=3200, samples=10_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(lab.ScenarioError, match="GB, the budget is"):
            lab.simulate(scenario)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize("given", ["", "two", "-1", "0", "nan", "inf", "2 GB"])
def test_a_budget_that_is_no_number_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv(VARIABLE, given)
    with pytest.raises(lab.ScenarioError, match="positive number of gigabytes") as caught:
        lab.simulate(lab.Scenario(steps=2, samples=2))
    assert caught.value.field == VARIABLE
    assert caught.value.value == given


def test_two_gigabytes_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert memory.run_limit_bytes() == 2e9
    monkeypatch.setenv(VARIABLE, "0.5")
    assert memory.run_limit_bytes() == 5e8


def test_more_of_anything_needs_more() -> None:
    small = lab.Scenario(steps=100, samples=100)
    for bigger in ({"steps": 200}, {"samples": 200}, {"dtype": "float64"}, {"scheme": "srk"}):
        for jacobian in (False, True):
            assert memory.peak_bytes(
                small.replace(**bigger), jacobian=jacobian
            ) >= memory.peak_bytes(small, jacobian=jacobian)
    assert memory.peak_bytes(small, jacobian=True) > memory.peak_bytes(small, jacobian=False)


def test_the_estimate_covers_what_is_held() -> None:
    scenario = lab.Scenario(model="heston", scheme="heun", steps=200, samples=500)
    paths = lab.simulate(scenario)
    held = paths.values.nbytes + paths.noise.nbytes
    assert held <= memory.peak_bytes(scenario, jacobian=False) - memory.BLOCK_BYTES
    held += lab.jacobian(paths).values.nbytes
    assert held <= memory.peak_bytes(scenario, jacobian=True) - memory.BLOCK_BYTES


def test_a_survey_too_wide_to_show_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "0.1")
    memory.check_chunked_run(lab.Scenario(steps=3200, samples=1000))
    with pytest.raises(lab.ScenarioError, match="the displayed times need") as caught:
        memory.check_chunked_run(lab.Scenario(steps=3200, samples=1_000_000))
    assert caught.value.field == "samples"


@pytest.mark.parametrize("model", lab.MODELS)
def test_ten_million_samples_need_no_more_than_one_million(model: str) -> None:
    many = lab.Scenario(model=model, samples=10_000_000)
    memory.check_chunked_run(many)
    assert not memory.keeps_samples(many)
    needed = memory.chunked_run_bytes(many)
    assert needed == memory.chunked_run_bytes(many.replace(samples=1_000_000))
    assert needed <= memory.BLOCK_BYTES + memory.STREAMING_BYTES < memory.MIN_CAPACITY_BYTES


@pytest.mark.parametrize("model", lab.MODELS)
def test_what_was_sorted_before_is_sorted(model: str) -> None:
    """A hundred thousand samples of any model are kept with the default limit."""
    assert memory.keeps_samples(lab.Scenario(model=model, samples=100_000), 2e9)


def test_what_takes_less_when_kept_is_kept() -> None:
    few = lab.Scenario(samples=1000)
    assert memory.keeps_samples(few, 0.0)
    assert memory.chunked_run_bytes(few, 0.0) < 70e6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("model", ["ornstein_uhlenbeck", "heston", "lotka_volterra"])
def test_the_estimate_covers_what_a_run_that_keeps_no_samples_holds(
    model: str, dtype: lab.scenario.DType
) -> None:
    scenario = lab.Scenario(model=model, samples=10_000_000, dtype=dtype)
    sizes = memory.streaming_sizes(scenario)
    times, components = 101, len(scenario.initial)
    rows = StreamedRows(times, components, dtype, sizes, scenario.samples)
    block = np.random.default_rng(0).standard_normal((times, components, sizes.block_samples))
    for _ in range(2):  # the second makes the first be reduced
        rows.add(block[..., :100].astype(dtype).repeat(-(-sizes.block_samples // 100), axis=-1))
    held = sum(value.nbytes for value in vars(rows).values() if isinstance(value, np.ndarray))
    tables = 1 + len(scenario.model_spec.jacobian_columns)
    assert held * tables <= memory.streaming_bytes(scenario)
    assert held * tables > 0.5 * memory.streaming_bytes(scenario)


def test_the_widest_equation_has_a_size_that_is_refused_or_fits() -> None:
    states = range(6)
    names = [f"a{i}" for i in range(16)]
    drift = " + ".join(f"{name}*x0" for name in names)
    text = "; ".join(f"dx{i} = ({drift} - x{i})*dt + dW{i}" for i in states)
    wide = lab.Scenario(model=text, samples=10_000_000, steps=120, dtype="float64")
    memory.check_chunked_run(wide, within=2e9)
    assert memory.chunked_run_bytes(wide, 2e9) < 0.5e9
    with pytest.raises(lab.ScenarioError, match="samples fit"):
        memory.check_chunked_run(wide, within=memory.BLOCK_BYTES + memory.STREAMING_BYTES)
