"""Derivatives of every path of anyone's own torchsde SDE."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sde_lab.errors import ScenarioError
from sde_lab.sensitivity.replay import StepBlock, accumulate_tangents, blocks, rows
from sde_lab.sensitivity.torchsde_problem import Brownian, TorchsdeProblem, build_problem
from sde_lab.solver.autograd_mode import autograd_mode
from sde_lab.solver.brownian import BrownianIncrements
from sde_lab.solver.step_time import integrate, one_step


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
    with autograd_mode(recording=False):
        problem = build_problem(sde, y0, ts, scheme, bm, wrt, dt)
        states = _walk(problem)
    with autograd_mode(recording=True):
        stored = _replay(problem, states)
    with autograd_mode(recording=False):
        _require_separate_rows(problem, states)
        return problem.interpolate(states), problem.interpolate(stored.permute(0, 3, 1, 2))


def _walk(problem: TorchsdeProblem) -> Tensor:
    """States on the solver's grid, (K + 1, N, D)."""
    grid, steps = problem.grid, problem.steps
    if bool((steps == steps[0]).all()):

        def clock(u: Tensor) -> Tensor:
            k = min(int(u), len(steps) - 1)
            return torch.lerp(grid[k], grid[k + 1], float(u) - k)

        sde, step = problem.equation([]), float(steps[0])
        return integrate(sde, problem.scheme, problem.y0, problem.noise, step, clock)
    states = [problem.y0]
    for k in range(len(steps)):
        states.append(_step(problem, _at(problem, k), states[-1], []))
    return torch.stack(states)


def _at(problem: TorchsdeProblem, k: int) -> StepBlock:
    """The k-th step of all samples."""
    return StepBlock(slice(k, k + 1), slice(0, len(problem.y0)))


def _step(problem: TorchsdeProblem, block: StepBlock, x: Tensor, leaves: list[Tensor]) -> Tensor:
    """One step of every row of the block from the states x, (rows, D)."""
    areas = problem.noise.levy_areas
    noise = BrownianIncrements(
        rows(problem.noise.increments, block).unsqueeze(0),
        None if areas is None else rows(areas, block).unsqueeze(0),
    )
    height, width = block.size
    ends = (problem.grid[:-1], problem.grid[1:], problem.steps)
    if height == 1:
        start, stop, step = (end[block.steps.start] for end in ends)
    else:
        start, stop, step = (
            end[block.steps].to(x).repeat_interleave(width).unsqueeze(1) for end in ends
        )

    def clock(u: Tensor) -> Tensor:
        return torch.lerp(start, stop, float(u))

    return one_step(problem.equation(leaves), problem.scheme, x, noise, step, clock)


def _replay(problem: TorchsdeProblem, states: Tensor) -> Tensor:
    """The Jacobian on the solver's grid, (K + 1, D, P, N).

    The code of a foreign SDE may read the batch size, or compare t with a number, so that rows of
    several steps cannot go through it together. Then all steps are taken again, one by one.
    """
    stored = _identity(problem, states)
    for block in blocks(len(problem.steps), states.shape[1]):
        a = _linearise(problem, states, block, stored)
        if a is None:
            return _replay_singly(problem, states)
        accumulate_tangents(a, block, stored)
    return stored


def _replay_singly(problem: TorchsdeProblem, states: Tensor) -> Tensor:
    """The same, one step of all samples at a time."""
    stored = _identity(problem, states)
    for k in range(len(problem.steps)):
        block = _at(problem, k)
        a = _linearise(problem, states, block, stored)
        if a is None:
            raise ScenarioError(
                "sde",
                type(problem.sde).__name__,
                "takes another step when asked again for the same one; drift and diffusion"
                " must be functions of t and y alone",
            )
        accumulate_tangents(a, block, stored)
    return stored


def _identity(problem: TorchsdeProblem, states: Tensor) -> Tensor:
    """Zeros, (K + 1, D, P, N), but for the derivative of the initial state by itself."""
    count, samples, size = states.shape
    stored = states.new_zeros((count, size, size + len(problem.values), samples))
    for component in range(size):
        stored[0, component, component] = 1.0
    return stored


def _require_separate_rows(problem: TorchsdeProblem, states: Tensor) -> None:
    """Refuse an SDE in which some rows move when others do: J would hold their sum."""
    half = len(problem.y0) // 2
    x, reached = states[-2].clone(), states[-1]
    x[half:] = x[:1]
    out = _step(problem, _at(problem, len(problem.steps) - 1), x, [])
    if not _close(out[:half], reached[:half]):
        raise ScenarioError(
            "sde", type(problem.sde).__name__, "rows of a batch must not influence each other"
        )


def _close(out: Tensor, reached: Tensor) -> bool:
    """Whether they are equal to rounding; one that has exploded is like another."""
    exploded = ~(out.isfinite() | reached.isfinite())
    out, reached = out.masked_fill(exploded, 0.0), reached.masked_fill(exploded, 0.0)
    tight = torch.finfo(out.dtype).eps ** 0.75
    return torch.allclose(out, reached, rtol=tight, atol=tight)


def _linearise(
    problem: TorchsdeProblem, states: Tensor, block: StepBlock, stored: Tensor
) -> Tensor | None:
    """A (D, D, steps, samples) of the block, with B left in ``stored``.

    None if the rows cannot go through together: the replayed step fails, or misses the state that
    the solver reached.
    """
    x = rows(states[:-1], block).requires_grad_()
    leaves = [value.detach().clone().requires_grad_() for value in problem.values]
    single = block == _at(problem, block.steps.start)
    try:
        out = _step(problem, block, x, leaves)
    except (RuntimeError, ValueError, TypeError, IndexError):
        if single:
            raise
        return None
    reached = rows(states[1:], block)
    if not _close(out.detach(), reached):
        return None
    after = slice(block.steps.start + 1, block.steps.stop + 1)
    for column, b in enumerate(_by_parameters(out, leaves), start=x.shape[1]):
        stored[after, :, column, block.samples] = b.view(*block.size, -1).transpose(1, 2)
    return _by_state(out, x, block)


def _by_state(out: Tensor, x: Tensor, block: StepBlock) -> Tensor:
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
