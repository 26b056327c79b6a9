"""Who does the blocks: this thread, piece by piece, or an executor and whoever works for it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait

from sde_lab.errors import ScenarioError
from sde_lab.sweep.batch import Outcome, Work, compute, one_thread
from sde_lab.sweep.plan import Block

PIECE_SECONDS = 0.1
"""How long one turn of work takes, or one look at what an executor has done."""
TRIES = 3
"""How often a block is handed out before its failure is believed."""


class CrewError(RuntimeError):
    """Blocks cannot be done: the executor takes no more work, or one fails again and again."""


class Crew(ABC):
    """Does blocks, a turn at a time."""

    @abstractmethod
    def turn(self) -> list[Outcome]:
        """Go on for a moment; what got done."""

    @property
    @abstractmethod
    def share(self) -> float:
        """Points' worth of work in blocks that are begun but not done."""

    @abstractmethod
    def leave(self) -> None:
        """Drop what is begun."""


class Alone(Crew):
    """The thread that calls."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = list(blocks)[::-1]
        self._work: Work | None = None
        self._steps: Iterator[float] = iter(())
        self._share = 0.0

    @property
    def share(self) -> float:
        """Of the block in progress."""
        return 0.0 if self._work is None else self._share * len(self._work.block.places)

    def turn(self) -> list[Outcome]:
        """Walk for a moment, or measure a block that has been walked."""
        if self._work is None:
            self._work = Work(self._blocks[-1])
            self._steps = self._work.steps()
        deadline = time.monotonic() + PIECE_SECONDS
        with one_thread():
            for share in self._steps:
                self._share = share
                if time.monotonic() > deadline:
                    return []
            found = self._work.outcome()
        self._blocks.pop()
        self._work, self._share = None, 0.0
        return [found]

    def leave(self) -> None:
        """Forget the block in progress."""
        self._work = None


class Gang(Crew):
    """The workers of an executor, each with a block at a time.

    A block that fails is handed out again: its worker may have been lost. A process pool that lost
    one takes no more work; a Dask cluster goes on with the others.
    """

    def __init__(self, blocks: Sequence[Block], executor: Executor) -> None:
        self._executor = executor
        self._waiting = list(blocks)[::-1]
        self._tries: dict[int, int] = {}
        self._running: dict[Future[Outcome], Block] = {}

    @property
    def share(self) -> float:
        """Unknown: a worker tells nothing before it is done."""
        return 0.0

    def turn(self) -> list[Outcome]:
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

    def leave(self) -> None:
        """Call back what is handed out."""
        for future in self._running:
            future.cancel()
        self._waiting += self._running.values()
        self._running = {}

    def _submit(self, block: Block) -> None:
        try:
            self._running[self._executor.submit(compute, block)] = block
        except RuntimeError as error:
            raise CrewError(str(error)) from error

    def _collect(self, future: Future[Outcome], block: Block) -> Outcome | None:
        try:
            return future.result()
        except BrokenExecutor as error:
            raise CrewError(str(error)) from error
        except ScenarioError:
            raise
        except Exception as error:
            tries = self._tries[block.places[0]] = self._tries.get(block.places[0], 0) + 1
            if tries >= TRIES:
                raise CrewError(f"a block failed {TRIES} times: {error!r}") from error
            self._waiting.append(block)
            return None
