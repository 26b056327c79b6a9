"""Noise type of a typed equation, and its diffusion with independent Brownian motions."""

from __future__ import annotations

from sde_lab.equations.analysis import EquationSystem
from sde_lab.equations.expression_tree import ONE, ZERO, Node, add, mul
from sde_lab.models.base import NoiseType

Matrix = tuple[tuple[Node, ...], ...]


def decorrelated_diffusion(system: EquationSystem) -> Matrix:
    """Return the diffusion (D, M) with independent noises, by Cholesky's factor of correlations.

    Raises:
        ArithmeticError, ValueError: if the correlations given as numbers are not positive definite.
    """
    factor = _cholesky(system)
    count = len(system.noises)
    return tuple(
        tuple(_sum([mul(row[i], factor[i][k]) for i in range(k, count)]) for k in range(count))
        for row in system.coefficients
    )


def _cholesky(system: EquationSystem) -> list[list[Node]]:
    """Return the lower triangular L with L Lᵀ the correlation matrix, ones on its diagonal."""
    count = len(system.noises)
    lower: list[list[Node]] = []
    for i in range(count):
        row: list[Node] = []
        for j in range(i):
            rest = _minus(system.correlations.get((j, i), ZERO), row, lower[j])
            row.append(rest if lower[j][j] == ONE or rest == ZERO else _ratio(rest, lower[j][j]))
        square = _minus(ONE, row, row)
        row.append(ONE if square == ONE else Node("sqrt", (square,)))
        lower.append(row + [ZERO] * (count - i - 1))
    return lower


def _minus(start: Node, first: list[Node], second: list[Node]) -> Node:
    """Return start − Σ first · second."""
    products = [
        Node("pow", (a, Node("number", text="2"))) if a == b else mul(a, b)
        for a, b in zip(first, second, strict=False)
        if ZERO not in (a, b)
    ]
    return Node("sub", (start, _sum(products))) if products else start


def _ratio(above: Node, below: Node) -> Node:
    return Node("div", (above, below))


def _sum(parts: list[Node]) -> Node:
    total = ZERO
    for part in parts:
        total = add(total, part)
    return total


def noise_type(matrix: Matrix, states: tuple[str, ...]) -> NoiseType:
    """Return the noise type, which decides which schemes support the equation.

    "diagonal": each state has its own noise, whose coefficient depends on no other state;
    "additive": no coefficient depends on a state; "scalar": one noise; else "general".
    """
    if is_diagonal(matrix, states):
        return "diagonal"
    if not any(entry.depends_on(frozenset(states)) for row in matrix for entry in row):
        return "additive"
    return "scalar" if len(matrix[0]) == 1 else "general"


def is_diagonal(matrix: Matrix, states: tuple[str, ...]) -> bool:
    """Return True if each state has its own noise, whose coefficient depends on no other state."""
    if len(matrix) != len(matrix[0]):
        return False
    for i, row in enumerate(matrix):
        others = frozenset(states) - {states[i]}
        if row[i].depends_on(others) or any(row[k] != ZERO for k in range(len(row)) if k != i):
            return False
    return True
