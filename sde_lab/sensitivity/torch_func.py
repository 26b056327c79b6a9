"""The Jacobian by torch.func: reverse mode (the published answer) and forward mode.

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
"""Numbers that one vectorised sweep of reverse mode may hold as cotangents."""


@records_graph
def reverse(paths: Paths) -> Tensor:
    """``torch.func.jacrev``: one backward pass per entry of the path, vectorised in chunks."""
    sample, q = _sampler(paths)
    chunk = max(1, MAX_COTANGENT_NUMBERS // paths.values.numel())
    found: Tensor = torch.func.jacrev(sample, chunk_size=chunk)(q)
    return found


@records_graph
def forward(paths: Paths) -> Tensor:
    """``torch.func.jacfwd``: one forward pass per column, vectorised, one caller at a time.

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
    sample, q = _sampler(paths)
    with FORWARD_MODE_LOCK:
        found: Tensor = torch.func.jacfwd(sample)(q)
    return found


def _sampler(paths: Paths) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """The function q (P,) ↦ path (T, N, D), and the q of the scenario."""
    scenario = paths.scenario
    size = len(scenario.initial)
    q = torch.tensor(
        [*scenario.initial, *scenario.parameters.values()],
        dtype=scenario.torch_dtype,
        device=scenario.device,
    )

    def sample(q: Tensor) -> Tensor:
        x0 = q[:size].expand(scenario.samples, size)
        named = {name: q[size + i].view(1, 1) for i, name in enumerate(scenario.parameters)}
        return solve(scenario, x0, named, paths.noise)

    return sample, q
