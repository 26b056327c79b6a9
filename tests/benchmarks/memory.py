"""Peak memory of paths and Jacobian at 100 × 100 000, in a fresh process."""

from __future__ import annotations

import resource
import sys

from tests.benchmarks import solvers
from tests.benchmarks.timing import markdown


def peak() -> float:
    """Largest resident memory of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return float(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main() -> None:
    """Print what the imports took and what the run added."""
    solvers.laboratory(solvers.scenario(100, 100))
    before = peak()
    values = solvers.laboratory(solvers.scenario(100, 100_000))
    after = peak()
    row = (f"{x / 1e6:.0f}" for x in (before, after - before, after, values.nbytes))
    print("### Peak memory at 100 × 100,000 with the Jacobian, MB\n")
    head = ("", "after imports", "added by the run", "in all", "of it the Jacobian")
    print(markdown(head, [["sde_lab", *row]]))


if __name__ == "__main__":
    main()
