"""Run compiled kernels: simulate and differentiate block by block of samples.

A block is the samples of one stream of the Brownian sheet. Its increments are drawn into a buffer,
consumed while they are in the cache, and only the stored times leave the block, so that memory does
not grow with steps × samples. Blocks are independent: they run in threads, and the numbers do not
depend on how many.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sde_lab import memory
from sde_lab.compiled.kernel import Kernel, stored_rows
from sde_lab.compiled.source import BLOCK_SAMPLES, ROW_STRIDE_NUMBERS
from sde_lab.scenario import Scenario
from sde_lab.solver.brownian import STREAM_SAMPLES, BrownianIncrements, fill_stream

assert BLOCK_SAMPLES == STREAM_SAMPLES
MAX_NOISE_BYTES = 512e6
"""Largest size of one block's increments in bytes; a larger run uses the replay engine."""


@dataclass(frozen=True)
class Tables:
    """Stored times of states and derivatives, samples last.

    Attributes:
        states: (times, D, samples)
        derivatives: for each column of the kernel, (C, times, D, samples).
        difference: :attr:`Kernel.difference` of the kernel that filled them.
    """

    states: NDArray[np.floating]
    derivatives: NDArray[np.floating]
    difference: float | None = None


def fits(kernel: Kernel, scenario: Scenario) -> bool:
    """Return True if the increments of a block fit the memory budget."""
    numbers = scenario.steps * BLOCK_SAMPLES * kernel.source.brownian_size
    allowed = min(MAX_NOISE_BYTES, memory.run_limit_bytes() / 4.0)
    return numbers * np.dtype(kernel.dtype).itemsize <= allowed


def run_kernel(
    kernel: Kernel,
    scenario: Scenario,
    indices: NDArray[np.intp],
    first_sample: int = 0,
    threads: int | None = None,
    noise: BrownianIncrements | None = None,
    drawn: BrownianIncrements | None = None,
    out: NDArray[np.floating] | None = None,
) -> Tables:
    """Simulate the scenario's samples and differentiate them with respect to the kernel's columns.

    Args:
        kernel: compiled for the scenario's model, scheme and precision.
        scenario: gives parameters, start, grid, samples and seed.
        indices: numbers of the steps whose states are stored, increasing.
        first_sample: index of the first sample, a multiple of STREAM_SAMPLES.
        threads: number of blocks run in parallel; None takes the number of processor cores that
            this process may use.
        noise: increments to use instead of those of the seed.
        drawn: where to write the increments of the seed, and their areas, as they are drawn.
        out: where to write states and, after them, derivatives, (times, 1 + C, D, samples); None
            makes a new array.

    Returns:
        Tables of the stored times; a path that diverges holds Inf or NaN from there on.
    """
    count, size = scenario.samples, kernel.source.size
    # What a step writes is close together: with a table for each column, apart, fresh memory took
    # twice as long.
    shape = (len(indices), 1 + len(kernel.source.columns), size, count)
    out = np.empty(shape, dtype=kernel.dtype) if out is None else out
    task = _Task(kernel, scenario, indices, first_sample, out, _Noise(noise, drawn))
    blocks = range(-(-count // BLOCK_SAMPLES))
    workers = min(len(blocks), threads or _cores())
    if workers == 1:
        for block in blocks:
            task.run(block)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(task.run, blocks))
    return Tables(out[:, 0], np.moveaxis(out[:, 1:], 1, 0))


def _cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Buffers(threading.local):
    """What each thread writes block after block into: it stays in the cache.

    Fresh memory for every block would cost as much as stepping through it.
    """

    def __init__(self, kernel: Kernel, scenario: Scenario, stored: tuple[int, ...] | None) -> None:
        self.stored = None if stored is None else np.empty(stored, dtype=kernel.dtype)
        self.noise = _empty_noise(kernel, scenario)


@dataclass(frozen=True)
class _Noise:
    """Increments that are given, and where those that are drawn are written."""

    given: BrownianIncrements | None
    drawn: BrownianIncrements | None


class _Task:
    """The blocks of one run."""

    def __init__(
        self,
        kernel: Kernel,
        scenario: Scenario,
        indices: NDArray[np.intp],
        first_sample: int,
        out: NDArray[np.floating],
        noise: _Noise,
    ) -> None:
        self._given, self._drawn = noise.given, noise.drawn
        self._kernel, self._scenario, self._out = kernel, scenario, out
        self._first_block = first_sample // BLOCK_SAMPLES
        self._parameters = parameter_values(kernel, scenario)
        self._rows = stored_rows(scenario.steps, indices)
        self._stores_start = bool(len(indices)) and indices[0] == 0
        # Samples of another layout are stored in a buffer first.
        self._direct = out.flags.c_contiguous
        shape = (*out.shape[:3], BLOCK_SAMPLES)
        self._buffers = _Buffers(kernel, scenario, None if self._direct else shape)

    def run(self, block: int) -> None:
        """Simulate one block and write its stored times."""
        noise, areas = self._noise(block)
        state = start_state(self._kernel, self._scenario)
        first = state[:, :BLOCK_SAMPLES].copy()  # the kernel moves on in place
        start = block * BLOCK_SAMPLES
        width = min(BLOCK_SAMPLES, self._scenario.samples - start)
        part = self._out[..., start : start + width]
        stored = self._buffers.stored
        layout = self._out if stored is None else stored
        samples = layout.shape[3]
        # where each state and tangent of the block begins
        places = np.arange(len(state), dtype=np.int64) * samples
        if stored is None:
            places += start
        self._kernel.run(
            noise,
            areas,
            state.reshape(-1),
            self._parameters,
            self._parameters.dtype.type(self._scenario.step),
            0,
            self._rows,
            places,
            len(state) * samples,
            width,
            layout.reshape(-1),
        )
        if stored is not None:
            part[...] = stored[..., :width]
        if self._stores_start:
            part[0] = first.reshape(*part.shape[1:3], -1)[..., :width]

    def _noise(self, block: int) -> BlockNoise:
        """Return a block of the given increments and areas, or of those of the seed."""
        increments, areas = self._buffers.noise
        if self._given is None:
            noise = _draw(self._scenario, self._first_block + block, increments, areas)
            if self._drawn is not None:
                for table, part in self._parts(block, self._drawn):
                    part.copy_(table[..., : part.shape[2]])
            return noise
        for table, part in self._parts(block, self._given):
            table[..., part.shape[2] :].zero_()
            table[..., : part.shape[2]] = part
        return _flat(increments, areas)

    def _parts(self, block: int, noise: BrownianIncrements) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the buffer of increments, (M, K, B), with this block's part of a table; areas too.

        The part is in the layout of the buffer, and narrower where the block is the last one.
        """
        start = block * BLOCK_SAMPLES
        span = slice(start, min(start + BLOCK_SAMPLES, self._scenario.samples))
        tables = (noise.increments, noise.levy_areas)
        for buffer, table in zip(self._buffers.noise, tables, strict=True):
            if buffer is not None and table is not None:
                yield buffer, table[:, span].permute(2, 0, 1)


BlockNoise = tuple[NDArray[np.floating], NDArray[np.floating]]
"""Increments and Lévy areas of a block, flat (M, K, BLOCK_SAMPLES). For a scheme without Lévy
areas the second is the increments again, which its kernel does not read."""


def start_state(kernel: Kernel, scenario: Scenario) -> NDArray[np.floating]:
    """Return initial states and tangents, (D + D·C, ROW_STRIDE_NUMBERS); ∂x₀/∂x₀ = 1."""
    source = kernel.source
    size, initial = source.size, source.initial
    state = np.zeros((size * (1 + len(source.columns)), ROW_STRIDE_NUMBERS), dtype=kernel.dtype)
    state[:size] = np.array(scenario.initial, dtype=kernel.dtype)[:, None]
    for c, name in enumerate(source.columns):
        if name in initial:
            state[size * (1 + c) + initial.index(name)] = 1.0
    return state


def parameter_values(kernel: Kernel, scenario: Scenario) -> NDArray[np.floating]:
    """Return the scenario's parameters in the kernel's order and precision."""
    values = [scenario.parameters[name] for name in kernel.source.parameters]
    return np.array(values, dtype=kernel.dtype)


def draw_noise(kernel: Kernel, scenario: Scenario, block: int) -> BlockNoise:
    """Draw the noise of one block of samples from the scenario's seed and the block's index."""
    return _draw(scenario, block, *_empty_noise(kernel, scenario))


def _draw(scenario: Scenario, block: int, increments: Tensor, areas: Tensor | None) -> BlockNoise:
    """Draw the noise of one block into tensors (M, K, BLOCK_SAMPLES)."""
    for m in range(len(increments)):
        target = None if areas is None else areas[m]
        fill_stream(increments[m], target, scenario.seed, m, block)
    return _flat(increments, areas)


def _empty_noise(kernel: Kernel, scenario: Scenario) -> tuple[Tensor, Tensor | None]:
    shape = (kernel.source.brownian_size, scenario.steps, BLOCK_SAMPLES)
    dtype = scenario.torch_dtype
    increments = torch.empty(shape, dtype=dtype, device="cpu")
    areas = torch.empty(shape, dtype=dtype, device="cpu") if kernel.source.levy_area else None
    return increments, areas


def _flat(increments: Tensor, areas: Tensor | None) -> BlockNoise:
    flat = increments.view(-1).numpy()
    return flat, flat if areas is None else areas.view(-1).numpy()
