"""Expression trees and the rules for building them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sde_lab.equations.errors import SourceLocation
from sde_lab.equations.functions import FUNCTIONS

ARITHMETIC = ("add", "sub", "mul", "circle", "div", "neg", "pow")


@dataclass(frozen=True, eq=True)
class Node:
    """A number, a name, or an operation on further nodes.

    Nodes with equal operations and operands are equal, wherever they are in the text.

    Attributes:
        op: "number", "name", one of ARITHMETIC, or a function of
            :mod:`sde_lab.equations.functions`.
        operands: arguments of the operation.
        text: the name, or the number as it was written.
        location: position in the text.
        value: its value if it is constant, without parameters and states; else None.
        names: every name in it.
        nested_power: largest product of nested exponents.
        size: number of operations, common subexpressions counted each time.

    Raises:
        ArithmeticError, ValueError: if it is constant without a value, such as 1/0.
    """

    op: str
    operands: tuple[Node, ...] = ()
    text: str = ""
    location: SourceLocation = field(default=SourceLocation(1, 1), compare=False)
    value: float | None = field(init=False, compare=False)
    names: frozenset[str] = field(init=False, compare=False)
    nested_power: float = field(init=False, compare=False)
    size: int = field(init=False, compare=False)
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        settle = object.__setattr__
        name = {self.text} if self.op == "name" and self.text != "pi" else set()
        settle(self, "names", frozenset(name).union(*(part.names for part in self.operands)))
        settle(self, "value", None if self.names else self._constant_value())
        nesting = max((part.nested_power for part in self.operands), default=1.0)
        if self.op == "pow":
            nesting *= max(1.0, abs(self.operands[1].value or 1.0))
        settle(self, "nested_power", nesting)
        settle(self, "size", bool(self.operands) + sum(part.size for part in self.operands))
        settle(self, "_hash", hash((self.op, self.operands, self.text)))

    def __hash__(self) -> int:
        return self._hash

    def depends_on(self, among: frozenset[str]) -> bool:
        """Return True if one of these names occurs in it."""
        return not self.names.isdisjoint(among)

    def _constant_value(self) -> float:
        if self.op == "number":
            return float(self.text)
        if self.op == "name":
            return math.pi
        numbers = [part.value for part in self.operands if part.value is not None]
        if self.op in FUNCTIONS:
            return FUNCTIONS[self.op](*numbers)
        return _arithmetic(self.op, *numbers)


def _arithmetic(op: str, first: float, last: float = 0.0) -> float:
    if op == "add":
        return first + last
    if op == "sub":
        return first - last
    if op == "div":
        return first / last
    if op == "neg":
        return -first
    return math.pow(first, last) if op == "pow" else first * last


def number(value: float) -> Node:
    """Return a number as a node; a negative one as the negation of its size."""
    if value < 0:
        return neg(number(-value))
    return Node("number", text=str(int(value)) if value == int(value) else repr(value))


def mul(first: Node, second: Node) -> Node:
    """Return the product, simplified if a factor is 1 or 0."""
    if ZERO in (first, second):
        return ZERO
    if first == ONE:
        return second
    return first if second == ONE else Node("mul", (first, second), location=first.location)


def add(first: Node, second: Node) -> Node:
    """Return the sum, simplified if a summand is 0."""
    if first == ZERO:
        return second
    return first if second == ZERO else Node("add", (first, second), location=first.location)


def neg(node: Node) -> Node:
    """Return the negation, simplified for 0."""
    return ZERO if node == ZERO else Node("neg", (node,), location=node.location)


ZERO, ONE = Node("number", text="0"), Node("number", text="1")
