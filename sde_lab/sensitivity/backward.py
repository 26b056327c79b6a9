"""Backward passes through the whole path, with one leaf per sample: vectorised, or in a loop.

With a leaf of its own for every sample, a backward pass for one time and component, summed over the
samples, leaves each sample's derivative in its leaf. That takes steps × components passes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sde_lab.sensitivity.recording import records_graph
from sde_lab.solver.simulate import Paths, initial_state, parameter_tensors, solve

MAX_COTANGENT_NUMBERS = 2**24
"""Numbers that the cotangents of one vectorised backward pass may hold: 64 MB in float32."""


@records_graph
def batched(paths: Paths) -> Tensor:
    """Return the Jacobian (T, N, D, P) by vectorised backward passes, with ``is_grads_batched``."""
    values, leaves = _rerun_with_graph(paths)
    count, samples, size = values.shape
    chunk = max(1, MAX_COTANGENT_NUMBERS // values.numel())
    parts = []
    for start in range(0, count * size, chunk):
        stop = min(start + chunk, count * size)
        # One cotangent per time and component: ones at all samples, which have separate leaves.
        cotangents = values.new_zeros(stop - start, count, samples, size)
        for row, flat in enumerate(range(start, stop)):
            cotangents[row, flat // size, :, flat % size] = 1.0
        gradients = torch.autograd.grad(
            values,
            leaves,
            cotangents,
            is_grads_batched=True,
            retain_graph=True,
            materialize_grads=True,
        )
        parts.append(torch.cat(gradients, dim=-1))
    stacked = torch.cat(parts)  # (T · D, N, P)
    return stacked.view(count, size, samples, -1).transpose(1, 2)


@records_graph
def per_time_loop(paths: Paths) -> Tensor:
    """Return the Jacobian (T, N, D, P) by one backward pass per time and component."""
    values, leaves = _rerun_with_graph(paths)
    count, samples, size = values.shape
    passes = [
        torch.autograd.grad(
            values[k, :, component].sum(), leaves, retain_graph=True, materialize_grads=True
        )
        for k in range(count)
        for component in range(size)
    ]
    stacked = torch.stack([torch.cat(gradients, dim=-1) for gradients in passes])  # (T · D, N, P)
    return stacked.view(count, size, samples, -1).transpose(1, 2)


def _rerun_with_graph(paths: Paths) -> tuple[Tensor, list[Tensor]]:
    """Simulate again on the same noise with a graph and with leaves for every sample.

    Returns:
        States (T, N, D), and the leaves: the initial state (N, D), then each parameter (N, 1).
    """
    scenario = paths.scenario
    x0 = initial_state(scenario).clone().requires_grad_()
    leaves = {
        name: value.repeat(scenario.samples, 1).requires_grad_()
        for name, value in parameter_tensors(scenario).items()
    }
    return solve(scenario, x0, leaves, paths.noise), [x0, *leaves.values()]
