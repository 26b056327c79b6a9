"""Tangent recursion step by step: solve many rows, differentiate each step, store no path.

Replay (:mod:`sde_lab.sensitivity.replay`) batches the steps of a stored path, because a solver step
of few rows is dominated by overhead. Where a step already has many rows, as in a sweep, batching
only moves memory: here the graph of one step exists at a time, its A_k = ∂Φ/∂x and B_k = ∂Φ/∂θ are
computed as soon as the next state is known, and J_{k+1} = A_k J_k + B_k follows while they are in
the CPU caches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sde_lab.models.base import Model
from sde_lab.schemes import Scheme
from sde_lab.solver.autograd_mode import autograd_mode, outside_inference
from sde_lab.solver.brownian import BrownianIncrements
from sde_lab.solver.step_time import (
    SDE,
    InitialValueProblem,
    TimeMap,
    integrate_with_callback,
    make_sde,
)

STEPS_PER_SOLVE = 16
"""Steps of one call of the solver: in a longer graph each backward pass through its end slows."""


@dataclass(frozen=True)
class TangentBatch:
    """Rows that take the same number of steps of the same scheme.

    Attributes:
        model: the model.
        scheme: the scheme.
        start: initial states, (rows, D).
        parameters: tensors by name, of shape (1, 1) or (rows, 1).
        step: length of a step in real time; a number or (rows, 1).
        steps: number of steps.
        noise: (first, last) → increments (and areas) of the steps first … last − 1,
            (last − first, rows, M).
    """

    model: Model
    scheme: Scheme
    start: Tensor
    parameters: Mapping[str, Tensor]
    step: float | Tensor
    steps: int
    noise: Callable[[int, int], BrownianIncrements]


OnTangents = Callable[[int, Tensor, Tensor], None]
"""Callback with the index of the step, states (rows, D) and tangents (D, P, rows). The tangents are
overwritten after it returns: copy what is needed later."""


def propagate_tangents(
    batch: TangentBatch, columns: Sequence[str], on_step: OnTangents
) -> Iterator[int]:
    """Solve all steps of all rows, and propagate their derivatives.

    Args:
        batch: the rows.
        columns: any of the model's Jacobian columns, (P,).
        on_step: called at every step 0, 1, …, steps.

    Yields:
        Index of the step reached, every STEPS_PER_SOLVE steps, so that a caller can pause or stop.
    """
    # The mode is entered anew for each piece: while a generator is suspended, the thread runs the
    # caller's code, which must not see the mode.
    with autograd_mode(recording=False):
        batch = _outside_inference(batch)
        tangents = _TangentState(batch, columns)
    x = batch.start
    for first in range(0, batch.steps, STEPS_PER_SOLVE):
        last = min(first + STEPS_PER_SOLVE, batch.steps)
        x = _solve_steps(batch, tangents, x, first, last, on_step)
        yield last


def _outside_inference(batch: TangentBatch) -> TangentBatch:
    """Return the same rows in tensors that autograd accepts; noise is copied when it is drawn."""
    return replace(
        batch,
        start=outside_inference(batch.start),
        parameters={name: outside_inference(value) for name, value in batch.parameters.items()},
        step=batch.step if isinstance(batch.step, float) else outside_inference(batch.step),
    )


def _solve_steps(
    batch: TangentBatch,
    tangents: _TangentState,
    x: Tensor,
    first: int,
    last: int,
    on_step: OnTangents,
) -> Tensor:
    """Solve the steps first … last − 1 from the states x (rows, D); return those after them."""
    reached = first

    def on_state(state: Tensor) -> None:
        nonlocal reached, x
        tangents.advance(state)
        x = state.detach()
        if reached > first or first == 0:  # the last state of the piece before was reported there
            on_step(reached, x, tangents.values)
        reached += 1

    with autograd_mode(recording=bool(tangents.columns)):
        start = tangents.start_from(x)
        noise = batch.noise(first, last).outside_inference()
        time_map = _time_map(batch, first)
        problem = InitialValueProblem(
            tangents.equation, batch.scheme, start, noise, batch.step, time_map
        )
        integrate_with_callback(problem, on_state)
    return x


def _time_map(batch: TangentBatch, first: int) -> TimeMap:
    """Return the map to real time of step time u counted from step ``first``."""
    if not batch.model.time_dependent:
        return lambda u: u
    return lambda u: (u + first) * batch.step


class _TangentState:
    """The derivatives J of the state of every row at the current step.

    Attributes:
        columns: names of the initial values and parameters, (P,).
        equation: the SDE of the batch; its parameters are replaced by new leaves at every step.
        values: J, (D, P, rows).
    """

    def __init__(self, batch: TangentBatch, columns: Sequence[str]) -> None:
        rows, size = batch.start.shape
        self.columns = tuple(columns)
        self.values = batch.start.new_zeros((size, len(self.columns), rows))
        initial = [parameter.name for parameter in batch.model.initial]
        for column, name in enumerate(self.columns):
            if name in initial:
                self.values[initial.index(name), column] = 1.0
        # With one state component J can be updated in place; with more, A J needs all old entries.
        self._spare = self.values if size == 1 else torch.empty_like(self.values)
        # Views by component and column are made once: making one costs as much as a small sum.
        self._cells, self._spare_cells = _cells(self.values), _cells(self._spare)
        unit = torch.eye(size, dtype=batch.start.dtype, device=batch.start.device)
        self._cotangents = unit.unsqueeze(1).expand(-1, rows, -1).unbind()
        self._parameters = dict(batch.parameters)
        self._wanted = [name for name in self.columns if name in batch.parameters]
        for name in self._wanted:
            self._parameters[name] = batch.parameters[name].expand(rows, 1)
        self._inputs: list[Tensor] = []
        self.equation: SDE = make_sde(batch.model, self._parameters, batch.scheme.interpretation)

    def start_from(self, x: Tensor) -> Tensor:
        """Return states as leaves of a new graph, with new parameter leaves for the first step."""
        self._inputs = []
        start = x.detach().requires_grad_(bool(self.columns))
        self._refresh()
        return start

    def advance(self, state: Tensor) -> None:
        """Differentiate the step to these states (rows, D), and set the leaves of the next."""
        if not self.columns:
            return
        if self._inputs:
            self._update(state)
            self._refresh()
        self._inputs = [state, *(self._parameters[name] for name in self._wanted)]

    def _refresh(self) -> None:
        """Replace the parameters by new leaves, so that the next graph has no part of the last."""
        for name in self._wanted:
            self._parameters[name] = self._parameters[name].detach().requires_grad_()

    def _update(self, state: Tensor) -> None:
        """Replace J by A J + B, with A and B the derivatives of the step to ``state``."""
        last = len(self._cotangents) - 1
        for row, cotangent in enumerate(self._cotangents):
            by_state, *by_leaf = torch.autograd.grad(
                state, self._inputs, cotangent, retain_graph=row < last, materialize_grads=True
            )
            a = by_state.unbind(1)
            b = {name: g.squeeze(1) for name, g in zip(self._wanted, by_leaf, strict=True)}
            for column, name in enumerate(self.columns):
                j = [cells[column] for cells in self._cells]
                _combine(self._spare_cells[row][column], a, b.get(name), j)
        self.values, self._spare = self._spare, self.values
        self._cells, self._spare_cells = self._spare_cells, self._cells


def _cells(table: Tensor) -> list[tuple[Tensor, ...]]:
    """Return a (D, P, rows) table as D × P views (rows,)."""
    return [part.unbind() for part in table]


def _combine(target: Tensor, a: Sequence[Tensor], b: Tensor | None, j: Sequence[Tensor]) -> None:
    """Write one entry of A J + B for all rows to ``target`` (rows,); b is None where B is 0."""
    if b is None:
        torch.mul(a[0], j[0], out=target)
    else:
        torch.addcmul(b, a[0], j[0], out=target)
    for component in range(1, len(a)):
        target.addcmul_(a[component], j[component])
