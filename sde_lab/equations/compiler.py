"""Expression trees → a flat list of torch operations, each common subexpression once."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from sde_lab.equations.expression_tree import Node
from sde_lab.equations.functions import FUNCTIONS, power
from sde_lab.models.base import safe_sqrt

_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "pow": power,
    **{name: function.torch for name, function in FUNCTIONS.items()},
}

_NEVER_NEGATIVE = ("abs", "exp", "cosh", "step", "sqrt")


def _operation(node: Node) -> Callable[..., Any]:
    """Return the torch operation of a node; a square root of what cannot be negative is cheaper."""
    if node.op != "sqrt":
        return _OPERATIONS[node.op]
    (inside,) = node.operands
    floor = max((part.value for part in inside.operands if part.value is not None), default=-1.0)
    safe = inside.op in _NEVER_NEGATIVE or (inside.op == "max" and floor >= 0.0)
    return safe_sqrt if safe else _OPERATIONS["sqrt"]


def _order(node: Node, ordered: dict[Node, None]) -> None:
    """Append the node after what it is made of, unless it stands there already."""
    if node in ordered:
        return
    if node.value is None:
        for part in node.operands:
            _order(part, ordered)
    ordered[node] = None


class CompiledExpressions:
    """Several expressions of the same names, compiled together.

    Args:
        nodes: the expressions.
        names: names that may occur in them.

    Attributes:
        input_indices: indices, in ``names``, of those that do occur.
        operations: number of torch operations of one evaluation.
    """

    def __init__(self, nodes: Sequence[Node], names: Sequence[str]) -> None:
        ordered: dict[Node, None] = {}
        for node in nodes:
            _order(node, ordered)
        inputs = [node for node in ordered if node.op == "name" and node.value is None]
        inputs.sort(key=lambda node: names.index(node.text))
        constants = [node for node in ordered if node.value is not None]
        rest = [node for node in ordered if node.op != "name" and node.value is None]
        indices = {node: index for index, node in enumerate((*inputs, *constants, *rest))}
        self.input_indices = tuple(names.index(node.text) for node in inputs)
        self._constants = [node.value for node in constants]
        self._steps = [
            (_operation(node), tuple(indices[part] for part in node.operands)) for node in rest
        ]
        self.operations = len(self._steps)
        self._outputs = [indices[node] for node in nodes]

    def __call__(self, values: Sequence[Tensor]) -> list[Tensor | float]:
        """Evaluate the expressions, given the values of the names at ``input_indices``."""
        slots: list[Any] = [*values, *self._constants]
        for operation, indices in self._steps:
            if len(indices) == 1:
                slots.append(operation(slots[indices[0]]))
            else:
                slots.append(operation(slots[indices[0]], slots[indices[1]]))
        return [slots[index] for index in self._outputs]
