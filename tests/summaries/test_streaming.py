"""Statistics of samples that are not kept: the stated bound covers what sorting would give."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import sde_lab as lab
from sde_lab import memory
from sde_lab.memory import StreamingSizes
from sde_lab.solver.brownian import STREAM_SAMPLES
from sde_lab.summaries.chunked_run import ChunkedRun, simulate_summary
from sde_lab.summaries.streaming import WINDOW_ERRORS, StreamedRows
from sde_lab.summaries.summary import (
    BAND_LEVELS,
    Bands,
    Histogram,
    bands_over_time,
    histogram_over_time,
)

Array = NDArray[np.floating]
SIZES = StreamingSizes(block_samples=2048, bins=64)
SAMPLES = 20_000


def shifted(draw: np.random.Generator, n: int) -> Array:
    """The first block says nothing about what follows."""
    values = draw.standard_normal(n)
    values[SIZES.block_samples :] = 1000.0 + 50.0 * values[SIZES.block_samples :]
    return values


def widened(draw: np.random.Generator, n: int) -> Array:
    values = draw.standard_normal(n)
    values[: SIZES.block_samples] *= 1e-6
    return values


def starts_constant(draw: np.random.Generator, n: int) -> Array:
    values = draw.standard_normal(n)
    values[: SIZES.block_samples] = 0.25
    return values


DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "gaussian": lambda draw, n: 3.0 + 0.1 * draw.standard_normal(n),
    "lognormal": lambda draw, n: np.exp(2.0 * draw.standard_normal(n) - 2.0),
    "cauchy": lambda draw, n: draw.standard_cauchy(n),
    "bimodal": lambda draw, n: draw.choice([-1.0, 1.0], n) + 0.05 * draw.standard_normal(n),
    "constant": lambda draw, n: np.full(n, 0.3),
    "zero": lambda draw, n: np.zeros(n),
    "half zero": lambda draw, n: np.maximum(draw.standard_normal(n), 0.0),
    "two values": lambda draw, n: draw.choice([0.1, 0.7], n),
    "equally frequent": lambda draw, n: np.tile([-1.0, 1.0], n // 2),
    "integers": lambda draw, n: draw.integers(-3, 4, n).astype(np.float64),
    "large": lambda draw, n: 1e30 * draw.standard_normal(n),
    "tiny": lambda draw, n: 1e-38 * draw.standard_normal(n),
    "far from zero": lambda draw, n: 1e6 + 1e-1 * draw.standard_normal(n),
    "shifted": shifted,
    "widened": widened,
    "starts constant": starts_constant,
    "sorted": lambda draw, n: np.sort(draw.standard_normal(n)),
}


def streamed(
    table: Array, sizes: StreamingSizes = SIZES, chunk: int = 3000
) -> tuple[Bands, Histogram]:
    """Statistics of one component's table (T, N), given in chunks."""
    rows = StreamedRows(len(table), 1, table.dtype.name, sizes, table.shape[1])
    for start in range(0, table.shape[1], chunk):
        rows.add(table[:, None, start : start + chunk])
    assert rows.count == table.shape[1]
    (bands,), (histogram,) = rows.statistics()
    return bands, histogram


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_bound_covers_the_difference_from_order_statistics(name: str, dtype: str) -> None:
    draw = np.random.default_rng(7)
    table = np.stack([DISTRIBUTIONS[name](draw, SAMPLES) for _ in range(3)]).astype(dtype)
    bands, histogram = streamed(table)
    expected = bands_over_time(np.sort(table, axis=1))
    difference = abs(bands.quantiles.astype(np.float64) - expected.quantiles)
    assert bands.quantiles.dtype == expected.quantiles.dtype
    assert (difference <= bands.quantile_bound).all()
    assert np.isfinite(bands.quantile_bound).all()
    scale = abs(table).max()
    for field in ("mean", "std", "mean_error", "std_error"):
        found, right = getattr(bands, field), getattr(expected, field)
        np.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-12 * scale)
    for k, row in enumerate(table):
        counts = histogram.density[k] * np.diff(histogram.edges[k]) * SAMPLES
        right, _ = np.histogram(row.astype(np.float64), bins=histogram.edges[k])
        np.testing.assert_allclose(counts, right, atol=1e-6 * SAMPLES)


@pytest.mark.parametrize("name", ["constant", "zero", "two values"])
def test_values_that_many_samples_have_are_found_exactly(name: str) -> None:
    """Where a window holds a single number, that number has a bin of its own."""
    table = DISTRIBUTIONS[name](np.random.default_rng(1), SAMPLES)[None]
    bands, _ = streamed(table)
    np.testing.assert_array_equal(
        bands.quantiles, bands_over_time(np.sort(table, axis=1)).quantiles
    )
    if name in ("constant", "zero"):
        assert (bands.quantile_bound == 0.0).all()
        assert (bands.std == 0.0).all()


@pytest.mark.parametrize("name", ["gaussian", "lognormal", "bimodal"])
def test_the_bound_is_a_known_part_of_the_standard_error(name: str) -> None:
    """Twice WINDOW_ERRORS · √(N/n) / bins standard errors, where the density is about constant.

    It is not in the bimodal law's valley, the median. A quarter of an error is left for the
    density's estimate from the first block, and one per cent of samples for its discreteness.
    """
    table = DISTRIBUTIONS[name](np.random.default_rng(3), SAMPLES)[None]
    bands, _ = streamed(table)
    ordered = np.sort(table, axis=1)
    share = 2.0 * WINDOW_ERRORS * math.sqrt(SAMPLES / SIZES.block_samples) / SIZES.bins
    for i, level in enumerate(BAND_LEVELS):
        if name == "bimodal" and level == 0.5:
            continue
        half = 6.0 * math.sqrt(SAMPLES * SAMPLES / SIZES.block_samples * level * (1.0 - level))
        low = ordered[0, max(0, int(SAMPLES * level - 1.5 * half))]
        high = ordered[0, min(SAMPLES - 1, int(SAMPLES * level + 1.5 * half))]
        assert bands.quantile_bound[i, 0] <= (high - low) / SIZES.bins
        if name == "gaussian":
            z = {0.05: 1.645, 0.25: 0.674, 0.5: 0.0, 0.75: 0.674, 0.95: 1.645}[level]
            density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) / 0.1
            error = math.sqrt(level * (1.0 - level) / SAMPLES) / density
            assert bands.quantile_bound[i, 0] <= 1.5 * share * error


def test_up_to_a_block_of_samples_nothing_is_lost() -> None:
    table = np.random.default_rng(0).standard_normal((4, SIZES.block_samples)).astype("float32")
    bands, histogram = streamed(table)
    ordered = np.sort(table, axis=1)
    for found, expected in (
        (bands, bands_over_time(ordered)),
        (histogram, histogram_over_time(ordered)),
    ):
        for name, values in vars(expected).items():
            np.testing.assert_array_equal(getattr(found, name), values)


@pytest.fixture
def short_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep no samples from some thousands on, in one engine, in chunks of a few streams."""
    monkeypatch.setattr(memory, "STREAMING_BYTES", 1e6)
    monkeypatch.setattr("sde_lab.summaries.chunked_run.MAX_CHUNK_SAMPLES", 3 * STREAM_SAMPLES)
    monkeypatch.setenv("SDE_LAB_ENGINE", "torchsde")


SCENARIOS = {
    "additive": lab.Scenario(steps=8, samples=SAMPLES),
    "double precision": lab.Scenario(steps=8, samples=SAMPLES, dtype="float64"),
    "heavy tails": lab.Scenario(
        "geometric_brownian_motion", {"sigma": 2.0}, steps=8, samples=SAMPLES
    ),
    "two wells": lab.Scenario("double_well", horizon=10.0, steps=200, samples=SAMPLES // 2),
    "two states": lab.Scenario("heston", steps=8, samples=SAMPLES),
    "explosions": lab.Scenario(
        "double_well", {"sigma": 2.0}, horizon=4.0, steps=8, samples=SAMPLES
    ),
    "derivatives that fail": lab.Scenario(
        "dx = -x**n*dt + dW", {"n": 1.0}, x0=1.0, steps=10, samples=SAMPLES
    ),
}


@pytest.mark.usefixtures("short_of_memory")
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_run_that_keeps_no_samples_says_how_far_it_is_from_one_that_does(name: str) -> None:
    scenario = SCENARIOS[name]
    assert not memory.keeps_samples(scenario, 0.0)
    found, whole = simulate_summary(scenario, keep_bytes=0.0), simulate_summary(scenario)
    assert whole.relative_quantile_bound == 0.0
    assert found.scenario == whole.scenario
    assert (found.kept, found.exploded) == (whole.kept, whole.exploded)
    assert found.excluded == whole.excluded
    np.testing.assert_array_equal(found.paths, whole.paths)
    pairs = list(zip(found.states, whole.states, strict=True))
    for column, rows in whole.sensitivities.items():
        pairs += zip(found.sensitivities[column], rows, strict=True)
    for bands, right in pairs:
        difference = abs(bands.quantiles.astype(np.float64) - right.quantiles)
        assert (difference <= bands.quantile_bound).all()
        for field in ("mean", "std", "mean_error", "std_error"):
            np.testing.assert_allclose(
                getattr(bands, field), getattr(right, field), rtol=1e-6, atol=1e-12
            )
    assert found.relative_quantile_bound > 0.0
    for histogram in found.histograms:
        mass = (histogram.density * np.diff(histogram.edges, axis=1)).sum(axis=1)
        assert (mass > 0.95).all()
        assert (mass < 1.0 + 1e-9).all()


@pytest.mark.usefixtures("short_of_memory")
def test_explosions_leave_some_and_take_some() -> None:
    """The scenarios above are what they are called."""
    found = simulate_summary(SCENARIOS["explosions"], keep_bytes=0.0)
    assert 1000 < found.kept < SAMPLES - 1000
    failing = simulate_summary(SCENARIOS["derivatives that fail"], keep_bytes=0.0)
    assert failing.kept == SAMPLES
    assert 1000 < failing.excluded["n"] < SAMPLES - 1000


@pytest.mark.usefixtures("short_of_memory")
def test_where_every_path_explodes_there_is_nothing_and_no_failure() -> None:
    scenario = SCENARIOS["explosions"].replace(x0=50.0)
    found = simulate_summary(scenario, keep_bytes=0.0)
    assert (found.kept, found.exploded) == (0, SAMPLES)
    assert np.isnan(found.states[0].mean).all()
    assert found.relative_quantile_bound == 0.0


@pytest.mark.usefixtures("short_of_memory")
def test_a_run_stopped_and_continued_ends_as_one_that_was_not() -> None:
    scenario = SCENARIOS["additive"]
    run = ChunkedRun(scenario, keep_bytes=0.0)
    for _ in range(3):
        run.advance()
        left = run.summary()
        assert left.scenario.samples == left.kept == run.done
        part = simulate_summary(scenario.replace(samples=run.done))
        np.testing.assert_allclose(left.states[0].mean, part.states[0].mean, rtol=1e-12)
        off = abs(left.states[0].quantiles.astype(np.float64) - part.states[0].quantiles)
        assert (off <= left.states[0].quantile_bound).all()
    while not run.finished:
        run.advance()
    whole = simulate_summary(scenario, keep_bytes=0.0)
    np.testing.assert_array_equal(run.summary().states[0].quantiles, whole.states[0].quantiles)
    np.testing.assert_allclose(run.summary().states[0].std, whole.states[0].std, rtol=1e-12)
    again = run.summary()
    np.testing.assert_array_equal(again.states[0].mean, run.summary().states[0].mean)
    assert not again.states[0].quantile_bound.flags.writeable


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    table = np.random.default_rng(5).standard_normal((200, 1, 5000))
    parts = []
    for count in (2, threads):
        rows = StreamedRows(200, 1, "float64", SIZES, 5000)
        rows.add(table, threads=count)
        parts.append(rows.statistics()[0][0])
    for name, values in vars(parts[0]).items():
        np.testing.assert_array_equal(getattr(parts[1], name), values)


def test_two_components_do_not_mix() -> None:
    table = np.random.default_rng(5).standard_normal((6, 2, 9000))
    table[:, 1] *= 100.0
    rows = StreamedRows(6, 2, "float64", SIZES, 9000)
    rows.add(table)
    for d, (bands, histogram) in enumerate(zip(*rows.statistics(), strict=True)):
        alone, shape = streamed(table[:, d], chunk=9000)
        for name, values in vars(alone).items():
            np.testing.assert_array_equal(getattr(bands, name), values)
        np.testing.assert_array_equal(histogram.density, shape.density)
