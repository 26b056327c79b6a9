"""Executors for sweeps of a page: in the interactive process if quick, else in the background."""

from __future__ import annotations

from collections.abc import Sequence

from sde_lab import memory
from sde_lab.server.fair_queue import OnWait
from sde_lab.server.interactive import run_interactive
from sde_lab.server.job_pool import RemoteJob, start_job
from sde_lab.server.restarting_job import RestartingJob
from sde_lab.server.worker_process import WorkerDiedError
from sde_lab.sweeps.batch import BlockResult, compute_block
from sde_lab.sweeps.executors import BlockExecutor, ExecutorError, SerialExecutor
from sde_lab.sweeps.plan import SweepBlock


class InteractiveExecutor(SerialExecutor):
    """Compute a whole block at a time in the interactive process."""

    def step(self) -> list[BlockResult]:
        """Wait in the queue, then have a block computed."""
        result = run_interactive(compute_block, self._blocks[-1])
        self._blocks.pop()
        return [result]


class RemoteSerialExecutor(SerialExecutor):
    """The executor that runs inside the background process."""

    def run_slice(self) -> tuple[list[BlockResult], float]:
        """Return what one turn finished, and the share of the block in progress."""
        return self.step(), self.partial_progress


class BackgroundExecutor(BlockExecutor):
    """Ask the background process for a slice at a time; begin again what was lost with it.

    Args:
        blocks: what is to be done.
        on_wait: called with the queue position while it waits for its turn.
    """

    def __init__(self, blocks: Sequence[SweepBlock], on_wait: OnWait) -> None:
        self._on_wait = on_wait
        self._pending = {block.point_indices: block for block in blocks}
        self._job = RestartingJob(self._start)
        self._share = 0.0

    def _start(self, on_wait: OnWait | None) -> RemoteJob:
        blocks = list(self._pending.values())
        size = memory.run_limit_bytes()
        return start_job(RemoteSerialExecutor, blocks, reserve_bytes=size, on_wait=on_wait)

    @property
    def partial_progress(self) -> float:
        """Points' worth of work in the block in progress."""
        return self._share

    def step(self) -> list[BlockResult]:
        """Wait in the queue, then have a slice of the work done.

        Raises:
            ExecutorError: if the process died ``MAX_ATTEMPTS`` times.
            ScenarioError: if a block cannot work.
        """
        try:
            answer = self._job.call("run_slice", self._on_wait)
        except WorkerDiedError as error:
            raise ExecutorError("the server ended it, to save its memory") from error
        finally:
            self._job.release()
        results, self._share = answer or ([], 0.0)
        for result in results:
            del self._pending[result.point_indices]
        return list(results)

    def cancel(self) -> None:
        """Give the memory in the background process back."""
        self._job.close()
        self._share = 0.0
