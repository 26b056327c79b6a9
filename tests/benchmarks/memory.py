"""Peak memory, each size in a fresh process: whole paths with their Jacobian, and summaries.

A summary of more samples than fit keeps none of them; beside its memory stands how far its
quantiles are from the order statistics of all samples, and how far it says that they may be.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from sde_lab.scenario import Scenario
from sde_lab.sensitivity.compiled_engine import compiled_tables
from sde_lab.solver.brownian import STREAM_SAMPLES
from sde_lab.summaries.chunked_run import simulate_summary
from sde_lab.summaries.estimators import Array, quantiles
from sde_lab.summaries.summary import BAND_LEVELS, Summary
from tests.benchmarks import solvers
from tests.benchmarks.timing import markdown

STATUS = Path("/proc/self/status")
STEPS = 100
SUMMARISED = (100_000, 1_000_000, 10_000_000)


def peak() -> float:
    """Largest resident memory of this process so far, in bytes."""
    if STATUS.exists():  # getrusage counts what the parent held when it started this process
        fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
        return 1024.0 * float(fields["VmHWM"].split()[0])
    unit = 1 if sys.platform == "darwin" else 1024
    return float(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def whole_paths() -> None:
    """Print what the imports took and what a run of 100 × 100 000 added."""
    solvers.laboratory(solvers.scenario(STEPS, 100))
    before = peak()
    values = solvers.laboratory(solvers.scenario(STEPS, 100_000))
    after = peak()
    row = (f"{x / 1e6:.0f}" for x in (before, after - before, after, values.nbytes))
    print("### Peak memory at 100 × 100,000 with the Jacobian, MB\n")
    head = ("", "after imports", "added by the run", "in all", "of it the Jacobian")
    print(markdown(head, [["sde_lab", *row]]))


def summary_row(samples: int) -> list[str]:
    """Measure a summary with the compiled engine: seconds, memory, errors at the last time."""
    scenario = solvers.scenario(STEPS, samples)
    simulate_summary(scenario.replace(samples=100), "compiled")
    before, start = peak(), time.perf_counter()
    summary = simulate_summary(scenario, "compiled")
    seconds, after = time.perf_counter() - start, peak()
    numbers = (f"{x / 1e6:.0f}" for x in (before, after - before))
    stated, actual, monte_carlo = (f"{x:.1e}" for x in errors(summary))
    return [f"{samples:,}", f"{seconds:.1f}", *numbers, stated, actual, monte_carlo]


def errors(summary: Summary) -> tuple[float, float, float]:
    """Return the largest bound, difference and standard error of a quantile of x at the last time.

    They are relative to the distance of the 5 % and 95 % quantiles. The standard error is that of
    the median of a Gaussian, the smallest of all.
    """
    bands = summary.states[0]
    exact = quantiles(last_states(summary.scenario), BAND_LEVELS)
    found = bands.quantiles[:, -1]
    height = float(exact[-1] - exact[0])
    bound = np.broadcast_to(bands.quantile_bound, bands.quantiles.shape)[:, -1].max()
    difference = abs(found.astype(np.float64) - exact).max()
    error = float(bands.std[-1]) * np.sqrt(np.pi / 2.0 / summary.kept)
    return bound / height, difference / height, error / height


def last_states(scenario: Scenario) -> Array:
    """Return all states at the last time, sorted, (N,): by the same kernel, on the same noise."""
    at_once = 64 * STREAM_SAMPLES
    parts = []
    for first in range(0, scenario.samples, at_once):
        part = scenario.replace(samples=min(at_once, scenario.samples - first))
        tables = compiled_tables(part, np.array([scenario.steps]), first, wait=True)
        assert tables is not None
        parts.append(tables.states[0, 0])
    return np.sort(np.concatenate(parts))


def main() -> None:
    """Print both tables; with a number of samples as argument, the row of one summary."""
    if len(sys.argv) > 1:
        print(*summary_row(int(sys.argv[1])), sep="|")
        return
    whole_paths()
    rows = []
    for samples in SUMMARISED:
        command = [sys.executable, "-m", "tests.benchmarks.memory", str(samples)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(answer.stdout.strip().split("|"))
    print(f"\n### Summaries at {STEPS} steps: all five quantities at {STEPS + 1} times\n")
    head = (
        "samples",
        "s",
        "MB before",
        "MB added",
        "quantiles of x, stated bound",
        "actual error",
        "standard error",
    )
    print(markdown(head, rows))


if __name__ == "__main__":
    main()
