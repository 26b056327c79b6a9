"""Derivatives of every path of anyone's own torchsde SDE."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sde_lab.engines.replay import Block, advance, blocks, rows
from sde_lab.errors import ScenarioError
from sde_lab.noise import Noise
from sde_lab.problem import Brownian, Problem, pose
from sde_lab.steptime import integrate


def sdeint_jacobian(
    sde: object,
    y0: Tensor,
    ts: Tensor | Sequence[float],
    scheme: str = "euler",
    bm: Brownian | None = None,
    wrt: str | Sequence[str] | None = None,
    *,
    dt: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Integrate a torchsde SDE, and differentiate every state of every path.

    Args:
        sde: an object with ``f``, ``g``, ``noise_type`` and ``sde_type``, as for
            ``torchsde.sdeint``. Rows of a batch must not influence each other.
        y0: initial states, (N, D).
        ts: strictly increasing times, (T,), evenly spaced or not.
        scheme: a name in :data:`sde_lab.SCHEMES` that fits the SDE's type and noise.
        bm: a Brownian motion such as ``torchsde.BrownianInterval``; None makes one as
            ``torchsde.sdeint`` would.
        wrt: names of scalar parameters or buffers of the module to differentiate by, as in
            ``named_parameters()``; None differentiates by the initial state alone.
        dt: length of a solver step. None takes one step from each time to the next; a number walks
            as ``torchsde.sdeint(..., dt=dt)`` does, and interpolates linearly between its steps.

    Returns:
        ``ys`` (T, N, D), what ``torchsde.sdeint`` gives, and ``J`` (T, N, D, P): the derivative of
        each state by its own initial state (the first D columns) and by each name in ``wrt``.

    Raises:
        ScenarioError: naming what cannot work: a type that does not exist, a scheme that does not
            fit, a parameter that is missing or not scalar, times that do not increase.
    """
    problem = pose(sde, y0, ts, scheme, bm, wrt, dt)
    with torch.no_grad():
        states = _walk(problem)
    stored = _replay(problem, states)
    return problem.at_times(states), problem.at_times(stored.permute(0, 3, 1, 2))


def _walk(problem: Problem) -> Tensor:
    """States on the solver's grid, (K + 1, N, D)."""
    sde = problem.equation([])
    steps = problem.steps
    even = float(steps.mean())
    if bool(
        (steps - even).abs().max() <= 8 * torch.finfo(steps.dtype).eps * problem.grid.abs().max()
    ):
        start = float(problem.grid[0])
        return integrate(sde, problem.scheme, problem.y0, problem.noise, even, start)
    states = [problem.y0]
    for k in range(len(steps)):
        block = Block(slice(k, k + 1), slice(0, len(problem.y0)))
        states.append(_step(problem, block, states[-1], []))
    return torch.stack(states)


def _step(problem: Problem, block: Block, x: Tensor, leaves: list[Tensor]) -> Tensor:
    """One step of every row of the block from the states x, (rows, D)."""
    areas = problem.noise.areas
    noise = Noise(
        rows(problem.noise.increments, block).unsqueeze(0),
        None if areas is None else rows(areas, block).unsqueeze(0),
    )
    height, width = block.size
    start, step = problem.grid[:-1][block.steps], problem.steps[block.steps]
    if height == 1:
        clock: tuple[Tensor, Tensor] = (start[0], step[0])
    else:
        clock = (
            start.to(x).repeat_interleave(width).unsqueeze(1),
            step.to(x).repeat_interleave(width).unsqueeze(1),
        )
    return integrate(problem.equation(leaves), problem.scheme, x, noise, clock[1], clock[0])[1]


def _replay(problem: Problem, states: Tensor) -> Tensor:
    """The Jacobian on the solver's grid, (K + 1, D, P, N)."""
    count, samples, size = states.shape
    stored = states.new_zeros((count, size, size + len(problem.values), samples))
    for component in range(size):
        stored[0, component, component] = 1.0
    together = True
    for block in blocks(count - 1, samples):
        a = _linearise(problem, states, block, stored) if together else None
        if a is not None:
            advance(a, block, stored)
            continue
        together = False
        for k in range(block.steps.start, block.steps.stop):
            single = Block(slice(k, k + 1), slice(0, samples))
            a = _linearise(problem, states, single, stored)
            if a is None:
                raise ScenarioError(
                    "sde",
                    type(problem.sde).__name__,
                    "takes another step when asked again for the same one; drift and diffusion"
                    " must be functions of t and y alone",
                )
            advance(a, single, stored)
    return stored


def _linearise(problem: Problem, states: Tensor, block: Block, stored: Tensor) -> Tensor | None:
    """A (D, D, steps, samples) of the block, with B left in ``stored``; None if the rows disagree.

    The code of a foreign SDE may read the batch size, or compare t with a number, so that rows of
    several steps cannot go through it together. Then the replayed step fails, or misses the state
    that the solver reached, and the caller takes the steps one by one.
    """
    x = rows(states[:-1], block).requires_grad_()
    leaves = [value.detach().clone().requires_grad_() for value in problem.values]
    single = block.size[0] == 1
    try:
        out = _step(problem, block, x, leaves)
    except (RuntimeError, ValueError, TypeError, IndexError):
        if single:
            raise
        return None
    reached = rows(states[1:], block)
    tight = torch.finfo(x.dtype).eps ** 0.75
    if not torch.allclose(out.detach(), reached, rtol=tight, atol=tight, equal_nan=True):
        return None
    after = slice(block.steps.start + 1, block.steps.stop + 1)
    for column, b in enumerate(_by_parameters(out, leaves), start=x.shape[1]):
        stored[after, :, column, block.samples] = b.view(*block.size, -1).transpose(1, 2)
    return _by_state(out, x, block)


def _by_state(out: Tensor, x: Tensor, block: Block) -> Tensor:
    """∂out/∂x, (D, D, steps, samples): one backward pass per component."""
    size = x.shape[1]
    a = x.new_empty((size, size, *block.size))
    for component in range(size):
        cotangent = torch.zeros_like(out[:1])
        cotangent[0, component] = 1.0
        (gradient,) = torch.autograd.grad(
            out,
            x,
            cotangent.expand_as(out),
            retain_graph=component + 1 < size,
            materialize_grads=True,
        )
        a[component] = gradient.view(*block.size, size).permute(2, 0, 1)
    return a


def _by_parameters(out: Tensor, leaves: list[Tensor]) -> list[Tensor]:
    """∂out/∂θ for each shared scalar θ, each (rows, D).

    A backward pass sums over the rows. But its result is linear in the cotangent u, so a second
    pass, by u, gives each row's own derivative: forward mode out of two reverse modes.
    """
    if not leaves:
        return []
    u = torch.zeros_like(out, requires_grad=True)
    sums = torch.autograd.grad(out, leaves, u, create_graph=True, materialize_grads=True)
    found = []
    for total in sums:
        if not total.requires_grad:
            found.append(torch.zeros_like(out))
            continue
        (b,) = torch.autograd.grad(total.sum(), u, retain_graph=True, materialize_grads=True)
        found.append(b)
    return found
