"""Left and right sides → the drift and the noises of each state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sde_lab.equations.coefficients import split_terms
from sde_lab.equations.errors import EquationError, SourceLocation
from sde_lab.equations.expression_tree import ONE, ZERO, Node, add, mul, neg
from sde_lab.equations.reading.cursor import NOISE

WHITE = "V:"
"""Begins the name of white noise in an equation of differentials."""
BARE = ""


@dataclass
class Increment:
    """The increment of one state.

    Attributes:
        state: its name.
        location: where its equation begins.
        drift: coefficient of dt.
        noises: label of a noise → coefficient.
        others: differential of another state → coefficient.
        circled: labels of noises that are written with ∘.
        bare: labels of those that are not.
    """

    state: str
    location: SourceLocation
    drift: Node = ZERO
    noises: dict[str, Node] = field(default_factory=dict)
    others: dict[str, Node] = field(default_factory=dict)
    circled: set[str] = field(default_factory=set)
    bare: set[str] = field(default_factory=set)


def moving_names(node: Node) -> frozenset[str]:
    """Return the names of differentials, derivatives and noises in a tree."""
    return frozenset(name for name in node.names if ":" in name or "'" in name or name == "dt")


def solve(left: Node, right: Node, location: SourceLocation) -> tuple[str, Node]:
    """Solve an equation that is linear in one differential or derivative for it.

    Returns:
        The name, such as ``d:x`` or ``x''``, and what it equals.

    Raises:
        EquationError: if it is not linear, or there is none.
    """
    found = {name for name in moving_names(left) if name.startswith("d:") or "'" in name}
    if not found:
        hint = "an equation begins with d and a state, dx = …, or dx/dt = …"
        raise EquationError(location, "", hint)
    name = max(found, key=lambda candidate: (candidate.count("'"), candidate.startswith("d:")))
    same_order = [other for other in found if other.count("'") == name.count("'")]
    if len(same_order) > 1:
        hint = "one equation for each state works: one differential stands on its left"
        raise EquationError(location, "", hint)
    terms, _, _ = split_terms(left, frozenset({name}))
    factor = terms[name]
    rest = terms.get(BARE)
    value = right if rest is None else _less(right, rest, location)
    if factor == ONE:
        return name, value
    if factor.op == "neg" and factor.operands[0] == ONE:
        return name, neg(value)
    if factor.op == "div" and factor.operands[0] == ONE:
        return name, Node("mul", (factor.operands[1], value), location=location)
    return name, Node("div", (value, factor), location=location)


def _less(right: Node, rest: Node, location: SourceLocation) -> Node:
    if right.op == "number" and right.value == 0.0:
        return neg(rest)
    return Node("sub", (right, rest), location=location)


def increment(name: str, right: Node, location: SourceLocation) -> Increment:
    """Return the increment that a solved equation states.

    Raises:
        EquationError: if the right side is not linear in dt and the noises.
    """
    if name.startswith("d:"):
        return _of_differentials(name[2:], right, location)
    return _of_rate(name.rstrip("'"), right, location)


def _of_rate(state: str, right: Node, location: SourceLocation) -> Increment:
    result = Increment(state, location)
    terms, result.circled, result.bare = split_terms(right, moving_names(right))
    for name, coefficient in terms.items():
        if name == BARE:
            result.drift = coefficient
        elif name.startswith(NOISE):
            result.noises[name.removeprefix(NOISE)] = coefficient
        elif "'" in name:
            result.others[name] = coefficient
        else:
            hint = "beside a derivative such as dx/dt no differential works: leave dt out"
            raise EquationError(coefficient.location, "dt", hint)
    return result


def _of_differentials(state: str, right: Node, location: SourceLocation) -> Increment:
    result = Increment(state, location)
    white = frozenset(name for name in right.names if name.startswith(WHITE))
    terms, result.circled, result.bare = split_terms(right, moving_names(right) - white)
    for name, coefficient in terms.items():
        if name == BARE:
            hint = "this term has neither dt nor a noise: multiply it by dt or dW"
            raise EquationError(coefficient.location, "", hint)
        if name == "dt":
            drifts, _, _ = split_terms(coefficient, white)
            result.drift = drifts.pop(BARE, ZERO)
            for label, part in drifts.items():
                result.noises[label.removeprefix(WHITE)] = part
        elif name.startswith(NOISE):
            result.noises[name.removeprefix(NOISE)] = coefficient
        else:
            result.others[name] = coefficient
    return result


def resolve(increments: list[Increment]) -> None:
    """Replace increments of other states on right sides by what they are.

    Raises:
        EquationError: if such a state has no equation, or the equations go round in a circle.
    """
    by_name = {item.state: item for item in increments}
    for item in increments:
        _resolve(item, by_name, ())


def _resolve(item: Increment, by_name: Mapping[str, Increment], above: tuple[str, ...]) -> None:
    for name, factor in list(item.others.items()):
        state = name.removeprefix("d:").rstrip("'")
        if state in (*above, item.state):
            hint = f"the equations of {state} and {item.state} refer to each other: solve one first"
            raise EquationError(item.location, state, hint)
        if state not in by_name or name.endswith("''"):
            hint = f"d{state} stands here, but {state} has no equation; noises are dW, dB or dZ"
            raise EquationError(factor.location, f"d{state}", hint)
        other = by_name[state]
        _resolve(other, by_name, (*above, item.state))
        item.drift = add(item.drift, mul(factor, other.drift))
        for label, coefficient in other.noises.items():
            item.noises[label] = add(item.noises.get(label, ZERO), mul(factor, coefficient))
        item.circled |= other.circled
        item.bare |= other.bare
        del item.others[name]


def tidy(node: Node) -> Node:
    """Return the same value, its minus signs where one would write them; nothing is rounded."""
    if not node.operands:
        return node
    parts = tuple(map(tidy, node.operands))
    op, location = node.op, node.location
    if op == "neg" and parts[0].op in ("mul", "div"):
        first, last = parts[0].operands
        return Node(parts[0].op, (tidy(neg(first)), last), location=location)
    if op == "neg" and parts[0].op == "neg":
        return parts[0].operands[0]
    if op in ("add", "sub"):
        positive = _without_minus(parts[1])
        if parts[0] == ZERO:
            return parts[1] if op == "add" else tidy(neg(parts[1]))
        if positive is not None:
            return Node("sub" if op == "add" else "add", (parts[0], positive), location=location)
    return Node(op, parts, location=location)


def _without_minus(node: Node) -> Node | None:
    """Return −node if it begins with a minus, else None."""
    if node.op == "neg":
        return node.operands[0]
    if node.op in ("mul", "div"):
        first = _without_minus(node.operands[0])
        if first is not None:
            return Node(node.op, (first, node.operands[1]), location=node.location)
    return None
