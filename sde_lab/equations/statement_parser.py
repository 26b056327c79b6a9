"""Parser of statements: an equation, a correlation, a setting, or the interpretation."""

from __future__ import annotations

from dataclasses import dataclass

from sde_lab.equations.coefficients import TIME
from sde_lab.equations.errors import EquationError, SourceLocation
from sde_lab.equations.expression_parser import ExpressionParser, is_noise
from sde_lab.equations.expression_tree import Node


@dataclass(frozen=True)
class EquationStatement:
    """d(state) = right.

    Attributes:
        symbols: every name on the right, in order.
        noises: those of them that are noises.
    """

    state: str
    right: Node
    symbols: tuple[str, ...]
    noises: tuple[str, ...]
    location: SourceLocation


@dataclass(frozen=True)
class CorrelationStatement:
    """corr(dW1, dW2) = value."""

    noises: tuple[str, str]
    value: Node
    location: SourceLocation


@dataclass(frozen=True)
class SettingStatement:
    """name = value in [low, high]; either part may be missing."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    location: SourceLocation


@dataclass(frozen=True)
class InterpretationStatement:
    """The interpretation of all noises: "ito" or "stratonovich"."""

    name: str
    location: SourceLocation


Statement = EquationStatement | CorrelationStatement | SettingStatement | InterpretationStatement


def parse_statement(parser: ExpressionParser) -> Statement:
    """Parse one statement to its end.

    Raises:
        EquationError: where it is not a statement.
    """
    first = parser.token
    if first.kind != "name":
        raise parser.error("a line begins with dx =, a name, or corr(")
    if first.text in ("ito", "stratonovich"):
        parser.advance()
        statement: Statement = InterpretationStatement(first.text, first.location)
    elif first.text == "corr":
        statement = _correlation(parser)
    elif parser.has_differentials():
        statement = _equation(parser)
    else:
        statement = _setting(parser)
    if parser.token.kind != "end":
        raise parser.error("the line should end here")
    return statement


def _equation(reader: ExpressionParser) -> EquationStatement:
    left = reader.advance()
    if is_noise(left.text) or left.text == TIME:
        hint = "names that begin with dW or dB are noises, dt is time: another state works"
        raise EquationError(left.location, left.written, hint)
    if not left.text.startswith("d") or len(left.text) < 2:
        raise EquationError(
            left.location, left.written, "an equation begins with d and a state, dx = …"
        )
    state = left.text[1:].lstrip("_")
    if not state[:1].isalpha():
        raise EquationError(left.location, left.written, "a state's name begins with a letter")
    reader.expect("=", f"= works after {left.written}")
    symbols = reader.names_ahead()
    noises = tuple(name for name in symbols if is_noise(name))
    return EquationStatement(state, reader.expression(), symbols, noises, left.location)


def _correlation(reader: ExpressionParser) -> CorrelationStatement:
    start = reader.advance()
    reader.expect("(", "corr(dW1, dW2) = rho works")
    first = reader.advance()
    reader.expect(",", "a comma and the second noise work: corr(dW1, dW2)")
    second = reader.advance()
    reader.expect(")", "a closing ) works")
    reader.expect("=", "= and a number or a name work")
    for token in (first, second):
        if not is_noise(token.text):
            raise EquationError(token.location, token.written, "a noise such as dW1 works here")
    value = reader.expression()
    if value.op != "name" and value.value is None:
        raise EquationError(value.location, "", "a number or the name of one parameter works")
    if value.value is not None and not -1.0 < value.value < 1.0:
        raise EquationError(value.location, "", "a correlation lies between -1 and 1")
    return CorrelationStatement((first.text, second.text), value, start.location)


def _setting(reader: ExpressionParser) -> SettingStatement:
    token = reader.advance()
    name = token.text
    if reader.accept("("):
        zero = reader.advance()
        if zero.text != "0":
            raise EquationError(zero.location, zero.written, f"{name}(0) is the initial value")
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
        _require_order(token.location, value, low, high)
    elif value is None:
        raise reader.error(f"{token.written} = 1 or {token.written} in [0, 5] works")
    return SettingStatement(name, value, low, high, token.location)


def _number(reader: ExpressionParser) -> float:
    token = reader.token
    node = reader.expression()
    if node.value is None:
        raise EquationError(
            token.location, token.written, "a number works here; an equation needs dt or dW"
        )
    return node.value


def _require_order(location: SourceLocation, value: float | None, low: float, high: float) -> None:
    if not low < high:
        raise EquationError(location, "", f"the range [{low:g}, {high:g}] is empty")
    if value is not None and not low <= value <= high:
        raise EquationError(location, "", f"{value:g} lies outside [{low:g}, {high:g}]")
