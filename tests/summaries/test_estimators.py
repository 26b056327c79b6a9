"""Standard errors are stated where they cover, and are NaN where a few samples decide them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sde_lab.memory import StreamingSizes
from sde_lab.models.laws.base import Law
from sde_lab.models.laws.distributions import Gaussian, LogNormal, NoncentralChiSquare
from sde_lab.summaries.estimators import moments, std_derivative
from sde_lab.summaries.streaming import StreamedRows

Array = NDArray[np.float64]
SEEDS = 1500


def lognormal(sd: float) -> tuple[Callable[[np.random.Generator, tuple[int, int]], Array], float]:
    """Draws of mean one, and their standard deviation."""

    def draw(random: np.random.Generator, shape: tuple[int, int]) -> Array:
        return np.exp(sd * random.standard_normal(shape) - sd * sd / 2.0)

    return draw, float(np.sqrt(np.expm1(sd * sd)))


@pytest.mark.parametrize(
    ("sd", "samples", "mean_stated", "std_stated"),
    [
        (0.05, 1000, (0.99, 1.0), (0.9, 1.0)),
        (0.4, 1000, (0.99, 1.0), (0.05, 0.3)),
        (1.0, 1000, (0.02, 0.2), (0.0, 0.01)),
        (1.414, 1000, (0.0, 0.02), (0.0, 0.01)),
        (2.0, 1000, (0.0, 0.02), (0.0, 0.01)),
    ],
)
def test_what_is_stated_covers_and_heavy_tails_are_not_stated(
    sd: float, samples: int, mean_stated: tuple[float, float], std_stated: tuple[float, float]
) -> None:
    """More than three errors off in 0.27 % of the seeds if Gaussian; at most 1 % here.

    Without the rule it is 6.7 % (mean) and 55 % (standard deviation) at the last setting.
    """
    draw, std = lognormal(sd)
    found = moments(draw(np.random.default_rng(3), (SEEDS, samples)))
    for value, error, true, (least, most) in (
        (found.mean, found.mean_error, 1.0, mean_stated),
        (found.std, found.std_error, std, std_stated),
    ):
        stated = np.isfinite(error)
        assert least <= stated.mean() <= most
        assert (np.abs(value - true)[stated] > 3.0 * error[stated]).sum() <= 0.01 * SEEDS


def test_the_rule_is_the_same_for_samples_that_come_in_parts() -> None:
    draw = np.random.default_rng(5)
    normal = draw.standard_normal((40, 6000))
    table = np.exp(np.linspace(0.02, 1.5, 40)[:, None] * normal)
    sizes = StreamingSizes(block_samples=512, bins=16)
    rows = StreamedRows(40, 1, "float64", sizes, 6000)
    for start in range(0, 6000, 700):
        rows.add(table[:, None, start : start + 700])
    (bands,), _ = rows.statistics()
    whole = moments(table)
    for streamed, expected in (
        (bands.mean_error, whole.mean_error),
        (bands.std_error, whole.std_error),
    ):
        assert 5 < np.isfinite(expected).sum() < 38
        np.testing.assert_allclose(streamed, expected, rtol=1e-9)


def test_what_differs_by_rounding_alone_has_an_error() -> None:
    """The largest of a few roundings would have a large share, and decides nothing."""
    values = np.full((1, 500), 3.0)
    values[0, 7] += 1e-7
    found = moments(values)
    assert 0.0 < found.mean_error[0] < 1e-8
    assert np.isfinite(found.std_error).all()


def test_the_slope_of_a_heavy_tailed_spread_has_no_error() -> None:
    """Of X = exp(sZ), ∂X/∂s = Z X."""
    normal = np.random.default_rng(2).standard_normal(4000)
    errors = {
        sd: std_derivative(np.exp(sd * normal), normal * np.exp(sd * normal)) for sd in (0.1, 1.5)
    }
    assert np.isfinite(errors[0.1][1])
    assert np.isfinite(errors[1.5][0])
    assert np.isnan(errors[1.5][1])


def laws() -> list[Law]:
    one = np.ones((1, 1))
    return [
        Gaussian(2.0 * one, 0.5 * one),
        LogNormal(2.0 * one, 0.1 * one, 0.5 * one),
        NoncentralChiSquare(0.3 * one, 4.0, 2.0 * one, 1.0),
    ]


@pytest.mark.parametrize("law", laws(), ids=lambda law: type(law).__name__)
def test_the_kurtosis_of_a_law_is_the_integral_over_its_density(law: Law) -> None:
    values = np.linspace(-8.0, 60.0, 400_001)
    density = law.density(values, 0)
    assert density is not None
    centred = values - law.mean[0, 0]
    second, fourth = (np.trapezoid(centred**n * density, values) for n in (2, 4))
    assert law.variance[0, 0] == pytest.approx(second, rel=1e-4)
    assert law.kurtosis[0, 0] == pytest.approx(fourth / second**2, rel=1e-3)


def test_errors_by_the_law_are_those_over_seeds() -> None:
    draw, _ = lognormal(0.5)
    law = LogNormal(np.ones((1, 1)), np.full((1, 1), -0.125), np.full((1, 1), 0.5))
    found = moments(draw(np.random.default_rng(4), (3000, 200)))
    by_law = law.standard_errors(200)
    assert by_law[0][0, 0] == pytest.approx(found.mean.std(), rel=0.05)
    assert by_law[1][0, 0] == pytest.approx(found.std.std(), rel=0.1)
    assert np.isnan(law.standard_errors(5)).all()
    assert np.isnan(law.standard_errors(1)).all()
