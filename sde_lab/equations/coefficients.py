"""The right side of dx = … → coefficients of dt and of each noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sde_lab.equations.errors import EquationError
from sde_lab.equations.expression_tree import ONE, Node, add, mul, neg

TIME = "dt"
_BARE = ""


@dataclass(frozen=True)
class DifferentialTerms:
    """The right side of one equation as a sum over differentials.

    Attributes:
        coefficients: differential ("dt" or the name of a noise) → coefficient.
        stratonovich_noises: noises written ∘ dW.
        ito_noises: noises written without the circle.
    """

    coefficients: Mapping[str, Node]
    stratonovich_noises: frozenset[str]
    ito_noises: frozenset[str]


def collect_terms(node: Node, noises: frozenset[str]) -> DifferentialTerms:
    """Gather the coefficients of dt and of the noises.

    Raises:
        EquationError: where the node is not a sum of terms with one differential each.
    """
    terms, circled, bare = split_terms(node, noises | {TIME})
    if _BARE in terms:
        rest = terms[_BARE]
        hint = "this term has neither dt nor a noise: multiply it by dt or dW"
        raise EquationError(rest.location, "", hint)
    plain = frozenset(terms) - {TIME} - circled
    mixed = circled & bare
    return DifferentialTerms(terms, frozenset(circled), plain | mixed)


def split_terms(
    node: Node, differentials: frozenset[str]
) -> tuple[dict[str, Node], set[str], set[str]]:
    """Split a sum by its differentials.

    Returns:
        The coefficient of each differential, and under "" the terms without any; the noises written
        with ∘; and those written without.

    Raises:
        EquationError: where a differential is no factor of a term.
    """
    splitter = _Splitter(differentials)
    terms = splitter.split(node)
    return terms, splitter.circled, splitter.bare - {TIME}


class _Splitter:
    """Split a tree into terms by differential; record which noises are written with ∘."""

    def __init__(self, differentials: frozenset[str]) -> None:
        self._differentials = differentials
        self.circled: set[str] = set()
        self.bare: set[str] = set()

    def split(self, node: Node) -> dict[str, Node]:
        if not node.depends_on(self._differentials):
            return {_BARE: node}
        if node.op == "name":
            self.bare.add(node.text)
            return {node.text: ONE}
        if node.op in ("add", "sub"):
            return self._sum(node)
        if node.op == "neg":
            return {name: neg(part) for name, part in self.split(node.operands[0]).items()}
        if node.op in ("mul", "circle"):
            return self._product(node)
        if node.op == "div" and not node.operands[1].depends_on(self._differentials):
            divided = self.split(node.operands[0])
            return {
                n: Node("div", (c, node.operands[1]), location=node.location)
                for n, c in divided.items()
            }
        hint = "dt and the noises only stand as factors, such as a*x*dt + b*dW"
        raise EquationError(node.location, "", hint)

    def _sum(self, node: Node) -> dict[str, Node]:
        first, second = (self.split(part) for part in node.operands)
        for name, part in second.items():
            added = neg(part) if node.op == "sub" else part
            if name not in first:
                first[name] = added
            elif node.op == "sub":
                first[name] = Node("sub", (first[name], part), location=node.location)
            else:
                first[name] = add(first[name], part)
        return first

    def _product(self, node: Node) -> dict[str, Node]:
        left, right = node.operands
        if node.op == "circle":
            if right.op != "name" or right.text not in self._differentials - {TIME}:
                raise EquationError(node.location, "∘", "after ∘ a noise such as dW stands")
            self.circled.add(right.text)
            return {right.text: self._coefficient(left)}
        if left.depends_on(self._differentials) and right.depends_on(self._differentials):
            raise EquationError(
                node.location, "*", "a product of two differentials has no meaning here"
            )
        if left.depends_on(self._differentials):
            return {name: mul(part, right) for name, part in self.split(left).items()}
        return {name: mul(left, part) for name, part in self.split(right).items()}

    def _coefficient(self, node: Node) -> Node:
        if node.depends_on(self._differentials):
            raise EquationError(
                node.location, "", "a product of two differentials has no meaning here"
            )
        return node
