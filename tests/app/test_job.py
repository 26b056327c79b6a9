"""The state machine of long jobs, and the job that begins again when its process dies."""

from __future__ import annotations

from typing import Any

import pytest

import sde_lab as lab
from sde_lab.app.jobs import summary_job
from sde_lab.app.jobs.job import Job, JobState
from sde_lab.app.jobs.progress import time_left
from sde_lab.server.restarting_job import RestartingJob
from sde_lab.server.result_cache import LRUCache
from sde_lab.server.worker_process import WorkerDiedError


class Counting(Job[int, str]):
    """A job of as many steps as its key says."""

    def __init__(self, key: int, cache: LRUCache[int, str]) -> None:
        super().__init__(key, cache)
        self.steps = self.closed = self.released = 0

    def step(self) -> str | None:
        self.steps += 1
        if self.steps == 13:
            raise ZeroDivisionError("thirteen")
        return "all" if self.steps == self.key else None

    def close(self) -> None:
        self.closed += 1

    def release(self) -> None:
        self.released += 1


def job(key: int, cache: LRUCache[int, str] | None = None) -> Counting:
    return Counting(key, LRUCache(2) if cache is None else cache)


def test_a_new_job_does_nothing_before_it_is_started() -> None:
    new = job(3)
    new.advance()
    assert (new.state, new.steps) == (JobState.NEW, 0)


def test_a_job_runs_to_its_end_closes_and_shares_its_result() -> None:
    cache: LRUCache[int, str] = LRUCache(2)
    first = job(3, cache)
    first.start()
    first.advance()
    assert (first.state, first.result, first.steps, first.closed) == (
        JobState.FINISHED,
        "all",
        3,
        1,
    )
    second = job(3, cache)
    second.start()
    assert (second.finished, second.result, second.steps) == (True, "all", 0)


def test_no_time_is_one_step_and_a_paused_job_continues_where_it_was() -> None:
    one = job(3)
    one.start()
    one.advance(seconds=0.0)
    one.pause()
    one.advance()
    assert (one.paused, one.steps, one.released) == (True, 1, 2)
    one.start()
    one.advance()
    assert (one.finished, one.steps) == (True, 3)


def test_a_pause_during_a_step_takes_effect_after_it() -> None:
    one = job(9)
    one.start()
    one.advance(after_step=lambda: one.pause() if one.steps == 4 else None)
    assert (one.paused, one.steps) == (True, 4)


def test_an_exception_ends_the_job_says_why_and_it_can_be_started_again() -> None:
    one = job(20)
    one.start()
    with pytest.raises(ZeroDivisionError):
        one.advance()
    assert (one.state, one.error_message, one.closed) == (JobState.FAILED, "thirteen", 1)
    one.pause()
    assert one.state is JobState.FAILED
    one.start()
    one.advance()
    assert (one.finished, one.error_message) == (True, "")


class EndsTheScript(BaseException):
    """As Streamlit's own: no Exception."""


def test_the_end_of_a_script_run_leaves_the_job_running_and_releases_it() -> None:
    def draws() -> None:
        raise EndsTheScript

    one = job(3)
    one.start()
    with pytest.raises(EndsTheScript):
        one.advance(after_step=draws)
    assert (one.running, one.steps, one.released, one.closed) == (True, 1, 1, 0)


class Remote:
    """A remote job that dies at the call of this number, counted over all of them."""

    calls: list[str]
    dies_at: tuple[int, ...] = ()

    def __init__(self, _: Any) -> None:
        self.held = 0

    def hold(self) -> None:
        self.held += 1

    def call(self, method: str, **_: Any) -> str:
        self.calls.append(method)
        if len(self.calls) in self.dies_at:
            raise WorkerDiedError("dead")
        return method

    def release(self) -> None:
        self.held = 0

    def close(self) -> None:
        """Nothing is held elsewhere."""


def remote(*dies_at: int) -> tuple[Any, list[Remote]]:
    made: list[Remote] = []
    kind = type("Dying", (Remote,), {"calls": [], "dies_at": dies_at})

    def start(on_wait: Any) -> Any:
        made.append(kind(on_wait))
        return made[-1]

    return start, made


def test_a_lost_job_answers_none_once_and_is_begun_again() -> None:
    start, made = remote(2)
    restarting = RestartingJob(start)
    assert [restarting.call("a") for _ in range(3)] == ["a", None, "a"]
    assert len(made) == 2


def test_a_job_that_dies_at_every_attempt_is_given_up() -> None:
    start, made = remote(1, 2, 3)
    restarting = RestartingJob(start, attempts=3)
    assert [restarting.call("a"), restarting.call("a")] == [None, None]
    with pytest.raises(WorkerDiedError):
        restarting.call("a")
    assert len(made) == 3


def test_a_job_with_one_attempt_says_at_once_that_it_died() -> None:
    with pytest.raises(WorkerDiedError):
        RestartingJob(remote(1)[0], attempts=1).call("a")


class Local:
    """A remote job of this process."""

    def __init__(self, make: Any, *args: Any, **_: Any) -> None:
        self.object = make(*args)

    def call(self, method: str, **_: Any) -> Any:
        return getattr(self.object, method)()

    def hold(self) -> None:
        """Nothing is ended to free memory."""

    release = close = hold


@pytest.mark.parametrize(("samples", "finished"), [(50, True), (100_000, False)])
def test_a_run_that_is_stopped_is_finished_if_all_its_samples_are_done(
    monkeypatch: pytest.MonkeyPatch, samples: int, finished: bool
) -> None:
    monkeypatch.setattr(summary_job, "start_job", Local)
    monkeypatch.setattr(summary_job, "capacity_bytes", lambda: 1e12)
    one = summary_job.SummaryJob(lab.Scenario(samples=samples, steps=4, seed=1234))
    one.start()
    one.advance(seconds=0.0)
    one.pause()
    summary = one.partial_result()
    assert 0 < summary.kept == one.done
    assert (one.finished, one.done == samples) == (finished, finished)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3.2, ", about 3 s left"),
        (119.0, ", about 119 s left"),
        (1190.0, ", about 20 min left"),
        (7300.0, ", about 2 h left"),
        (float("nan"), ""),
    ],
)
def test_the_time_left_is_said_in_a_unit_that_fits(seconds: float, text: str) -> None:
    assert time_left(seconds) == text
