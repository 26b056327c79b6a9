"""Conditions and what depends on them: a if x > 0 else b, cases, indicators."""

from __future__ import annotations

from sde_lab.equations.errors import EquationError
from sde_lab.equations.expression_tree import Node
from sde_lab.equations.reading.cursor import (
    CLOSERS,
    Cursor,
)
from sde_lab.equations.reading.scanner import Piece

_COMPARISONS = frozenset(["<", ">", "<=", ">="])


class Conditions(Cursor):
    """Parse conditions; one is a tree with the value 1 where it holds, else 0."""

    def expression(self) -> Node:
        """Parse a value, which may depend on a condition."""
        first = self._either()
        if self.accept("?"):
            self._require_truth(first)
            yes = self.expression()
            self.expect(":", "a choice is condition ? a : b")
            return self._choose(first, yes, self.expression())
        if self.piece.kind == "name" and self.piece.text == "if":
            self.advance()
            condition = self.condition()
            if not self.accept("else", "otherwise"):
                raise self.error("a choice is a if x > 0 else b")
            return self._choose(condition, first, self.expression())
        return first

    def condition(self) -> Node:
        """Parse a condition, such as 0 < x and x < 1: 1 where it holds, else 0."""
        node = self._either()
        self._require_truth(node)
        return node

    def _require_truth(self, node: Node) -> None:
        if node not in self._truths:
            raise EquationError(node.location, "", "a condition such as x > 0 works here")

    def _choose(self, condition: Node, yes: Node, no: Node) -> Node:
        at = self.piece
        chosen = self._weighted(condition, yes, at)
        rest = self._weighted(self._node("sub", (self._one(at), condition), at), no, at)
        if rest.value == 0.0 and rest.op == "number":
            return chosen
        if chosen.value == 0.0 and chosen.op == "number":
            return rest
        return self._node("add", (chosen, rest), at)

    def _one(self, piece: Piece) -> Node:
        return self._number("1", piece)

    def _weighted(self, weight: Node, node: Node, piece: Piece) -> Node:
        if node.value == 0.0:
            return self._number("0", piece)
        return weight if node.value == 1.0 else self._node("mul", (weight, node), piece)

    def _either(self) -> Node:
        node = self._both()
        while self.piece.text == "or" and self.piece.kind in ("name", "sign"):
            sign = self.advance()
            self._require_truth(node)
            node = self._truth(self._node("max", (node, self._both_truth()), sign))
        return node

    def _both(self) -> Node:
        node = self._not()
        while self.piece.text == "and" and self.piece.kind in ("name", "sign"):
            sign = self.advance()
            self._require_truth(node)
            other = self._not()
            self._require_truth(other)
            node = self._truth(self._node("mul", (node, other), sign))
        return node

    def _both_truth(self) -> Node:
        node = self._both()
        self._require_truth(node)
        return node

    def _not(self) -> Node:
        if self.piece.kind == "name" and self.piece.text == "not":
            sign = self.advance()
            node = self._comparison()
            self._require_truth(node)
            return self._truth(self._node("sub", (self._one(sign), node), sign))
        return self._comparison()

    def _comparison(self) -> Node:
        left = self.sum()
        result: Node | None = None
        while self.piece.kind == "sign" and self.piece.text in _COMPARISONS:
            sign = self.advance()
            right = self.sum()
            holds = self._compared(left, sign, right)
            result = holds if result is None else self._node("mul", (result, holds), sign)
            left = right
        return left if result is None else self._truth(result)

    def _compared(self, left: Node, sign: Piece, right: Node) -> Node:
        low, high = (left, right) if sign.text[0] == "<" else (right, left)
        if sign.text in ("<", ">"):
            return self._node("step", (self._difference(high, low, sign),), sign)
        reverse = self._node("step", (self._difference(low, high, sign),), sign)
        return self._node("sub", (self._one(sign), reverse), sign)

    def _difference(self, first: Node, last: Node, piece: Piece) -> Node:
        if last.value == 0.0:
            return first
        if first.value == 0.0:
            return self._node("neg", (last,), piece)
        return self._node("sub", (first, last), piece)

    def _truth(self, node: Node) -> Node:
        self._truths.add(node)
        return node

    def _indicator(self) -> Node:
        if self.piece.text not in CLOSERS:
            raise self.error("an indicator is 1_{x > 0}")
        opening = self.advance()
        self._deeper(opening)
        inner = self.piece.text if self.piece.text in ("(", "[", "{") else ""
        node = self._bracket() if inner else self.condition()
        self._require_truth(node)
        self._builder.pop_depth()
        self.expect(CLOSERS[opening.text], "a closing bracket works")
        return node

    def _cases(self) -> Node:
        r"""Parse ``\begin{cases} a & x < 0 \\ b & otherwise \end{cases}``."""
        opening = self.advance()
        self._deeper(opening)
        branches: list[tuple[Node, Node | None]] = []
        while not self.accept("endcases"):
            value = self.sum()
            self.accept(",")
            self.accept("&")
            self.accept(",")
            words = ("if", "for", "when", "where", "quad", "on")
            while self.accept(*words):
                pass
            if self.accept("otherwise", "else"):
                branches.append((value, None))
            else:
                branches.append((value, self.condition()))
            self.accept(",", ".")
            if self.piece.kind == "other":
                self.advance()
            if not self.accept("row") and self.piece.text != "endcases":
                raise self.error(r"a case is value & condition, and \\ ends it")
        self._builder.pop_depth()
        if not branches:
            raise self.error("a case is value & condition", opening)
        *first, (value, condition) = branches
        result = value
        if condition is not None and not _complete(branches):
            result = self._weighted(condition, value, opening)
        for value, condition in reversed(first):
            if condition is None:
                raise self.error("only the last case holds otherwise", opening)
            result = self._choose(condition, value, result)
        return result


def _complete(branches: list[tuple[Node, Node | None]]) -> bool:
    """Return True if two cases are each other's opposite, such as x < 0 and x >= 0."""
    if len(branches) != 2:
        return False
    first, last = (condition for _, condition in branches)
    if first is None or last is None:
        return True
    for one, other in ((first, last), (last, first)):
        if one.op == "sub" and one.operands[0].value == 1.0 and one.operands[1] == other:
            return True
    return False
