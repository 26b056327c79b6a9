"""Let a class loose on the application and on an app with one line chart, and print what it took.

    python -m tests.load --users 30 --seconds 60
    python -m tests.load --users 30 --seconds 60 --heavy run race sweep
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
from tests.load.lesson import Lesson, Log
from tests.load.person import HEAVY
from tests.load.server import Meter
from tests.support.server import ROOT, start_server, stop_server

APPS = {"sde_lab": ROOT / "app.py", "one line chart": Path(__file__).parent / "one_line.py"}
HEAD = (
    "",
    "moves",
    "pictures",
    "p50",
    "p95",
    "max",
    "slowest reader's p95",
    "errors",
    "cores",
    "MB at first",
    "half-way",
    "at last",
    "at most",
)


def main() -> int:
    """Print the machine, then one row for each app; 1 if anything went wrong."""
    wish = arguments()
    print(description(), flush=True)
    print(
        f"\n### {wish.users} move every {wish.period:g} s, {wish.idle} look on,"
        f" heavy: {', '.join(wish.heavy) or 'none'}; {wish.seconds:g} s; milliseconds\n",
        flush=True,
    )
    rows, failures = [], 0
    for name in APPS if not wish.heavy and not wish.drag else ["sde_lab"]:
        lesson, meter = attend(APPS[name], wish)
        rows.append(row(name, lesson.movers, meter))
        touches = [Log(log.touches) for log in lesson.movers]
        if wish.drag:
            rows.append(row("first frames of a slider", touches, meter))
        for kind, log in zip(wish.heavy, lesson.gluttons, strict=True):
            rows.append(row(f"heavy: {kind}", [log], meter))
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
    parser.add_argument(
        "--heavy", nargs="*", default=[], choices=HEAVY, help="readers who ask for much, by what"
    )
    parser.add_argument("--drag", action="store_true", help="those who move drag their sliders")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, for each app")
    parser.add_argument("--period", type=float, default=1.0, help="seconds between two moves")
    wish = parser.parse_args()
    if not (1 <= wish.users + wish.idle <= 500 and 1 <= wish.seconds <= 3600):
        parser.error("between 1 and 500 users, between 1 and 3600 seconds")
    return wish


def attend(script: Path, wish: argparse.Namespace) -> tuple[Lesson, Meter]:
    """Serve the script to a class: the class, and what the server used."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        address, process = start_server(script, log, {})
        try:
            meter = Meter(process.pid)
            kinds = [HEAVY[name] for name in wish.heavy]
            lesson = Lesson(address, wish.users, kinds, wish.idle, wish.period, wish.drag)
            asyncio.run(watched(lesson, meter, wish.seconds))
        finally:
            stop_server(process)
        if "Traceback" in log.read_text():
            print(log.read_text(), file=sys.stderr)
    return lesson, meter


async def watched(lesson: Lesson, meter: Meter, seconds: float) -> None:
    """Hold the lesson with an eye on the server's memory from when all are there."""
    await lesson.begin()
    meter.start()

    async def watch() -> None:
        while True:
            meter.memory()
            await asyncio.sleep(0.5)

    watching = asyncio.create_task(watch())
    await lesson.hold(seconds)
    watching.cancel()
    meter.stop()
    meter.memory()
    await lesson.end()


def row(name: str, logs: list[Log], meter: Meter) -> list[str]:
    """One line of the table."""
    taken = sorted(1e3 * t for log in logs for t in log.taken)
    if not taken:
        return [name, "0", *["–"] * (len(HEAD) - 2)]
    slowest = max(percentile(log.taken, 95) for log in logs if log.taken) * 1e3
    figures = [statistics.median(taken), percentile(taken, 95), taken[-1], slowest]
    seen = meter.seen
    memory = [seen[0], seen[len(seen) // 2], seen[-1], max(seen)]
    return [
        name,
        str(len(taken)),
        str(sum(log.pictures for log in logs)),
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
