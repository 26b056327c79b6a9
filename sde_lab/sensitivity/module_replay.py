"""Replay of a user's SDE: its states again, step by step or many steps at once, with a graph.

A user's SDE may depend on the batch size, or compare t with a number, so that rows of several steps
cannot be evaluated together. That shows by an error, or by states that are not those that the
solver reached; then all steps are linearised one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sde_lab.errors import ScenarioError
from sde_lab.sensitivity import module_checks
from sde_lab.sensitivity.module_checks import close
from sde_lab.sensitivity.replay import StepBlock, rows
from sde_lab.sensitivity.torchsde_problem import TorchsdeProblem
from sde_lab.solver.brownian import BrownianIncrements
from sde_lab.solver.step_time import InitialValueProblem, integrate, one_step

MAX_CHUNK_NUMBERS = 2**14
"""Entries of a parameter × rows × states that one vectorised backward pass differentiates. It saves
Python's time where rows are few; where they are many, one entry after the other is faster."""


@dataclass(frozen=True)
class BlockGraph:
    """Steps of a block with their graph.

    Attributes:
        out: states after each step, (rows, D), rows = steps · samples.
        x: states before it, (rows, D), a leaf.
        leaves: the parameters, leaves of their own shapes.
        block: the steps and samples that the rows are.
    """

    out: Tensor
    x: Tensor
    leaves: list[Tensor]
    block: StepBlock


def solve_states(problem: TorchsdeProblem) -> Tensor:
    """Return the states on the solver's grid, (K + 1, N, D)."""
    grid, steps = problem.grid, problem.steps
    if bool((steps == steps[0]).all()):

        def time_map(u: Tensor) -> Tensor:
            # From the grid's own times, so that each step starts at exactly the t of sdeint.
            k = min(int(u), len(steps) - 1)
            return torch.lerp(grid[k], grid[k + 1], float(u) - k)

        sde, step = problem.equation([]), float(steps[0])
        return integrate(
            InitialValueProblem(sde, problem.scheme, problem.y0, problem.noise, step, time_map)
        )
    states = [problem.y0]
    for k in range(len(steps)):
        states.append(_take_step(problem, step_block(problem, k), states[-1], []))
    return torch.stack(states)


def step_block(problem: TorchsdeProblem, k: int) -> StepBlock:
    """Return the k-th step of all samples."""
    return StepBlock(slice(k, k + 1), slice(0, len(problem.y0)))


def _take_step(
    problem: TorchsdeProblem, block: StepBlock, x: Tensor, leaves: list[Tensor]
) -> Tensor:
    """Take one step of every row of the block from the states x, (rows, D): (rows, D)."""
    areas = problem.noise.levy_areas
    noise = BrownianIncrements(
        rows(problem.noise.increments, block).unsqueeze(0),
        None if areas is None else rows(areas, block).unsqueeze(0),
    )
    height, width = block.size
    starts, stops = problem.grid[:-1], problem.grid[1:]
    step: float | Tensor
    if height == 1:  # 0-dimensional times, as sdeint passes them
        start, stop = starts[block.steps.start], stops[block.steps.start]
        step = float(problem.steps[block.steps.start])
    else:  # a time for each row, (rows, 1)
        start, stop, lengths = (
            end[block.steps].to(x.device).repeat_interleave(width).unsqueeze(1)
            for end in (starts, stops, problem.steps)
        )
        step = lengths.to(x)

    def time_map(u: Tensor) -> Tensor:
        return torch.lerp(start, stop, float(u))

    sde = problem.equation(leaves)
    return one_step(InitialValueProblem(sde, problem.scheme, x, noise, step, time_map))


def require_separate_rows(problem: TorchsdeProblem, states: Tensor) -> None:
    """Raise ScenarioError if some rows change when others do, in the last step."""
    block = step_block(problem, len(problem.steps) - 1)
    module_checks.require_separate_rows(
        problem.sde, lambda x: _take_step(problem, block, x, []), states[-2], states[-1]
    )


def require_reached(problem: TorchsdeProblem, states: Tensor) -> None:
    """Raise ScenarioError for what drift or diffusion depends on without a derivative."""
    last = len(problem.steps) - 1
    for k in sorted({0, last // 2, last}):
        fields = [(problem.f.label, problem.drift), (problem.g.label, problem.diffusion)]
        if problem.scheme.uses_autograd:
            fields.append((f"the derivative of {problem.g.label}", problem.diffusion_slope))
        for where, field in fields:
            module_checks.require_reached(
                field, where, problem.names, problem.grid[k], states[k], problem.values
            )


def block_graph(problem: TorchsdeProblem, states: Tensor, block: StepBlock) -> BlockGraph | None:
    """Take the steps of a block again, with a graph.

    None if the rows cannot be evaluated together: the repeated step fails, or does not give the
    state that the solver reached.

    Raises:
        ScenarioError: if one step of all samples alone fails, or gives another state.
    """
    x = rows(states[:-1], block).requires_grad_()
    leaves = [value.detach().clone().requires_grad_() for value in problem.values]
    single = block == step_block(problem, block.steps.start)
    try:
        out = _take_step(problem, block, x, leaves)
    except ScenarioError:
        raise
    except Exception as error:
        # Of any kind: modules may assert that they get a batch of the size that they were made for.
        if single:
            raise _not_differentiable(problem, error) from error
        return None
    if close(out.detach(), rows(states[1:], block)):
        return BlockGraph(out, x, leaves, block)
    if single:
        raise ScenarioError(
            "sde",
            type(problem.sde).__name__,
            "gives another result when the same step is repeated; drift and diffusion must be"
            " functions of t and y alone",
        )
    return None


def state_derivatives(problem: TorchsdeProblem, graph: BlockGraph) -> Tensor:
    """Return A = ∂out/∂x, (D, D, steps, samples), by one backward pass per component.

    Raises:
        ScenarioError: if it cannot be differentiated, or rows influence each other.
    """
    out, x, block = graph.out, graph.x, graph.block
    size = x.shape[1]
    a = x.new_empty((size, size, *block.size))
    v = module_checks.random_cotangent(out.detach())
    units = torch.eye(size, dtype=out.dtype, device=out.device)
    cotangents = [*(unit.expand_as(out) for unit in units), v]
    try:
        *parts, by_state = [
            torch.autograd.grad(out, x, c, retain_graph=True, materialize_grads=True)[0]
            for c in cotangents
        ]
    except RuntimeError as error:
        raise _not_differentiable(problem, error) from error
    for component, gradient in enumerate(parts):
        a[component] = gradient.view(*block.size, size).permute(2, 0, 1)
    module_checks.require_own_derivatives(problem.sde, a.flatten(2), v, by_state)
    return a


def linearise(
    problem: TorchsdeProblem, states: Tensor, block: StepBlock, part: Tensor
) -> Tensor | None:
    """Return A (D, D, steps, samples) of a block, and write its B to ``part``.

    Args:
        problem: the problem.
        states: states on the solver's grid, (K + 1, N, D).
        block: the steps and samples.
        part: derivatives of the block, (steps + 1, D, P, samples); B_k is written after step k.

    Returns:
        A, or None if the rows cannot be evaluated together.

    Raises:
        ScenarioError: as :func:`block_graph` and :func:`state_derivatives` do, or if a backward
            pass has no derivative.
    """
    graph = block_graph(problem, states, block)
    if graph is None:
        return None
    a = state_derivatives(problem, graph)
    if graph.leaves:
        try:
            _write_parameter_derivatives(problem, graph, part)
        except RuntimeError as error:
            if "once_differentiable" in str(error):
                raise ScenarioError("wrt", problem.names, module_checks.ONLY_TWICE) from error
            raise _not_differentiable(problem, error) from error
    return a


def _not_differentiable(problem: TorchsdeProblem, error: Exception) -> ScenarioError:
    """Return the error of an SDE that solves, but fails when it is differentiated."""
    kind, first = type(error).__name__, next(iter(str(error).splitlines()), "")
    if "donated buffer" in first or "aot_autograd" in first:
        reason = (
            "a backward pass of torch.compile runs once and has no derivative; the module before"
            " compilation works, or this call inside"
            ' torch.compiler.set_stance("force_eager")'
        )
    else:
        reason = f"{kind}: {first}"
    return ScenarioError(
        "sde", type(problem.sde).__name__, f"solves, but cannot be differentiated: {reason}"
    )


def _write_parameter_derivatives(problem: TorchsdeProblem, graph: BlockGraph, part: Tensor) -> None:
    """Write B = ∂out/∂θ of a block, by row, to its part of the table (steps + 1, D, P, samples).

    A backward pass sums over the rows. But its result is linear in the cotangent u, so a second
    pass, by u, gives the derivative of each row: forward mode as two passes of reverse mode.

    Raises:
        ScenarioError: if the derivatives by row are not those that the sum says.
    """
    out, leaves = graph.out, graph.leaves
    v = module_checks.random_cotangent(out.detach())
    known = torch.autograd.grad(out, leaves, v, retain_graph=True, materialize_grads=True)
    u = torch.zeros_like(out, requires_grad=True)
    sums = torch.autograd.grad(out, leaves, u, create_graph=True, materialize_grads=True)
    column = out.shape[1]
    for name, total, wanted in zip(problem.names, sums, known, strict=True):
        found, size = torch.zeros_like(wanted.flatten()), torch.zeros_like(wanted.flatten())
        for first, b in _entry_derivatives(total, u):
            entries = slice(first, first + len(b))
            weighted = (v * b).flatten(1)
            found[entries], size[entries] = weighted.sum(1), weighted.abs().sum(1)
            columns = slice(column + first, column + first + len(b))
            # (entries, steps · samples, D) → (steps, D, entries, samples)
            part[1:, :, columns] = b.view(len(b), *graph.block.size, -1).permute(1, 3, 0, 2)
        module_checks.require_own_column(name, wanted.flatten(), found, size)
        column += total.numel()


def _entry_derivatives(total: Tensor, u: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield ∂/∂u of the entries of ``total``, each (entries, rows, D), with the first's index.

    Many entries go through one vectorised pass, or one by one where an operation has no
    vectorised derivative.
    """
    entries = total.flatten()
    count = len(entries)
    if not total.requires_grad:
        yield 0, u.new_zeros((1, *u.shape)).expand(count, *u.shape)
        return
    chunk = 1 if count == 1 else max(1, MAX_CHUNK_NUMBERS // u.numel())
    first = 0
    while first < count:
        width = min(chunk, count - first)
        units = torch.zeros((width, count), dtype=total.dtype, device=total.device)
        units[torch.arange(width), first + torch.arange(width)] = 1.0
        try:
            (b,) = torch.autograd.grad(
                entries,
                u,
                units if width > 1 else units[0],
                is_grads_batched=width > 1,
                retain_graph=True,
                materialize_grads=True,
            )
        except RuntimeError:
            if width == 1:
                raise
            chunk = 1
            continue
        yield first, b.detach().view(width, *u.shape)
        first += width
