"""Paths and all four Ornstein–Uhlenbeck columns against what else one could use; replay against the
compiled loop for equations of two components; a summary and a sweep against what they are made of.
"""

from __future__ import annotations

from tests.benchmarks.machine import one_thread

one_thread()

from functools import partial  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402

import sde_lab as lab  # noqa: E402
from sde_lab.compiled.run import draw_noise, run_kernel  # noqa: E402
from sde_lab.compiled.source import BLOCK_SAMPLES  # noqa: E402
from sde_lab.schemes import fitting_schemes  # noqa: E402
from sde_lab.sensitivity.compiled_engine import find_kernel  # noqa: E402
from sde_lab.summaries.summary import summarise_tables  # noqa: E402
from tests.benchmarks import compiled, solvers  # noqa: E402
from tests.benchmarks.timing import interleaved, markdown, milliseconds  # noqa: E402

SIZES = ((100, 1_000), (100, 10_000), (1_000, 10_000), (100, 100_000))
LARGE = 2_000_000
HEAD = (
    "steps × samples",
    "compiled",
    "noise",
    "paths",
    "tangents",
    "torchsde and replay",
    "numba, by path",
    "numba, by block",
    "diffrax",
    "diffrax, cold",
)
RATIOS = ("steps × samples", "÷ numba loop", "noise ÷ numba loop", "diffrax ÷", "replay ÷")
VALUES = np.linspace(0.5, 3.0, 50)


def rounds(steps: int, samples: int) -> int:
    """Fewer where one takes long."""
    return 21 if steps * samples < LARGE else 7


def draw(scenario: lab.Scenario) -> None:
    """The increments of all samples, block by block, none kept."""
    kernel = find_kernel(scenario, wait=True)
    assert kernel is not None
    for block in range(-(-scenario.samples // BLOCK_SAMPLES)):
        draw_noise(kernel, scenario, block)


def paths_alone(scenario: lab.Scenario) -> None:
    """Noise and paths at every time, no column."""
    kernel = find_kernel(scenario, (), wait=True)
    assert kernel is not None
    run_kernel(kernel, scenario, np.arange(scenario.steps + 1), threads=1)


def measure(steps: int, samples: int) -> dict[str, float]:
    """Median milliseconds of every contestant at one size."""
    scenario = solvers.scenario(steps, samples)
    forward = compiled.diffrax_forward(steps, samples)
    cold = milliseconds(forward)
    contestants = {
        "compiled": partial(solvers.compiled_tables, scenario),
        "noise": partial(draw, scenario),
        "noise and paths": partial(paths_alone, scenario),
        "torchsde and replay": partial(solvers.laboratory, scenario),
        **compiled.numba_loops(steps, samples),
        "diffrax": forward,
    }
    found = interleaved(contestants, rounds(steps, samples))
    found["paths"] = found["noise and paths"] - found["noise"]
    found["tangents"] = found["compiled"] - found["noise and paths"]
    return {**found, "diffrax, cold": cold}


def contest() -> None:
    """Print times of all contestants, then ratios."""
    times, ratios = [], []
    for steps, samples in SIZES:
        found = measure(steps, samples)
        size = f"{steps} × {samples:,}"
        times.append([size, *(f"{found[name]:.2f}" for name in HEAD[1:])])
        own, hand = found["compiled"], min(found["numba, by path"], found["numba, by block"])
        shares = own / hand, found["noise"] / hand, found["diffrax"] / own
        replay = found["torchsde and replay"] / own
        ratios.append([size, *(f"{share:.2f}" for share in (*shares, replay))])
    print("### Paths and four columns at every time, milliseconds (one thread, one core)\n")
    print(markdown(HEAD, times))
    print("\nMedians, interleaved. noise, paths and tangents: what the compiled loop spends.\n")
    print(markdown(RATIOS, ratios))


def by_scheme() -> None:
    """Print how often the compiled loop is faster than replay, for all models of two components."""
    rows = []
    for name, model in lab.MODELS.items():
        for scheme in fitting_schemes(model) if len(model.components) == 2 else ():
            row = [name, scheme]
            for samples in (1_000, 10_000):
                scenario = lab.Scenario(model=name, scheme=scheme, steps=100, samples=samples)
                tasks = {
                    "replay": partial(solvers.laboratory, scenario),
                    "compiled": partial(solvers.compiled_tables, scenario),
                }
                found = interleaved(tasks, 7)
                row += [f"{found['compiled']:.1f}", f"{found['replay'] / found['compiled']:.1f}"]
            rows.append(row)
    head = ("model", "scheme", "1,000: ms", "replay ÷", "10,000: ms", "replay ÷")
    print("\n### Paths and all columns of two components, 100 steps: replay ÷ compiled\n")
    print(markdown(head, rows))


def wholes() -> None:
    """Print a summary and a sweep, each with the share of what it cannot do without."""
    small, large = solvers.scenario(100, 1_000), solvers.scenario(100, 10_000)
    columns = small.model_spec.jacobian_columns
    tables = solvers.compiled_tables(small)
    parts = [tables.states, *tables.derivatives]
    found = interleaved(
        {
            "summary": lambda: lab.simulate_summary(small, engine="compiled"),
            "tables": lambda: solvers.compiled_tables(small),
            "statistics": lambda: summarise_tables(small, columns, parts),
        },
        41,
    )
    rows = [
        ["simulate_summary, 100 × 1,000", f"{found['summary']:.2f}", "1"],
        *([name, f"{found[name]:.2f}", f"{found['summary'] / found[name]:.1f}"]
          for name in ("tables", "statistics")),
    ]  # fmt: skip
    names = {"tables": "paths and columns alone", "statistics": "its statistics alone"}
    print("\n### A summary, milliseconds, and the summary ÷ each\n")
    print(markdown(("", "ms", "÷"), [[names.get(row[0], row[0]), *row[1:]] for row in rows]))
    rows = [sweep_row(scenario) for scenario in (small, large)]
    print("\n### 50 values of κ, four columns, milliseconds\n")
    print(markdown(("steps × samples", "sweep", "50 runs", "sweep ÷ runs"), rows))


def sweep_row(scenario: lab.Scenario) -> list[str]:
    """Time a sweep with mean and spread of all, and as many runs that measure nothing."""
    columns = scenario.model_spec.jacobian_columns
    single = [scenario.replace(parameters={"kappa": value}) for value in VALUES.tolist()]
    over = {"kappa": VALUES}
    found = interleaved(
        {
            "sweep": lambda: lab.sweep(scenario, over, ("mean", "std"), columns, engine="compiled"),
            "runs": lambda: [solvers.compiled_tables(one) for one in single],
        },
        5,
    )
    ratio = found["sweep"] / found["runs"]
    times = (f"{found[name]:.0f}" for name in ("sweep", "runs"))
    return [f"{scenario.steps} × {scenario.samples:,}", *times, f"{ratio:.2f}"]


def main() -> None:
    """Print all tables."""
    torch.set_num_threads(1)
    contest()
    by_scheme()
    wholes()


if __name__ == "__main__":
    main()
