"""Work in a process of its own, and the memory and the turns of all who ask for it."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sde_lab as lab
from sde_lab import memory
from sde_lab.server.fair_queue import FairQueue
from sde_lab.server.interactive import InteractiveWorker
from sde_lab.server.job_pool import JobPool, RemoteJob
from sde_lab.server.worker_process import NICENESS, WorkerDiedError, WorkerProcess
from sde_lab.summaries.chunked_run import ChunkedRun, simulate_summary

PATIENCE = 30.0


class Left(BaseException):
    """As Streamlit's own exceptions that end a run: no Exception."""


@pytest.fixture(scope="module")
def worker() -> Iterator[WorkerProcess]:
    worker = WorkerProcess()
    yield worker
    worker.close()


@pytest.fixture
def office(worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch) -> JobPool:
    """An office with room for 100 bytes."""
    monkeypatch.setattr(FairQueue, "POLL_SECONDS", 0.01)
    return JobPool(worker, 100.0)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def counted(office: JobPool, size: float = 10.0) -> RemoteJob:
    return office.start(iter, [1, 2, 3], reserve_bytes=size)


def test_an_object_lives_there_and_answers(worker: WorkerProcess) -> None:
    task = worker.create(iter, [1, 2, 3])
    assert [task.call("__next__") for _ in range(3)] == [1, 2, 3]
    assert worker.pid != os.getpid()


def test_a_function_is_called_there(worker: WorkerProcess) -> None:
    assert worker.call(os.getpid) == worker.pid != os.getpid()
    with pytest.raises(lab.ScenarioError):
        worker.call(simulate_summary, lab.Scenario(samples=10_000_000, steps=1_000_000))


def test_a_quick_piece_of_work_that_loses_its_process_is_done_by_the_next(
    worker: WorkerProcess, tmp_path: Path
) -> None:
    before, mark = worker.call(os.getpid), tmp_path / "was here"
    assert InteractiveWorker(worker).call(_once_only, mark) not in (before, os.getpid())
    assert mark.read_text() == str(before)


def test_what_ends_every_process_is_done_here() -> None:
    worker, mine = WorkerProcess(niceness=0), os.getpid()
    try:
        assert InteractiveWorker(worker).call(_only_in, mine) == mine
        assert InteractiveWorker(worker).call(os.getpid) == worker.pid
    finally:
        worker.close()


def _once_only(mark: Path) -> int:
    """Ends the first process in which it is called; the number of the next."""
    if not mark.exists():
        mark.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def _only_in(process: int) -> int:
    if os.getpid() != process:
        os.kill(os.getpid(), signal.SIGKILL)
    return process


def test_a_process_for_heavy_work_yields_and_one_for_quick_work_does_not(
    worker: WorkerProcess,
) -> None:
    """Its niceness counts in the server's own session alone; Ctrl-C reaches a process group."""
    quick = WorkerProcess(niceness=0)
    try:
        for one, niceness in ((worker, NICENESS), (quick, 0)):
            assert one.call(os.getpriority, os.PRIO_PROCESS, 0) == niceness
            assert one.call(os.getsid, 0) == os.getsid(0)
            assert one.call(os.getpgrp) != os.getpgrp()
    finally:
        quick.close()


def test_what_refers_to_itself_is_collected_after_each_answer(worker: WorkerProcess) -> None:
    before = worker.call(_rings)
    for _ in range(3):
        assert worker.call(_rings) == before


class _Ring:
    """Refers to itself, so that nothing but a collection lets it go."""

    def __init__(self) -> None:
        self.self = self


def _rings() -> int:
    """How many there are; leaves one."""
    _Ring()
    return sum(isinstance(thing, _Ring) for thing in gc.get_objects())


def test_quick_work_is_done_in_order_of_arrival(worker: WorkerProcess) -> None:
    desk, order, threads = InteractiveWorker(worker), [], []

    def ask(number: int) -> None:
        desk.call(time.sleep, 0.05)
        order.append(number)

    for number in range(5):
        threads.append(threading.Thread(target=ask, args=(number,)))
        threads[-1].start()
        time.sleep(0.01)
    for thread in threads:
        thread.join(PATIENCE)
    assert order == [0, 1, 2, 3, 4]


def test_a_survey_there_is_the_survey_here(worker: WorkerProcess) -> None:
    scenario = lab.Scenario(samples=3000, steps=50)
    task = worker.create(ChunkedRun, scenario)
    while task.call("advance") < scenario.samples:
        pass
    there, here = task.call("summary"), simulate_summary(scenario)
    assert there.scenario == here.scenario
    np.testing.assert_array_equal(there.states[0].quantiles, here.states[0].quantiles)
    np.testing.assert_array_equal(there.paths, here.paths)
    for name, bands in here.sensitivities.items():
        np.testing.assert_array_equal(there.sensitivities[name][0].mean, bands[0].mean)


def test_what_is_raised_there_is_raised_here(worker: WorkerProcess) -> None:
    with pytest.raises(lab.ScenarioError) as caught:
        worker.create(ChunkedRun, lab.Scenario(samples=10_000_000, steps=1_000_000))
    assert caught.value.field == "samples"
    task = worker.create(iter, [])
    with pytest.raises(StopIteration):
        task.call("__next__")
    with pytest.raises(TypeError, match="cannot be sent back"):
        worker.create(threading.Event).call("__reduce_ex__", 2)


def test_a_task_that_is_closed_is_let_go_there(worker: WorkerProcess) -> None:
    task = worker.create(iter, [1, 2, 3])
    task.close()
    with pytest.raises(WorkerDiedError):
        task.call("__next__")


def test_a_process_that_is_killed_fails_its_tasks_and_is_replaced() -> None:
    worker = WorkerProcess()
    task = worker.create(iter, [1, 2, 3])
    first = worker.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    with pytest.raises(WorkerDiedError):
        task.call("__next__")
    assert task.closed
    assert worker.create(iter, [1]).call("__next__") == 1
    assert worker.pid != first
    worker.close()
    assert worker.pid is None


def test_memory_is_set_aside_until_the_errand_is_over(office: JobPool) -> None:
    first, second = counted(office, 40), counted(office, 40)
    assert office.reserved_bytes == 80
    first.close()
    assert office.reserved_bytes == 40
    del second
    gc.collect()
    assert office.reserved_bytes == 0


def test_an_errand_larger_than_the_server_is_refused(office: JobPool) -> None:
    with pytest.raises(lab.ScenarioError, match="all runs may hold"):
        counted(office, 101)


def test_nobody_is_waiting_for_it_so_it_makes_room(office: JobPool) -> None:
    idle, busy = counted(office, 40), counted(office, 40)
    with idle:
        pass
    third = counted(office, 50)
    assert idle.closed
    assert not busy.closed
    assert not third.closed
    assert office.reserved_bytes == 90
    with pytest.raises(WorkerDiedError), idle:
        pass


def test_who_finds_no_room_waits_until_there_is(office: JobPool) -> None:
    first = counted(office, 80)
    heard: list[int] = []
    got: list[RemoteJob] = []
    waiting = threading.Thread(
        target=lambda: got.append(office.start(iter, [7], reserve_bytes=50, on_wait=heard.append))
    )
    waiting.start()
    until(lambda: len(heard) > 2)
    assert not got
    assert heard[-1] == 1
    assert office.reserved_bytes == 80
    first.close()
    waiting.join(PATIENCE)
    assert got[0].call("__next__") == 7
    assert office.reserved_bytes == 50


def test_who_waits_for_room_may_leave(office: JobPool) -> None:
    first = counted(office, 80)

    def leave(ahead: int) -> None:
        raise Left

    with pytest.raises(Left):
        office.start(iter, [], reserve_bytes=50, on_wait=leave)
    assert office.reserved_bytes == 80
    first.close()
    assert not counted(office, 100).closed


def test_an_errand_that_cannot_begin_gives_its_memory_back(office: JobPool) -> None:
    with pytest.raises(TypeError):
        office.start(iter, 3, reserve_bytes=90)
    assert office.reserved_bytes == 0


def test_many_at_once_never_hold_more_than_there_is(office: JobPool) -> None:
    most, done = 0.0, []

    def job(number: int) -> None:
        nonlocal most
        for _ in range(5):
            with office.start(
                iter, [1, 2], reserve_bytes=10.0 + number, on_wait=lambda ahead: None
            ) as errand:
                most = max(most, office.reserved_bytes)
                assert errand.call("__next__") == 1
                errand.close()
        done.append(number)

    threads = [threading.Thread(target=job, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(done) == 12
    assert 0 < most <= office.capacity_bytes
    assert office.reserved_bytes == 0


def test_the_server_takes_a_share_of_the_machine_unless_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in (memory.RUN_LIMIT_VARIABLE, memory.SERVER_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(memory, "machine_memory", lambda: 16e9)
    assert memory.server_capacity_bytes() == 12e9 - memory.SERVER_BYTES
    monkeypatch.setenv(memory.SERVER_VARIABLE, "5")
    assert memory.server_capacity_bytes() == 5e9 - memory.SERVER_BYTES
    assert memory.run_limit_bytes() == 2e9
    monkeypatch.setenv(memory.SERVER_VARIABLE, "3")
    assert memory.run_limit_bytes() == memory.server_capacity_bytes() == 3e9 - memory.SERVER_BYTES
    for given in ("0.5", "2.3", "-1", "many", "nan"):
        monkeypatch.setenv(memory.SERVER_VARIABLE, given)
        with pytest.raises(lab.ScenarioError) as caught:
            memory.server_capacity_bytes()
        assert caught.value.field == memory.SERVER_VARIABLE


def test_a_container_has_less_than_its_machine(tmp_path: Any, monkeypatch: Any) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "CGROUP_LIMITS", (limit,))
    whole = memory.machine_memory()
    assert whole > 1e8
    limit.write_text("max\n")
    assert memory.machine_memory() == whole
    limit.write_text("50000000\n")
    assert memory.machine_memory() == 5e7
