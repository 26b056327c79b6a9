"""Walk many rows and differentiate each step as it is taken, keeping nothing.

Replay (:mod:`sde_lab.sensitivity.replay`) gathers the steps of a path that is already there,
because few rows would not fill a solver step. Where a step already has many rows, as in a sweep,
gathering only moves memory: here the graph of one step is alive at a time, its A_k = ∂Φ/∂x and
B_k = ∂Φ/∂θ are taken as soon as the next state is known, and J_{k+1} = A_k J_k + B_k follows in
the caches.
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
from sde_lab.solver.step_time import SDE, TimeMap, integrate_with_callback, make_sde

STEPS_PER_SOLVE = 16
"""Steps of one call of the solver: a longer graph slows each backward pass through its end."""


@dataclass(frozen=True)
class TangentBatch:
    """Rows that take the same number of steps of the same scheme.

    Attributes:
        model: the model.
        scheme: the scheme.
        start: initial states, (rows, D).
        parameters: by name, of shape (1, 1) or (rows, 1).
        step: length of a step in real time; a number or (rows, 1).
        steps: number of steps.
        noise: increments (and areas) of the steps from one to before another, (steps, rows, M).
    """

    model: Model
    scheme: Scheme
    start: Tensor
    parameters: Mapping[str, Tensor]
    step: float | Tensor
    steps: int
    noise: Callable[[int, int], BrownianIncrements]


OnTangents = Callable[[int, Tensor, Tensor], None]
"""What is done with (step, state (rows, D), tangents (D, P, rows)); both are reused afterwards."""


def propagate_tangents(
    batch: TangentBatch, columns: Sequence[str], on_step: OnTangents
) -> Iterator[int]:
    """Walk all steps of all rows with their derivatives.

    Args:
        batch: what to walk.
        columns: what to differentiate by, any of the model's columns.
        on_step: called at every step 0, 1, …, steps.

    Yields:
        The step reached, every few steps, so that a caller can pause or leave.
    """
    # The mode is entered piece by piece: between pieces the thread is the caller's again.
    with autograd_mode(recording=False):
        batch = _outside_inference(batch)
        tangents = _TangentState(batch, columns)
    x = batch.start
    for first in range(0, batch.steps, STEPS_PER_SOLVE):
        last = min(first + STEPS_PER_SOLVE, batch.steps)
        x = _some_steps(batch, tangents, x, first, last, on_step)
        yield last


def _outside_inference(batch: TangentBatch) -> TangentBatch:
    """The same rows in tensors that autograd accepts; their noise is copied as it comes."""
    return replace(
        batch,
        start=outside_inference(batch.start),
        parameters={name: outside_inference(value) for name, value in batch.parameters.items()},
        step=batch.step if isinstance(batch.step, float) else outside_inference(batch.step),
    )


def _some_steps(
    batch: TangentBatch,
    tangents: _TangentState,
    x: Tensor,
    first: int,
    last: int,
    arrive: OnTangents,
) -> Tensor:
    reached = first

    def arrived(state: Tensor) -> None:
        nonlocal reached, x
        tangents.advance(state)
        x = state.detach()
        if reached > first or first == 0:
            arrive(reached, x, tangents.values)
        reached += 1

    with autograd_mode(recording=bool(tangents.columns)):
        start = tangents.start_from(x)
        noise = batch.noise(first, last).outside_inference()
        clock = _clock(batch, first)
        integrate_with_callback(
            tangents.equation, batch.scheme, start, noise, batch.step, clock, arrived
        )
    return x


def _clock(batch: TangentBatch, first: int) -> TimeMap:
    """Real time at step time u counted from step ``first``."""
    if not batch.model.time_dependent:
        return lambda u: u
    return lambda u: (u + first) * batch.step


class _TangentState:
    """The derivatives J of the state of every row, carried along.

    Attributes:
        columns: what they are by, P names.
        equation: the batch's, in whose parameters fresh leaves stand at every step.
        values: J where the walk has arrived, (D, P, rows).
    """

    def __init__(self, batch: TangentBatch, columns: Sequence[str]) -> None:
        rows, size = batch.start.shape
        self.columns = tuple(columns)
        self.values = batch.start.new_zeros((size, len(self.columns), rows))
        initial = [parameter.name for parameter in batch.model.initial]
        for place, name in enumerate(self.columns):
            if name in initial:
                self.values[initial.index(name), place] = 1.0
        # Of one component, each entry needs no other: it can be overwritten.
        self._spare = self.values if size == 1 else torch.empty_like(self.values)
        # Cut up once, by component and column: a view costs as much as a small sum.
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
        """The state as the start of a graph, with fresh leaves for the step from there."""
        self._inputs = []
        start = x.detach().requires_grad_(bool(self.columns))
        self._refresh()
        return start

    def advance(self, state: Tensor) -> None:
        """Differentiate the step that led here, and get ready for the next."""
        if not self.columns:
            return
        if self._inputs:
            self._multiply(state)
            self._refresh()
        self._inputs = [state, *(self._parameters[name] for name in self._wanted)]

    def _refresh(self) -> None:
        for name in self._wanted:
            self._parameters[name] = self._parameters[name].detach().requires_grad_()

    def _multiply(self, state: Tensor) -> None:
        """J ← A J + B."""
        last = len(self._cotangents) - 1
        for row, cotangent in enumerate(self._cotangents):
            by_state, *by_leaf = torch.autograd.grad(
                state, self._inputs, cotangent, retain_graph=row < last, materialize_grads=True
            )
            a = by_state.unbind(1)
            b = {name: g.squeeze(1) for name, g in zip(self._wanted, by_leaf, strict=True)}
            for place, name in enumerate(self.columns):
                j = [cells[place] for cells in self._cells]
                _combine(self._spare_cells[row][place], a, b.get(name), j)
        self.values, self._spare = self._spare, self.values
        self._cells, self._spare_cells = self._spare_cells, self._cells


def _cells(table: Tensor) -> list[tuple[Tensor, ...]]:
    """A (D, P, rows) table as D × P views."""
    return [part.unbind() for part in table]


def _combine(target: Tensor, a: Sequence[Tensor], b: Tensor | None, j: Sequence[Tensor]) -> None:
    """One entry of A J + B, for all rows of the batch; the initial state has no B."""
    if b is None:
        torch.mul(a[0], j[0], out=target)
    else:
        torch.addcmul(b, a[0], j[0], out=target)
    for component in range(1, len(a)):
        target.addcmul_(a[component], j[component])
