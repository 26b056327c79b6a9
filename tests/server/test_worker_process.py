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
from sde_lab.server.interactive import Desk
from sde_lab.server.job_pool import Errand, Office
from sde_lab.server.worker_process import NICENESS, Worker, WorkerLostError
from sde_lab.summaries.chunked_run import Survey, survey

PATIENCE = 30.0


class Left(BaseException):
    """As Streamlit's own exceptions that end a run: no Exception."""


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


@pytest.fixture
def office(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An office with room for 100 bytes."""
    monkeypatch.setattr(FairQueue, "INTERVAL", 0.01)
    return Office(worker, 100.0)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def counted(office: Office, size: float = 10.0) -> Errand:
    return office.begin(iter, [1, 2, 3], size=size)


def test_an_object_lives_there_and_answers(worker: Worker) -> None:
    task = worker.begin(iter, [1, 2, 3])
    assert [task.ask("__next__") for _ in range(3)] == [1, 2, 3]
    assert worker.pid != os.getpid()


def test_a_function_is_called_there(worker: Worker) -> None:
    assert worker.call(os.getpid) == worker.pid != os.getpid()
    with pytest.raises(lab.ScenarioError):
        worker.call(survey, lab.Scenario(samples=10_000_000, steps=3200))


def test_a_quick_piece_of_work_that_loses_its_process_is_done_by_the_next(
    worker: Worker, tmp_path: Path
) -> None:
    before, mark = worker.call(os.getpid), tmp_path / "was here"
    assert Desk(worker).call(_once_only, mark) not in (before, os.getpid())
    assert mark.read_text() == str(before)


def test_what_ends_every_process_is_done_here() -> None:
    worker, mine = Worker(niceness=0), os.getpid()
    try:
        assert Desk(worker).call(_only_in, mine) == mine
        assert Desk(worker).call(os.getpid) == worker.pid
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


def test_a_process_for_heavy_work_yields_and_one_for_quick_work_does_not(worker: Worker) -> None:
    """Its niceness counts in the server's own session alone; Ctrl-C reaches a process group."""
    quick = Worker(niceness=0)
    try:
        for one, niceness in ((worker, NICENESS), (quick, 0)):
            assert one.call(os.getpriority, os.PRIO_PROCESS, 0) == niceness
            assert one.call(os.getsid, 0) == os.getsid(0)
            assert one.call(os.getpgrp) != os.getpgrp()
    finally:
        quick.close()


def test_what_refers_to_itself_is_collected_after_each_answer(worker: Worker) -> None:
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


def test_quick_work_is_done_in_order_of_arrival(worker: Worker) -> None:
    desk, order, threads = Desk(worker), [], []

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


def test_a_survey_there_is_the_survey_here(worker: Worker) -> None:
    scenario = lab.Scenario(samples=3000, steps=50)
    task = worker.begin(Survey, scenario)
    while task.ask("advance") < scenario.samples:
        pass
    there, here = task.ask("summary"), survey(scenario)
    assert there.scenario == here.scenario
    np.testing.assert_array_equal(there.states[0].quantiles, here.states[0].quantiles)
    np.testing.assert_array_equal(there.paths, here.paths)
    for name, bands in here.sensitivities.items():
        np.testing.assert_array_equal(there.sensitivities[name][0].mean, bands[0].mean)


def test_what_is_raised_there_is_raised_here(worker: Worker) -> None:
    with pytest.raises(lab.ScenarioError) as caught:
        worker.begin(Survey, lab.Scenario(samples=10_000_000, steps=3200))
    assert caught.value.field == "samples"
    task = worker.begin(iter, [])
    with pytest.raises(StopIteration):
        task.ask("__next__")
    with pytest.raises(TypeError, match="cannot be sent back"):
        worker.begin(threading.Event).ask("__reduce_ex__", 2)


def test_a_task_that_is_closed_is_let_go_there(worker: Worker) -> None:
    task = worker.begin(iter, [1, 2, 3])
    task.close()
    with pytest.raises(WorkerLostError):
        task.ask("__next__")


def test_a_process_that_is_killed_fails_its_tasks_and_is_replaced() -> None:
    worker = Worker()
    task = worker.begin(iter, [1, 2, 3])
    first = worker.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    with pytest.raises(WorkerLostError):
        task.ask("__next__")
    assert task.closed
    assert worker.begin(iter, [1]).ask("__next__") == 1
    assert worker.pid != first
    worker.close()
    assert worker.pid is None


def test_memory_is_set_aside_until_the_errand_is_over(office: Office) -> None:
    first, second = counted(office, 40), counted(office, 40)
    assert office.held == 80
    first.close()
    assert office.held == 40
    del second
    gc.collect()
    assert office.held == 0


def test_an_errand_larger_than_the_server_is_refused(office: Office) -> None:
    with pytest.raises(lab.ScenarioError, match="all runs may hold"):
        counted(office, 101)


def test_nobody_is_waiting_for_it_so_it_makes_room(office: Office) -> None:
    idle, busy = counted(office, 40), counted(office, 40)
    with idle:
        pass
    third = counted(office, 50)
    assert idle.closed
    assert not busy.closed
    assert not third.closed
    assert office.held == 90
    with pytest.raises(WorkerLostError), idle:
        pass


def test_who_finds_no_room_waits_until_there_is(office: Office) -> None:
    first = counted(office, 80)
    heard: list[int] = []
    got: list[Errand] = []
    waiting = threading.Thread(
        target=lambda: got.append(office.begin(iter, [7], size=50, say=heard.append))
    )
    waiting.start()
    until(lambda: len(heard) > 2)
    assert not got
    assert heard[-1] == 1
    assert office.held == 80
    first.close()
    waiting.join(PATIENCE)
    assert got[0].ask("__next__") == 7
    assert office.held == 50


def test_who_waits_for_room_may_leave(office: Office) -> None:
    first = counted(office, 80)

    def leave(ahead: int) -> None:
        raise Left

    with pytest.raises(Left):
        office.begin(iter, [], size=50, say=leave)
    assert office.held == 80
    first.close()
    assert not counted(office, 100).closed


def test_an_errand_that_cannot_begin_gives_its_memory_back(office: Office) -> None:
    with pytest.raises(TypeError):
        office.begin(iter, 3, size=90)
    assert office.held == 0


def test_many_at_once_never_hold_more_than_there_is(office: Office) -> None:
    most, done = 0.0, []

    def job(number: int) -> None:
        nonlocal most
        for _ in range(5):
            with office.begin(iter, [1, 2], size=10.0 + number, say=lambda ahead: None) as errand:
                most = max(most, office.held)
                assert errand.ask("__next__") == 1
                errand.close()
        done.append(number)

    threads = [threading.Thread(target=job, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(done) == 12
    assert 0 < most <= office.room
    assert office.held == 0


def test_the_server_takes_a_share_of_the_machine_unless_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in (memory.VARIABLE, memory.SERVER_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(memory, "machine_memory", lambda: 16e9)
    assert memory.server_room() == 12e9 - memory.SERVER_BYTES
    monkeypatch.setenv(memory.SERVER_VARIABLE, "5")
    assert memory.server_room() == 5e9 - memory.SERVER_BYTES
    assert memory.limit() == 2e9
    monkeypatch.setenv(memory.SERVER_VARIABLE, "3")
    assert memory.limit() == memory.server_room() == 3e9 - memory.SERVER_BYTES
    for given in ("0.5", "2.3", "-1", "many", "nan"):
        monkeypatch.setenv(memory.SERVER_VARIABLE, given)
        with pytest.raises(lab.ScenarioError) as caught:
            memory.server_room()
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
