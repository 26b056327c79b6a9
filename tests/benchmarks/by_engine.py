"""A sweep and simulate by torchsde and by a compiled loop, for one and for two state components."""

from __future__ import annotations

from tests.benchmarks.machine import one_thread

one_thread()

from collections.abc import Callable, Mapping  # noqa: E402
from functools import partial  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402

import sde_lab as lab  # noqa: E402
from tests.benchmarks import solvers  # noqa: E402
from tests.benchmarks.timing import interleaved, markdown  # noqa: E402

ENGINES = ("torchsde", "compiled")
SCENARIOS = {
    "Ornstein–Uhlenbeck": solvers.scenario(100, 1_000),
    "Heston": lab.Scenario(model="heston", horizon=1.0, steps=100, samples=1_000),
}
VALUES = np.linspace(0.5, 3.0, 50)
SIZES = (1_000, 10_000)
SWEEP_COLUMNS = 4
ROUNDS = 11


def swept(scenario: lab.Scenario, engine: str) -> Any:
    """Mean and spread of the states and of four columns at 50 values of κ."""
    columns = scenario.model_spec.jacobian_columns[:SWEEP_COLUMNS]
    return lab.sweep(scenario, {"kappa": VALUES}, ("mean", "std"), columns, engine=engine)


def simulated(scenario: lab.Scenario, engine: str) -> Any:
    """Paths alone, increments included."""
    return lab.simulate(scenario, engine=engine)


def summarised(scenario: lab.Scenario, engine: str) -> Any:
    """Statistics of the states and of all columns at the displayed times."""
    return lab.simulate_summary(scenario, engine=engine)


def tasks() -> dict[str, Callable[[str], Any]]:
    """What is timed: functions of the engine, by their row's title."""
    found: dict[str, Callable[[str], Any]] = {}
    for name, scenario in SCENARIOS.items():
        found[f"{name}: sweep, 50 values × 1,000 samples"] = partial(swept, scenario)
        for samples in SIZES:
            sized = scenario.replace(samples=samples)
            found[f"{name}: simulate, {samples:,} samples"] = partial(simulated, sized)
        found[f"{name}: simulate_summary, 1,000 samples"] = partial(summarised, scenario)
    return found


def row(title: str, found: Mapping[str, float]) -> list[str]:
    """Milliseconds of both engines, and their ratio."""
    times = [found[engine] for engine in ENGINES]
    return [title, *(f"{value:.1f}" for value in times), f"{times[0] / times[1]:.1f}"]


def main() -> None:
    """Print medians and ratios; the first call of each, which compiles, does not count."""
    torch.set_num_threads(1)
    rows = []
    for title, task in tasks().items():
        contestants = {engine: partial(task, engine) for engine in ENGINES}
        rows.append(row(title, interleaved(contestants, ROUNDS)))
    print("### By engine, 100 steps, milliseconds (medians, interleaved, kernel warm)\n")
    print(markdown(("", *ENGINES, "ratio"), rows))


if __name__ == "__main__":
    main()
