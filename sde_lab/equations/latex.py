"""Typed equations → LaTeX, terms and factors in the typed order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy

from sde_lab.equations import identifiers
from sde_lab.equations.analysis import EquationSystem
from sde_lab.equations.expression_tree import ONE, ZERO, Node


def equation(written: EquationSystem) -> str:
    r"""Return LaTeX: one equation per state and one for each correlation, joined by ``\\``."""
    lines = []
    for state, drift, row in zip(written.states, written.drift, written.coefficients, strict=True):
        terms = [(drift, "dt")] if drift != ZERO else []
        circle = r"\circ " if written.stratonovich else ""
        for noise, coefficient in zip(written.noises, row, strict=True):
            if coefficient != ZERO:
                terms.append((coefficient, circle + differential(noise)))
        right = "".join(_term(*term, first=not index) for index, term in enumerate(terms)) or "0"
        lines.append(f"d{identifiers.to_latex(state)} = {right}")
    for (i, j), value in written.correlations.items():
        pair = ", ".join(differential(written.noises[index]) for index in (i, j))
        lines.append(rf"\mathrm{{corr}}({pair}) = {typeset(value)}")
    return r" \\ ".join(lines)


def differential(noise: str) -> str:
    """Return LaTeX of a noise, such as ``dW_{1}``."""
    return f"d{identifiers.to_latex(noise[1:])}" if len(noise) > 2 else noise


def _term(coefficient: Node, differential: str, *, first: bool) -> str:
    """Return a signed term, its coefficient in brackets if it is a sum."""
    sign = "" if first else " + "
    if coefficient.op == "neg":
        sign, coefficient = "-" if first else " - ", coefficient.operands[0]
    if coefficient == ONE:
        return sign + differential
    inside = typeset(coefficient)
    if coefficient.op in ("add", "sub"):
        inside = rf"\left({inside}\right)"
    elif not first and inside.startswith("-"):
        sign, inside = " - ", inside[1:].lstrip()
    return rf"{sign}{inside}\,{differential}"


def typeset(node: Node) -> str:
    """Return LaTeX of an expression, its terms and factors in the typed order."""
    shown = {sympy.Symbol(name): identifiers.to_latex(name) for name in node.names}
    drawn = _drawn(node)
    return str(sympy.latex(drawn, order="none", symbol_names=shown, inv_trig_style="full"))


_DRAWING: dict[str, Callable[..., Any]] = {
    "exp": sympy.exp, "log": sympy.log, "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan,
    "atan": sympy.atan, "sinh": sympy.sinh, "cosh": sympy.cosh, "tanh": sympy.tanh,
    "abs": sympy.Abs, "sign": sympy.sign, "max": sympy.Max, "min": sympy.Min,
    "step": sympy.Function("step"),
}  # fmt: skip


def _drawn(node: Node) -> Any:
    """Return the expression for sympy to print only: unevaluated, in the typed order."""
    if node.op == "number":
        return sympy.Integer(node.text) if node.text.isdigit() else sympy.Float(node.text)
    if node.op == "name":
        return sympy.pi if node.text == "pi" else sympy.Symbol(node.text)
    parts = [_drawn(part) for part in node.operands]
    if node.op in _DRAWING:
        return _DRAWING[node.op](*parts, evaluate=False)
    return _LAYOUT[node.op](parts[0], parts[-1])


def _times(first: Any, last: Any) -> Any:
    return sympy.Mul(*_flat(sympy.Mul, first), *_flat(sympy.Mul, last), evaluate=False)


def _flat(kind: Any, expression: Any) -> tuple[Any, ...]:
    return tuple(expression.args) if isinstance(expression, kind) else (expression,)


def _sum(first: Any, last: Any) -> Any:
    return sympy.Add(*_flat(sympy.Add, first), *_flat(sympy.Add, last), evaluate=False)


def _raised(first: Any, last: Any) -> Any:
    return sympy.Pow(first, last, evaluate=False)


_LAYOUT: dict[str, Callable[[Any, Any], Any]] = {
    "add": _sum,
    "sub": lambda first, last: _sum(first, _times(sympy.Integer(-1), last)),
    "mul": _times,
    "div": lambda first, last: _times(first, _raised(last, sympy.Integer(-1))),
    "neg": lambda first, _: _times(sympy.Integer(-1), first),
    "pow": _raised,
    "sqrt": lambda first, _: _raised(first, sympy.Rational(1, 2)),
}
