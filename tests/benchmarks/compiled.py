"""The contestants that compile: diffrax in forward mode, and a fused loop in numba.

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
def _fused(rng: Any, q: Any, x: Any, j: Any) -> None:
    """One thread; blocks of samples that stay in the cache; normals drawn as they are used."""
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


def numba_fused(steps: int, samples: int) -> Callable[[], Any]:
    """The loop one would write by hand for this one equation and scheme."""
    q = np.array([0.0, KAPPA, THETA, SIGMA], dtype=np.float32)
    rng = np.random.Generator(np.random.SFC64(0))

    def run() -> Any:
        x = np.empty((steps + 1, samples), dtype=np.float32)
        j = np.empty((steps + 1, 4, samples), dtype=np.float32)
        _fused(rng, q, x, j)
        return x, j

    return run
