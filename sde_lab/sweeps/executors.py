"""Executors of a sweep's blocks: the calling thread, or a ``concurrent.futures`` executor.

Each has a step of about a tenth of a second, so that the caller can show progress and stop.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait

from sde_lab.errors import ScenarioError
from sde_lab.sweeps.batch import BlockResult, BlockRun, compute_block, one_thread
from sde_lab.sweeps.plan import SweepBlock

STEP_SECONDS = 0.1
"""Seconds that one step of an executor works or waits, about."""
MAX_ATTEMPTS = 3
"""Times that a block is submitted before its failure aborts the sweep."""


class ExecutorError(RuntimeError):
    """The executor takes no more work, or a block has failed on every attempt."""


class BlockExecutor(ABC):
    """Computes the blocks of a sweep, a moment at a time."""

    @abstractmethod
    def step(self) -> list[BlockResult]:
        """Work or wait for about :data:`STEP_SECONDS`; return the blocks finished meanwhile."""

    @property
    @abstractmethod
    def partial_progress(self) -> float:
        """Work done in unfinished blocks, in points: 1.5 for half of a block of three."""

    @abstractmethod
    def cancel(self) -> None:
        """Drop the blocks in progress; a later step starts them again."""


class SerialExecutor(BlockExecutor):
    """Computes one block after the other in the calling thread."""

    def __init__(self, blocks: Sequence[SweepBlock]) -> None:
        self._blocks = list(blocks)[::-1]  # reversed: pop() takes the next
        self._run: BlockRun | None = None
        self._steps: Iterator[float] = iter(())
        self._fraction = 0.0

    @property
    def partial_progress(self) -> float:
        """Work done in the block in progress, in points."""
        return 0.0 if self._run is None else self._fraction * len(self._run.block.point_indices)

    def step(self) -> list[BlockResult]:
        """Simulate for a moment, and estimate the block's measures once it is simulated.

        After an error the block starts again: a generator that raised is exhausted, and to go on
        with it would take a block that is filled in part for a whole one.
        """
        try:
            result = self._continue()
        except BaseException:
            self.cancel()
            raise
        if result is None:
            return []
        self._blocks.pop()
        self.cancel()
        return [result]

    def _continue(self) -> BlockResult | None:
        """Continue the block in progress; return its result once there is one."""
        if self._run is None:
            self._run = BlockRun(self._blocks[-1])
            self._steps = self._run.steps()
        deadline = time.monotonic() + STEP_SECONDS
        with one_thread():
            for fraction in self._steps:
                self._fraction = fraction
                if time.monotonic() > deadline:
                    return None
            return self._run.result()

    def cancel(self) -> None:
        """Drop the block in progress."""
        self._run, self._fraction = None, 0.0


class PoolExecutor(BlockExecutor):
    """Submits the blocks to a ``concurrent.futures`` executor.

    A block that raises is submitted again, up to :data:`MAX_ATTEMPTS` times: the worker may have
    been lost. A process pool that lost a worker takes no more work and ends the sweep; a Dask
    cluster continues with its other workers.
    """

    def __init__(self, blocks: Sequence[SweepBlock], executor: Executor) -> None:
        self._executor = executor
        self._waiting = list(blocks)[::-1]  # reversed: pop() takes the next
        self._attempts: dict[int, int] = {}  # by the block's first point
        self._running: dict[Future[BlockResult], SweepBlock] = {}

    @property
    def partial_progress(self) -> float:
        """Always 0: a worker reports nothing before its block is done."""
        return 0.0

    def step(self) -> list[BlockResult]:
        """Submit waiting blocks, and collect finished ones.

        Raises:
            ExecutorError: if the executor takes no more work, or a block has failed on
                :data:`MAX_ATTEMPTS` attempts.
            ScenarioError: if a measure returns a wrong shape.
        """
        while self._waiting:
            self._submit(self._waiting[-1])  # popped only once the executor has accepted it
            self._waiting.pop()
        done, _ = wait(self._running, timeout=STEP_SECONDS, return_when=FIRST_COMPLETED)
        collected = [self._collect(future, self._running.pop(future)) for future in done]
        return [result for result in collected if result is not None]

    def cancel(self) -> None:
        """Cancel the submitted blocks and put them back among the waiting ones."""
        for future in self._running:
            future.cancel()
        self._waiting += self._running.values()
        self._running = {}

    def _submit(self, block: SweepBlock) -> None:
        """Submit a block; an executor that is shut down or broken raises RuntimeError."""
        try:
            self._running[self._executor.submit(compute_block, block)] = block
        except RuntimeError as error:
            raise ExecutorError(str(error)) from error

    def _collect(self, future: Future[BlockResult], block: SweepBlock) -> BlockResult | None:
        """Return the result of a finished block; None where it raised and is to be tried again."""
        try:
            return future.result()
        except BrokenExecutor as error:
            raise ExecutorError(str(error)) from error
        except ScenarioError:
            raise
        except Exception as error:
            key = block.point_indices[0]
            self._attempts[key] = self._attempts.get(key, 0) + 1
            if self._attempts[key] >= MAX_ATTEMPTS:
                raise ExecutorError(f"a block failed {MAX_ATTEMPTS} times: {error!r}") from error
            self._waiting.append(block)
            return None
