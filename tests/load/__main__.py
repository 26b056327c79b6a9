"""Let a class loose on the application and on an app with one line chart, and print what it took.

    python -m tests.load --users 30 --seconds 60
    python -m tests.load --users 30 --seconds 60 --heavy 1
    python -m tests.load --users 33 --idle 67 --seconds 30

Everything stays on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.machine import description
from tests.benchmarks.timing import markdown
from tests.conftest import ROOT, start_server, stop_server
from tests.load.lesson import Lesson, Log
from tests.load.server import Meter

APPS = {"sde_lab": ROOT / "app.py", "one line chart": Path(__file__).parent / "one_line.py"}
HEAD = (
    "",
    "moves",
    "p50",
    "p95",
    "max",
    "slowest reader's p95",
    "errors",
    "cores",
    "MB before",
    "after",
    "peak",
)


def main() -> int:
    """Print the machine, then one row for each app; 1 if anything went wrong."""
    wish = arguments()
    print(description(), flush=True)
    print(
        f"\n### {wish.users} move every {wish.period:g} s, {wish.heavy} ask for 100 000 × 1600,"
        f" {wish.idle} look on, {wish.seconds:g} s; milliseconds\n",
        flush=True,
    )
    rows, failures = [], 0
    for name in APPS if not wish.heavy else ["sde_lab"]:
        lesson, meter, before = attend(APPS[name], wish)
        rows.append(row(name, lesson.movers, meter, before))
        if lesson.gluttons:
            rows.append(row("the 100 000 × 1600", lesson.gluttons, meter, before))
        faults = [error for log in (*lesson.movers, *lesson.gluttons) for error in log.errors]
        failures += len(faults)
        print(*sorted(set(faults)), sep="\n", file=sys.stderr)
    print(markdown(HEAD, rows))
    return int(failures > 0)


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--users", type=int, default=30, help="readers who move")
    parser.add_argument("--idle", type=int, default=0, help="readers who only look on")
    parser.add_argument("--heavy", type=int, default=0, help="readers who ask for 100 000 × 1600")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, for each app")
    parser.add_argument("--period", type=float, default=1.0, help="seconds between two moves")
    wish = parser.parse_args()
    if not (1 <= wish.users + wish.idle <= 500 and 1 <= wish.seconds <= 3600):
        parser.error("between 1 and 500 users, between 1 and 3600 seconds")
    return wish


def attend(script: Path, wish: argparse.Namespace) -> tuple[Lesson, Meter, float]:
    """Serve the script to a class: the class, what the server used, what it held before."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        address, process = start_server(script, log, {})
        try:
            meter = Meter(process.pid)
            lesson = Lesson(address, wish.users, wish.heavy, wish.idle, wish.period)
            before = asyncio.run(watched(lesson, meter, wish.seconds))
        finally:
            stop_server(process)
        if "Traceback" in log.read_text():
            print(log.read_text(), file=sys.stderr)
    return lesson, meter, before


async def watched(lesson: Lesson, meter: Meter, seconds: float) -> float:
    """Hold the lesson with an eye on the server's memory; what it held when all were there."""
    await lesson.begin()
    before = meter.memory()
    meter.start()

    async def watch() -> None:
        while True:
            meter.memory()
            await asyncio.sleep(0.2)

    watching = asyncio.create_task(watch())
    await lesson.hold(seconds)
    watching.cancel()
    meter.stop()
    await lesson.end()
    return before


def row(name: str, logs: list[Log], meter: Meter, before: float) -> list[str]:
    """One line of the table."""
    taken = sorted(1e3 * t for log in logs for t in log.taken)
    slowest = max(percentile(log.taken, 95) for log in logs) * 1e3
    figures = [statistics.median(taken), percentile(taken, 95), taken[-1], slowest]
    memory = [before, meter.after, meter.peak]
    return [
        name,
        str(len(taken)),
        *(f"{t:.0f}" for t in figures),
        str(sum(len(log.errors) for log in logs)),
        f"{meter.used:.2f}",
        *(f"{m / 1e6:.0f}" for m in memory),
    ]


def percentile(values: list[float], share: int) -> float:
    """The value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]


if __name__ == "__main__":
    sys.exit(main())
