"""The small tree that an expression is held in, and the few rules for building one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sde_lab.equations.errors import SourceLocation
from sde_lab.equations.functions import FUNCTIONS

ARITHMETIC = ("add", "sub", "mul", "circle", "div", "neg", "pow")


@dataclass(frozen=True, eq=True)
class Node:
    """A number, a name, or an operation on further nodes.

    Two nodes that say the same are equal, wherever they stand in the text.

    Attributes:
        op: "number", "name", one of ARITHMETIC, or a function of
            :mod:`sde_lab.equations.functions`.
        operands: what it operates on.
        text: the name, or the number as it was written.
        location: where it stands.
        value: what it is worth, if no parameter and no state stands in it.
        names: every name in it.
        nested_power: the largest product of powers that stand one upon another.
        size: number of operations, each counted wherever it stands.

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
        own = {self.text} if self.op == "name" and self.text != "pi" else set()
        settle(self, "names", frozenset(own).union(*(part.names for part in self.operands)))
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
        """Whether one of these names stands in it."""
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
    """A number."""
    if value < 0:
        return neg(number(-value))
    return Node("number", text=str(int(value)) if value == int(value) else repr(value))


def mul(first: Node, second: Node) -> Node:
    """The product, where a factor 1 or 0 leaves no trace."""
    if ZERO in (first, second):
        return ZERO
    if first == ONE:
        return second
    return first if second == ONE else Node("mul", (first, second), location=first.location)


def add(first: Node, second: Node) -> Node:
    """The sum, where 0 leaves no trace."""
    if first == ZERO:
        return second
    return first if second == ZERO else Node("add", (first, second), location=first.location)


def neg(node: Node) -> Node:
    """The negative."""
    return ZERO if node == ZERO else Node("neg", (node,), location=node.location)


ZERO, ONE = Node("number", text="0"), Node("number", text="1")
