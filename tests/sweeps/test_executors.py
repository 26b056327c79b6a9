"""The same table, to the bit, wherever the blocks are done; a lost worker costs time and no row."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import sde_lab as lab
from sde_lab.app.pages.sweep import LAST_SWEEP
from sde_lab.sweeps import SweepRun, batching, make_plan
from tests.support.app_pages import APP

pytestmark = pytest.mark.slow  # worker processes
ROOT = Path(__file__).parents[2]
BASE = lab.Scenario("heston", steps=40, samples=500)
OVER = {"rho": np.linspace(-0.9, 0.9, 6).tolist(), "xi": [0.1, 0.3, 0.6, 0.9]}
ASKED: dict[str, Any] = {
    "measures": ("mean", "std", "q05", "crosses 1.1"),
    "sensitivities": ("rho", "s0"),
    "times": 3,
}


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MAX_BLOCK_POINTS", 2)


@pytest.fixture(scope="module")
def alone() -> pd.DataFrame:
    """The table of one process, in blocks of the same size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batching, "MAX_BLOCK_POINTS", 2)
        return lab.sweep(BASE, OVER, **ASKED).table()


def same(result: lab.SweepResult, table: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(result.table(), table, check_exact=True)


def processes(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


def test_threads_give_the_same_table(alone: pd.DataFrame) -> None:
    with ThreadPoolExecutor(3) as pool:
        same(lab.sweep(BASE, OVER, **ASKED, executor=pool), alone)


def test_processes_give_the_same_table(alone: pd.DataFrame) -> None:
    seen: list[int] = []
    with processes(2) as pool:
        result = lab.sweep(
            BASE, OVER, **ASKED, executor=pool, progress=lambda p: seen.append(p.done)
        )
    same(result, alone)
    assert seen[-1] == 24


def slowly(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Takes its time over each point, so that there is some left to kill a worker in."""
    time.sleep(0.1)
    return values[-1, :, 0]


def test_a_process_pool_that_lost_a_worker_says_so_and_keeps_what_is_done(tmp_path: Path) -> None:
    place, asked = tmp_path / "points", {"measures": ("mean", slowly)}
    with processes(2) as pool:

        def kill_one(progress: Any) -> None:
            if progress.done >= 4:
                os.kill(next(iter(pool._processes)), signal.SIGKILL)

        with pytest.raises(lab.SweepInterruptedError, match="of 24 points done") as caught:
            lab.sweep(BASE, OVER, **asked, executor=pool, checkpoint=place, progress=kill_one)
    kept = caught.value.result
    assert 4 <= kept.done.sum() < 24
    whole = lab.sweep(BASE, OVER, **asked).table()
    rows = whole[np.repeat(kept.done, len(kept.columns))].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept.table(), rows, check_exact=True)
    same(lab.sweep(BASE, OVER, **asked, checkpoint=place), whole)


class Scripted(Executor):
    """Does what it is told: some tasks fail or are called back before they are done."""

    def __init__(self, *failures: BaseException) -> None:
        self.failures, self.submitted = list(failures), 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted += 1
        future: Future[Any] = Future()
        if self.failures:
            future.set_exception(self.failures.pop())
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def test_a_lost_block_is_handed_out_again(alone: pd.DataFrame) -> None:
    pool = Scripted(OSError("worker gone"), ConnectionError("worker gone"))
    same(lab.sweep(BASE, OVER, **ASKED, executor=pool), alone)
    assert pool.submitted == 14


def test_a_block_that_always_fails_is_believed_in_the_end() -> None:
    pool = Scripted(*(ZeroDivisionError("own code") for _ in range(100)))
    with pytest.raises(lab.SweepInterruptedError, match="own code"):
        lab.sweep(BASE, OVER, **ASKED, executor=pool)


def twice(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.zeros((2, values.shape[1]))


def test_what_is_wrong_with_a_measure_is_said_from_afar_as_well() -> None:
    with ThreadPoolExecutor(2) as pool, pytest.raises(lab.ScenarioError, match="one number each"):
        lab.sweep(BASE, OVER, (twice,), executor=pool)


def to_the_end(run: SweepRun) -> None:
    while not run.finished:
        run.advance()


def test_a_block_starts_again_after_an_error() -> None:
    """A measure that fails once, in the middle of a block, leaves no half-filled block behind."""
    calls = []

    def last_value(times: np.ndarray, values: np.ndarray) -> np.ndarray:
        calls.append(times)
        if len(calls) == 4:
            raise ZeroDivisionError
        return values[-1, :, 0]

    run = SweepRun(make_plan(BASE, OVER, ("mean", last_value)))
    with pytest.raises(ZeroDivisionError):
        to_the_end(run)
    assert run.done == 2  # the first block; the second one failed at its second point
    to_the_end(run)
    result = run.result()
    end, mean = result.curve("path", "last_value"), result.curve("price", "mean")
    np.testing.assert_allclose(end.value, mean.value, rtol=1e-6)
    np.testing.assert_allclose(end.error, mean.error, rtol=1e-4)


def test_a_pool_that_was_shut_is_named() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(lab.SweepInterruptedError, match="0 of 24 points"):
        lab.sweep(BASE, OVER, executor=pool)


class Slow(Executor):
    """Never begins; remembers what was called back."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.futures.append(Future())
        return self.futures[-1]


def test_leaving_calls_back_what_is_handed_out() -> None:
    pool = Slow()

    def stop(progress: Any) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        lab.sweep(BASE, OVER, executor=pool, progress=stop)
    assert len(pool.futures) == 12
    assert all(future.cancelled() for future in pool.futures)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Dask cluster of two worker processes on this machine."""
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("PYTHONPATH", str(ROOT))
        with (
            distributed.LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                host="127.0.0.1",
                silence_logs=50,
            ) as running,
            distributed.Client(running) as client,
        ):
            client.wait_for_workers(2)
            yield client


@pytest.mark.filterwarnings("default")
def test_a_dask_cluster_gives_the_same_table(cluster: Any, alone: pd.DataFrame) -> None:
    same(lab.sweep(BASE, OVER, **ASKED, executor=cluster.get_executor()), alone)

    def worker(times: np.ndarray, values: np.ndarray) -> np.ndarray:
        return np.full(values.shape[1], os.getpid())

    ran = lab.sweep(BASE, OVER, (worker,), executor=cluster.get_executor()).value
    assert len(np.unique(ran)) > 1
    assert set(ran.ravel()) <= set(cluster.run(os.getpid).values())


@pytest.mark.filterwarnings("default")
def test_a_dask_worker_killed_half_way_costs_no_row(cluster: Any) -> None:
    pids = list(cluster.run(os.getpid).values())
    assert len(set(pids)) == 2
    killed: list[int] = []

    def kill_one(progress: Any) -> None:
        if progress.done >= 4 and not killed:
            killed.append(progress.done)
            os.kill(pids[0], signal.SIGKILL)

    asked = {"measures": ("mean", slowly)}
    executor = cluster.get_executor()
    result = lab.sweep(BASE, OVER, **asked, executor=executor, progress=kill_one)
    assert 4 <= killed[0] < 24
    same(result, lab.sweep(BASE, OVER, **asked).table())
    deadline = time.monotonic() + 20
    while pids[0] in cluster.run(os.getpid).values() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert pids[0] not in cluster.run(os.getpid).values()


@pytest.mark.filterwarnings("default")
def test_the_page_uses_the_cluster_that_the_environment_names(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker computes every block: this process could not."""
    monkeypatch.setenv("SDE_LAB_DASK", cluster.scheduler.address)
    monkeypatch.setattr("sde_lab.sweeps.executors.BlockRun", None)
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["sweep.points"] = "6"
    app.run()
    app.switch_page("sweep.py").run()
    assert not app.exception
    assert not app.error
    found: lab.SweepResult = app.session_state[LAST_SWEEP][1]
    monkeypatch.undo()
    asked = {
        "measures": ("mean", "std", "q05", "q25", "q50", "q75", "q95", "std slope"),
        "times": 40,
    }
    over = {"kappa": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]}
    same(found, lab.sweep(lab.Scenario(), over, sensitivities=("kappa",), **asked).table())
