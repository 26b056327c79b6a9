"""Run a sweep: step by step with :class:`SweepRun`, or whole with :func:`sweep`."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import finalize

import numpy as np

from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.sweeps.checkpoint import Checkpoint
from sde_lab.sweeps.executors import BlockExecutor, ExecutorError, PoolExecutor, SerialExecutor
from sde_lab.sweeps.plan import Plan, SweepBlock, make_plan
from sde_lab.sweeps.result import SweepResult, _ResultBuilder


@dataclass(frozen=True)
class SweepProgress:
    """Progress of a sweep.

    Attributes:
        done: number of points that are done.
        points: number of points in all.
        left: estimated seconds to the end, at the pace so far; NaN before there is one.
    """

    done: int
    points: int
    left: float


class SweepInterruptedError(RuntimeError):
    """The executor broke, or a block failed on every attempt, before all points were done.

    Attributes:
        result: the result so far.
    """

    def __init__(self, message: str, result: SweepResult) -> None:
        super().__init__(message)
        self.result = result


class SweepRun:
    """A sweep in progress, advanced a moment at a time so that a caller stays responsive.

    Args:
        plan: the sweep.
        make_executor: makes the executor from the blocks that are left to do.
        checkpoint: path of a ``.parquet`` file, or of a folder, to which finished blocks are
            written, and from which those of an earlier run are read; None for no checkpoint.

    Attributes:
        plan: the sweep.

    Raises:
        ScenarioError: if the checkpoint belongs to another sweep, or cannot be read.
    """

    def __init__(
        self,
        plan: Plan,
        make_executor: Callable[[list[SweepBlock]], BlockExecutor] = SerialExecutor,
        checkpoint: object = None,
    ) -> None:
        self.plan = plan
        self._results = _ResultBuilder(plan)
        self._checkpoint = None if checkpoint is None else Checkpoint(checkpoint, plan)
        for block_result in () if self._checkpoint is None else self._checkpoint.read():
            self._results.add(block_result)
        done = self._results.done
        remaining = [block for block in plan.blocks if not done[list(block.point_indices)].all()]
        self._executor = make_executor(remaining)
        self._seconds, self._done_before = 0.0, self.done
        # A run that is garbage-collected, as after a closed browser tab, must cancel the blocks
        # that it submitted to a shared executor. At exit the executor shuts down by itself.
        finalize(self, self._executor.cancel).atexit = False

    @property
    def done(self) -> int:
        """Number of points that are done."""
        return int(np.count_nonzero(self._results.done))

    @property
    def finished(self) -> bool:
        """True once all points are done."""
        return bool(self._results.done.all())

    @property
    def progress(self) -> SweepProgress:
        """Number of finished points, and the time left at the pace of this run.

        Points read from a checkpoint took no time of this run and do not count for its pace.
        """
        points = len(self.plan.grid.points)
        partial_points = self._executor.partial_progress
        gained = self.done - self._done_before + partial_points
        remaining = points - self.done - partial_points
        left = self._seconds * remaining / gained if gained > 0.0 else float("nan")
        return SweepProgress(self.done, points, left)

    def advance(self) -> None:
        """Work, or wait for the executor, for about a tenth of a second.

        Raises:
            SweepInterruptedError: if the executor broke, or a block failed on every attempt.
            ScenarioError: if a measure returns a wrong shape, or the checkpoint cannot be written.
        """
        start = time.monotonic()
        try:
            block_results = self._executor.step()
        except ExecutorError as error:
            points = len(self.plan.grid.points)
            message = f"{self.done} of {points} points done, then: {error}"
            raise SweepInterruptedError(message, self.result()) from error
        for block_result in block_results:
            self._results.add(block_result)
            if self._checkpoint is not None:
                self._checkpoint.write(block_result)
        self._seconds += time.monotonic() - start

    def cancel(self) -> None:
        """Drop the blocks in progress; :meth:`advance` would start them again."""
        self._executor.cancel()

    def result(self) -> SweepResult:
        """Return the result so far: a copy, or the final result once all points are done."""
        return self._results.result()


def sweep(  # noqa: PLR0913  keywords, each with a default
    scenario: Scenario,
    over: Any,
    measures: Any = ("mean", "std"),
    sensitivities: Any = (),
    times: Any = None,
    *,
    progress: Callable[[SweepProgress], object] | None = None,
    executor: Executor | None = None,
    checkpoint: Any = None,
    engine: str | None = None,
) -> SweepResult:
    """Estimate statistics of a scenario at every point of a parameter grid.

    Points use common random numbers unless the seed is swept, so their errors are correlated. With
    torchsde the points are rows of one batch: a step of the solver moves all samples of many points
    at once, with the derivatives that are asked for. A compiled loop simulates one point after the
    other, with the same noise. With either engine the same sweep gives the same table, to the bit,
    in this process and on any executor. "auto" changes over from torchsde when the loop is
    compiled: the table is then the same to rounding.

    Args:
        scenario: gives every field that is not swept.
        over: the grid: a mapping from names to values, for their Cartesian product, or a list of
            mappings, one per point. Names are those of the initial state (``x0``), of the
            parameters, and horizon, steps, samples, scheme, seed.
        measures: of the state: "mean", "std", quantiles ("q05", "q97.5"), "crosses 1.5" (the
            probability of having reached that level), and functions of times (steps + 1,) and
            states (steps + 1, N, D) that return one number per sample, of which the mean is
            estimated. Of sensitivities: "mean", "std", quantiles, and "std slope", the derivative
            of the state's standard deviation.
        sensitivities: names with respect to which the state is differentiated as well.
        times: when to measure: None for the horizon; a number of equal steps over each point's
            horizon, from time 0; or times, each replaced by the nearest one on the solver's grid.
        progress: called with a :class:`SweepProgress` about ten times a second.
        executor: any ``concurrent.futures.Executor``; a Dask cluster gives one by
            ``Client(address).get_executor()``. None computes in the calling thread.
        checkpoint: path of a ``.parquet`` file, or of a folder, to which finished points are
            written: the same sweep, called again, continues from there. With ``engine="auto"`` it
            takes over points of either engine; otherwise they must be of the same one.
        engine: "torchsde" (rows of many points in ``sdeint``), "compiled" (a compiled loop, made
            now if need be; torchsde where an equation cannot be compiled), or "auto": compiled
            where its loop is ready, which is made in the background once that pays. None takes
            what ``SDE_LAB_ENGINE`` says, "auto" by default.

    Returns:
        The estimates with standard errors and exact values; ``table()`` is a tidy pandas frame.

    Raises:
        ScenarioError: for an invalid argument or a sweep beyond the memory budget, before any work;
            for a function that returns a wrong shape, or a checkpoint that cannot be written.
        SweepInterruptedError: if the executor broke, as a pool of processes does when it loses one,
            or a block failed on every attempt; it holds the result so far. Without an executor, an
            exception of a function in ``measures`` passes through as it is.
    """
    if executor is not None and not isinstance(executor, Executor):
        raise ScenarioError("executor", executor, "must be a concurrent.futures.Executor")
    plan = make_plan(scenario, over, measures, sensitivities, times, engine)
    make_executor = SerialExecutor if executor is None else partial(PoolExecutor, executor=executor)
    run = SweepRun(plan, make_executor, checkpoint)
    try:
        while not run.finished:
            run.advance()
            if progress is not None:
                progress(run.progress)
    finally:
        run.cancel()
    return run.result()
