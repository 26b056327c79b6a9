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
from sde_lab.compiled.source import WIDTH
from sde_lab.scenario import Scenario

PIECE_BYTES = 4e6
"""Stored states and tangents that are held at a time: about what the processor's cache holds."""

Piece = tuple[NDArray[np.intp], NDArray[np.floating]]
"""Numbers of some steps, and states and tangents there, (steps, 1 + C, D, WIDTH)."""


def step_point(
    kernel: Kernel, scenario: Scenario, noise: BlockNoise, stored: NDArray[np.intp]
) -> Iterator[Piece]:
    """Step one block of samples through its noise and differentiate it by the kernel's columns.

    Args:
        kernel: compiled for the scenario's model, scheme and precision.
        scenario: gives parameters, start and grid.
        noise: of the block, by :func:`sde_lab.compiled.run.draw_noise`.
        stored: numbers of the steps whose states are wanted, increasing.

    Yields:
        What is wanted, some steps at a time, in order.
    """
    state = start_state(kernel, scenario)
    parameters = parameter_values(kernel, scenario)
    step = parameters.dtype.type(scenario.step)
    shape = (-1, 1 + len(kernel.source.columns), kernel.source.size, WIDTH)
    if len(stored) and stored[0] == 0:
        yield stored[:1], state[:, :WIDTH].copy().reshape(shape)  # the kernel moves on in place
    for first, last in _pieces(scenario.steps, stored, len(state) * WIDTH * state.itemsize):
        reached = stored[(stored > first) & (stored <= last)]
        out = np.empty((len(reached), len(state), WIDTH), dtype=kernel.dtype)
        kernel.run(
            *(_steps(table, scenario.steps, first, last) for table in noise),
            state.reshape(-1),
            parameters,
            step,
            first,
            stored_rows(last - first, reached - first),
            out.reshape(-1),
        )
        if len(reached):
            yield reached, out.reshape(shape)


def _pieces(steps: int, stored: NDArray[np.intp], bytes_per_step: int) -> Iterator[tuple[int, int]]:
    """Cut the steps so that few enough of a piece are stored; the last one is wanted or not."""
    held = max(1, int(PIECE_BYTES / bytes_per_step))
    ends = [*stored[stored > 0][held - 1 :: held].tolist(), steps]
    first = 0
    for last in ends:
        if last > first:
            yield first, last
        first = last


def _steps(table: NDArray[np.floating], steps: int, first: int, last: int) -> NDArray[np.floating]:
    """Return some steps of noise, flat (M, last − first, WIDTH); a copy only of several noises."""
    if last - first == steps:
        return table
    return table.reshape(-1, steps, WIDTH)[:, first:last].reshape(-1)
