"""Several readers with long runs on one running server: turns, places, leaving, memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from sde_lab import memory
from tests.load.browser import Answer, Tab, opened
from tests.load.server import Meter
from tests.support.server import ROOT, alongside, start_server, stop_server

PATIENCE = 90.0
LONG = {"Steps": "200", "Samples": "100\u202f000"}
LONGEST = {"Steps": "3200", "Samples": "100\u202f000", "Scheme": "Heun"}


Start = Callable[..., tuple[str, psutil.Process]]


@contextmanager
def starting(log: Path) -> Iterator[Start]:
    """Start servers of one's own: address and process. Their log must stay clean."""
    running = []

    def start(**environment: str) -> tuple[str, psutil.Process]:
        address, process = start_server(ROOT / "app.py", log, environment)
        running.append(process)
        return address, psutil.Process(process.pid)

    yield start
    for process in running:
        stop_server(process)
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path / "server.log") as start:
        yield start


@pytest.fixture(scope="module")
def measured(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, psutil.Process, float]]:
    """A server whose budget is what the machine gives, and the bytes it held at its first answer.

    It stays: what servers share is counted once.
    """
    with starting(tmp_path_factory.mktemp("crowd") / "server.log") as start:
        address, server = start()
        run(asked(address, {"Steps": "25"}))
        yield address, server, Meter(server.pid).memory()


@pytest.fixture(scope="module")
def needed(measured: tuple[str, psutil.Process, float]) -> float:
    """Bytes that a server and its processes hold once they have answered, in this environment."""
    return measured[2]


@pytest.fixture(scope="module")
def busy(measured: tuple[str, psutil.Process, float]) -> tuple[str, psutil.Process]:
    """A server whose budget is what the machine gives."""
    return measured[:2]


def choose(tab: Tab, wishes: dict[str, str], seed: int = 0) -> None:
    """Set sliders and boxes by what their options begin with."""
    for label, value in wishes.items():
        widget = tab.named(label)
        option = next(option for option in widget.options if option.startswith(value))
        kind = "string_value" if type(widget).__name__ == "Selectbox" else "string_array_value"
        tab.set(widget.id, **{kind: option if kind == "string_value" else [option]})
    tab.set(tab.named("Seed").id, double_value=float(seed))


async def asked(address: str, wishes: dict[str, str], seed: int = 0) -> Answer:
    """Open a tab, ask for a long run, and wait for its end."""
    tab, _ = await opened(address)
    choose(tab, wishes, seed)
    answer = await tab.move()
    await tab.socket.close()
    return answer


def run(job: Any) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(PATIENCE):
            return await job

    return alongside(bounded())


def test_long_runs_of_several_readers_all_end_and_say_who_is_ahead(busy: Any) -> None:
    address, _ = busy

    async def together() -> list[Answer]:
        return await asyncio.gather(*(asked(address, LONG, seed) for seed in range(4)))

    answers = run(together())
    assert [answer.errors for answer in answers] == [[]] * 4
    assert len({answer.charts[0] for answer in answers}) == 4
    said = [bar.text for answer in answers for bar in answer.of("progress")]
    assert any("ahead of this one" in text for text in said)
    assert any("of 100,000 samples" in text for text in said)


def test_a_newer_request_of_the_same_reader_replaces_the_older(busy: Any) -> None:
    address, _ = busy

    async def change_mind() -> tuple[Answer, Answer]:
        tab, _ = await opened(address)
        sane = dict(tab.values)
        choose(tab, LONGEST)
        await tab.ask()
        await asyncio.sleep(1.0)
        tab.values = sane
        await tab.ask()
        older = await tab.answer()
        newer = await tab.settled()
        await tab.socket.close()
        return older, newer

    older, newer = run(change_mind())
    assert older.replaced
    assert not newer.errors
    assert len(newer.charts) == 2


def test_a_closed_tab_frees_its_work(busy: Any) -> None:
    address, server = busy

    async def leave() -> None:
        tab, _ = await opened(address)
        choose(tab, LONGEST)
        await tab.ask()
        while not server.children():
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.5)
        await tab.socket.close()

    run(leave())
    deadline, idle = time.monotonic() + PATIENCE / 6, False
    while not idle:
        assert time.monotonic() < deadline
        before = worked(server)
        time.sleep(1.5)
        idle = worked(server) - before < 0.1


def worked(server: psutil.Process) -> float:
    """Processor time of the process for long runs, in seconds."""
    return sum(child.cpu_times().user for child in server.children())


def test_runs_wait_for_memory_and_all_end(start: Start, needed: float) -> None:
    """There is room for one run of 0.6 GB at a time, whatever this environment's imports take."""
    allowed = needed + memory.GROWTH_BYTES + 0.7e9
    address, server = start(SDE_LAB_SERVER_MEMORY_GB=str(allowed / 1e9), SDE_LAB_MEMORY_GB="2")
    meter = Meter(server.pid)

    async def watch() -> None:
        while True:
            meter.memory()
            await asyncio.sleep(0.05)

    async def together() -> list[Answer]:
        watching = asyncio.create_task(watch())
        answers = await asyncio.gather(*(asked(address, LONG, seed) for seed in range(2)))
        watching.cancel()
        return answers

    answers = run(together())
    assert [answer.errors for answer in answers] == [[]] * 2
    assert 0 < max(meter.seen) < allowed


def test_on_the_smallest_server_a_long_run_keeps_no_samples(start: Start, needed: float) -> None:
    least = needed + memory.GROWTH_BYTES + memory.MIN_CAPACITY_BYTES
    address, _ = start(SDE_LAB_SERVER_MEMORY_GB=str(least / 1e9 + 0.1), SDE_LAB_MEMORY_GB="2")
    answer = run(asked(address, LONG))
    assert not answer.errors
    assert len(answer.charts) == 2


def test_what_could_never_fit_is_refused_with_what_would(start: Start) -> None:
    """Not even the statistics of a run that keeps no samples fit in 0.1 GB."""
    address, _ = start(SDE_LAB_MEMORY_GB="0.1")
    answer = run(asked(address, LONG))
    assert len(answer.errors) == 1
    assert "samples fit at 200 steps" in answer.errors[0]
    assert len(answer.charts) == 2
