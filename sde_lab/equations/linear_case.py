"""Exact Gaussian laws of typed equations with linear drift and additive noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sde_lab.equations.compiler import CompiledExpressions
from sde_lab.equations.derivatives import derivative
from sde_lab.equations.expression_tree import ZERO, Node
from sde_lab.models.laws.base import Array, ExactLaws, LawInputs
from sde_lab.models.laws.linear_gaussian import LinearSDE, gaussian_laws


@dataclass(frozen=True)
class LinearEquation:
    """dX = (A X + a) dt + B dW with entries that depend on parameters only.

    Attributes:
        parameters: ASCII names.
        entries: A (D, D), a (D,) and B (D, M) in one row, compiled.
        slopes: their derivatives by each parameter.
        size: D and M.
    """

    parameters: tuple[str, ...]
    entries: CompiledExpressions
    slopes: Mapping[str, CompiledExpressions]
    size: tuple[int, int]

    def laws(self, grid: LawInputs, starts: Sequence[str]) -> ExactLaws | None:
        """Return the laws of the state and of its derivatives by initial values and parameters.

        None where an entry has no finite value; no law by a parameter whose derivative has none.
        """
        values = grid.parameters
        row = self._numbers(self.entries, values)
        if not np.isfinite(row).all():
            return None
        still = np.zeros(self.size[0])
        nothing = np.zeros(self.size[0] * (self.size[0] + 1 + self.size[1]))
        variations = {
            name: self._linear(nothing, np.eye(self.size[0])[index])
            for index, name in enumerate(starts)
        }
        for name, slope in self.slopes.items():
            change = self._numbers(slope, values)
            if np.isfinite(change).all():
                variations[name] = self._linear(change, still)
        return gaussian_laws(grid, self._linear(row, np.array(grid.initial)), variations)

    def _numbers(self, program: CompiledExpressions, values: Mapping[str, float]) -> Array:
        given = [
            torch.tensor(values[self.parameters[k]], dtype=torch.float64)
            for k in program.input_indices
        ]
        return np.array([float(value) for value in program(given)])

    def _linear(self, row: Array, start: Array) -> LinearSDE:
        states, noises = self.size
        matrix, shift, noise = np.split(row, [states * states, states * (states + 1)])
        return LinearSDE(
            matrix.reshape(states, states), shift, noise.reshape(states, noises), start
        )


def linear_equation(
    drift: Sequence[Node],
    matrix: Sequence[Sequence[Node]],
    states: Sequence[str],
    parameters: tuple[str, ...],
    clock: str,
) -> LinearEquation | None:
    """Return the linear equation that these trees describe, or None if they are not linear.

    Raises:
        ArithmeticError: where a derivative has no real expression.
    """
    moving = frozenset(states) | {clock}
    noise = [entry for row in matrix for entry in row]
    if any(entry.depends_on(moving) for entry in noise) or any(clock in f.names for f in drift):
        return None
    if any(_jumps(f, moving) for f in drift):
        return None
    slopes = [derivative(f, state) for f in drift for state in states]
    if any(slope.depends_on(moving) for slope in slopes):
        return None
    entries = [*slopes, *(_at_zero(f, moving) for f in drift), *noise]
    return LinearEquation(
        parameters=parameters,
        entries=CompiledExpressions(entries, parameters),
        slopes={
            name: CompiledExpressions([derivative(entry, name) for entry in entries], parameters)
            for name in parameters
        },
        size=(len(states), len(matrix[0])),
    )


def _at_zero(node: Node, moving: frozenset[str]) -> Node:
    """Return the expression with every state replaced by 0."""
    if node.op == "name":
        return ZERO if node.text in moving else node
    parts = tuple(_at_zero(part, moving) for part in node.operands)
    return Node(node.op, parts, node.text, node.location)


def _jumps(node: Node, moving: frozenset[str]) -> bool:
    """Return True if ``sign`` or ``step`` of a state occurs.

    Its derivative is 0 almost everywhere, so that it would look linear.
    """
    flat = node.op in ("sign", "step") and node.depends_on(moving)
    return flat or any(_jumps(part, moving) for part in node.operands)
