"""Jacobian of every path of a user's own torchsde SDE, by replay on the public ``sdeint``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from sde_lab import memory
from sde_lab.errors import ScenarioError
from sde_lab.sensitivity.module_replay import (
    linearise,
    require_reached,
    require_separate_rows,
    solve_states,
    step_block,
)
from sde_lab.sensitivity.named_jacobian import NamedJacobian
from sde_lab.sensitivity.replay import BLOCK_ROWS, StepBlock, accumulate_tangents, blocks
from sde_lab.sensitivity.torchsde_methods import refuse_arguments
from sde_lab.sensitivity.torchsde_problem import Brownian, TorchsdeProblem, build_problem
from sde_lab.solver.autograd_mode import autograd_mode

MAX_BLOCK_NUMBERS = 2**22
"""Derivatives of single samples that a mean over samples keeps at a time: 32 MB in float64."""


def sdeint_jacobian(
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
) -> tuple[Tensor, NamedJacobian]:
    """Integrate a torchsde SDE, and differentiate every state of every path.

    Args:
        sde: an object with ``f``, ``g``, ``noise_type`` and ``sde_type``, as for
            ``torchsde.sdeint``, or with ``f_and_g``, ``g_prod`` or ``f_and_g_prod`` in their place.
            Rows of a batch must not influence each other.
        y0: initial states, (N, D). As in torchsde, the states have the precision that y0, drift,
            diffusion and motion have together: float64 if one of them is.
        ts: strictly increasing times, (T,), evenly spaced or not. They are kept as they are given,
            a list in float64, whatever the precision of the state is.
        scheme: a name in :data:`sde_lab.SCHEMES` that fits the SDE's type and noise.
        bm: a Brownian motion such as ``torchsde.BrownianInterval``; None draws increments, by a
            seed from numpy's generator, as ``torchsde.sdeint`` does.
        wrt: names of parameters or buffers of the module to differentiate by, of any shape, as in
            ``named_parameters()``; None differentiates by the initial state alone.
        dt: length of a solver step. None takes one step from each time to the next; a number takes
            the steps of ``torchsde.sdeint(..., dt=dt)``, and interpolates linearly between them.
        names: names of the SDE's methods, as in torchsde: ``{"drift": "my_f"}``.
        **torchsde_arguments: further arguments of torchsde, such as ``logqp`` and ``adaptive``, are
            refused with a reason where they are set.

    Returns:
        ``ys`` (time, sample, state), the result of ``torchsde.sdeint``, and ``J`` (time, sample,
        state, column): the derivative of each state by its own initial state (the first D columns)
        and by each entry of each name in ``wrt``. ``J["net.0.weight"]`` is the part of one name in
        its own shape, (time, sample, state, 16, 2), and ``J["y0"]`` that of the initial state.

    Raises:
        ScenarioError: naming the argument at fault: an unknown noise or SDE type, a scheme that
            does not fit, a parameter that is missing, times that do not increase, derivatives that
            do not fit the memory budget (see :mod:`sde_lab.memory`), an SDE whose rows influence
            each other, a dependence that autograd does not see.
    """
    refuse_arguments(torchsde_arguments)
    with autograd_mode(recording=False):
        problem = build_problem(sde, y0, ts, scheme, bm, wrt, dt, names)
        interpolated = 0 if torch.equal(problem.grid, problem.ts) else len(problem.ts)
        _require_memory(problem, len(problem.grid) + interpolated)
        states = solve_states(problem)
    with autograd_mode(recording=True):
        table = _replay(problem, states)
    check_module(problem, states)
    with autograd_mode(recording=False):
        values = problem.interpolate(table.permute(0, 3, 1, 2))
        return problem.interpolate(states), NamedJacobian.of(values, problem.parts, problem.ts)


def mean_jacobian(
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
) -> tuple[Tensor, NamedJacobian]:
    """Integrate a torchsde SDE, and return the mean over samples of the derivatives of its states.

    The derivatives of single samples are kept for some steps at a time only, so that more samples
    and parameters fit than for :func:`sdeint_jacobian`, which describes arguments and errors.

    Returns:
        ``ys`` (time, sample, state), and the mean of ``J`` over the samples, (time, state, column);
        ``mean["net.0.weight"]`` is (time, state, 16, 2).
    """
    refuse_arguments(torchsde_arguments)
    with autograd_mode(recording=False):
        problem = build_problem(sde, y0, ts, scheme, bm, wrt, dt, names)
        _require_memory(problem, 2)
        states = solve_states(problem)
    with autograd_mode(recording=True):
        means = _mean_replay(problem, states)
    check_module(problem, states)
    with autograd_mode(recording=False):
        return problem.interpolate(states), NamedJacobian.of(
            problem.interpolate(means), problem.parts, problem.ts
        )


def check_module(problem: TorchsdeProblem, states: Tensor) -> None:
    """Raise ScenarioError if derivatives are missing, or rows of a batch influence each other."""
    with autograd_mode(recording=True):
        require_reached(problem, states)
    with autograd_mode(recording=False):
        require_separate_rows(problem, states)


def _require_memory(problem: TorchsdeProblem, times: int) -> None:
    """Raise ScenarioError, naming what would fit, if the derivatives exceed the memory limit.

    Args:
        problem: the problem.
        times: number of times at which all derivatives are kept.
    """
    samples, size = problem.y0.shape
    columns, width = problem.column_count, problem.y0.element_size()
    per_column = times * size * width
    rest = len(problem.grid) * (4 * size + problem.noise.increments.shape[-1]) * width
    allowed = memory.run_limit_bytes() - memory.BLOCK_BYTES
    if samples * (rest + columns * per_column) <= allowed:
        return
    fits = [f"{max(0, int(allowed / (rest + columns * per_column)))} samples"]
    if (fewer := int((allowed / samples - rest) / per_column)) > size:
        fits.append(f"{fewer - size} entries of parameters")
    needed = memory.BLOCK_BYTES + samples * (rest + columns * per_column)
    raise ScenarioError(
        "wrt",
        problem.names,
        f"the derivatives by {columns} columns need {needed / 1e9:.1f} GB, the budget is"
        f" {memory.run_limit_bytes() / 1e9:.1f} GB; {' or '.join(fits)} fit",
    )


def _replay(problem: TorchsdeProblem, states: Tensor) -> Tensor:
    """Return the derivatives on the solver's grid, (K + 1, D, P, N)."""
    table = _initial_table(problem, states, len(states))
    count, samples = len(problem.steps), states.shape[1]
    todo = list(blocks(count, samples))
    while todo:
        block = todo.pop(0)
        part = table[block.steps.start : block.steps.stop + 1, ..., block.samples]
        a = linearise(problem, states, block, part)
        if a is None:
            table = _initial_table(problem, states, len(states))
            todo = [step_block(problem, k) for k in range(count)]
            continue
        accumulate_tangents(a, block, table)
    return table


def _mean_replay(problem: TorchsdeProblem, states: Tensor) -> Tensor:
    """Return the mean over samples of the derivatives on the solver's grid, (K + 1, D, P)."""
    count, samples, size = len(problem.steps), *states.shape[1:]
    per_step = samples * size * problem.column_count
    height = max(1, min(count, BLOCK_ROWS // samples, MAX_BLOCK_NUMBERS // per_step))
    part = _initial_table(problem, states, height + 1)
    means = states.new_zeros((count + 1, size, problem.column_count))
    means[0] = part[0].mean(-1)
    k = 0
    while k < count:
        height = min(height, count - k)
        part = part[: height + 1]
        part[1:] = 0.0
        block = StepBlock(slice(k, k + height), slice(0, samples))
        a = linearise(problem, states, block, part)
        if a is None:
            height = 1
            continue
        accumulate_tangents(a, StepBlock(slice(0, height), slice(0, samples)), part)
        means[k + 1 : k + height + 1] = part[1:].mean(-1)
        part[0] = part[height]
        k += height
    return means


def _initial_table(problem: TorchsdeProblem, states: Tensor, count: int) -> Tensor:
    """Return zeros, (count, D, P, N), but the identity by the initial state at time 0."""
    samples, size = states.shape[1:]
    table = states.new_zeros((count, size, problem.column_count, samples))
    for component in range(size):
        table[0, component, component] = 1.0
    return table
