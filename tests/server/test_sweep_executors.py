"""Sweeps in the server's second process: the same numbers, also when it is lost on the way."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

import sde_lab as lab
from sde_lab.server import job_pool
from sde_lab.server.job_pool import JobPool
from sde_lab.server.sweep_executors import BackgroundExecutor
from sde_lab.server.worker_process import WorkerProcess
from sde_lab.sweeps import SweepInterruptedError, SweepRun
from sde_lab.sweeps.plan import Plan, make_plan


@pytest.fixture(scope="module")
def worker() -> Iterator[WorkerProcess]:
    """A second process; where a test has ended it, it starts again."""
    own = WorkerProcess()
    yield own
    own.close()


@pytest.fixture
def office(worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch) -> JobPool:
    """An office of the test's own."""
    own = JobPool(worker, 8e9)
    monkeypatch.setattr(job_pool, "_job_pool", lambda: own)
    return own


hire = partial(BackgroundExecutor, on_wait=lambda ahead: None)


def plan() -> Plan:
    """Points at two numbers of steps, which are two blocks."""
    over = {"kappa": [0.5, 1.0, 2.0], "steps": [20, 40]}
    return make_plan(lab.Scenario(samples=300), over, ("mean", "std"), ("kappa",))


def finish(run: SweepRun) -> np.ndarray:
    while not run.finished:
        run.advance()
    return run.result().value


def test_the_second_process_finds_the_same_numbers_to_the_bit(office: JobPool) -> None:
    np.testing.assert_array_equal(finish(SweepRun(plan(), hire)), finish(SweepRun(plan())))
    assert office.worker.pid is not None


def test_a_lost_process_costs_time_and_no_point(office: JobPool) -> None:
    run = SweepRun(plan(), hire)
    run.advance()
    while not 0 < run.done < 6:
        run.advance()
    office.worker.close()
    np.testing.assert_array_equal(finish(run), finish(SweepRun(plan())))


def test_a_process_that_is_lost_again_and_again_ends_the_sweep(
    office: JobPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = SweepRun(plan(), hire)
    begin = office.worker.create

    def doomed(*args: object) -> object:
        task = begin(*args)
        office.worker.close()
        return task

    monkeypatch.setattr(office.worker, "create", doomed)
    with pytest.raises(SweepInterruptedError, match="to save its memory"):
        finish(run)


def test_leaving_gives_the_memory_back(office: JobPool) -> None:
    run = SweepRun(plan(), hire)
    run.advance()
    assert office.reserved_bytes > 0
    run.cancel()
    assert office.reserved_bytes == 0
