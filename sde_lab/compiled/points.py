"""Points of a sweep on the compiled engine: the same kernel and noise, other parameters.

Points share their noise (common random numbers). So the increments of a block of samples are drawn
once, and every point is stepped through them while they are in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sde_lab.compiled.kernel import Kernel, stored_rows
from sde_lab.compiled.run import BlockNoise, parameter_values, start_state
from sde_lab.compiled.source import BLOCK_SAMPLES
from sde_lab.scenario import Scenario

PIECE_BYTES = 4e6
"""Bytes of stored states and tangents held at a time: about the size of the processor's cache."""

Piece = tuple[NDArray[np.intp], NDArray[np.floating]]
"""Indices of some steps, and states and tangents there, (steps, 1 + C, D, BLOCK_SAMPLES)."""


def step_point(
    kernel: Kernel, scenario: Scenario, noise: BlockNoise, stored: NDArray[np.intp]
) -> Iterator[Piece]:
    """Step one block of samples through its noise and differentiate it with respect to its columns.

    Args:
        kernel: compiled for the scenario's model, scheme and precision.
        scenario: gives parameters, start and grid.
        noise: of the block, by :func:`sde_lab.compiled.run.draw_noise`.
        stored: indices of the steps whose states are stored, increasing.

    Yields:
        Stored steps, some at a time, in order.
    """
    state = start_state(kernel, scenario)
    parameters = parameter_values(kernel, scenario)
    step = parameters.dtype.type(scenario.step)
    places = np.arange(len(state), dtype=np.int64) * BLOCK_SAMPLES
    shape = (-1, 1 + len(kernel.source.columns), kernel.source.size, BLOCK_SAMPLES)
    if len(stored) and stored[0] == 0:
        yield (
            stored[:1],
            state[:, :BLOCK_SAMPLES].copy().reshape(shape),
        )  # the kernel moves on in place
    for first, last in _pieces(scenario.steps, stored, len(state) * BLOCK_SAMPLES * state.itemsize):
        reached = stored[(stored > first) & (stored <= last)]
        out = np.empty((len(reached), len(state), BLOCK_SAMPLES), dtype=kernel.dtype)
        kernel.run(
            *(_steps(table, scenario.steps, first, last) for table in noise),
            state.reshape(-1),
            parameters,
            step,
            first,
            stored_rows(last - first, reached - first),
            places,
            len(state) * BLOCK_SAMPLES,
            BLOCK_SAMPLES,
            out.reshape(-1),
        )
        if len(reached):
            yield reached, out.reshape(shape)


def _pieces(steps: int, stored: NDArray[np.intp], bytes_per_step: int) -> Iterator[tuple[int, int]]:
    """Split the steps into pieces (first, last] with at most PIECE_BYTES of stored steps each."""
    held = max(1, int(PIECE_BYTES / bytes_per_step))
    ends = [*stored[stored > 0][held - 1 :: held].tolist(), steps]
    first = 0
    for last in ends:
        if last > first:
            yield first, last
        first = last


def _steps(table: NDArray[np.floating], steps: int, first: int, last: int) -> NDArray[np.floating]:
    """Return the noise of some steps, flat (M, last − first, BLOCK_SAMPLES); a copy if M > 1."""
    if last - first == steps:
        return table
    return table.reshape(-1, steps, BLOCK_SAMPLES)[:, first:last].reshape(-1)
