"""Run the benchmarks named on the command line, or all: ``python -m tests.benchmarks engine``.

Each runs in a process of its own, so that imports and memory of one do not touch another.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from tests.benchmarks.machine import description

PARTS = ("engine", "by_engine", "memory", "sweep", "typed", "page", "drag")


def main() -> int:
    """Print the machine, then one Markdown table per benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}")
    wanted = parser.parse_args().parts or PARTS
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    print(description(), flush=True)
    status = 0
    for part in wanted:
        print(flush=True)
        status |= subprocess.call([sys.executable, "-m", f"tests.benchmarks.{part}"])
    return status


if __name__ == "__main__":
    sys.exit(main())
