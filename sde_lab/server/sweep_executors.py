"""Crews for sweeps of a page: the desk for quick ones, and for others the process of long runs."""

from __future__ import annotations

from collections.abc import Sequence

from sde_lab import memory
from sde_lab.server.fair_queue import OnWait
from sde_lab.server.interactive import run_interactive
from sde_lab.server.job_pool import RemoteJob, start_job
from sde_lab.server.worker_process import WorkerDiedError
from sde_lab.sweeps.batch import BlockResult, compute_block
from sde_lab.sweeps.executors import MAX_ATTEMPTS, BlockExecutor, ExecutorError, SerialExecutor
from sde_lab.sweeps.plan import SweepBlock


class InteractiveExecutor(SerialExecutor):
    """Has a whole block done at the desk."""

    def step(self) -> list[BlockResult]:
        """Wait in line, and have a block done."""
        found = run_interactive(compute_block, self._blocks[-1])
        self._blocks.pop()
        return [found]


class RemoteSerialExecutor(SerialExecutor):
    """What works over there."""

    def run_slice(self) -> tuple[list[BlockResult], float]:
        """One turn: what got done, and the share of the block in progress."""
        return self.step(), self.partial_progress


class BackgroundExecutor(BlockExecutor):
    """Asks the second process for a piece at a time; begins again what was lost with it.

    Args:
        blocks: what is to be done.
        say: told how many are ahead while it waits for its turn.
    """

    def __init__(self, blocks: Sequence[SweepBlock], on_wait: OnWait) -> None:
        self._on_wait = on_wait
        self._pending = {block.point_indices: block for block in blocks}
        self._job: RemoteJob | None = None
        self._share = 0.0
        self._failures = 0

    @property
    def partial_progress(self) -> float:
        """Of the block in progress."""
        return self._share

    def step(self) -> list[BlockResult]:
        """Wait in line, and have a piece done.

        Raises:
            CrewError: if the process was lost TRIES times.
            ScenarioError: if a block cannot work.
        """
        try:
            if self._job is None:
                blocks = list(self._pending.values())
                self._job = start_job(
                    RemoteSerialExecutor,
                    blocks,
                    reserve_bytes=memory.run_limit_bytes(),
                    on_wait=self._on_wait,
                )
            with self._job as errand:
                found, self._share = errand.call("run_slice", on_wait=self._on_wait)
        except WorkerDiedError as error:
            self._failures += 1
            self.cancel()
            if self._failures >= MAX_ATTEMPTS:
                raise ExecutorError("the server ended it, to save its memory") from error
            return []
        for outcome in found:
            del self._pending[outcome.point_indices]
        return list(found)

    def cancel(self) -> None:
        """Give the memory over there back."""
        if self._job is not None:
            self._job.close()
        self._job, self._share = None, 0.0
