"""Jacobian of every path of a user's own torchsde SDE, by replay on the public ``sdeint``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from sde_lab import memory
from sde_lab.errors import ScenarioError
from sde_lab.sensitivity import module_checks
from sde_lab.sensitivity.module_checks import close
from sde_lab.sensitivity.named_jacobian import NamedJacobian
from sde_lab.sensitivity.replay import StepBlock, accumulate_tangents, blocks, rows
from sde_lab.sensitivity.torchsde_methods import refuse_arguments
from sde_lab.sensitivity.torchsde_problem import Brownian, TorchsdeProblem, build_problem
from sde_lab.solver.autograd_mode import autograd_mode
from sde_lab.solver.brownian import BrownianIncrements
from sde_lab.solver.step_time import InitialValueProblem, integrate, one_step

MAX_CHUNK_NUMBERS = 2**19
"""Entries of a parameter × rows × states that one vectorised backward pass differentiates."""


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
        _require_memory(problem)
        states = _integrate(problem)
    with autograd_mode(recording=True):
        table = _replay(problem, states)
        _require_reached(problem, states)
    with autograd_mode(recording=False):
        _require_separate_rows(problem, states)
        values = problem.interpolate(table.permute(0, 3, 1, 2))
        return problem.interpolate(states), NamedJacobian.of(values, problem.parts)


def _require_memory(problem: TorchsdeProblem) -> None:
    """Raise ScenarioError, naming what would fit, if the derivatives exceed the memory limit."""
    samples, size = problem.y0.shape
    times, columns = len(problem.grid), problem.column_count
    if not torch.equal(problem.grid, problem.ts):
        times += len(problem.ts)  # and interpolated
    per_column = times * size * problem.y0.element_size()
    rest = times * (4 * size + problem.noise.increments.shape[-1]) * problem.y0.element_size()
    allowed = memory.run_limit_bytes() - memory.BLOCK_BYTES
    if samples * (rest + columns * per_column) <= allowed:
        return
    fits = [f"{int(allowed / (rest + columns * per_column))} samples"]
    if (fewer := int((allowed / samples - rest) / per_column)) > size:
        fits.append(f"{fewer - size} entries of parameters")
    needed = memory.BLOCK_BYTES + samples * (rest + columns * per_column)
    raise ScenarioError(
        "wrt",
        problem.names,
        f"the derivatives by {columns} columns need {needed / 1e9:.1f} GB, the budget is"
        f" {memory.run_limit_bytes() / 1e9:.1f} GB; {' or '.join(fits)} fit",
    )


def _integrate(problem: TorchsdeProblem) -> Tensor:
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
        states.append(_step(problem, _step_block(problem, k), states[-1], []))
    return torch.stack(states)


def _step_block(problem: TorchsdeProblem, k: int) -> StepBlock:
    """Return the k-th step of all samples."""
    return StepBlock(slice(k, k + 1), slice(0, len(problem.y0)))


def _step(problem: TorchsdeProblem, block: StepBlock, x: Tensor, leaves: list[Tensor]) -> Tensor:
    """Take one step of every row of the block from the states x, (rows, D): (rows, D)."""
    areas = problem.noise.levy_areas
    noise = BrownianIncrements(
        rows(problem.noise.increments, block).unsqueeze(0),
        None if areas is None else rows(areas, block).unsqueeze(0),
    )
    height, width = block.size
    ends = (problem.grid[:-1], problem.grid[1:], problem.steps)
    if height == 1:  # 0-dimensional times, as sdeint passes them
        start, stop, step = (end[block.steps.start] for end in ends)
    else:  # a time for each row, (rows, 1)
        start, stop, step = (
            end[block.steps].to(x.device).repeat_interleave(width).unsqueeze(1) for end in ends
        )
        step = step.to(x)

    def time_map(u: Tensor) -> Tensor:
        return torch.lerp(start, stop, float(u))

    sde = problem.equation(leaves)
    return one_step(InitialValueProblem(sde, problem.scheme, x, noise, step, time_map))


def _replay(problem: TorchsdeProblem, states: Tensor) -> Tensor:
    """Return the derivatives on the solver's grid, (K + 1, D, P, N).

    A user's SDE may depend on the batch size, or compare t with a number, so that rows of several
    steps cannot be evaluated together. Then all steps are linearised one by one.
    """
    table = _initial_table(problem, states)
    for block in blocks(len(problem.steps), states.shape[1]):
        a = _linearise(problem, states, block, table)
        if a is None:
            return _replay_step_by_step(problem, states)
        accumulate_tangents(a, block, table)
    return table


def _replay_step_by_step(problem: TorchsdeProblem, states: Tensor) -> Tensor:
    """Return the derivatives (K + 1, D, P, N), linearising one step of all samples at a time."""
    table = _initial_table(problem, states)
    for k in range(len(problem.steps)):
        block = _step_block(problem, k)
        a = _linearise(problem, states, block, table)
        if a is None:
            raise ScenarioError(
                "sde",
                type(problem.sde).__name__,
                "gives another result when the same step is repeated; drift and diffusion"
                " must be functions of t and y alone",
            )
        accumulate_tangents(a, block, table)
    return table


def _initial_table(problem: TorchsdeProblem, states: Tensor) -> Tensor:
    """Return zeros, (K + 1, D, P, N), but the identity by the initial state at time 0."""
    count, samples, size = states.shape
    table = states.new_zeros((count, size, problem.column_count, samples))
    for component in range(size):
        table[0, component, component] = 1.0
    return table


def _require_separate_rows(problem: TorchsdeProblem, states: Tensor) -> None:
    """Raise ScenarioError if some rows change when others do, in the last step."""
    block = _step_block(problem, len(problem.steps) - 1)
    module_checks.require_separate_rows(
        problem.sde, lambda x: _step(problem, block, x, []), states[-2], states[-1]
    )


def _require_reached(problem: TorchsdeProblem, states: Tensor) -> None:
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


def _linearise(
    problem: TorchsdeProblem, states: Tensor, block: StepBlock, table: Tensor
) -> Tensor | None:
    """Return A (D, D, steps, samples) of a block, and write its B to ``table``.

    None if the rows cannot be evaluated together: the repeated step fails, or does not give the
    state that the solver reached.
    """
    x = rows(states[:-1], block).requires_grad_()
    leaves = [value.detach().clone().requires_grad_() for value in problem.values]
    single = block == _step_block(problem, block.steps.start)
    try:
        out = _step(problem, block, x, leaves)
    except ScenarioError:
        raise
    except Exception as error:
        # Of any kind: modules may assert that they get a batch of the size that they were made for.
        if single:
            raise _not_differentiable(problem, error) from error
        return None
    if not close(out.detach(), rows(states[1:], block)):
        return None
    try:
        a = _state_derivatives(out, x, block)
        _write_parameter_derivatives(problem, out, x, leaves, a, block, table)
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


def _state_derivatives(out: Tensor, x: Tensor, block: StepBlock) -> Tensor:
    """Return ∂out/∂x, (D, D, steps, samples): one backward pass per component."""
    size = x.shape[1]
    a = x.new_empty((size, size, *block.size))
    for component in range(size):
        cotangent = torch.zeros_like(out[:1])
        cotangent[0, component] = 1.0
        (gradient,) = torch.autograd.grad(
            out, x, cotangent.expand_as(out), retain_graph=True, materialize_grads=True
        )
        a[component] = gradient.view(*block.size, size).permute(2, 0, 1)
    return a


def _write_parameter_derivatives(
    problem: TorchsdeProblem,
    out: Tensor,
    x: Tensor,
    leaves: list[Tensor],
    a: Tensor,
    block: StepBlock,
    table: Tensor,
) -> None:
    """Write B = ∂out/∂θ of a block, by row, to the table (K + 1, D, P, N), and check A and B.

    A backward pass sums over the rows. But its result is linear in the cotangent u, so a second
    pass, by u, gives the derivative of each row: forward mode as two passes of reverse mode.

    Raises:
        ScenarioError: if rows influence each other, or a backward pass has no derivative.
    """
    v = module_checks.random_cotangent(out.detach())
    by_state, *known = torch.autograd.grad(
        out, [x, *leaves], v, retain_graph=bool(leaves), materialize_grads=True
    )
    module_checks.require_own_derivatives(problem.sde, a.flatten(2), v, by_state)
    if not leaves:
        return
    u = torch.zeros_like(out, requires_grad=True)
    sums = torch.autograd.grad(out, leaves, u, create_graph=True, materialize_grads=True)
    after = slice(block.steps.start + 1, block.steps.stop + 1)
    column = x.shape[1]
    for name, total, wanted in zip(problem.names, sums, known, strict=True):
        found, size = torch.zeros_like(wanted.flatten()), torch.zeros_like(wanted.flatten())
        for first, b in _entry_derivatives(total, u):
            entries = slice(first, first + len(b))
            weighted = (v * b).flatten(1)
            found[entries], size[entries] = weighted.sum(1), weighted.abs().sum(1)
            # (entries, steps · samples, D) → (steps, D, entries, samples)
            part = b.view(len(b), *block.size, -1).permute(1, 3, 0, 2)
            columns = slice(column + first, column + first + len(b))
            table[after, :, columns, block.samples] = part
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
