"""Vector–Jacobian product of a user's SDE over all times and samples, without the Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from sde_lab.errors import ScenarioError
from sde_lab.sensitivity.module_replay import block_graph, solve_states, state_derivatives
from sde_lab.sensitivity.named_jacobian import INITIAL_STATE
from sde_lab.sensitivity.replay import BLOCK_ROWS, StepBlock
from sde_lab.sensitivity.sdeint_jacobian import check_module
from sde_lab.sensitivity.torchsde_methods import refuse_arguments
from sde_lab.sensitivity.torchsde_problem import Brownian, TorchsdeProblem, build_problem
from sde_lab.solver.autograd_mode import autograd_mode, outside_inference

VjpFunction = Callable[[Tensor], dict[str, Tensor]]
"""Cotangent (time, sample, state) → its product with the Jacobian, by name."""


def vjp(
    sde: object,
    y0: Tensor,
    ts: Tensor | Sequence[float],
    scheme: str = "euler",
    bm: Brownian | None = None,
    wrt: str | Sequence[str] | None = None,
    *,
    dt: float | None = None,
    names: Mapping[str, str] | None = None,
    **torchsde_arguments: object,
) -> tuple[Tensor, VjpFunction]:
    """Integrate a torchsde SDE, and return a function that multiplies its Jacobian from the left.

    It is for fitting: the gradient of a loss L(ys) is the product with ∂L/∂ys. The memory is that
    of the states, however many parameters there are, and a backward pass need not be differentiable
    itself. Arguments and errors are those of :func:`sdeint_jacobian`.

    Returns:
        ``ys`` (time, sample, state), and a function as ``torch.func.vjp`` returns: it takes a
        cotangent v of the shape of ``ys``, and gives Σ v · ∂ys/∂p over times, samples and states by
        name, in the shape of each parameter; by ``"y0"`` for each sample, (sample, state).
    """
    refuse_arguments(torchsde_arguments)
    with autograd_mode(recording=False):
        problem = build_problem(sde, y0, ts, scheme, bm, wrt, dt, names)
        states = solve_states(problem)
        ys = problem.interpolate(states)
    check_module(problem, states)

    def product(cotangent: Tensor) -> dict[str, Tensor]:
        if not isinstance(cotangent, Tensor) or cotangent.shape != ys.shape:
            shape = tuple(cotangent.shape) if isinstance(cotangent, Tensor) else cotangent
            raise ScenarioError("cotangent", shape, f"must be a tensor of shape {tuple(ys.shape)}")
        with autograd_mode(recording=False):
            v = outside_inference(cotangent.detach()).to(states)
            weights = problem.spread(v)
        with autograd_mode(recording=True):
            return _pull_back(problem, states, weights)

    return ys, product


def _pull_back(problem: TorchsdeProblem, states: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Run the adjoint recursion λ_k = w_k + A_kᵀ λ_{k+1} backwards, and sum λ_{k+1}ᵀ B_k.

    Args:
        problem: the problem.
        states: states on the solver's grid, (K + 1, N, D).
        weights: cotangents of these states, (K + 1, N, D).
    """
    samples = states.shape[1]
    sums = [torch.zeros_like(value, requires_grad=False) for value in problem.values]
    adjoint, k = weights[-1], len(problem.steps)
    height = max(1, BLOCK_ROWS // samples)
    while k:
        height = min(height, k)
        graph = block_graph(problem, states, StepBlock(slice(k - height, k), slice(0, samples)))
        if graph is None:
            height = 1
            continue
        a = state_derivatives(problem, graph)
        after = torch.empty_like(weights[k - height : k])
        for i in reversed(range(height)):
            after[i] = adjoint
            adjoint = weights[k - height + i] + torch.einsum("cdn,nc->nd", a[:, :, i], adjoint)
        if graph.leaves:
            parts = torch.autograd.grad(
                graph.out, graph.leaves, after.flatten(0, 1), materialize_grads=True
            )
            sums = [total + part for total, part in zip(sums, parts, strict=True)]
        k -= height
    return {INITIAL_STATE: adjoint, **dict(zip(problem.names, sums, strict=True))}
