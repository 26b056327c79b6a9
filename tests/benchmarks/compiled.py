"""The contestants that compile: diffrax in forward mode, and loops written by hand in numba.

Both return paths and the derivatives by x₀, κ, θ and σ, as :mod:`tests.benchmarks.solvers` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numba
import numpy as np

from tests.benchmarks.solvers import KAPPA, SIGMA, THETA

BLOCK = 1024


def diffrax_forward(steps: int, samples: int) -> Callable[[], Any]:
    """A fresh function, not yet compiled: jit of vmap over samples of forward mode by (4,)."""
    times = jnp.linspace(0.0, 1.0, steps + 1, dtype=jnp.float32)

    def path(q: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        noise = diffrax.UnsafeBrownianPath(shape=(), key=key)
        terms = diffrax.MultiTerm(
            diffrax.ODETerm(lambda t, x, args: q[1] * (q[2] - x)),
            diffrax.ControlTerm(lambda t, x, args: q[3], noise),
        )
        found = diffrax.diffeqsolve(
            terms,
            diffrax.Euler(),
            t0=times[0],
            t1=times[-1],
            dt0=None,
            y0=q[0],
            stepsize_controller=diffrax.StepTo(times),
            saveat=diffrax.SaveAt(t0=True, steps=True),
            adjoint=diffrax.ForwardMode(),
            max_steps=steps,
        )
        return found.ys, found.ys

    columns = jax.jacfwd(path, has_aux=True)
    solve = jax.jit(jax.vmap(columns, in_axes=(None, 0)))
    q = jnp.array([0.0, KAPPA, THETA, SIGMA], dtype=jnp.float32)
    keys = iter(range(10**9))

    def run() -> Any:
        split = jax.random.split(jax.random.PRNGKey(next(keys)), samples)
        return jax.block_until_ready(solve(q, split))

    return run


@numba.njit(fastmath=True)
def _by_block(rng: Any, q: Any, x: Any, j: Any) -> None:
    """Samples innermost, in blocks that stay in the cache: x (K + 1, N), j (K + 1, 4, N)."""
    steps, samples = x.shape[0] - 1, x.shape[1]
    step = np.float32(1.0 / steps)
    root, kappa, theta, sigma = np.sqrt(step), q[1], q[2], q[3]
    decay = np.float32(1.0) - kappa * step
    for first in range(0, samples, BLOCK):
        last = min(first + BLOCK, samples)
        x[0, first:last], j[0, 0, first:last], j[0, 1:, first:last] = q[0], 1.0, 0.0
        for k in range(steps):
            w = rng.standard_normal(last - first).astype(np.float32)
            for n in range(first, last):
                pull, dw = theta - x[k, n], root * w[n - first]
                x[k + 1, n] = x[k, n] + kappa * step * pull + sigma * dw
                j[k + 1, 0, n] = decay * j[k, 0, n]
                j[k + 1, 1, n] = decay * j[k, 1, n] + step * pull
                j[k + 1, 2, n] = decay * j[k, 2, n] + kappa * step
                j[k + 1, 3, n] = decay * j[k, 3, n] + dw


@numba.njit(fastmath=True)
def _by_path(rng: Any, q: Any, x: Any, j: Any) -> None:
    """One path after the other, its state in registers: x (N, K + 1), j (N, K + 1, 4)."""
    samples, steps = x.shape[0], x.shape[1] - 1
    step = np.float32(1.0 / steps)
    root, kappa, theta, sigma = np.sqrt(step), q[1], q[2], q[3]
    one, zero = np.float32(1.0), np.float32(0.0)
    decay = one - kappa * step
    for n in range(samples):
        state, by_start, by_kappa, by_theta, by_sigma = q[0], one, zero, zero, zero
        x[n, 0], j[n, 0, 0], j[n, 0, 1:] = state, one, zero
        for k in range(1, steps + 1):
            dw = root * np.float32(rng.standard_normal())
            pull = theta - state
            state = state + kappa * step * pull + sigma * dw
            by_start = decay * by_start
            by_kappa = decay * by_kappa + step * pull
            by_theta = decay * by_theta + kappa * step
            by_sigma = decay * by_sigma + dw
            x[n, k], j[n, k, 0], j[n, k, 1] = state, by_start, by_kappa
            j[n, k, 2], j[n, k, 3] = by_theta, by_sigma


def numba_loops(steps: int, samples: int) -> dict[str, Callable[[], Any]]:
    """The loops one would write by hand for this one equation and scheme, by name."""
    q = np.array([0.0, KAPPA, THETA, SIGMA], dtype=np.float32)
    rng = np.random.Generator(np.random.SFC64(0))

    def by_block() -> Any:
        x = np.empty((steps + 1, samples), dtype=np.float32)
        j = np.empty((steps + 1, 4, samples), dtype=np.float32)
        _by_block(rng, q, x, j)
        return x, j

    def by_path() -> Any:
        x = np.empty((samples, steps + 1), dtype=np.float32)
        j = np.empty((samples, steps + 1, 4), dtype=np.float32)
        _by_path(rng, q, x, j)
        return x, j

    return {"numba, by path": by_path, "numba, by block": by_block}
