"""Simulate and all four Ornstein–Uhlenbeck columns, against what else one could use."""

from __future__ import annotations

from tests.benchmarks.machine import one_thread

one_thread()

import torch  # noqa: E402

import sde_lab as lab  # noqa: E402
from tests.benchmarks import compiled, solvers  # noqa: E402
from tests.benchmarks.timing import interleaved, markdown, milliseconds  # noqa: E402

SIZES = ((100, 1_000), (100, 10_000), (1_000, 10_000), (100, 100_000))
LARGE = 2_000_000
HEAD = (
    "steps × samples",
    "sde_lab",
    "noise",
    "paths",
    "Jacobian",
    "torchsde, table",
    "torchsde, interval",
    "diffrax",
    "diffrax, cold",
    "numba",
)
RATIOS = ("steps × samples", "÷ torchsde, table", "÷ numba", "diffrax ÷ sde_lab")


def measure(steps: int, samples: int) -> dict[str, float]:
    """Median milliseconds of every contestant at one size."""
    scenario = solvers.scenario(steps, samples)
    paths = lab.simulate(scenario)
    forward = compiled.diffrax_forward(steps, samples)
    cold = milliseconds(forward)
    contestants = {
        "sde_lab": lambda: solvers.laboratory(scenario),
        "without noise": lambda: lab.simulate(scenario, paths.noise),
        "Jacobian": lambda: lab.jacobian(paths),
        "paths": lambda: lab.simulate(scenario),
        "torchsde, table": lambda: solvers.from_table(steps, samples),
        "diffrax": forward,
        "numba": compiled.numba_fused(steps, samples),
    }
    rounds = 21 if steps * samples < LARGE else 7
    found = interleaved(contestants, rounds)
    slow = {"torchsde, interval": lambda: solvers.from_interval(steps, samples)}
    noise = found["paths"] - found.pop("without noise")
    return {**found, **interleaved(slow, 3), "diffrax, cold": cold, "noise": noise}


def main() -> None:
    """Print times, then ratios."""
    torch.set_num_threads(1)
    times, ratios = [], []
    for steps, samples in SIZES:
        found = measure(steps, samples)
        found["paths"] -= found["noise"]
        size = f"{steps} × {samples:,}"
        times.append([size, *(f"{found[name]:.1f}" for name in HEAD[1:])])
        own = found["sde_lab"]
        shares = own / found["torchsde, table"], own / found["numba"], found["diffrax"] / own
        ratios.append([size, *(f"{share:.2f}" for share in shares)])
    print("### Paths and four columns, milliseconds (medians, interleaved, one thread, one core)\n")
    print(markdown(HEAD, times))
    print("\ntorchsde: paths only. noise, paths, Jacobian: where sde_lab's time goes.\n")
    print(markdown(RATIOS, ratios))


if __name__ == "__main__":
    main()
