"""Compute one block of a sweep: simulate its points as one batch, then estimate the measures.

Each point is a number of rows of the batch, one per sample, so that one step of the solver moves
all samples of all points. Points of one seed take the same increments (common random numbers):
their errors are correlated, and the difference of two points is usually less noisy than each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sde_lab.compiled.kernel import Kernel
from sde_lab.compiled.points import step_point
from sde_lab.compiled.run import draw_noise
from sde_lab.sensitivity.compiled_engine import find_kernel, replay_seconds
from sde_lab.sensitivity.tangents import STEPS_PER_SOLVE, TangentBatch, propagate_tangents
from sde_lab.solver.autograd_mode import autograd_mode
from sde_lab.solver.brownian import STREAM_SAMPLES, BrownianIncrements
from sde_lab.solver.simulate import brownian_increments
from sde_lab.sweeps.accumulator import BlockAccumulator
from sde_lab.sweeps.exact_values import exact_values
from sde_lab.sweeps.plan import SweepBlock


@dataclass(frozen=True)
class BlockResult:
    """The estimates at the P points of a block, E numbers each in the order of the plan's columns.

    Attributes:
        point_indices: indices of the points in the grid, (P,).
        value: estimates, (P, E).
        error: standard errors, (P, E).
        exact: exact values, (P, E); NaN where none is known.
        exploded: number of samples left out because their state diverged, (P,).
        engines: what computed it, in order of use: "torchsde", "compiled"; empty where that is not
            known, as for points of a checkpoint.
        engine_difference: largest difference between the compiled loop and torchsde when the loop
            was checked, relative to the largest number; None for torchsde.
    """

    point_indices: tuple[int, ...]
    value: NDArray[np.float64]
    error: NDArray[np.float64]
    exact: NDArray[np.float64]
    exploded: NDArray[np.int64]
    engines: tuple[str, ...] = ()
    engine_difference: float | None = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit torch to one thread.

    The number of threads that share a tensor changes the last bit of some of torch's functions, and
    a sweep promises equal results wherever it is computed.
    """
    before = torch.get_num_threads()
    if before != 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if before != 1:
            torch.set_num_threads(before)


def compute_block(block: SweepBlock) -> BlockResult:
    """Compute a block from beginning to end, on one thread."""
    run = BlockRun(block)
    with one_thread():
        for _ in run.steps():
            pass
        return run.result()


class BlockRun:
    """A block in progress, which can be paused between pieces of some milliseconds."""

    def __init__(self, block: SweepBlock) -> None:
        self.block = block
        self._accumulator = BlockAccumulator(block)
        self._engines: dict[str, None] = {}
        self._difference: float | None = None

    def steps(self) -> Iterator[float]:
        """Simulate the block.

        Yields:
            The part of the simulation that is done, from 0 to 1, every few milliseconds.
        """
        samples = self.block.first.samples
        for start in range(0, samples, self.block.span):
            span = slice(start, min(start + self.block.span, samples))
            kernel = _find_kernel(self.block, span)
            self._engines["torchsde" if kernel is None else "compiled"] = None
            if kernel is not None:
                self._difference = kernel.difference
            steps = self._torch_steps(span) if kernel is None else self._kernel_steps(kernel, span)
            for share in steps:
                yield (start + (span.stop - start) * share) / samples
            self._accumulator.finish_chunk(span)

    def _torch_steps(self, span: slice) -> Iterator[float]:
        """Simulate a chunk of samples by torchsde, all points as rows of one batch."""
        block = self.block
        with autograd_mode(recording=False):
            batch = _make_batch(block, span)
        on_step = self._accumulator.callback_for(span)
        for reached in propagate_tangents(batch, block.sensitivities, on_step):
            yield reached / block.first.steps

    def _kernel_steps(self, kernel: Kernel, span: slice) -> Iterator[float]:
        """Simulate a chunk of samples by a compiled loop, point by point with the same noise."""
        block, steps = self.block, np.array(self._accumulator.steps_read, dtype=np.intp)
        self._accumulator.start_chunk(span)
        streams = range(span.start, span.stop, STREAM_SAMPLES)
        runs = len(streams) * len(block.scenarios)
        done = 0
        for start in streams:
            part = slice(start, min(start + STREAM_SAMPLES, span.stop))
            for seed in dict.fromkeys(block.seeds):
                first = block.first.replace(seed=seed)
                noise = draw_noise(kernel, first, start // STREAM_SAMPLES)
                for point in (p for p, s in enumerate(block.seeds) if s == seed):
                    on_steps = self._accumulator.point_callback(point, part)
                    for reached, table in step_point(kernel, block.scenarios[point], noise, steps):
                        on_steps(reached, table[..., : part.stop - part.start])
                    done += 1
                    yield done / runs

    def result(self) -> BlockResult:
        """Return the estimates, once :meth:`steps` is exhausted."""
        block = self.block
        value, error = self._accumulator.estimates()
        exact, exact_error = exact_values(block)
        if (
            block.first.samples > 1
        ):  # where the samples are too few to estimate an error, by the law
            error = np.where(np.isnan(error), exact_error, error)
        return BlockResult(
            block.point_indices,
            value,
            error,
            exact,
            self._accumulator.exploded,
            tuple(self._engines),
            self._difference,
        )


def _find_kernel(block: SweepBlock, span: slice) -> Kernel | None:
    """Return the compiled loop for a chunk of samples, or None where torchsde computes it."""
    if block.engine == "torchsde":
        return None
    rows = (span.stop - span.start) * len(block.scenarios)
    return find_kernel(
        block.first,
        block.sensitivities,
        wait=block.engine == "compiled",
        work=replay_seconds(block.first.replace(samples=rows), len(block.sensitivities)),
    )


def _make_batch(block: SweepBlock, span: slice) -> TangentBatch:
    """Return the rows of a chunk of samples: point by point, each with the same samples."""
    first, width = block.first, span.stop - span.start

    def rows(numbers: list[float]) -> Tensor:
        """Return one number per point as (rows, 1), or (1, 1) where all are equal."""
        column = torch.tensor(numbers, dtype=first.torch_dtype, device=first.device)
        if len(set(numbers)) == 1:
            return column[:1].view(1, 1)
        return column.repeat_interleave(width).unsqueeze(1)

    initial = torch.tensor(
        [s.initial for s in block.scenarios], dtype=first.torch_dtype, device=first.device
    )
    steps = [s.step for s in block.scenarios]
    return TangentBatch(
        first.model_spec,
        first.scheme_spec,
        initial.repeat_interleave(width, 0),
        {name: rows([s.parameters[name] for s in block.scenarios]) for name in first.parameters},
        rows(steps) if len(set(steps)) > 1 else steps[0],
        first.steps,
        _draw_noise(block, span),
    )


def _draw_noise(block: SweepBlock, span: slice) -> Callable[[int, int], BrownianIncrements]:
    """Draw the increments of a chunk of samples, once per seed.

    Returns:
        A function of the first and last step that gives the increments of the steps between, for
        the rows of all points.
    """
    seeds, chunk = block.seeds, block.first.replace(samples=span.stop - span.start)
    drawn = {
        seed: brownian_increments(chunk.replace(seed=seed), first_sample=span.start)
        for seed in set(seeds)
    }
    noises = [drawn[seed] for seed in (seeds if len(drawn) > 1 else seeds[:1])]
    increments = _TiledNoise([noise.increments for noise in noises], len(seeds))
    levy = [noise.levy_areas for noise in noises if noise.levy_areas is not None]
    areas = _TiledNoise(levy, len(seeds)) if levy else None

    def steps(first: int, last: int) -> BrownianIncrements:
        return BrownianIncrements(
            increments.steps(first, last), None if areas is None else areas.steps(first, last)
        )

    return steps


class _TiledNoise:
    """Increments (steps, samples, M) repeated for the rows of all points, some steps at a time.

    The rows are written to one buffer that is used again and again: it stays in the processor's
    cache, where copies of the whole table for every point would not fit.

    Args:
        tables: one table for all points, or one per point.
        points: number of points.
    """

    def __init__(self, tables: list[Tensor], points: int) -> None:
        steps, samples, channels = tables[0].shape
        self._tables = tables
        self._rows = tables[0].new_empty(min(steps, STEPS_PER_SOLVE), points, samples, channels)

    def steps(self, first: int, last: int) -> Tensor:
        """Return some steps, (last − first, points · samples, M), valid until the next call."""
        rows = self._rows[: last - first]
        if len(self._tables) == 1:
            rows.copy_(self._tables[0][first:last].unsqueeze(1))  # broadcast over the points
        else:
            for point, table in enumerate(self._tables):
                rows[:, point] = table[first:last]
        return rows.flatten(1, 2)  # (steps, points, samples, M) -> (steps, points · samples, M)
