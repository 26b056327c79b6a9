"""The right side of dx = … → what stands before dt and before each noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sde_lab.equations.errors import EquationError
from sde_lab.equations.expression_tree import ONE, Node, minus, plus, times

TIME = "dt"
_BARE = ""


@dataclass(frozen=True)
class Increment:
    """What stands before each differential: "dt" or the name of a noise → its coefficient.

    Attributes:
        coefficients: by differential.
        circled: noises written ∘ dW.
        plain: noises written without the circle.
    """

    coefficients: Mapping[str, Node]
    circled: frozenset[str]
    plain: frozenset[str]


def split(node: Node, noises: frozenset[str]) -> Increment:
    """Gather the coefficients of dt and of the noises.

    Raises:
        EquationError: where the node is not a sum of terms with one differential each.
    """
    splitter = _Splitter(noises | {TIME})
    found = splitter.split(node)
    if _BARE in found:
        rest = found[_BARE]
        hint = "this term has neither dt nor a noise: multiply it by dt or dW"
        raise EquationError(rest.place, "", hint)
    plain = frozenset(found) - {TIME} - splitter.circled
    mixed = splitter.circled & splitter.bare
    return Increment(found, frozenset(splitter.circled), plain | mixed)


class _Splitter:
    """Walks a tree, and notes how each noise was written."""

    def __init__(self, differentials: frozenset[str]) -> None:
        self._differentials = differentials
        self.circled: set[str] = set()
        self.bare: set[str] = set()

    def split(self, node: Node) -> dict[str, Node]:
        if not node.depends(self._differentials):
            return {_BARE: node}
        if node.op == "name":
            self.bare.add(node.text)
            return {node.text: ONE}
        if node.op in ("add", "sub"):
            return self._sum(node)
        if node.op == "neg":
            return {name: minus(part) for name, part in self.split(node.parts[0]).items()}
        if node.op in ("mul", "circle"):
            return self._product(node)
        if node.op == "div" and not node.parts[1].depends(self._differentials):
            divided = self.split(node.parts[0])
            return {
                n: Node("div", (c, node.parts[1]), place=node.place) for n, c in divided.items()
            }
        hint = "dt and the noises only stand as factors, such as a*x*dt + b*dW"
        raise EquationError(node.place, "", hint)

    def _sum(self, node: Node) -> dict[str, Node]:
        first, second = (self.split(part) for part in node.parts)
        for name, part in second.items():
            added = minus(part) if node.op == "sub" else part
            if name not in first:
                first[name] = added
            elif node.op == "sub":
                first[name] = Node("sub", (first[name], part), place=node.place)
            else:
                first[name] = plus(first[name], part)
        return first

    def _product(self, node: Node) -> dict[str, Node]:
        left, right = node.parts
        if node.op == "circle":
            if right.op != "name" or right.text not in self._differentials - {TIME}:
                raise EquationError(node.place, "∘", "after ∘ a noise such as dW stands")
            self.circled.add(right.text)
            return {right.text: self._coefficient(left)}
        if left.depends(self._differentials) and right.depends(self._differentials):
            raise EquationError(
                node.place, "*", "a product of two differentials has no meaning here"
            )
        if left.depends(self._differentials):
            return {name: times(part, right) for name, part in self.split(left).items()}
        return {name: times(left, part) for name, part in self.split(right).items()}

    def _coefficient(self, node: Node) -> Node:
        if node.depends(self._differentials):
            raise EquationError(
                node.place, "", "a product of two differentials has no meaning here"
            )
        return node
