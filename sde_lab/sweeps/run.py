"""A sweep in progress, and the one call that does it whole."""

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
    """How far a sweep is.

    Attributes:
        done: points that are done.
        points: points in all.
        left: seconds that the rest should take; NaN before anything is known.
    """

    done: int
    points: int
    left: float


class SweepInterruptedError(RuntimeError):
    """Some points could not be done: workers were lost for good, or a measure raised.

    Attributes:
        result: the points that are done.
    """

    def __init__(self, message: str, result: SweepResult) -> None:
        super().__init__(message)
        self.result = result


class SweepRun:
    """A sweep in progress, which can be advanced, looked at and left.

    Args:
        plan: what to do.
        hire: who does it, given the blocks that are left.
        checkpoint: where finished points are kept, and looked for before anything is done.

    Attributes:
        plan: what is being done.

    Raises:
        ScenarioError: if the checkpoint belongs to another sweep or cannot be used.
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
        for outcome in () if self._checkpoint is None else self._checkpoint.read():
            self._results.add(outcome)
        done = self._results.done
        rest = [block for block in plan.blocks if not done[list(block.point_indices)].all()]
        self._executor = make_executor(rest)
        self._seconds, self._before = 0.0, self.done
        # Whoever forgets a run, as a closed tab does, calls back what it has handed out.
        finalize(self, self._executor.cancel).atexit = False

    @property
    def done(self) -> int:
        """Points that are done."""
        return int(np.count_nonzero(self._results.done))

    @property
    def finished(self) -> bool:
        """Whether all are."""
        return bool(self._results.done.all())

    @property
    def progress(self) -> SweepProgress:
        """How far it is."""
        points = len(self.plan.grid.points)
        gained = self.done - self._before + self._executor.partial_progress
        rest = points - self.done - self._executor.partial_progress
        left = self._seconds * rest / gained if gained > 0.0 else float("nan")
        return SweepProgress(self.done, points, left)

    def advance(self) -> None:
        """Go on for about a tenth of a second.

        Raises:
            SweepInterruptedError: if the executor broke, or a block fails wherever it is done.
            ScenarioError: if a point cannot work, or the checkpoint cannot be written.
        """
        start = time.monotonic()
        try:
            outcomes = self._executor.step()
        except ExecutorError as error:
            points = len(self.plan.grid.points)
            message = f"{self.done} of {points} points done, then: {error}"
            raise SweepInterruptedError(message, self.result()) from error
        for outcome in outcomes:
            self._results.add(outcome)
            if self._checkpoint is not None:
                self._checkpoint.write(outcome)
        self._seconds += time.monotonic() - start

    def cancel(self) -> None:
        """Drop the work that is begun; :meth:`advance` would begin it anew."""
        self._executor.cancel()

    def result(self) -> SweepResult:
        """What is done so far; once all is, the same for all who ask."""
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
    """Turn one or more knobs of a scenario and measure at every setting, under the same noise.

    Points are rows of one batch: a step of the solver moves all samples of many points at once,
    with the derivatives that are asked for; or one compiled loop does so point by point, under the
    same noise. With either engine the same sweep gives the same table, to the bit, here and on any
    executor. "auto" changes over from torchsde when the loop is compiled: the table is then the
    same to rounding.

    Args:
        scenario: what stays as it is.
        over: what is turned: a mapping from names to values, for their full grid, or a list of
            mappings, one per point. Names are those of the initial state (``x0``), of the
            parameters, and horizon, steps, samples, scheme, seed.
        measures: of the state: "mean", "std", quantiles ("q05", "q97.5"), "crosses 1.5" (the
            probability of having reached that level), and functions of (times (T,), values
            (T, N, D)) that give one number per sample, whose mean is taken. Of sensitivities:
            those of them that are a mean, std or quantile, and "std slope", the derivative of the
            state's std by the same name.
        sensitivities: names by which the state is differentiated as well.
        times: None for the end; a whole number of equal steps over each point's horizon; or real
            times, of which the nearest on the solver's grid is taken.
        progress: called with a :class:`Progress` some ten times a second.
        executor: any ``concurrent.futures.Executor``; a Dask cluster gives one by
            ``Client(address).get_executor()``. None computes here.
        checkpoint: path of a ``.parquet`` file, or of a folder, where finished points are kept: the
            same sweep, called again, goes on from there. With ``engine="auto"`` it takes over
            points of either engine; otherwise they must be of the same one.
        engine: "torchsde" (rows of many points in ``sdeint``), "compiled" (a compiled loop, made
            now if need be; torchsde where an equation cannot be compiled), or "auto": compiled
            where its loop is ready, which is made in the background once that pays. None takes
            what ``SDE_LAB_ENGINE`` says, "auto" by default.

    Returns:
        The numbers; ``table()`` is a tidy pandas frame.

    Raises:
        ScenarioError: before any work, for what cannot work or does not fit.
        SweepInterruptedError: if an executor broke, as a pool of processes does when it loses one,
            or fails with a block again and again; it holds what is done.
    """
    if executor is not None and not isinstance(executor, Executor):
        raise ScenarioError("executor", executor, "must be a concurrent.futures.Executor")
    plan = make_plan(scenario, over, measures, sensitivities, times, engine)
    hire = SerialExecutor if executor is None else partial(PoolExecutor, executor=executor)
    run = SweepRun(plan, hire, checkpoint)
    try:
        while not run.finished:
            run.advance()
            if progress is not None:
                progress(run.progress)
    finally:
        run.cancel()
    return run.result()
