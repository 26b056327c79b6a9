"""A typed Ornstein–Uhlenbeck equation against the built-in one: paths and all four columns."""

from __future__ import annotations

from tests.benchmarks.machine import one_thread

one_thread()

import torch  # noqa: E402

import sde_lab as lab  # noqa: E402
from tests.benchmarks import solvers  # noqa: E402
from tests.benchmarks.timing import interleaved, markdown  # noqa: E402

TEXT = "dx = kappa*(theta - x)*dt + sigma*dW"
SIZES = ((100, 1_000), (100, 10_000), (1_000, 10_000))


def main() -> None:
    """Print medians and their ratio; the aim is 1.3 at most."""
    torch.set_num_threads(1)
    rows = []
    for steps, samples in SIZES:
        own = solvers.scenario(steps, samples)
        typed = lab.Scenario(
            model=TEXT,
            parameters=own.parameters,
            x0=own.initial,
            steps=steps,
            samples=samples,
        )
        found = interleaved(
            {
                "built-in": lambda own=own: solvers.laboratory(own),
                "typed": lambda typed=typed: solvers.laboratory(typed),
            },
            41 if steps * samples < 2_000_000 else 9,
        )
        ratio = found["typed"] / found["built-in"]
        rows.append(
            [f"{steps} × {samples:,}", *(f"{ms:.1f}" for ms in found.values()), f"{ratio:.2f}"]
        )
    print("### Typed against built-in Ornstein–Uhlenbeck, milliseconds (medians, interleaved)\n")
    print(markdown(("steps × samples", "built-in", "typed", "ratio"), rows))


if __name__ == "__main__":
    main()
