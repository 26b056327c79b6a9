"""Functions that the list does not have, by those that it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sde_lab.equations.expression_tree import Node


class Make(Protocol):
    """Build an operation; a text stands for a number."""

    def __call__(self, op: str, *parts: Node | str) -> Node:
        """Return the operation."""


def _square(make: Make, x: Node) -> Node:
    return make("pow", x, "2")


def _arcsine(make: Make, x: Node) -> Node:
    return make("atan", make("div", x, make("sqrt", make("sub", "1", _square(make, x)))))


def _arccosine(make: Make, x: Node) -> Node:
    half = make("div", Node("name", text="pi", location=x.location), "2")
    return make("sub", half, _arcsine(make, x))


def _inverse_hyperbolic_sine(make: Make, x: Node) -> Node:
    return make("log", make("add", x, make("sqrt", make("add", _square(make, x), "1"))))


def _cube_root(make: Make, x: Node) -> Node:
    size = make("pow", make("abs", x), make("div", "1", "3"))
    return make("mul", make("sign", x), size)


def _sigmoid(make: Make, x: Node) -> Node:
    return make("div", "1", make("add", "1", make("exp", make("neg", x))))


def _inverse(op: str) -> Callable[[Make, Node], Node]:
    return lambda make, x: make("div", "1", make(op, x))


def _logarithm(base: str) -> Callable[[Make, Node], Node]:
    return lambda make, x: make("div", make("log", x), make("log", base))


OF_ONE: dict[str, Callable[[Make, Node], Node]] = {
    "int": lambda _, x: x,
    "neg": lambda make, x: make("neg", x),
    "square": _square,
    "cbrt": _cube_root,
    "cot": _inverse("tan"),
    "sec": _inverse("cos"),
    "csc": _inverse("sin"),
    "coth": _inverse("tanh"),
    "sech": _inverse("cosh"),
    "csch": _inverse("sinh"),
    "asin": _arcsine,
    "acos": _arccosine,
    "asinh": _inverse_hyperbolic_sine,
    "log10": _logarithm("10"),
    "log2": _logarithm("2"),
    "log1p": lambda make, x: make("log", make("add", "1", x)),
    "expm1": lambda make, x: make("sub", make("exp", x), "1"),
    "exp2": lambda make, x: make("pow", "2", x),
    "sigmoid": _sigmoid,
    "logit": lambda make, x: make("log", make("div", x, make("sub", "1", x))),
    "relu": lambda make, x: make("max", x, "0"),
    "softplus": lambda make, x: make("log", make("add", "1", make("exp", x))),
    "sinc": lambda make, x: make("div", make("sin", x), x),
}
"""Functions of one argument."""
OF_SEVERAL: dict[str, tuple[int, Callable[..., Node]]] = {
    "pow": (2, lambda make, x, y: make("pow", x, y)),
    "clip": (3, lambda make, x, low, high: make("min", make("max", x, low), high)),
    "hypot": (2, lambda make, x, y: make("sqrt", make("add", _square(make, x), _square(make, y)))),
}
"""Functions of several arguments, with their number."""
