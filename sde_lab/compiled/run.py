"""Run compiled kernels: simulate and differentiate block by block of samples.

A block is the samples of one stream of the Brownian sheet. Its increments are drawn into a buffer,
consumed while they are in the cache, and only the stored times leave the block, so that memory does
not grow with steps × samples. Blocks are independent: they run in threads, and the numbers do not
depend on how many.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sde_lab.compiled.kernel import Kernel, stored_rows
from sde_lab.compiled.source import STRIDE, WIDTH
from sde_lab.scenario import Scenario
from sde_lab.solver.brownian import STREAM_SAMPLES, BrownianIncrements, fill_stream

assert WIDTH == STREAM_SAMPLES
MAX_NOISE_BYTES = 512e6
"""Increments of one block, at most; beyond, replay serves the run."""


@dataclass(frozen=True)
class Tables:
    """Stored times of states and derivatives, samples last.

    Attributes:
        states: (times, D, samples)
        derivatives: for each column of the kernel, (C, times, D, samples).
    """

    states: NDArray[np.floating]
    derivatives: NDArray[np.floating]


def fits(kernel: Kernel, scenario: Scenario) -> bool:
    """Return whether the increments of a block fit in memory."""
    numbers = scenario.steps * WIDTH * kernel.source.brownian_size
    return numbers * np.dtype(kernel.dtype).itemsize <= MAX_NOISE_BYTES


def run_kernel(
    kernel: Kernel,
    scenario: Scenario,
    indices: NDArray[np.intp],
    first_sample: int = 0,
    threads: int | None = None,
    noise: BrownianIncrements | None = None,
) -> Tables:
    """Simulate the scenario's samples and differentiate them by the kernel's columns.

    Args:
        kernel: compiled for the scenario's model, scheme and precision.
        scenario: gives parameters, start, grid, samples and seed.
        indices: numbers of the steps whose states are stored, increasing.
        first_sample: number of the first sample on the sheet, a multiple of STREAM_SAMPLES.
        threads: blocks at once; None takes the processor's cores.
        noise: increments to use instead of those that the seed names.

    Returns:
        Tables of the stored times; a path that diverges holds Inf or NaN from there on.
    """
    count, size = scenario.samples, kernel.source.size
    shape = (len(indices), size, count)
    tables = Tables(
        np.empty(shape, dtype=kernel.dtype),
        np.empty((len(kernel.source.columns), *shape), dtype=kernel.dtype),
    )
    task = _Task(kernel, scenario, indices, first_sample, tables, noise)
    blocks = range(-(-count // WIDTH))
    workers = min(len(blocks), threads or os.cpu_count() or 1)
    if workers == 1:
        for block in blocks:
            task.run(block)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(task.run, blocks))
    return tables


class _Task:
    """The blocks of one run."""

    def __init__(
        self,
        kernel: Kernel,
        scenario: Scenario,
        indices: NDArray[np.intp],
        first_sample: int,
        tables: Tables,
        noise: BrownianIncrements | None,
    ) -> None:
        self._given = noise
        self._kernel, self._scenario, self._tables = kernel, scenario, tables
        self._first_block = first_sample // WIDTH
        self._number = np.dtype(kernel.dtype).type
        values = [scenario.parameters[name] for name in kernel.source.parameters]
        self._parameters = np.array(values, dtype=kernel.dtype)
        self._rows = stored_rows(scenario.steps, indices)
        self._stores_start = bool(len(indices)) and indices[0] == 0

    def run(self, block: int) -> None:
        """Simulate one block and copy its stored times into the tables."""
        source, number = self._kernel.source, self._number
        noise, areas = self._noise(block)
        rows = source.size * (1 + len(source.columns))
        state = self._start(rows)
        stored = np.empty((self._tables.states.shape[0], rows, WIDTH), dtype=self._kernel.dtype)
        if self._stores_start:
            stored[0] = state[:, :WIDTH]
        self._kernel.run(
            noise,
            areas,
            state.reshape(-1),
            self._parameters,
            number(self._scenario.step),
            0,
            self._rows,
            stored.reshape(-1),
        )
        self._copy(block, stored)

    def _start(self, rows: int) -> NDArray[np.floating]:
        """Return initial states and tangents, (rows, STRIDE): ∂x₀/∂x₀ is the unit matrix."""
        source = self._kernel.source
        state = np.zeros((rows, STRIDE), dtype=self._kernel.dtype)
        initial = source.initial
        state[: source.size] = np.array(self._scenario.initial, dtype=self._kernel.dtype)[:, None]
        for c, name in enumerate(source.columns):
            if name in initial:
                state[source.size * (1 + c) + initial.index(name)] = 1.0
        return state

    def _noise(self, block: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Return increments and Lévy areas of a block, flat (M, K, WIDTH)."""
        source, scenario = self._kernel.source, self._scenario
        shape = (source.brownian_size, scenario.steps, WIDTH)
        dtype = scenario.torch_dtype
        increments = torch.empty(shape, dtype=dtype, device="cpu")
        areas = torch.empty(shape, dtype=dtype, device="cpu") if source.levy_area else None
        for m in range(source.brownian_size):
            if self._given is not None:
                self._take(block, m, increments[m], None if areas is None else areas[m])
                continue
            target = None if areas is None else areas[m]
            fill_stream(increments[m], target, scenario.seed, m, self._first_block + block)
        flat = increments.view(-1).numpy()
        return flat, flat if areas is None else areas.view(-1).numpy()

    def _take(
        self, block: int, m: int, increments: torch.Tensor, areas: torch.Tensor | None
    ) -> None:
        """Copy given increments, (steps, N, M), into a block; what is over the samples is zero."""
        assert self._given is not None
        span = slice(block * WIDTH, min((block + 1) * WIDTH, self._scenario.samples))
        width = span.stop - span.start
        given = self._given
        for target, table in ((increments, given.increments), (areas, given.levy_areas)):
            if target is not None and table is not None:
                target.zero_()
                target[:, :width] = table[:, span, m]

    def _copy(self, block: int, stored: NDArray[np.floating]) -> None:
        size = self._kernel.source.size
        start = block * WIDTH
        stop = min(start + WIDTH, self._scenario.samples)
        part = stored[..., : stop - start]
        self._tables.states[..., start:stop] = part[:, :size]
        for c, table in enumerate(self._tables.derivatives):
            table[..., start:stop] = part[:, size * (1 + c) : size * (2 + c)]
