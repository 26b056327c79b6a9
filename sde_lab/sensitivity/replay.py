"""The Jacobian by replay: linearise every step of every sample at once, then run the recursion.

A one-step scheme is a map X_{k+1} = Φ(X_k, ΔW_k, θ). Once the states X_k are known, its derivatives
A_k = ∂Φ/∂x and B_k = ∂Φ/∂θ do not depend on each other, so rows = steps × samples of them come from
a single solver step and one backward pass per state component. What remains is the tangent
recursion J_{k+1} = A_k J_k + B_k, one fused operation per step and component.

Tables of derivatives are stored as (T, D, P, N), samples last, so that each operation of the
recursion runs over contiguous memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sde_lab.sensitivity.recording import records_graph
from sde_lab.solver.allocation import empty_tensor
from sde_lab.solver.brownian import BrownianIncrements
from sde_lab.solver.simulate import Paths
from sde_lab.solver.step_time import InitialValueProblem, TimeMap, make_sde, one_step

BLOCK_ROWS = 2**18
"""Steps × samples linearised at once: small enough for the caches, large enough to hide Python."""


@dataclass(frozen=True)
class StepBlock:
    """Consecutive steps of consecutive samples, by their indices."""

    steps: slice
    samples: slice

    @property
    def size(self) -> tuple[int, int]:
        """Number of steps and number of samples."""
        return self.steps.stop - self.steps.start, self.samples.stop - self.samples.start


@records_graph
def replay(paths: Paths) -> Tensor:
    """Return the Jacobian (T, N, D, P) by replay; see :func:`sde_lab.jacobian`."""
    table = _initial_table(paths)
    for block in blocks(len(paths.values) - 1, paths.values.shape[1]):
        accumulate_tangents(_linearise_block(paths, block, table), block, table)
    return table.permute(0, 3, 1, 2)


@records_graph
def step_jacobians(paths: Paths) -> Tensor:
    """Return A_k = ∂X_{k+1}/∂X_k of every step of every sample, (steps, N, D, D)."""
    table = _initial_table(paths)
    steps, samples, size = len(paths.values) - 1, *paths.values.shape[1:]
    jacobians = paths.values.new_empty((steps, samples, size, size))
    for block in blocks(steps, samples):
        a = _linearise_block(paths, block, table)
        jacobians[block.steps, block.samples] = a.permute(2, 3, 0, 1)
    return jacobians


def _initial_table(paths: Paths) -> Tensor:
    """Allocate the table of derivatives, (T, D, P, N), with all entries that no step writes.

    They are those at time 0 (the identity by the initial state, zero by parameters), and zeros for
    B by the initial state, to which the recursion adds A J.
    """
    values, model = paths.values, paths.scenario.model_spec
    count, samples, size = values.shape
    table = empty_tensor(
        (count, size, len(model.jacobian_columns), samples), values.dtype, values.device
    )
    table[:, :, :size] = 0.0
    table[0] = 0.0
    for component in range(size):
        table[0, component, component] = 1.0
    return table


def _linearise_block(paths: Paths, block: StepBlock, table: Tensor) -> Tensor:
    """Take the steps of a block again with a graph; return their A, write their B to ``table``.

    Returns:
        A, (D, D, steps, samples).
    """
    scenario = paths.scenario
    scheme, model = scenario.scheme_spec, scenario.model_spec
    x = rows(paths.values, block).requires_grad_()
    # A leaf per row, so that one backward pass gives every row its own derivative.
    leaves = [
        x.new_full((1, 1), scenario.parameters[parameter.name]).expand(len(x), 1).requires_grad_()
        for parameter in model.parameters
    ]
    named = dict(zip(scenario.parameters, leaves, strict=True))
    time_map = _time_map(paths, block, x) if model.time_dependent else _identity_time_map
    sde = make_sde(model, named, scheme.interpretation)
    noise = _noise_rows(paths.noise, block)
    step = InitialValueProblem(sde, scheme, x, noise, scenario.step, time_map)
    return linearise_steps(one_step(step), x, leaves, block, table)


def blocks(steps: int, samples: int) -> Iterator[StepBlock]:
    """Yield blocks of about BLOCK_ROWS rows that cover all steps of all samples.

    The steps of a block of samples come one after the other, since the recursion needs the previous
    derivatives.
    """
    width = min(samples, BLOCK_ROWS)
    height = max(1, BLOCK_ROWS // width)
    for n in range(0, samples, width):
        for k in range(0, steps, height):
            yield StepBlock(slice(k, min(k + height, steps)), slice(n, min(n + width, samples)))


def rows(table: Tensor, block: StepBlock) -> Tensor:
    """Return a block of a (steps, samples, …) table as detached rows (steps · samples, …)."""
    return table[block.steps, block.samples].flatten(0, 1).detach()


def _time_map(paths: Paths, block: StepBlock, x: Tensor) -> TimeMap:
    """Return the map from step time to real time, (rows, 1): each row has its own start."""
    start = paths.times[block.steps].to(x).repeat_interleave(block.size[1]).unsqueeze(1)
    step = paths.scenario.step
    return lambda u: start + u * step


def _identity_time_map(u: Tensor) -> Tensor:
    """Return u itself, for autonomous SDEs: the time is not used."""
    return u


def _noise_rows(noise: BrownianIncrements, block: StepBlock) -> BrownianIncrements:
    """Return the noise of a block as one step of (steps · samples) rows: (1, rows, M)."""
    areas = None if noise.levy_areas is None else rows(noise.levy_areas, block).unsqueeze(0)
    return BrownianIncrements(rows(noise.increments, block).unsqueeze(0), areas)


def linearise_steps(
    out: Tensor, x: Tensor, leaves: list[Tensor], block: StepBlock, table: Tensor
) -> Tensor:
    """Differentiate the step map: return A, and write B to ``table``.

    Rows do not influence each other, so that one backward pass with the same cotangent in every row
    gives the derivative of one component for all of them.

    Args:
        out: states after the step, (rows, D), with their graph.
        x: states before it, (rows, D), leaves of the graph.
        leaves: parameters, (rows, 1) each, leaves of the graph.
        block: the steps and samples that the rows are.
        table: derivatives (T, D, P, N); B_k is written at the time after step k.

    Returns:
        A, (D, D, steps, samples).
    """
    height, width = block.size
    size = x.shape[1]
    after = slice(block.steps.start + 1, block.steps.stop + 1)
    a = x.new_empty((size, size, height, width))
    for component in range(size):
        cotangent = torch.zeros((1, size), dtype=x.dtype, device=x.device)
        cotangent[0, component] = 1.0
        gradients = torch.autograd.grad(
            out,
            [x, *leaves],
            cotangent.expand_as(out),
            retain_graph=component + 1 < size,
            materialize_grads=True,
        )
        a[component] = gradients[0].view(height, width, size).permute(2, 0, 1)
        for column, gradient in enumerate(gradients[1:], start=size):
            table[after, component, column, block.samples] = gradient.view(height, width)
    return a


def accumulate_tangents(a: Tensor, block: StepBlock, table: Tensor) -> None:
    """Run the tangent recursion J_{k+1} = A_k J_k + B_k over a block, in place.

    Args:
        a: A, (D, D, steps, samples).
        block: the steps and samples.
        table: derivatives (T, D, P, N), which holds J at the block's first step, and B_k at the
            time after each step k, to which A_k J_k is added.
    """
    size = a.shape[0]
    part = table[..., block.samples]
    for i, k in enumerate(range(block.steps.start, block.steps.stop)):
        before, after = part[k], part[k + 1]
        for row in range(size):
            for column in range(size):
                after[row].addcmul_(a[row, column, i], before[column])
