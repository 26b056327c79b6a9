"""Tree ↔ sympy, object by object: derivatives.

sympy's own parsers evaluate what they read; here they are never called. Its functions simplify
themselves in ways that may take long; those of :class:`_OpaqueFunction` only know their derivative,
so that work on an expression of bounded size is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import sympy

from sde_lab.equations.expression_tree import ONE, ZERO, Node, add, mul, neg, number


class _OpaqueFunction(sympy.Function):  # type: ignore[misc]
    """A function that sympy does not simplify."""


_SLOPES: dict[str, Callable[..., tuple[Any, ...]]] = {
    "step": lambda _: (sympy.Integer(0),),
    "sign": lambda _: (sympy.Integer(0),),
    "exp": lambda x: (_OPAQUE["exp"](x),),
    "log": lambda x: (1 / x,),
    "sin": lambda x: (_OPAQUE["cos"](x),),
    "cos": lambda x: (-_OPAQUE["sin"](x),),
    "tan": lambda x: (_OPAQUE["cos"](x) ** -2,),
    "atan": lambda x: (1 / (1 + x**2),),
    "sinh": lambda x: (_OPAQUE["cosh"](x),),
    "cosh": lambda x: (_OPAQUE["sinh"](x),),
    "tanh": lambda x: (_OPAQUE["cosh"](x) ** -2,),
    "abs": lambda x: (_OPAQUE["sign"](x),),
    "max": lambda a, b: (_OPAQUE["step"](a - b), _OPAQUE["step"](b - a)),
    "min": lambda a, b: (_OPAQUE["step"](b - a), _OPAQUE["step"](a - b)),
}
"""The derivative of each function by each of its arguments."""


def _opaque_function(name: str) -> Any:
    def fdiff(self: Any, argindex: int = 1) -> Any:
        return _SLOPES[name](*self.args)[argindex - 1]

    return type(name, (_OpaqueFunction,), {"fdiff": fdiff})


_OPAQUE: dict[str, Any] = {name: _opaque_function(name) for name in _SLOPES}


def to_sympy(node: Node) -> Any:
    """Return the expression as a sympy expression."""
    if node.value is not None:
        near = Fraction(node.value).limit_denominator(10**6)
        return sympy.Rational(near) if float(near) == node.value else sympy.Float(node.value)
    if node.op == "name":
        return sympy.Symbol(node.text)
    parts = [to_sympy(part) for part in node.operands]
    if node.op in _OPAQUE:
        return _OPAQUE[node.op](*parts)
    return _arithmetic(node.op, parts[0], parts[-1])


def _arithmetic(op: str, first: Any, last: Any) -> Any:
    if op == "add":
        return first + last
    if op == "sub":
        return first - last
    if op == "div":
        return first / last
    if op == "neg":
        return -first
    if op == "sqrt":
        return first ** sympy.Rational(1, 2)
    return first**last if op == "pow" else first * last


def from_sympy(expression: Any) -> Node:
    """Return a sympy expression as a tree.

    Raises:
        ArithmeticError: for what is no real number, such as 1/0.
    """
    return _SympyConverter().tree(expression)


class _SympyConverter:
    """Convert sympy expressions to trees, each common subexpression once."""

    def __init__(self) -> None:
        self._known: dict[Any, Node] = {}

    def tree(self, expression: Any) -> Node:
        if expression not in self._known:
            self._known[expression] = self._read(expression)
        return self._known[expression]

    def _read(self, expression: Any) -> Node:
        if expression.is_Number:
            return _number(expression)
        if expression.is_Symbol:
            return Node("name", text=expression.name)
        if expression.is_Mul:
            return self._product(expression)
        parts = [self.tree(part) for part in expression.args]
        if expression.is_Add:
            return _sum(parts)
        if expression.is_Pow:
            return _power(*parts)
        if isinstance(
            expression, _OpaqueFunction | sympy.log
        ):  # a power's derivative brings in log
            return Node(expression.func.__name__, tuple(parts))
        raise ArithmeticError("no real number")

    def _product(self, expression: Any) -> Node:
        """Return a product as a quotient where powers are negative, with its sign in front."""
        above, below, negative = ONE, ONE, False
        for factor in expression.args:
            if factor.is_Rational:
                negative = factor.p < 0
                above, below = mul(above, number(abs(factor.p))), mul(below, number(factor.q))
            elif factor.is_Pow and factor.exp.is_Number and factor.exp < 0:
                below = mul(below, _power(self.tree(factor.base), self.tree(-factor.exp)))
            else:
                above = mul(above, self.tree(factor))
        quotient = above if below == ONE else Node("div", (above, below))
        return neg(quotient) if negative else quotient


def _number(value: Any) -> Node:
    if not value.is_finite:
        raise ArithmeticError("division by zero")
    return _quotient(value) if value.is_Rational else number(float(value))


def _quotient(rational: Any) -> Node:
    if rational.q == 1:
        return number(float(rational))
    above = number(float(abs(rational.p)))
    whole = Node("div", (above, number(float(rational.q))))
    return whole if rational.p > 0 else neg(whole)


def _sum(parts: Sequence[Node]) -> Node:
    total = ZERO
    for part in sorted(parts, key=lambda part: part.op == "neg"):
        if part.op == "neg" and total != ZERO:
            total = Node("sub", (total, part.operands[0]))
        else:
            total = add(total, part)
    return total


def _power(base: Node, exponent: Node) -> Node:
    if exponent.value == 1.0:
        return base
    if exponent.value == 0.5:
        return Node("sqrt", (base,))
    if exponent.value == -0.5:
        return Node("div", (ONE, Node("sqrt", (base,))))
    return Node("div", (ONE, base)) if exponent.value == -1.0 else Node("pow", (base, exponent))


def derivative(node: Node, by: str) -> Node:
    """Return ∂node/∂by as a tree.

    Raises:
        ArithmeticError: where sympy finds no real expression.
    """
    return from_sympy(to_sympy(node).diff(sympy.Symbol(by)))


def ito_correction(matrix: Sequence[Sequence[Node]], states: Sequence[str]) -> tuple[Node, ...]:
    """Return ½ Σ_jk g_jk ∂g_ik/∂x_j for each i, (D,), of a diffusion matrix g (D, M).

    Raises:
        ArithmeticError: where sympy finds no real expression.
    """
    g = [[to_sympy(entry) for entry in row] for row in matrix]
    correction = []
    for row in g:
        terms = [
            _one_power(g[j][k] * slope / 2)
            for k, entry in enumerate(row)
            for j, state in enumerate(states)
            for slope in sympy.Add.make_args(entry.diff(sympy.Symbol(state)))
        ]
        correction.append(from_sympy(sympy.Add(*terms)))
    return tuple(correction)


def _one_power(term: Any) -> Any:
    """Return x^a / x as x^(a − 1), which has a value at 0 where the quotient has none."""
    return sympy.powsimp(term, combine="exp", deep=False)
