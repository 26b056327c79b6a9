"""The Jacobian by replay: linearise every step of every sample at once, then multiply through.

A one-step scheme is a map X_{k+1} = Φ(X_k, ΔW_k, θ). Once the states X_k are known, its derivatives
A_k = ∂Φ/∂x and B_k = ∂Φ/∂θ do not depend on each other, so rows = steps × samples of them come from
a single solver step and one backward pass per state component. What remains is the tangent
recursion J_{k+1} = A_k J_k + B_k, one fused operation per step and component.
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
from sde_lab.solver.step_time import TimeMap, make_sde, one_step

BLOCK_ROWS = 2**18
"""Steps × samples linearised at once: small enough for the caches, large enough to hide Python."""


@dataclass(frozen=True)
class StepBlock:
    """Some consecutive steps of some samples."""

    steps: slice
    samples: slice

    @property
    def size(self) -> tuple[int, int]:
        """Numbers of steps and of samples."""
        return self.steps.stop - self.steps.start, self.samples.stop - self.samples.start


@records_graph
def replay(paths: Paths) -> Tensor:
    """All derivatives of all paths, (T, N, D, P); see :func:`sde_lab.sensitivity.jacobian`."""
    stored = _initial_table(paths)
    for block in blocks(len(paths.values) - 1, paths.values.shape[1]):
        accumulate_tangents(_derivatives(paths, block, stored), block, stored)
    return stored.permute(0, 3, 1, 2)


@records_graph
def step_jacobians(paths: Paths) -> Tensor:
    """The A_k = ∂X_{k+1}/∂X_k of every step of every sample, (steps, N, D, D)."""
    stored = _initial_table(paths)
    steps, samples, size = len(paths.values) - 1, *paths.values.shape[1:]
    found = paths.values.new_empty((steps, samples, size, size))
    for block in blocks(steps, samples):
        a = _derivatives(paths, block, stored)
        found[block.steps, block.samples] = a.permute(2, 3, 0, 1)
    return found


def _initial_table(paths: Paths) -> Tensor:
    """The table of derivatives, (T, D, P, N), as far as it is known beforehand."""
    values, model = paths.values, paths.scenario.model_spec
    count, samples, size = values.shape
    stored = empty_tensor(
        (count, size, len(model.jacobian_columns), samples), values.dtype, values.device
    )
    stored[:, :, :size] = 0.0
    stored[0] = 0.0
    for component in range(size):
        stored[0, component, component] = 1.0
    return stored


def _derivatives(paths: Paths, block: StepBlock, stored: Tensor) -> Tensor:
    """Take the steps of the block again: return their A, leave their B in ``stored``."""
    scenario = paths.scenario
    scheme, model = scenario.scheme_spec, scenario.model_spec
    x = rows(paths.values, block).requires_grad_()
    leaves = [
        x.new_full((1, 1), scenario.parameters[parameter.name]).expand(len(x), 1).requires_grad_()
        for parameter in model.parameters
    ]
    named = dict(zip(scenario.parameters, leaves, strict=True))
    clock = _clock(paths, block, x) if model.time_dependent else _identity_clock
    sde = make_sde(model, named, scheme.interpretation)
    out = one_step(sde, scheme, x, _slice(paths.noise, block), scenario.step, clock)
    return linearise_steps(out, x, leaves, block, stored)


def blocks(steps: int, samples: int) -> Iterator[StepBlock]:
    """Return blocks of about BLOCK_ROWS rows: samples outside, consecutive steps inside."""
    width = min(samples, BLOCK_ROWS)
    height = max(1, BLOCK_ROWS // width)
    for n in range(0, samples, width):
        for k in range(0, steps, height):
            yield StepBlock(slice(k, min(k + height, steps)), slice(n, min(n + width, samples)))


def rows(table: Tensor, block: StepBlock) -> Tensor:
    """The block of a (steps, samples, …) table as fresh rows (steps · samples, …)."""
    return table[block.steps, block.samples].flatten(0, 1).detach()


def _clock(paths: Paths, block: StepBlock, x: Tensor) -> TimeMap:
    """Real time of each row, (rows, 1), which starts where its step does."""
    start = paths.times[block.steps].to(x).repeat_interleave(block.size[1]).unsqueeze(1)
    step = paths.scenario.step
    return lambda u: start + u * step


def _identity_clock(u: Tensor) -> Tensor:
    """The clock of an equation that reads none."""
    return u


def _slice(noise: BrownianIncrements, block: StepBlock) -> BrownianIncrements:
    areas = None if noise.levy_areas is None else rows(noise.levy_areas, block).unsqueeze(0)
    return BrownianIncrements(rows(noise.increments, block).unsqueeze(0), areas)


def linearise_steps(
    out: Tensor, x: Tensor, leaves: list[Tensor], block: StepBlock, out_table: Tensor
) -> Tensor:
    """Derivatives of the step map: return A (D, D, steps, samples), leave B in ``out_table``."""
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
            out_table[after, component, column, block.samples] = gradient.view(height, width)
    return a


def accumulate_tangents(a: Tensor, block: StepBlock, stored: Tensor) -> None:
    """J_{k+1} = A_k J_k + B_k, in place, where B_k already stands."""
    size = a.shape[0]
    span = stored[..., block.samples]
    for i, k in enumerate(range(block.steps.start, block.steps.stop)):
        before, after = span[k], span[k + 1]
        for row in range(size):
            for column in range(size):
                after[row].addcmul_(a[row, column, i], before[column])
