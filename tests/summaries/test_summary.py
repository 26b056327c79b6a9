"""What a page shows is what NumPy finds in the whole tensors, with honest errors."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

import sde_lab as lab
from sde_lab.summaries.chunked_run import ChunkedRun, simulate_summary
from sde_lab.summaries.summary import BAND_LEVELS, MAX_PATHS_SHOWN, Summary, display_indices

Array = NDArray[np.floating]
EXPLODING = lab.Scenario(
    model="double_well", horizon=20.0, steps=40, samples=300, parameters={"sigma": 2.0}
)
"""Half a unit of time per step is too long for a cubic drift: some paths leave, some stay."""


def summary_and_tables(scenario: lab.Scenario) -> tuple[Summary, Array, lab.Jacobian]:
    paths = lab.simulate(scenario)
    jacobian = lab.jacobian(paths)
    return lab.summarise(paths, jacobian), paths.values.double().numpy(), jacobian


@pytest.mark.parametrize("name", lab.MODELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_moments_and_quantiles_are_those_of_the_whole_tensor(
    name: str, dtype: lab.scenario.DType
) -> None:
    scenario = lab.Scenario(model=name, steps=10, samples=150, dtype=dtype)
    summary, values, jacobian = summary_and_tables(scenario)
    assert tuple(summary.sensitivities) == jacobian.names
    tables = {"state": values} | {
        column: jacobian.wrt(column).double().numpy() for column in jacobian.names
    }
    close = 1e-12 if dtype == "float64" else 1e-5
    for column, table in tables.items():
        shown = summary.states if column == "state" else summary.sensitivities[column]
        assert len(shown) == values.shape[-1]
        for d, bands in enumerate(shown):
            row = table[..., d]
            scale = close * max(1.0, float(np.abs(row).max()))
            np.testing.assert_allclose(bands.mean, row.mean(axis=1), rtol=0, atol=scale)
            np.testing.assert_allclose(bands.std, row.std(axis=1, ddof=1), rtol=0, atol=scale)
            np.testing.assert_allclose(
                bands.quantiles, np.quantile(row, BAND_LEVELS, axis=1), rtol=0, atol=scale
            )
            stated = np.isfinite(bands.mean_error)
            error = row.std(axis=1, ddof=1) / math.sqrt(150)
            np.testing.assert_allclose(bands.mean_error[stated], error[stated], rtol=0, atol=scale)
            assert stated.all() or (column, name) != ("state", "ornstein_uhlenbeck")


def test_the_error_of_the_standard_deviation_follows_the_fourth_moment() -> None:
    """SE(s) ≈ √((μ₄ − μ₂² (n − 3)/(n − 1)) / n) / 2s, which is σ/√(2n) for a Gaussian."""
    summary, values, _ = summary_and_tables(lab.Scenario(steps=4, samples=5000, dtype="float64"))
    row = values[1:, :, 0]
    centred = row - row.mean(axis=1, keepdims=True)
    second, fourth = (centred**2).mean(axis=1), (centred**4).mean(axis=1)
    expected = np.sqrt((fourth - second**2 * 4997 / 4999) / 5000) / (2 * row.std(axis=1, ddof=1))
    found = summary.states[0].std_error[1:]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_allclose(found, row.std(axis=1) / math.sqrt(10_000), rtol=0.1)


@pytest.mark.parametrize("samples", [30, 150, 1000])
def test_two_standard_errors_cover_as_often_as_they_say(samples: int) -> None:
    """Over 300 seeds, mean and std of the Euler law of OU lie within 2 SE in 95 % of those stated.

    The share of 300 has a standard error of 1.3 %. From 30 samples no error is stated but in a few
    seeds, from 150 that of the mean, from 1000 that of the standard deviation too.
    """
    scenario = lab.Scenario(steps=2, samples=samples, x0=0.7, dtype="float64")
    std = math.sqrt(0.5 * (1.0 + 0.5**2))
    z = np.zeros((300, 2))
    for seed in range(300):
        bands = lab.summarise(lab.simulate(scenario.replace(seed=seed))).states[0]
        z[seed] = [
            (bands.mean[-1] - 0.7 * 0.5**2) / bands.mean_error[-1],
            (bands.std[-1] - std) / bands.std_error[-1],
        ]
    stated = np.isfinite(z).mean(axis=0)
    inside = (np.abs(z) < 2.0).sum(axis=0) / np.isfinite(z).sum(axis=0).clip(min=1)
    assert stated[0] < 0.1 if samples == 30 else stated[0] == 1.0
    assert stated[1] > 0.95 if samples == 1000 else stated[1] < 0.5
    if samples > 30:
        assert 0.90 < inside[0] < 0.99
    if samples == 1000:
        assert 0.90 < inside[1] < 0.99


def test_exploded_paths_are_counted_and_left_out() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summary, values, _ = summary_and_tables(EXPLODING)
    finite = np.isfinite(values).all(axis=(0, 2))
    assert 0 < summary.exploded < 300
    assert summary.exploded == int((~finite).sum())
    assert summary.kept == int(finite.sum())
    expected = values[:, finite, 0].mean(axis=1)
    np.testing.assert_allclose(summary.states[0].mean, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        summary.paths[..., 0], values[:, finite, 0][:, :MAX_PATHS_SHOWN], rtol=1e-6
    )
    assert np.isfinite(summary.histograms[0].density).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_derivative_that_fails_does_not_take_its_path_out_of_the_state(
    dtype: lab.scenario.DType,
) -> None:
    """∂(xⁿ)/∂n = xⁿ log x is NaN below zero, where at n = 1 the equation is Ornstein–Uhlenbeck."""
    scenario = lab.Scenario(
        model="dx = -x**n*dt + dW",
        x0=1.0,
        parameters={"n": 1.0},
        horizon=1.0,
        steps=100,
        samples=2000,
        dtype=dtype,
    )
    summary, values, jacobian = summary_and_tables(scenario)
    alone = lab.summarise(lab.simulate(scenario))
    assert (summary.kept, summary.exploded) == (2000, 0)
    bands, (start, exponent) = summary.states[0], (summary.sensitivities[n] for n in ("x0", "n"))
    assert np.array_equal(bands.mean, alone.states[0].mean)
    assert np.array_equal(bands.quantiles, alone.states[0].quantiles)
    assert np.array_equal(summary.paths, alone.paths)
    assert abs(bands.mean[-1] - 0.99**100) < 4.0 * bands.mean_error[-1]
    by_start, by_exponent = (jacobian.wrt(n).double().numpy()[..., 0] for n in ("x0", "n"))
    finite = np.isfinite(by_exponent).all(axis=0)
    assert 200 < finite.sum() < 1800
    assert summary.excluded == {"x0": 0, "n": int((~finite).sum())}
    close = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(start[0].mean, by_start.mean(axis=1), rtol=close)
    np.testing.assert_allclose(
        exponent[0].mean, by_exponent[:, finite].mean(axis=1), rtol=close, atol=close
    )
    assert abs(values[-1].mean() - bands.mean[-1]) < close


def test_samples_that_exploded_are_left_out_of_every_column() -> None:
    summary, values, jacobian = summary_and_tables(EXPLODING)
    finite = np.isfinite(values).all(axis=(0, 2))
    for name, bands in summary.sensitivities.items():
        table = jacobian.wrt(name).double().numpy()[..., 0]
        usable = finite & np.isfinite(table).all(axis=0)
        assert summary.excluded[name] == int((~usable).sum()) >= summary.exploded
        np.testing.assert_allclose(
            bands[0].mean, table[:, usable].mean(axis=1), rtol=1e-4, atol=1e-5
        )


def test_when_all_paths_explode_nothing_is_shown_and_nothing_fails() -> None:
    scenario = EXPLODING.replace(x0=50.0, samples=20)
    summary, _, _ = summary_and_tables(scenario)
    assert (summary.kept, summary.exploded) == (0, 20)
    assert np.isnan(summary.states[0].mean).all()
    assert summary.paths.shape[1] == 0


def test_one_sample_has_a_mean_and_no_spread_to_speak_of() -> None:
    summary, values, _ = summary_and_tables(lab.Scenario(steps=3, samples=1))
    bands = summary.states[0]
    np.testing.assert_allclose(bands.mean, values[:, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(bands.quantiles, np.tile(values[:, 0, 0], (5, 1)), rtol=1e-6)
    for unknown in (bands.std, bands.mean_error, bands.std_error):
        assert np.isnan(unknown).all()


def test_two_samples_know_how_little_they_know() -> None:
    summary, values, _ = summary_and_tables(lab.Scenario(steps=3, samples=2, dtype="float64"))
    bands = summary.states[0]
    gap = np.abs(values[1:, 0, 0] - values[1:, 1, 0])
    np.testing.assert_allclose(bands.std[1:], gap / math.sqrt(2.0), rtol=1e-12)
    assert np.isnan(bands.mean_error[1:]).all()
    assert np.isnan(bands.std_error[1:]).all()
    assert bands.mean_error[0] == bands.std_error[0] == 0.0


@pytest.mark.parametrize("samples", [1, 2, 50, 199, 200, 5000])
def test_histograms_integrate_to_the_share_of_samples_they_cover(samples: int) -> None:
    summary, values, _ = summary_and_tables(lab.Scenario(steps=5, samples=samples, dtype="float64"))
    histogram = summary.histograms[0]
    widths = np.diff(histogram.edges, axis=1)
    assert (widths > 0.0).all()
    assert (histogram.density >= 0.0).all()
    for k, row in enumerate(values[..., 0]):
        inside = (row >= histogram.edges[k, 0]) & (row <= histogram.edges[k, -1])
        assert inside.mean() >= 0.99
        mass = float((histogram.density[k] * widths[k]).sum())
        assert mass == pytest.approx(inside.mean(), abs=1e-12)


def test_a_histogram_counts_as_numpy_does() -> None:
    summary, values, _ = summary_and_tables(lab.Scenario(steps=3, samples=2000, dtype="float64"))
    histogram = summary.histograms[0]
    for k in (1, 2, 3):
        counts, _ = np.histogram(values[k, :, 0], bins=histogram.edges[k])
        mass = histogram.density[k] * np.diff(histogram.edges[k])
        np.testing.assert_allclose(mass, counts / 2000, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 49, 119, 120, 121, 122, 179, 240, 3200, 99_999])
def test_displayed_times_are_few_and_include_both_ends(steps: int) -> None:
    indices = display_indices(steps)
    assert indices[0] == 0
    assert indices[-1] == steps
    assert len(indices) == min(steps, 120) + 1
    assert (np.diff(indices) > 0).all()


@pytest.mark.parametrize(("steps", "horizon"), [(49, 1.0), (99, 1.0), (1000, 5.0), (3, 0.7)])
def test_the_times_shown_are_those_of_the_grid(steps: int, horizon: float) -> None:
    paths = lab.simulate(lab.Scenario(steps=steps, horizon=horizon, samples=2))
    summary = lab.summarise(paths)
    assert summary.times[0] == 0.0
    assert summary.times[-1] == horizon
    np.testing.assert_allclose(summary.times, paths.times.numpy()[summary.indices], rtol=1e-14)
    assert summary.index_nearest(0.0) == 0
    assert summary.index_nearest(1.0) == len(summary.times) - 1


def test_without_a_jacobian_there_are_no_sensitivities() -> None:
    paths = lab.simulate(lab.Scenario(steps=3, samples=20))
    plain, full = lab.summarise(paths), lab.summarise(paths, lab.jacobian(paths))
    assert not plain.sensitivities
    assert np.array_equal(plain.states[0].mean, full.states[0].mean)


def test_what_a_cache_shares_cannot_be_written_to() -> None:
    summary, _, _ = summary_and_tables(lab.Scenario(steps=3, samples=20))
    bands = [*summary.states, *(band for row in summary.sensitivities.values() for band in row)]
    arrays = [summary.indices, summary.times, summary.paths]
    arrays += [getattr(band, name) for band in bands for name in vars(band)]
    arrays += [array for shown in summary.histograms for array in vars(shown).values()]
    assert len(arrays) == 3 + 5 * 6 + 2
    assert not any(array.flags.writeable for array in arrays)


@pytest.mark.parametrize("name", ["ornstein_uhlenbeck", "lotka_volterra"])
def test_a_survey_in_spans_gives_the_numbers_of_one_run(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    scenario = lab.Scenario(model=name, steps=130, samples=2500)
    whole, _, _ = summary_and_tables(scenario)
    monkeypatch.setattr("sde_lab.summaries.chunked_run.CHUNK_BYTES", 1.0)
    run = ChunkedRun(scenario)
    spans = 0
    while not run.finished:
        run.advance()
        spans += 1
    assert spans == 3
    for part in (run.summary(), simulate_summary(scenario)):
        assert np.array_equal(part.states[0].quantiles, whole.states[0].quantiles)
        for column, rows in whole.sensitivities.items():
            assert np.array_equal(part.sensitivities[column][-1].mean, rows[-1].mean)
