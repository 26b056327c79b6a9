"""Scalar operations as a graph, and forward-mode differentiation of it.

Equal operations on equal operands are one node (hash-consing), sums with 0 and products with 0 or 1
are simplified away, so a tangent that is zero is never computed. Where an operation is not
differentiable, its derivative is the one that torch's autograd gives for the same operation, so
that the compiled engine and replay agree at ties and at zero too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

FUNCTIONS = (
    "sqrt", "exp", "log", "sin", "cos", "tan", "atan", "sinh", "cosh", "tanh",
)  # fmt: skip
"""Functions of one argument that stand in the generated code under their own names."""
COMPARISONS = {"where_gt": ">", "where_lt": "<", "where_le": "<=", "where_eq": "=="}
"""Selections: ``where_gt`` of (a, b, c, d) is c where a > b, and d elsewhere."""
MAX_POWER_BY_PRODUCTS = 64
"""Largest whole exponent that is written as products instead of a call of pow."""


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        op: "const", "input", or the name of an operation.
        operands: indices of the nodes it works on.
        value: of a constant.
        name: of an input.
    """

    op: str
    operands: tuple[int, ...] = ()
    value: float = 0.0
    name: str = ""


class Graph:
    """Nodes in an order in which each stands after its operands.

    Attributes:
        nodes: all of them; a node is named by its index.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[tuple[object, ...], int] = {}

    def _node(self, node: Node) -> int:
        # repr tells 0.0 from -0.0 and makes NaN equal to itself
        key = (node.op, node.operands, repr(node.value), node.name)
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append(node)
        return self._known[key]

    def const(self, value: float) -> Scalar:
        """Return a number."""
        return Scalar(self, self._node(Node("const", value=float(value))))

    def input(self, name: str) -> Scalar:
        """Return an input: a variable of this name in the generated loop."""
        return Scalar(self, self._node(Node("input", name=name)))

    def apply(self, op: str, *operands: Scalar) -> Scalar:
        """Return an operation on scalars of this graph, simplified where that is exact."""
        simple = self._simplified(op, operands)
        if simple is not None:
            return simple
        return Scalar(self, self._node(Node(op, tuple(operand.index for operand in operands))))

    def _simplified(self, op: str, operands: Sequence[Scalar]) -> Scalar | None:
        """Return the same number with fewer operations, where there is one."""
        first, last = operands[0], operands[-1]
        simple: Scalar | None = None
        if op in ("add", "sub") and last.is_(0.0):
            simple = first
        elif op == "add" and first.is_(0.0):
            simple = last
        elif op == "sub" and first.is_(0.0):
            simple = -last
        elif op in ("mul", "div") and (first.is_(0.0) or last.is_(1.0)):
            simple = first
        elif op == "mul" and (last.is_(0.0) or first.is_(1.0)):
            simple = last
        elif op == "neg" and first.constant is not None:
            simple = self.const(-first.constant)
        elif op in COMPARISONS and operands[2].index == last.index:
            simple = last
        return simple

    def reachable(self, outputs: Iterable[Scalar]) -> list[int]:
        """Return the nodes that the outputs are made of, each after its operands."""
        wanted: set[int] = set()
        stack = [output.index for output in outputs]
        while stack:
            index = stack.pop()
            if index not in wanted:
                wanted.add(index)
                stack.extend(self.nodes[index].operands)
        return sorted(wanted)

    def tangents(self, outputs: Sequence[Scalar], seeds: Mapping[Scalar, Scalar]) -> list[Scalar]:
        """Return the derivative of each output in one direction (forward mode).

        Args:
            outputs: what is differentiated.
            seeds: the direction: the derivative of each input in it; 0 for all others.
        """
        zero = self.const(0.0)
        moving = {scalar.index: tangent for scalar, tangent in seeds.items()}
        for index in self.reachable(outputs):
            operands = self.nodes[index].operands
            if index not in moving and any(operand in moving for operand in operands):
                values = [Scalar(self, operand) for operand in operands]
                slopes = [moving.get(operand, zero) for operand in operands]
                tangent = _tangent(self.nodes[index].op, Scalar(self, index), values, slopes)
                if not tangent.is_(0.0):
                    moving[index] = tangent
        return [moving.get(output.index, zero) for output in outputs]


@dataclass(frozen=True)
class Scalar:
    """A node with the arithmetic of a number, so that schemes read like their formulas."""

    graph: Graph
    index: int

    def __hash__(self) -> int:
        return self.index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scalar) and other.index == self.index

    @property
    def constant(self) -> float | None:
        """The number it is, if it is one."""
        node = self.graph.nodes[self.index]
        return node.value if node.op == "const" else None

    def is_(self, value: float) -> bool:
        """Return whether it is this number."""
        return self.constant == value

    def _like(self, other: Scalar | float) -> Scalar:
        return other if isinstance(other, Scalar) else self.graph.const(other)

    def __add__(self, other: Scalar | float) -> Scalar:
        return self.graph.apply("add", self, self._like(other))

    def __sub__(self, other: Scalar | float) -> Scalar:
        return self.graph.apply("sub", self, self._like(other))

    def __mul__(self, other: Scalar | float) -> Scalar:
        return self.graph.apply("mul", self, self._like(other))

    def __truediv__(self, other: Scalar | float) -> Scalar:
        return self.graph.apply("div", self, self._like(other))

    def __radd__(self, other: float) -> Scalar:
        return self._like(other) + self

    def __rsub__(self, other: float) -> Scalar:
        return self._like(other) - self

    def __rmul__(self, other: float) -> Scalar:
        return self._like(other) * self

    def __rtruediv__(self, other: float) -> Scalar:
        return self._like(other) / self

    def __neg__(self) -> Scalar:
        return self.graph.apply("neg", self)

    def function(self, name: str) -> Scalar:
        """Return a function of it, one of ``FUNCTIONS``."""
        return self.graph.apply(name, self)

    def where(self, comparison: str, than: Scalar | float, yes: object, no: object) -> Scalar:
        """Return ``yes`` where the comparison with ``than`` holds, and ``no`` elsewhere."""
        chosen = [self._like(part) for part in (than, yes, no)]  # type: ignore[arg-type]
        return self.graph.apply(comparison, self, *chosen)


def root(x: Scalar) -> Scalar:
    """Return √max(x, 0), with slope 0 at and below zero; NaN stays NaN."""
    return x.where("where_le", 0.0, 0.0, x.function("sqrt"))


def absolute(x: Scalar) -> Scalar:
    """Return |x|, with slope 0 at zero."""
    return x.where("where_eq", 0.0, 0.0, x.where("where_lt", 0.0, -x, x))


def sign(x: Scalar) -> Scalar:
    """Return −1, 0 or 1; 0 for NaN, as torch has it."""
    return x.where("where_gt", 0.0, 1.0, x.where("where_lt", 0.0, -1.0, 0.0))


def maximum(a: Scalar, b: Scalar) -> Scalar:
    """Return the larger of two; NaN if either is.

    Beside a number, a tie counts as the variable. Of two variables a tie is their mean, whose value
    is the same and whose slope is half of each. So torch differentiates ``clamp`` and ``maximum``.
    """
    if a.constant is not None:
        a, b = b, a
    if b.constant is not None:
        return a.where("where_lt", b, b, a)
    return a.where("where_lt", b, b, a.where("where_gt", b, a, 0.5 * (a + b)))


def minimum(a: Scalar, b: Scalar) -> Scalar:
    """Return the smaller of two; NaN if either is. Ties as in :func:`maximum`."""
    if a.constant is not None:
        a, b = b, a
    if b.constant is not None:
        return a.where("where_gt", b, b, a)
    return a.where("where_gt", b, b, a.where("where_lt", b, a, 0.5 * (a + b)))


def whole_power(x: Scalar, exponent: int) -> Scalar:
    """Return x to a whole power by squaring, as products and at most one division."""
    if exponent < 0:
        return 1.0 / whole_power(x, -exponent)
    product, square = x.graph.const(1.0), x
    while exponent:
        if exponent & 1:
            product = product * square
        exponent >>= 1
        if exponent:
            square = square * square
    return product


def power(x: Scalar, y: Scalar) -> Scalar:
    """Return x to the power y as :func:`sde_lab.equations.functions.power` defines it."""
    exponent = y.constant
    if exponent == 0.5:
        return x.function("sqrt")
    if exponent is not None and exponent % 1.0 == 0.0 and abs(exponent) <= MAX_POWER_BY_PRODUCTS:
        return whole_power(x, int(exponent))
    return x.graph.apply("pow", x, y)


def _tangent(op: str, out: Scalar, x: Sequence[Scalar], dx: Sequence[Scalar]) -> Scalar:
    """Return the derivative of one operation from those of its operands."""
    if op in COMPARISONS:
        return x[0].where(op, x[1], dx[2], dx[3])
    if op in _ARITHMETIC:
        return _ARITHMETIC[op](out, x, dx)
    return _SLOPES[op](x[0], out) * dx[0]


def _power_tangent(out: Scalar, x: Sequence[Scalar], dx: Sequence[Scalar]) -> Scalar:
    """Return that of x**y; zero at x = 0, where torch's program cuts the graph."""
    by_base = x[1] * out.graph.apply("pow", x[0], x[1] - 1.0) * dx[0]
    by_exponent = out * x[0].function("log") * dx[1]
    return x[0].where("where_eq", 0.0, 0.0, by_base + by_exponent)


_ARITHMETIC: Mapping[str, Callable[[Scalar, Sequence[Scalar], Sequence[Scalar]], Scalar]] = {
    "add": lambda _, __, dx: dx[0] + dx[1],
    "sub": lambda _, __, dx: dx[0] - dx[1],
    "neg": lambda _, __, dx: -dx[0],
    "mul": lambda _, x, dx: dx[0] * x[1] + x[0] * dx[1],
    "div": lambda out, x, dx: (dx[0] - out * dx[1]) / x[1],
    "pow": _power_tangent,
}
_SLOPES: Mapping[str, Callable[[Scalar, Scalar], Scalar]] = {
    # zero at and below zero, where the root has no finite slope
    "sqrt": lambda x, out: x.where("where_le", 0.0, 0.0, 0.5 / out),
    "exp": lambda _, out: out,
    "log": lambda x, _: 1.0 / x,
    "sin": lambda x, _: x.function("cos"),
    "cos": lambda x, _: -x.function("sin"),
    "tan": lambda _, out: 1.0 + out * out,
    "atan": lambda x, _: 1.0 / (1.0 + x * x),
    "sinh": lambda x, _: x.function("cosh"),
    "cosh": lambda x, _: x.function("sinh"),
    "tanh": lambda _, out: 1.0 - out * out,
}
