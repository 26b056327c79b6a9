"""Text → EquationSystem: equations, correlations and settings, checked against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from sde_lab.equations.coefficients import TIME, DifferentialTerms, collect_terms
from sde_lab.equations.correlations import misfit
from sde_lab.equations.errors import EquationError, SourceLocation
from sde_lab.equations.expression_parser import RESERVED, ExpressionParser
from sde_lab.equations.expression_tree import ZERO, Node
from sde_lab.equations.functions import ALIASES, FUNCTIONS
from sde_lab.equations.lexer import statements
from sde_lab.equations.statement_parser import (
    CorrelationStatement,
    EquationStatement,
    InterpretationStatement,
    SettingStatement,
    Statement,
    parse_statement,
)

MAX_STATES = 10
MAX_NOISES = 10
MAX_PARAMETERS = 24
"""Largest numbers of states, noises and parameters in one text."""
MAX_HORIZON = 1e6
"""Largest final time T, in the model's unit of time."""
TIME_NAME = "t"
NOT_STATES = RESERVED | frozenset(FUNCTIONS) | frozenset(ALIASES) | {TIME_NAME, "pi"}


@dataclass(frozen=True)
class EquationSystem:
    """A typed system of SDEs.

    Attributes:
        states: ASCII names, (D,).
        drift: coefficient of dt in each equation, (D,).
        noises: names such as dW1, (m,), in order of appearance.
        coefficients: coefficient of each noise in each equation, (D, m).
        correlations: indices of a pair of noises → correlation.
        stratonovich: True for the Stratonovich interpretation of all noises.
        parameters: ASCII names of all other symbols, in order of appearance.
        settings: values and ranges given, by name; ``x0`` for the initial value of x.
        horizon: end of the time range, or None where it is not given.
    """

    states: tuple[str, ...]
    drift: tuple[Node, ...]
    noises: tuple[str, ...]
    coefficients: tuple[tuple[Node, ...], ...]
    correlations: Mapping[tuple[int, int], Node]
    stratonovich: bool
    parameters: tuple[str, ...]
    settings: Mapping[str, SettingStatement]
    horizon: float | None


def initial_name(state: str) -> str:
    """Return the name of a state's initial value: x0 of x, x1_0 of x1."""
    return f"{state}_0" if state[-1].isdigit() else f"{state}0"


def analyse(text: str) -> EquationSystem:
    """Parse a text and check its statements against each other.

    Raises:
        EquationError: with line and column of the first error.
    """
    return analyse_statements(
        [parse_statement(ExpressionParser(tokens)) for tokens in statements(text)]
    )


def analyse_statements(parsed: list[Statement]) -> EquationSystem:
    """Check statements against each other and gather them to a system.

    Raises:
        EquationError: with line and column of the first error.
    """
    equations = [item for item in parsed if isinstance(item, EquationStatement)]
    if not equations:
        hint = "an equation works, such as dx = kappa*(theta - x)*dt + sigma*dW"
        raise EquationError(SourceLocation(1, 1), "", hint)
    states = _states(equations)
    noises = tuple(dict.fromkeys(name for item in equations for name in item.noises))
    _require_at_most(noises, MAX_NOISES, "noises", equations[-1])
    increments = [collect_terms(item.right, frozenset(noises)) for item in equations]
    correlations = _correlations(parsed, noises, frozenset(states) | {TIME_NAME})
    parameters = _parameters(equations, correlations, frozenset(states), frozenset(noises))
    settings, horizon = _settings(parsed, {*parameters, *map(initial_name, states)})
    return EquationSystem(
        states=states,
        drift=tuple(item.coefficients.get(TIME, ZERO) for item in increments),
        noises=noises,
        coefficients=tuple(
            tuple(item.coefficients.get(noise, ZERO) for noise in noises) for item in increments
        ),
        correlations=correlations,
        stratonovich=_is_stratonovich(parsed, increments, equations),
        parameters=parameters,
        settings=settings,
        horizon=horizon,
    )


def _states(equations: list[EquationStatement]) -> tuple[str, ...]:
    seen: dict[str, EquationStatement] = {}
    for item in equations:
        if item.state in seen:
            raise EquationError(
                item.location, f"d{item.state}", f"d{item.state} has an equation already"
            )
        if item.state in NOT_STATES:
            raise EquationError(item.location, f"d{item.state}", "another name for the state works")
        seen[item.state] = item
    _require_at_most(tuple(seen), MAX_STATES, "equations", equations[-1])
    return tuple(seen)


def _require_at_most(names: tuple[str, ...], most: int, what: str, item: EquationStatement) -> None:
    if len(names) > most:
        raise EquationError(item.location, names[most], f"at most {most} {what} work")


def _correlations(
    statements: list[Statement], noises: tuple[str, ...], moving: frozenset[str]
) -> dict[tuple[int, int], Node]:
    correlations: dict[tuple[int, int], Node] = {}
    for item in statements:
        if not isinstance(item, CorrelationStatement):
            continue
        for noise in item.noises:
            if noise not in noises:
                raise EquationError(item.location, noise, f"{noise} stands in no equation")
        if item.value.depends_on(moving):
            raise EquationError(item.value.location, "", "a correlation is a number or a parameter")
        indices = sorted(noises.index(noise) for noise in item.noises)
        pair = (indices[0], indices[1])
        if pair[0] == pair[1] or pair in correlations:
            raise EquationError(item.location, "corr", "each pair of different noises works once")
        correlations[pair] = item.value
    numbers = {pair: node.value for pair, node in correlations.items() if node.value is not None}
    if len(numbers) == len(correlations) and (found := misfit(numbers, noises)) is not None:
        pair, hint = found
        raise EquationError(correlations[pair].location, "", hint)
    return correlations


def _parameters(
    equations: list[EquationStatement],
    correlations: Mapping[tuple[int, int], Node],
    states: frozenset[str],
    noises: frozenset[str],
) -> tuple[str, ...]:
    """Return every symbol that is no state, noise or time, in the order of the text."""
    known = states | noises | {TIME, TIME_NAME}
    parameters = dict.fromkeys(
        name
        for name in chain(
            *(item.symbols for item in equations), *(node.names for node in correlations.values())
        )
        if name not in known
    )
    starts = {initial_name(state): state for state in states}
    for item in equations:
        for name in item.symbols:
            if name in starts:
                hint = f"{name} is the initial value of {starts[name]}: another name works"
                raise EquationError(item.location, name, hint)
    _require_at_most(tuple(parameters), MAX_PARAMETERS, "parameters", equations[-1])
    return tuple(parameters)


def _settings(
    statements: list[Statement], known: set[str]
) -> tuple[dict[str, SettingStatement], float | None]:
    settings: dict[str, SettingStatement] = {}
    horizon = None
    for item in statements:
        if not isinstance(item, SettingStatement):
            continue
        if item.name == TIME_NAME:
            horizon = _horizon(item)
        elif item.name not in known:
            hint = f"{item.name} stands in no equation; an equation needs dt or dW"
            raise EquationError(item.location, item.name, hint)
        elif item.name in settings:
            raise EquationError(item.location, item.name, f"{item.name} is set already")
        else:
            settings[item.name] = item
    return settings, horizon


def _horizon(item: SettingStatement) -> float:
    if item.value is not None or item.low != 0 or item.high is None:
        raise EquationError(item.location, TIME_NAME, "time starts at 0: t in [0, 10] works")
    if item.high > MAX_HORIZON:
        raise EquationError(item.location, TIME_NAME, f"a final time up to {MAX_HORIZON:g} works")
    return item.high


def _is_stratonovich(
    statements: list[Statement],
    increments: list[DifferentialTerms],
    equations: list[EquationStatement],
) -> bool:
    """Return True for the Stratonovich interpretation, which must be the same for all noises."""
    circled = any(item.stratonovich_noises for item in increments)
    for item, equation in zip(increments, equations, strict=True):
        if circled and item.ito_noises:
            hint = "with ∘ before one noise, every noise needs it (one interpretation for all)"
            raise EquationError(equation.location, "", hint)
    interpretations = {
        item.name: item.location for item in statements if isinstance(item, InterpretationStatement)
    }
    if len(interpretations) > 1 or (circled and "ito" in interpretations):
        raise EquationError(
            max(interpretations.values()), "", "one interpretation for all: ito or stratonovich"
        )
    return circled or "stratonovich" in interpretations
