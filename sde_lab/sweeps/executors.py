"""Who does the blocks: this thread, piece by piece, or an executor and whoever works for it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait

from sde_lab.errors import ScenarioError
from sde_lab.sweeps.batch import BlockResult, BlockRun, compute_block, one_thread
from sde_lab.sweeps.plan import SweepBlock

PIECE_SECONDS = 0.1
"""How long one turn of work takes, or one look at what an executor has done."""
MAX_ATTEMPTS = 3
"""How often a block is handed out before its failure is believed."""


class ExecutorError(RuntimeError):
    """Blocks cannot be done: the executor takes no more work, or one fails again and again."""


class BlockExecutor(ABC):
    """Does blocks, a turn at a time."""

    @abstractmethod
    def step(self) -> list[BlockResult]:
        """Go on for a moment; what got done."""

    @property
    @abstractmethod
    def partial_progress(self) -> float:
        """Points' worth of work in blocks that are begun but not done."""

    @abstractmethod
    def cancel(self) -> None:
        """Drop what is begun."""


class SerialExecutor(BlockExecutor):
    """The thread that calls."""

    def __init__(self, blocks: Sequence[SweepBlock]) -> None:
        self._blocks = list(blocks)[::-1]
        self._work: BlockRun | None = None
        self._steps: Iterator[float] = iter(())
        self._share = 0.0

    @property
    def partial_progress(self) -> float:
        """Of the block in progress."""
        return 0.0 if self._work is None else self._share * len(self._work.block.point_indices)

    def step(self) -> list[BlockResult]:
        """Walk for a moment, or measure a block that has been walked."""
        if self._work is None:
            self._work = BlockRun(self._blocks[-1])
            self._steps = self._work.steps()
        deadline = time.monotonic() + PIECE_SECONDS
        with one_thread():
            for share in self._steps:
                self._share = share
                if time.monotonic() > deadline:
                    return []
            found = self._work.result()
        self._blocks.pop()
        self._work, self._share = None, 0.0
        return [found]

    def cancel(self) -> None:
        """Forget the block in progress."""
        self._work = None


class PoolExecutor(BlockExecutor):
    """The workers of an executor, each with a block at a time.

    A block that fails is handed out again: its worker may have been lost. A process pool that lost
    one takes no more work; a Dask cluster goes on with the others.
    """

    def __init__(self, blocks: Sequence[SweepBlock], executor: Executor) -> None:
        self._executor = executor
        self._waiting = list(blocks)[::-1]
        self._tries: dict[int, int] = {}
        self._running: dict[Future[BlockResult], SweepBlock] = {}

    @property
    def partial_progress(self) -> float:
        """Unknown: a worker tells nothing before it is done."""
        return 0.0

    def step(self) -> list[BlockResult]:
        """Hand out what waits, and collect what is done.

        Raises:
            CrewError: if the executor takes no more work, or a block has failed TRIES times.
            ScenarioError: if a block cannot work.
        """
        while self._waiting:
            self._submit(self._waiting[-1])
            self._waiting.pop()
        done, _ = wait(self._running, timeout=PIECE_SECONDS, return_when=FIRST_COMPLETED)
        found = [self._collect(future, self._running.pop(future)) for future in done]
        return [outcome for outcome in found if outcome is not None]

    def cancel(self) -> None:
        """Call back what is handed out."""
        for future in self._running:
            future.cancel()
        self._waiting += self._running.values()
        self._running = {}

    def _submit(self, block: SweepBlock) -> None:
        try:
            self._running[self._executor.submit(compute_block, block)] = block
        except RuntimeError as error:
            raise ExecutorError(str(error)) from error

    def _collect(self, future: Future[BlockResult], block: SweepBlock) -> BlockResult | None:
        try:
            return future.result()
        except BrokenExecutor as error:
            raise ExecutorError(str(error)) from error
        except ScenarioError:
            raise
        except Exception as error:
            tries = self._tries[block.point_indices[0]] = (
                self._tries.get(block.point_indices[0], 0) + 1
            )
            if tries >= MAX_ATTEMPTS:
                raise ExecutorError(f"a block failed {MAX_ATTEMPTS} times: {error!r}") from error
            self._waiting.append(block)
            return None
