"""A sweep of 50 values of κ with all four columns, against calls one by one and a compiled vmap."""

from __future__ import annotations

from tests.benchmarks.machine import one_thread

one_thread()

import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402

import sde_lab as lab  # noqa: E402
from sde_lab import memory  # noqa: E402
from tests.benchmarks import solvers  # noqa: E402
from tests.benchmarks.memory import peak  # noqa: E402
from tests.benchmarks.timing import interleaved, markdown, milliseconds  # noqa: E402

SCENARIO = solvers.scenario(100, 1_000)
VALUES = np.linspace(0.1, 3.0, 50)
COLUMNS = SCENARIO.model_spec.jacobian_columns
ROUNDS = 11


def swept() -> Any:
    """Mean and spread of the state and of all four columns at 50 points."""
    return lab.sweep(SCENARIO, {"kappa": VALUES}, ("mean", "std"), COLUMNS)


def one_by_one() -> None:
    """Paths and Jacobian of every point, nothing measured."""
    for kappa in VALUES.tolist():
        solvers.laboratory(SCENARIO.replace(parameters={"kappa": kappa}))


def compiled() -> Callable[[], Any]:
    """A fresh jax function of the grid, not yet compiled: scan of Euler steps, forward mode, vmap
    over samples and points, jit; mean and spread of the state and of all columns."""
    import jax
    import jax.numpy as jnp

    steps, samples = SCENARIO.steps, SCENARIO.samples
    root = SCENARIO.step**0.5

    def path(q: Any, noise: Any) -> Any:
        x0, kappa, theta, sigma = q

        def step(x: Any, w: Any) -> Any:
            return x + kappa * (theta - x) * SCENARIO.step + sigma * root * w, None

        return jax.lax.scan(step, x0, noise)[0]

    def point(kappa: Any, noise: Any) -> Any:
        q = (jnp.float32(0.0), kappa, jnp.float32(solvers.THETA), jnp.float32(solvers.SIGMA))
        states = jax.vmap(path, in_axes=(None, 0))(q, noise)
        columns = jax.vmap(jax.jacfwd(path), in_axes=(None, 0))(q, noise)
        return [(table.mean(), table.std()) for table in (states, *columns)]

    grid = jax.jit(jax.vmap(point, in_axes=(0, None)))
    values = jnp.asarray(VALUES, dtype=jnp.float32)

    def run() -> Any:
        noise = jax.random.normal(jax.random.PRNGKey(0), (samples, steps), dtype=jnp.float32)
        return jax.block_until_ready(grid(values, noise))

    return run


def large() -> list[str]:
    """A grid of 50 × 50 points: seconds, seconds to the first points, peak memory it added."""
    before, start = peak(), time.monotonic()
    first: list[float] = []

    def watch(progress: Any) -> None:
        if progress.done and not first:
            first.append(time.monotonic() - start)

    over = {"kappa": VALUES, "sigma": np.linspace(0.1, 2.0, 50)}
    lab.sweep(SCENARIO, over, ("mean", "std"), COLUMNS, progress=watch)
    seconds = time.monotonic() - start
    added = (peak() - before) / 1e6
    return [
        f"{seconds:.1f}",
        f"{first[0]:.2f}",
        f"{added:.0f}",
        f"{memory.run_limit_bytes() / 1e6:.0f}",
    ]


def main() -> None:
    """Print the grid first, while nothing else has touched the memory."""
    torch.set_num_threads(1)
    lab.sweep(SCENARIO, {"kappa": [1.0]}, ("mean", "std"), COLUMNS)
    grid = large()
    jax_cold = milliseconds(compiled())
    warm = compiled()
    found = interleaved({"sweep": swept, "calls": one_by_one, "jax": warm}, ROUNDS)
    own = found["sweep"]
    print("### 50 values of κ × 1,000 samples × 100 steps, four columns, milliseconds\n")
    head = ("", "time", "÷ sweep")
    names = {"sweep": "lab.sweep", "calls": "50 × simulate and jacobian", "jax": "jax vmap, warm"}
    rows = [[names[name], f"{value:.0f}", f"{value / own:.1f}"] for name, value in found.items()]
    cold = ["jax vmap, with its compilation", f"{jax_cold:.0f}", f"{jax_cold / own:.1f}"]
    print(markdown(head, [*rows, cold]))
    print("\n### 50 × 50 points × 1,000 samples × 100 steps, four columns\n")
    print(markdown(("seconds", "to the first points", "memory added, MB", "budget, MB"), [grid]))


if __name__ == "__main__":
    main()
