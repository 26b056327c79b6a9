"""Crews for sweeps of a page: the desk for quick ones, and for others the process of long runs."""

from __future__ import annotations

from collections.abc import Sequence

from sde_lab import memory
from sde_lab.server.fair_queue import Say
from sde_lab.server.interactive import at_desk
from sde_lab.server.job_pool import Errand, begin
from sde_lab.server.worker_process import WorkerLostError
from sde_lab.sweep.batch import Outcome, compute
from sde_lab.sweep.executors import TRIES, Alone, Crew, CrewError
from sde_lab.sweep.plan import Block


class Quick(Alone):
    """Has a whole block done at the desk."""

    def turn(self) -> list[Outcome]:
        """Wait in line, and have a block done."""
        found = at_desk(compute, self._blocks[-1])
        self._blocks.pop()
        return [found]


class Piecewise(Alone):
    """What works over there."""

    def piece(self) -> tuple[list[Outcome], float]:
        """One turn: what got done, and the share of the block in progress."""
        return self.turn(), self.share


class Hired(Crew):
    """Asks the second process for a piece at a time; begins again what was lost with it.

    Args:
        blocks: what is to be done.
        say: told how many are ahead while it waits for its turn.
    """

    def __init__(self, blocks: Sequence[Block], say: Say) -> None:
        self._say = say
        self._left = {block.places: block for block in blocks}
        self._errand: Errand | None = None
        self._share = 0.0
        self._lost = 0

    @property
    def share(self) -> float:
        """Of the block in progress."""
        return self._share

    def turn(self) -> list[Outcome]:
        """Wait in line, and have a piece done.

        Raises:
            CrewError: if the process was lost TRIES times.
            ScenarioError: if a block cannot work.
        """
        try:
            if self._errand is None:
                blocks = list(self._left.values())
                self._errand = begin(Piecewise, blocks, size=memory.limit(), say=self._say)
            with self._errand as errand:
                found, self._share = errand.ask("piece", say=self._say)
        except WorkerLostError as error:
            self._lost += 1
            self.leave()
            if self._lost >= TRIES:
                raise CrewError("the server ended it, to save its memory") from error
            return []
        for outcome in found:
            del self._left[outcome.places]
        return list(found)

    def leave(self) -> None:
        """Give the memory over there back."""
        if self._errand is not None:
            self._errand.close()
        self._errand, self._share = None, 0.0
