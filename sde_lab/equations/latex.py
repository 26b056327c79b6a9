"""Typed equations → LaTeX, terms and factors in the typed order."""

from __future__ import annotations

import re

from sde_lab.equations import identifiers
from sde_lab.equations.analysis import EquationSystem
from sde_lab.equations.expression_tree import ONE, ZERO, Node

_SUM, _PRODUCT, _SIGNED, _POWER, _ATOM = range(1, 6)
"""How strongly operations bind, from the weakest."""
_BEGINS_WITH_NUMBER = re.compile(r"[0-9.]|\\frac\{[0-9.]")


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
    if coefficient == ONE:
        text = differential
    elif coefficient.op == "neg" and coefficient.operands[0] == ONE:
        text = f"-{differential}"
    else:
        text = rf"{_drawn(coefficient, _PRODUCT)}\,{differential}"
    if first:
        return text
    return f" - {text[1:].lstrip()}" if text.startswith("-") else f" + {text}"


def typeset(node: Node) -> str:
    """Return LaTeX of an expression, its terms and factors in the typed order.

    Factors stand side by side; a dot stands before one that begins with a digit, since 2·3 would
    otherwise be 23.
    """
    return _drawn(node, _SUM)


def product(first: str, last: str) -> str:
    """Return LaTeX of a product of two factors."""
    dot = r"\cdot " if _BEGINS_WITH_NUMBER.match(last) else ""
    return f"{first} {dot}{last}"


def scientific(text: str) -> str:
    """Return LaTeX of a number such as 1e-3, its power of ten written out."""
    mantissa, sign, exponent = text.lower().partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if sign else text


def _bracketed(text: str) -> str:
    return rf"\left({text}\right)"


def _drawn(node: Node, least: int) -> str:
    """Return LaTeX, in brackets if the last operation binds less than ``least``."""
    level, text = _LAYOUT.get(node.op, _call)(node)
    return _bracketed(text) if level < least else text


def _behind(node: Node, least: int) -> str:
    """Return LaTeX of an operand behind an operator, a leading sign in brackets."""
    text = _drawn(node, least)
    return _bracketed(text) if text.startswith("-") else text


def _number(node: Node) -> tuple[int, str]:
    text = scientific(node.text)
    return (_ATOM if text == node.text else _PRODUCT), text


def _name(node: Node) -> tuple[int, str]:
    return _ATOM, identifiers.to_latex(node.text)


def _sum(node: Node) -> tuple[int, str]:
    first, last = node.operands
    if node.op == "add" and last.op == "neg" and last.operands[0].op not in ("add", "sub"):
        return _SUM, f"{_drawn(first, _SUM)} - {_behind(last.operands[0], _PRODUCT)}"
    sign = "+" if node.op == "add" else "-"
    return _SUM, f"{_drawn(first, _SUM)} {sign} {_behind(last, _PRODUCT)}"


def _mul(node: Node) -> tuple[int, str]:
    first, last = node.operands
    return _PRODUCT, product(_drawn(first, _PRODUCT), _behind(last, _SIGNED))


def _fraction(node: Node) -> tuple[int, str]:
    above, below = node.operands
    divisor = _drawn(below, _SUM)
    if above.op == "div":
        above, first = above.operands
        divisor = product(_drawn(first, _PRODUCT), _behind(below, _SIGNED))
    text = _drawn(above, _SUM)
    negative = text.startswith("-") and above.op not in ("add", "sub")
    text = rf"\frac{{{text[1:].lstrip() if negative else text}}}{{{divisor}}}"
    return (_PRODUCT, f"-{text}") if negative else (_PRODUCT, text)


def _neg(node: Node) -> tuple[int, str]:
    return _PRODUCT, f"-{_behind(node.operands[0], _PRODUCT)}"


def _power(node: Node) -> tuple[int, str]:
    base, exponent = node.operands
    if base.op in _COMMANDS and base.op not in ("max", "min"):
        _, called = _call(base)
        name = _COMMANDS[base.op]
        return _POWER, f"{name}^{{{_drawn(exponent, _SUM)}}}{called.removeprefix(name)}"
    return _POWER, f"{_drawn(base, _ATOM)}^{{{_drawn(exponent, _SUM)}}}"


def _root(node: Node) -> tuple[int, str]:
    return _ATOM, rf"\sqrt{{{_drawn(node.operands[0], _SUM)}}}"


def _absolute(node: Node) -> tuple[int, str]:
    return _ATOM, rf"\left|{{{_drawn(node.operands[0], _SUM)}}}\right|"


def _exponential(node: Node) -> tuple[int, str]:
    return _POWER, f"e^{{{_drawn(node.operands[0], _SUM)}}}"


def _call(node: Node) -> tuple[int, str]:
    name = _COMMANDS.get(node.op, rf"\operatorname{{{node.op}}}")
    inside = ", ".join(_drawn(part, _SUM) for part in node.operands)
    return _ATOM, rf"{name}{{\left({inside} \right)}}"


_COMMANDS = {
    "log": r"\log", "sin": r"\sin", "cos": r"\cos", "tan": r"\tan", "atan": r"\arctan",
    "sinh": r"\sinh", "cosh": r"\cosh", "tanh": r"\tanh", "max": r"\max", "min": r"\min",
}  # fmt: skip
_LAYOUT = {
    "number": _number, "name": _name, "add": _sum, "sub": _sum, "mul": _mul, "div": _fraction,
    "neg": _neg, "pow": _power, "sqrt": _root, "abs": _absolute, "exp": _exponential,
}  # fmt: skip
