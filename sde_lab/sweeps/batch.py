"""One block of points: walked together under the same noise, then measured."""

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
    """What was found in each of P points: E numbers each, in the order of the plan's entries.

    Attributes:
        point_indices: of the points in the grid, (P,).
        value: (P, E)
        error: standard errors, (P, E).
        exact: (P, E); NaN where nothing is known.
        exploded: samples left out because their state exploded, (P,).
    """

    point_indices: tuple[int, ...]
    value: NDArray[np.float64]
    error: NDArray[np.float64]
    exact: NDArray[np.float64]
    exploded: NDArray[np.int64]


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of torch: how many share a tensor decides about the last bit of some functions."""
    before = torch.get_num_threads()
    if before != 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if before != 1:
            torch.set_num_threads(before)


def compute_block(block: SweepBlock) -> BlockResult:
    """The outcome of a block."""
    work = BlockRun(block)
    with one_thread():
        for _ in work.steps():
            pass
        return work.result()


class BlockRun:
    """A block in progress."""

    def __init__(self, block: SweepBlock) -> None:
        self.block = block
        self._accumulator = BlockAccumulator(block)

    def steps(self) -> Iterator[float]:
        """Do the walking, in pieces of some milliseconds; yields the share that is done."""
        samples = self.block.first.samples
        for start in range(0, samples, self.block.span):
            span = slice(start, min(start + self.block.span, samples))
            kernel = _kernel(self.block, span)
            steps = self._torch_steps(span) if kernel is None else self._kernel_steps(kernel, span)
            for share in steps:
                yield (start + (span.stop - start) * share) / samples
            self._accumulator.finish_chunk(span)

    def _torch_steps(self, span: slice) -> Iterator[float]:
        """Walk a span of samples of all points as rows of one batch."""
        block = self.block
        with autograd_mode(recording=False):
            batch = _batch(block, span)
        arrive = self._accumulator.callback_for(span)
        for reached in propagate_tangents(batch, block.sensitivities, arrive):
            yield reached / block.first.steps

    def _kernel_steps(self, kernel: Kernel, span: slice) -> Iterator[float]:
        """Walk a span of samples by a compiled loop, point by point under the same noise."""
        block, steps = self.block, np.array(self._accumulator.steps_read, dtype=np.intp)
        self._accumulator.start_chunk(span)
        streams = range(span.start, span.stop, STREAM_SAMPLES)
        walks = len(streams) * len(block.scenarios)
        done = 0
        for start in streams:
            part = slice(start, min(start + STREAM_SAMPLES, span.stop))
            for seed in dict.fromkeys(block.seeds):
                first = block.first.replace(seed=seed)
                noise = draw_noise(kernel, first, start // STREAM_SAMPLES)
                for point in (p for p, s in enumerate(block.seeds) if s == seed):
                    arrive = self._accumulator.point_callback(point, part)
                    for reached, table in step_point(kernel, block.scenarios[point], noise, steps):
                        arrive(reached, table[..., : part.stop - part.start])
                    done += 1
                    yield done / walks

    def result(self) -> BlockResult:
        """Measure what was walked."""
        block = self.block
        value, error = self._accumulator.estimates()
        return BlockResult(
            block.point_indices, value, error, exact_values(block), self._accumulator.exploded
        )


def _kernel(block: SweepBlock, span: slice) -> Kernel | None:
    """Return the compiled loop for some samples of a block, or None where torchsde walks them."""
    if block.engine == "torchsde":
        return None
    rows = (span.stop - span.start) * len(block.scenarios)
    return find_kernel(
        block.first,
        block.sensitivities,
        wait=block.engine == "compiled",
        work=replay_seconds(block.first.replace(samples=rows), len(block.sensitivities)),
    )


def _batch(block: SweepBlock, span: slice) -> TangentBatch:
    """Rows of the block's points, each with the same span of samples."""
    first, width = block.first, span.stop - span.start

    def rows(numbers: list[float]) -> Tensor:
        column = torch.tensor(numbers, dtype=first.torch_dtype, device=first.device)
        if len(set(numbers)) == 1:
            return column[:1].view(1, 1)
        return column.repeat_interleave(width).unsqueeze(1)

    starts = torch.tensor(
        [s.initial for s in block.scenarios], dtype=first.torch_dtype, device=first.device
    )
    steps = [s.step for s in block.scenarios]
    return TangentBatch(
        first.model_spec,
        first.scheme_spec,
        starts.repeat_interleave(width, 0),
        {name: rows([s.parameters[name] for s in block.scenarios]) for name in first.parameters},
        rows(steps) if len(set(steps)) > 1 else steps[0],
        first.steps,
        _noise(block, span),
    )


def _noise(block: SweepBlock, span: slice) -> Callable[[int, int], BrownianIncrements]:
    """The increments of the points, the same for all that share a seed."""
    seeds, part = block.seeds, block.first.replace(samples=span.stop - span.start)
    drawn = {
        seed: brownian_increments(part.replace(seed=seed), first_sample=span.start)
        for seed in set(seeds)
    }
    found = [drawn[seed] for seed in (seeds if len(drawn) > 1 else seeds[:1])]
    increments = _TiledNoise([noise.increments for noise in found], len(seeds))
    levy = [noise.levy_areas for noise in found if noise.levy_areas is not None]
    areas = _TiledNoise(levy, len(seeds)) if levy else None

    def steps(first: int, last: int) -> BrownianIncrements:
        return BrownianIncrements(
            increments.steps(first, last), None if areas is None else areas.steps(first, last)
        )

    return steps


class _TiledNoise:
    """Tables (steps, samples, M), one for all points or one each, as rows of all points.

    They are written to the same memory each time, which is still in the cache.
    """

    def __init__(self, tables: list[Tensor], points: int) -> None:
        steps, samples, channels = tables[0].shape
        self._tables = tables
        self._rows = tables[0].new_empty(min(steps, STEPS_PER_SOLVE), points, samples, channels)

    def steps(self, first: int, last: int) -> Tensor:
        """Some steps, (last − first, points · samples, M), until the next are asked for."""
        rows = self._rows[: last - first]
        if len(self._tables) == 1:
            rows.copy_(self._tables[0][first:last].unsqueeze(1))
        else:
            for place, table in enumerate(self._tables):
                rows[:, place] = table[first:last]
        return rows.flatten(1, 2)
