"""One statement: an equation, a correlation, a setting, or the reading of the noises."""

from __future__ import annotations

from dataclasses import dataclass

from sde_lab.equations.coefficients import TIME
from sde_lab.equations.errors import EquationError, Place
from sde_lab.equations.expression_parser import Reader, is_noise
from sde_lab.equations.expression_tree import Node


@dataclass(frozen=True)
class Equation:
    """d(state) = right.

    Attributes:
        symbols: every name on the right, in order.
        noises: those of them that are noises.
    """

    state: str
    right: Node
    symbols: tuple[str, ...]
    noises: tuple[str, ...]
    place: Place


@dataclass(frozen=True)
class Correlation:
    """corr(dW1, dW2) = value."""

    noises: tuple[str, str]
    value: Node
    place: Place


@dataclass(frozen=True)
class Setting:
    """name = value in [low, high]; either part may be missing."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    place: Place


@dataclass(frozen=True)
class Reading:
    """How the noises are read: "ito" or "stratonovich"."""

    name: str
    place: Place


Statement = Equation | Correlation | Setting | Reading


def read(reader: Reader) -> Statement:
    """Read one statement to its end.

    Raises:
        EquationError: where it is none.
    """
    first = reader.token
    if first.kind != "name":
        raise reader.wrong("a line begins with dx =, a name, or corr(")
    if first.text in ("ito", "stratonovich"):
        reader.take()
        found: Statement = Reading(first.text, first.place)
    elif first.text == "corr":
        found = _correlation(reader)
    elif reader.has_differentials():
        found = _equation(reader)
    else:
        found = _setting(reader)
    if reader.token.kind != "end":
        raise reader.wrong("the line should end here")
    return found


def _equation(reader: Reader) -> Equation:
    left = reader.take()
    if is_noise(left.text) or left.text == TIME:
        hint = "names that begin with dW or dB are noises, dt is time: another state works"
        raise EquationError(left.place, left.written, hint)
    if not left.text.startswith("d") or len(left.text) < 2:
        raise EquationError(
            left.place, left.written, "an equation begins with d and a state, dx = …"
        )
    state = left.text[1:].lstrip("_")
    if not state[:1].isalpha():
        raise EquationError(left.place, left.written, "a state's name begins with a letter")
    reader.expect("=", f"= works after {left.written}")
    symbols = reader.names_ahead()
    noises = tuple(name for name in symbols if is_noise(name))
    return Equation(state, reader.expression(), symbols, noises, left.place)


def _correlation(reader: Reader) -> Correlation:
    start = reader.take()
    reader.expect("(", "corr(dW1, dW2) = rho works")
    first = reader.take()
    reader.expect(",", "a comma and the second noise work: corr(dW1, dW2)")
    second = reader.take()
    reader.expect(")", "a closing ) works")
    reader.expect("=", "= and a number or a name work")
    for token in (first, second):
        if not is_noise(token.text):
            raise EquationError(token.place, token.written, "a noise such as dW1 works here")
    value = reader.expression()
    if value.op != "name" and value.value is None:
        raise EquationError(value.place, "", "a number or the name of one parameter works")
    if value.value is not None and not -1.0 < value.value < 1.0:
        raise EquationError(value.place, "", "a correlation lies between -1 and 1")
    return Correlation((first.text, second.text), value, start.place)


def _setting(reader: Reader) -> Setting:
    token = reader.take()
    name = token.text
    if reader.accept("("):
        zero = reader.take()
        if zero.text != "0":
            raise EquationError(zero.place, zero.written, f"{name}(0) is the initial value")
        reader.expect(")", "a closing ) works")
        name = f"{name}_0" if name[-1].isdigit() else f"{name}0"
    value = _number(reader) if reader.accept("=") else None
    low = high = None
    if reader.accept("in"):
        reader.expect("[", "a range [low, high] works")
        low = _number(reader)
        reader.expect(",", "a comma between low and high works")
        high = _number(reader)
        reader.expect("]", "a closing ] works")
        _require_order(token.place, value, low, high)
    elif value is None:
        raise reader.wrong(f"{token.written} = 1 or {token.written} in [0, 5] works")
    return Setting(name, value, low, high, token.place)


def _number(reader: Reader) -> float:
    token = reader.token
    node = reader.expression()
    if node.value is None:
        raise EquationError(
            token.place, token.written, "a number works here; an equation needs dt or dW"
        )
    return node.value


def _require_order(place: Place, value: float | None, low: float, high: float) -> None:
    if not low < high:
        raise EquationError(place, "", f"the range [{low:g}, {high:g}] is empty")
    if value is not None and not low <= value <= high:
        raise EquationError(place, "", f"{value:g} lies outside [{low:g}, {high:g}]")
