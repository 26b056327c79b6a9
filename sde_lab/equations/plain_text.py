"""Expression trees → text in the project's plain grammar, with as few brackets as it allows."""

from __future__ import annotations

from sde_lab.equations.expression_tree import Node

_SUM, _PRODUCT, _SIGNED, _POWER, _ATOM = range(1, 6)


def write(node: Node) -> str:
    """Return the text of an expression; parsed again, it gives an equal tree."""
    return _written(node, _SUM)


def as_factor(node: Node) -> str:
    """Return the text of an expression as the left factor of a product."""
    return _written(node, _PRODUCT)


def _written(node: Node, least: int) -> str:
    """Return the text, in brackets if its last operation binds less than ``least``."""
    level, text = _LAYOUT.get(node.op, _call)(node)
    return f"({text})" if level < least else text


def _sum(node: Node) -> tuple[int, str]:
    sign = "+" if node.op == "add" else "-"
    first, last = node.operands
    return _SUM, f"{_written(first, _SUM)} {sign} {_behind(last, _PRODUCT)}"


def _behind(node: Node, least: int) -> str:
    """Return the text of an operand behind an operator, a leading sign in brackets."""
    text = _written(node, least)
    return f"({text})" if text.startswith("-") else text


def _product(node: Node) -> tuple[int, str]:
    sign = "*" if node.op == "mul" else "/"
    first, last = node.operands
    return _PRODUCT, f"{_written(first, _PRODUCT)}{sign}{_behind(last, _SIGNED)}"


def _negation(node: Node) -> tuple[int, str]:
    return _SIGNED, f"-{_behind(node.operands[0], _SIGNED)}"


def _power(node: Node) -> tuple[int, str]:
    base, exponent = node.operands
    return _POWER, f"{_written(base, _ATOM)}**{_behind(exponent, _POWER)}"


def _leaf(node: Node) -> tuple[int, str]:
    return _ATOM, node.text


def _call(node: Node) -> tuple[int, str]:
    return _ATOM, f"{node.op}({', '.join(map(write, node.operands))})"


_LAYOUT = {
    "add": _sum, "sub": _sum, "mul": _product, "div": _product, "neg": _negation, "pow": _power,
    "number": _leaf, "name": _leaf,
}  # fmt: skip
