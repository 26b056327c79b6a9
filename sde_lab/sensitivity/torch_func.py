"""The Jacobian by ``torch.func``: reverse mode (``jacrev``) and forward mode (``jacfwd``).

Both differentiate one function of a vector q = (initial state, parameters), which expands the
initial state over the samples and integrates with the noise held fixed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch
from torch import Tensor

from sde_lab.errors import ScenarioError
from sde_lab.sensitivity.recording import records_graph
from sde_lab.solver.simulate import Paths, solve

FORWARD_MODE_LOCK = threading.Lock()
"""Forward-mode levels of torch are global to the process: two threads at once corrupt them."""

MAX_COTANGENT_NUMBERS = 2**24
"""Numbers that the cotangents of one vectorised backward pass may hold: 64 MB in float32."""


@records_graph
def reverse(paths: Paths) -> Tensor:
    """Return the Jacobian (T, N, D, P) by ``torch.func.jacrev``, in vectorised chunks.

    That is one backward pass per entry of all paths.
    """
    simulate_from, q = _simulator(paths)
    chunk = max(1, MAX_COTANGENT_NUMBERS // paths.values.numel())
    result: Tensor = torch.func.jacrev(simulate_from, chunk_size=chunk)(q)
    return result


@records_graph
def forward(paths: Paths) -> Tensor:
    """Return the Jacobian (T, N, D, P) by ``torch.func.jacfwd``, one thread at a time.

    That is one forward pass per column, vectorised.

    Raises:
        ScenarioError: for a scheme inside which torchsde differentiates: forward-mode tangents do
            not pass through that, and the numbers would be wrong.
    """
    scheme = paths.scenario.scheme_spec
    if scheme.uses_autograd:
        raise ScenarioError(
            "engine",
            "forward",
            f"cannot differentiate {scheme.name}, which takes derivatives inside its step;"
            " milstein_grad_free works, and so do the other engines",
        )
    simulate_from, q = _simulator(paths)
    with FORWARD_MODE_LOCK:
        result: Tensor = torch.func.jacfwd(simulate_from)(q)
    return result


def _simulator(paths: Paths) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Return the function q (P,) ↦ paths (T, N, D), and the q of the scenario."""
    scenario = paths.scenario
    size = len(scenario.initial)
    q = torch.tensor(
        [*scenario.initial, *scenario.parameters.values()],
        dtype=scenario.torch_dtype,
        device=scenario.device,
    )

    def simulate_from(q: Tensor) -> Tensor:
        x0 = q[:size].expand(scenario.samples, size)
        named = {name: q[size + i].view(1, 1) for i, name in enumerate(scenario.parameters)}
        return solve(scenario, x0, named, paths.noise)

    return simulate_from, q
