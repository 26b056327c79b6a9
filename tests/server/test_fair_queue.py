"""The fair queue: order, alternation, places, cancelling, measurements alone."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import streamlit as st

from sde_lab.server.fair_queue import (
    FairQueue,
    _queue,
    _script_queue,
    acquire_slot,
    script_slot,
)

PATIENCE = 20.0
"""Seconds after which a test takes a thread for lost."""


class Quick(FairQueue):
    """One that calls ``on_wait`` often."""

    POLL_SECONDS = 0.01

    def __init__(self, slots: int = 1, slot_seconds: float = math.inf) -> None:
        super().__init__(slots, slot_seconds)


class Left(BaseException):
    """As Streamlit's own exceptions that end a run: no Exception."""


@contextmanager
def held(queue: FairQueue, **options: bool) -> Iterator[None]:
    """Another thread has a turn while the block runs."""
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with queue.slot(**options):
            inside.set()
            assert leave.wait(PATIENCE)

    holder = threading.Thread(target=hold)
    holder.start()
    assert inside.wait(PATIENCE)
    yield
    leave.set()
    holder.join(PATIENCE)
    assert not holder.is_alive()


def started(job: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=job)
    thread.start()
    return thread


def finish(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def empty(queue: FairQueue) -> bool:
    return not queue._waiting and not queue._serving


def test_who_came_first_is_served_first() -> None:
    queue, order, threads = Quick(), [], []

    def job(name: int) -> None:
        with queue.slot():
            order.append(name)

    with held(queue):
        for name in range(20):
            threads.append(started(lambda name=name: job(name)))
            until(lambda count=name + 1: len(queue._waiting) == count)
    finish(threads)
    assert order == list(range(20))
    assert empty(queue)


def test_long_jobs_alternate_chunk_by_chunk() -> None:
    """Three jobs of 30 chunks: between two chunks of one job, each other job has its own."""
    queue, order, jobs, chunks = Quick(), [], 3, 30

    def job(name: int) -> None:
        for _ in range(chunks):
            with queue.slot():
                order.append(name)
                until(lambda: len(queue._waiting) == jobs - 1 or finished() > 0)
            done[name] += 1

    def finished() -> int:
        return sum(count == chunks for count in done)

    done = [0] * jobs
    threads = []
    with held(queue):
        for name in range(jobs):
            threads.append(started(lambda name=name: job(name)))
            until(lambda count=name + 1: len(queue._waiting) == count)
    finish(threads)
    whole = order[: jobs * (chunks - 1)]
    assert whole == list(range(jobs)) * (chunks - 1)
    assert sorted(order) == sorted(list(range(jobs)) * chunks)


def test_who_waits_hears_their_place_until_it_is_theirs() -> None:
    queue, places, threads = Quick(), [[], [], []], []

    def job(name: int) -> None:
        with queue.slot(places[name].append):
            time.sleep(0.05)

    with held(queue):
        for name in range(3):
            threads.append(started(lambda name=name: job(name)))
            until(lambda count=name + 1: len(queue._waiting) == count)
        until(lambda: all(len(heard) >= 3 for heard in places))
    finish(threads)
    for name, heard in enumerate(places):
        assert heard[0] == name + 1
        assert heard == sorted(heard, reverse=True)


def test_nothing_is_said_where_nobody_waits() -> None:
    heard: list[int] = []
    with Quick().slot(heard.append):
        pass
    assert heard == []


def test_who_leaves_while_waiting_frees_their_place() -> None:
    queue, served = Quick(), []

    def leaving() -> None:
        def say(ahead: int) -> None:
            raise Left

        with pytest.raises(Left), queue.slot(say):
            served.append("left")

    def staying() -> None:
        with queue.slot():
            served.append("stayed")

    with held(queue):
        leaver = started(leaving)
        finish([leaver])
        assert not queue._waiting
        stayer = started(staying)
        until(lambda: len(queue._waiting) == 1)
    finish([stayer])
    assert served == ["stayed"]
    assert empty(queue)


@pytest.mark.parametrize("error", [ValueError, Left, KeyboardInterrupt])
def test_a_turn_that_ends_with_an_error_calls_the_next(error: type[BaseException]) -> None:
    queue, served = Quick(), []

    def failing() -> None:
        with pytest.raises(error), queue.slot():
            raise error

    def next_one() -> None:
        with queue.slot():
            served.append(1)

    with held(queue):
        first = started(failing)
        until(lambda: len(queue._waiting) == 1)
        second = started(next_one)
        until(lambda: len(queue._waiting) == 2)
    finish([first, second])
    assert served == [1]
    assert empty(queue)


def test_called_and_leaving_at_once_passes_the_turn_on() -> None:
    """The turn may come between the end of a wait and what ``say`` raises."""
    queue, served = Quick(), []
    saying, go = threading.Event(), threading.Event()

    def leaving() -> None:
        def say(ahead: int) -> None:
            saying.set()
            assert go.wait(PATIENCE)
            raise Left

        with pytest.raises(Left), queue.slot(say):
            served.append("left")

    def staying() -> None:
        with queue.slot():
            served.append("stayed")

    with held(queue):
        leaver = started(leaving)
        assert saying.wait(PATIENCE)
        stayer = started(staying)
        until(lambda: len(queue._waiting) == 2)
    assert len(queue._serving) == 1
    go.set()
    finish([leaver, stayer])
    assert served == ["stayed"]
    assert empty(queue)


@pytest.mark.parametrize("slots", [1, 3])
def test_never_more_at_once_than_there_are_slots_and_as_many(slots: int) -> None:
    queue, lock, now, most = Quick(slots), threading.Lock(), 0, 0

    def job() -> None:
        nonlocal now, most
        for _ in range(20):
            with queue.slot():
                with lock:
                    now += 1
                    most = max(most, now)
                time.sleep(0.001)
                with lock:
                    now -= 1

    finish([started(job) for _ in range(10)])
    assert most == slots
    assert empty(queue)


def test_alone_waits_for_all_and_all_wait_for_it() -> None:
    queue, lock, now, seen = Quick(3), threading.Lock(), [], []

    def job(alone: bool) -> None:
        for _ in range(10):
            with queue.slot(exclusive=alone):
                with lock:
                    now.append(alone)
                    seen.append(list(now))
                time.sleep(0.001)
                with lock:
                    now.remove(alone)

    finish([started(lambda alone=i % 3 == 0: job(alone)) for i in range(9)])
    assert len(seen) == 90
    assert all(True not in others or others == [True] for others in seen)
    assert any(len(others) > 1 for others in seen)


def test_alone_is_not_overtaken_for_ever() -> None:
    """Where there is room for others, they still do not pass one who waits to be alone."""
    queue, order = Quick(3), []

    def job(alone: bool) -> None:
        with queue.slot(exclusive=alone):
            order.append(alone)

    with held(queue):
        threads = [started(lambda: job(True))]
        until(lambda: len(queue._waiting) == 1)
        threads += [started(lambda: job(False)) for _ in range(5)]
        until(lambda: len(queue._waiting) == 6)
        assert order == []
    finish(threads)
    assert order[0] is True


def test_a_turn_inside_a_turn_is_refused_instead_of_waiting_for_itself() -> None:
    queue = Quick()
    with queue.slot(), pytest.raises(RuntimeError, match="already"), queue.slot():
        pass
    assert empty(queue)
    with queue.slot():
        pass


class Impatient:
    """Listens to its place for some time, then leaves."""

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def __call__(self, ahead: int) -> None:
        self.patience -= 1
        if self.patience < 0:
            raise Left


def test_many_who_leave_at_random_lose_no_turn() -> None:
    """A thousand turns of twenty threads, many of which are left while waiting or inside."""
    queue, done = Quick(3), [0] * 20

    def chunk(count: int) -> None:
        patience = 1 if count % 3 == 0 else 1000
        with queue.slot(Impatient(patience), exclusive=count % 7 == 0):
            if count % 5 == 0:
                raise Left
            time.sleep(0.0005)

    def job(name: int) -> None:
        for i in range(50):
            with suppress(Left):
                chunk(name + i)
            done[name] += 1

    finish([started(lambda name=name: job(name)) for name in range(20)])
    assert done == [50] * 20
    assert empty(queue)


def test_all_sessions_stand_in_one_queue_whatever_a_browser_clears() -> None:
    found = []
    finish([started(lambda: found.append(_queue())) for _ in range(5)])
    st.cache_resource.clear()
    found.append(_queue())
    assert len(set(map(id, found))) == 1
    with acquire_slot():
        assert len(found[0]._serving) == 1
    assert empty(found[0])


def test_who_keeps_an_earlier_place_goes_first() -> None:
    queue, order, threads = Quick(), [], []

    def job(since: float) -> None:
        with queue.slot(since=since):
            order.append(since)

    with held(queue):
        for since in (3.0, 1.0, 2.0, 1.5):
            threads.append(started(lambda since=since: job(since)))
            until(lambda: len(queue._waiting) == len(threads))
    finish(threads)
    assert order == [1.0, 1.5, 2.0, 3.0]


def test_who_keeps_a_slot_too_long_holds_up_nobody() -> None:
    queue, served = Quick(slot_seconds=0.05), []

    def job() -> None:
        with queue.slot():
            served.append(1)

    with held(queue):
        finish([started(job)])
        assert served == [1]
    assert empty(queue)


def test_a_slot_can_be_given_back_before_its_block_ends() -> None:
    queue, served = Quick(), []

    def job() -> None:
        with queue.slot():
            served.append(1)

    with queue.slot():
        queue.leave()
        queue.leave()
        finish([started(job)])
    assert served == [1]
    assert empty(queue)


def test_a_run_of_the_script_that_begins_heavy_work_lets_others_run() -> None:
    with script_slot(0.0):
        assert len(_script_queue()._serving) == 1
        with acquire_slot():
            assert empty(_script_queue())
    assert empty(_script_queue())
