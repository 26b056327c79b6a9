"""One seed names one Brownian sheet, whatever else is moved; and the sheet is Brownian.

Statistical tolerances are multiples of the Monte-Carlo error, with seeds fixed.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from sde_lab.solver.brownian import STREAM_SAMPLES, BrownianIncrements, sample_increments

SIGMAS = 4.5
"""A deviation that one in 150 000 Gaussian figures exceeds."""


def coarsened(noise: BrownianIncrements, factor: int) -> BrownianIncrements:
    """The pair (W, H) over ``factor`` steps at once, from its definition as integrals.

    Over the union of n unit steps W is the sum of the increments, and the mean of the path minus
    half of W is H; Brownian scaling by √n makes the union a unit step again.
    """
    assert noise.levy_areas is not None
    w = noise.increments.unflatten(0, (-1, factor))
    h = noise.levy_areas.unflatten(0, (-1, factor))
    before = w.cumsum(1) - w
    total = w.sum(1)
    area = (before + 0.5 * w + h).mean(1) - 0.5 * total
    root = math.sqrt(factor)
    return BrownianIncrements(total / root, area / root)


@pytest.mark.parametrize("steps", [1, 3, 24])
@pytest.mark.parametrize("areas", [False, True])
@pytest.mark.parametrize("fewer", [1, 15, 16, 17, 1023, 1024, 1025])
def test_more_samples_leave_the_first_ones_alone(steps: int, areas: bool, fewer: int) -> None:
    many = sample_increments(3, steps, 3000, 2, levy_areas=areas)
    few = sample_increments(3, steps, fewer, 2, levy_areas=areas)
    assert torch.equal(few.increments, many.increments[:, :fewer])
    if areas:
        assert few.levy_areas is not None
        assert many.levy_areas is not None
        assert torch.equal(few.levy_areas, many.levy_areas[:, :fewer])


@pytest.mark.parametrize("areas", [False, True])
def test_a_later_span_of_samples_is_the_same_samples(areas: bool) -> None:
    whole = sample_increments(3, 12, 3 * STREAM_SAMPLES + 5, 2, levy_areas=areas)
    part = sample_increments(
        3, 12, STREAM_SAMPLES + 5, 2, levy_areas=areas, first_sample=2 * STREAM_SAMPLES
    )
    assert torch.equal(part.increments, whole.increments[:, 2 * STREAM_SAMPLES :])
    if areas:
        assert torch.equal(part.levy_areas, whole.levy_areas[:, 2 * STREAM_SAMPLES :])


def test_a_span_inside_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="first_sample = 17"):
        sample_increments(0, 4, 4, first_sample=17)


@pytest.mark.parametrize("rows", [1, 3, 25])
@pytest.mark.parametrize("halvings", [1, 2, 3, 5])
def test_a_finer_grid_refines_the_same_path(rows: int, halvings: int) -> None:
    fine = sample_increments(11, rows << halvings, 40, 2, levy_areas=True, dtype=torch.float64)
    for j in range(halvings):
        coarse = sample_increments(11, rows << j, 40, 2, levy_areas=True, dtype=torch.float64)
        expected = coarsened(fine, 1 << (halvings - j))
        torch.testing.assert_close(coarse.increments, expected.increments, rtol=0, atol=1e-13)
        torch.testing.assert_close(coarse.levy_areas, expected.levy_areas, rtol=0, atol=1e-13)


@pytest.mark.parametrize("steps", [1, 2, 7, 96, 100])
def test_increments_do_not_depend_on_whether_areas_are_read(steps: int) -> None:
    alone = sample_increments(5, steps, 1100, 2)
    both = sample_increments(5, steps, 1100, 2, levy_areas=True)
    assert alone.levy_areas is None
    assert torch.equal(alone.increments, both.increments)


@pytest.mark.parametrize("steps", [1, 8, 12])
def test_more_channels_leave_the_first_alone(steps: int) -> None:
    three = sample_increments(5, steps, 1100, 3, levy_areas=True)
    one = sample_increments(5, steps, 1100, 1, levy_areas=True)
    assert torch.equal(one.increments, three.increments[..., :1])
    assert torch.equal(one.levy_areas, three.levy_areas[..., :1])


def test_precision_does_not_change_the_sheet() -> None:
    single = sample_increments(5, 96, 1100, 2, levy_areas=True)
    double = sample_increments(5, 96, 1100, 2, levy_areas=True, dtype=torch.float64)
    assert single.increments.dtype == torch.float32
    assert double.increments.dtype == torch.float64
    torch.testing.assert_close(single.increments.double(), double.increments, rtol=0, atol=3e-6)
    torch.testing.assert_close(single.levy_areas.double(), double.levy_areas, rtol=0, atol=3e-6)


def test_it_is_a_function_of_its_arguments_alone() -> None:
    torch.manual_seed(1)
    first = sample_increments(5, 24, 100, levy_areas=True)
    torch.manual_seed(2)
    torch.randn(17)
    second = sample_increments(5, 24, 100, levy_areas=True)
    assert torch.equal(first.increments, second.increments)
    assert torch.equal(first.levy_areas, second.levy_areas)


def test_no_global_generator_is_touched() -> None:
    before = torch.get_rng_state()
    legacy = np.random.get_state(legacy=True)[1].copy()  # noqa: NPY002  the state that must not move
    sample_increments(5, 24, 2000, 2, levy_areas=True)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state(legacy=True)[1], legacy)  # noqa: NPY002


def correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def test_blocks_channels_and_seeds_are_independent_of_each_other() -> None:
    sheet = sample_increments(0, 8, 3 * STREAM_SAMPLES, 3).increments
    blocks = sheet[..., 0].split(STREAM_SAMPLES, dim=1)
    channels = [sheet[..., channel] for channel in range(3)]
    seeds = [sample_increments(seed, 8, 3 * STREAM_SAMPLES).increments for seed in range(4)]
    for family in (blocks, channels, seeds):
        for i, one in enumerate(family):
            for other in family[:i]:
                assert abs(correlation(one, other)) < SIGMAS / math.sqrt(one.numel())


@pytest.mark.parametrize("seed", [0, 5, 2**31, 2**32 - 1])
@pytest.mark.parametrize("high", [1, 2, 2**30])
def test_large_seeds_are_no_channel_of_a_small_seed(seed: int, high: int) -> None:
    """Seeds of more than 32 bits share no stream with the channels of the seed's lower half."""
    large = sample_increments(seed + high * 2**32, 4, 64, 3).increments.unbind(-1)
    small = sample_increments(seed, 4, 64, 3).increments.unbind(-1)
    assert not any(torch.equal(a, b) for a in large for b in small)


@pytest.mark.parametrize("steps", [1, 5, 8, 12])
def test_the_sheet_is_brownian(steps: int) -> None:
    """Every W and every √12·H is standard normal, and all are uncorrelated."""
    count = 30_000
    noise = sample_increments(21, steps, count, levy_areas=True, dtype=torch.float64)
    assert noise.levy_areas is not None
    normals = torch.cat([noise.increments[..., 0], math.sqrt(12.0) * noise.levy_areas[..., 0]])
    root = math.sqrt(count)
    assert float(normals.mean(1).abs().max()) < SIGMAS / root
    assert float((normals.square().mean(1) - 1.0).abs().max()) < SIGMAS * math.sqrt(2.0) / root
    assert float(normals.pow(3).mean(1).abs().max()) < SIGMAS * math.sqrt(15.0) / root
    assert float((normals.pow(4).mean(1) - 3.0).abs().max()) < SIGMAS * math.sqrt(96.0) / root
    off = torch.corrcoef(normals) - torch.eye(2 * steps, dtype=torch.float64)
    assert float(off.abs().max()) < SIGMAS / root


def test_neighbours_are_independent_beyond_correlation() -> None:
    """Squares of neighbouring figures are uncorrelated too, inside and across the halvings."""
    noise = sample_increments(22, 16, 30_000, levy_areas=True, dtype=torch.float64)
    assert noise.levy_areas is not None
    bound = SIGMAS / math.sqrt(30_000)
    for table in (noise.increments, noise.levy_areas):
        for left, right in pairwise(table.square()):
            assert abs(correlation(left, right)) < bound
    for w, h in zip(noise.increments, noise.levy_areas, strict=True):
        assert abs(correlation(w.square(), h.square())) < bound


def test_it_says_how_much_memory_it_holds() -> None:
    assert sample_increments(0, 10, 20, 2).nbytes == 10 * 20 * 2 * 4
    assert (
        sample_increments(0, 10, 20, 2, levy_areas=True, dtype=torch.float64).nbytes
        == 2 * 10 * 20 * 2 * 8
    )
