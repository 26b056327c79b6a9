"""One block of points: walked together under the same noise, then measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sde_lab.engines.walk import Batch, walk
from sde_lab.noise import Noise
from sde_lab.simulate import brownian
from sde_lab.studies.sweep.kept import Kept
from sde_lab.studies.sweep.plan import Block
from sde_lab.studies.sweep.truth import truth


@dataclass(frozen=True)
class Outcome:
    """What was found in each of P points: E numbers each, in the order of the plan's entries.

    Attributes:
        places: of the points in the grid, (P,).
        value: (P, E)
        error: standard errors, (P, E).
        exact: (P, E); NaN where nothing is known.
        exploded: samples left out because they exploded, (P,).
    """

    places: tuple[int, ...]
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


def compute(block: Block) -> Outcome:
    """The outcome of a block."""
    work = Work(block)
    with one_thread():
        for _ in work.steps():
            pass
        return work.outcome()


class Work:
    """A block in progress."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self._kept = Kept(block)

    def steps(self) -> Iterator[float]:
        """Do the walking, in pieces of some milliseconds; yields the share that is done."""
        block = self.block
        samples, steps = block.first.samples, block.first.steps
        for start in range(0, samples, block.span):
            span = slice(start, min(start + block.span, samples))
            batch = _batch(block, span)
            arrive = self._kept.arrival(span)
            for reached in walk(batch, block.sensitivities, arrive):
                yield (start + (span.stop - start) * reached / steps) / samples
            self._kept.leave(span)

    def outcome(self) -> Outcome:
        """Measure what was walked."""
        block = self.block
        value, error = self._kept.estimates()
        exact = np.array([truth(block, scenario) for scenario in block.scenarios])
        return Outcome(block.places, value, error, exact, self._kept.exploded)


def _batch(block: Block, span: slice) -> Batch:
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
    return Batch(
        first.sde,
        first.solver,
        starts.repeat_interleave(width, 0),
        {name: rows([s.parameters[name] for s in block.scenarios]) for name in first.parameters},
        rows(steps) if len(set(steps)) > 1 else steps[0],
        first.steps,
        _noise(block, span),
    )


def _noise(block: Block, span: slice) -> Callable[[int, int], Noise]:
    """The increments of the points, the same for all that share a seed."""
    part = [s.but(samples=span.stop - span.start) for s in block.scenarios]
    drawn = {s.seed: brownian(s, first=span.start) for s in {s.seed: s for s in part}.values()}
    order = list(drawn) if len(drawn) == 1 else [s.seed for s in part]

    def tiled(tables: list[Tensor]) -> Tensor:
        stacked = torch.stack(tables, dim=1) if len(tables) > 1 else tables[0].unsqueeze(1)
        return stacked.expand(-1, len(part), -1, -1).flatten(1, 2)

    def steps(first: int, last: int) -> Noise:
        found = [drawn[seed] for seed in order]
        areas = [noise.areas[first:last] for noise in found if noise.areas is not None]
        increments = [noise.increments[first:last] for noise in found]
        return Noise(tiled(increments), tiled(areas) if areas else None)

    return steps
