"""What is turned, and to which values: checked points, each a scenario of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario

FIELDS = ("horizon", "steps", "samples", "scheme", "seed")
"""What can be swept beside the initial state and the parameters."""
MAX_GRID_POINTS = 1_000_000
"""Points of one grid."""


@dataclass(frozen=True)
class SweepGrid:
    """The points of a sweep.

    Attributes:
        names: what is swept.
        points: the values of each point, one per name.
        shape: number of values per name where the grid is full, the last name running fastest;
            (points,) where the points were given one by one.
    """

    names: tuple[str, ...]
    points: tuple[tuple[Any, ...], ...]
    shape: tuple[int, ...]


def sweepable_names(scenario: Scenario) -> tuple[str, ...]:
    """Everything that can be swept: the initial state, the parameters, then FIELDS."""
    return (*scenario.model_spec.jacobian_columns, *FIELDS)


def make_grid(scenario: Scenario, over: object) -> SweepGrid:
    """The points that ``over`` describes.

    Args:
        scenario: what stays as it is.
        over: a mapping from names to sequences of values, whose full grid is meant, or a sequence
            of mappings from names to values, one per point, all with the same names.

    Raises:
        ScenarioError: for unknown names, values that cannot work, an empty grid or a huge one.
    """
    if isinstance(over, Mapping):
        return _full(scenario, over)
    if isinstance(over, Sequence) and not isinstance(over, str | bytes):
        return _paired(scenario, over)
    raise ScenarioError("over", over, "must be a mapping from names to values, or a list of points")


def with_values(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """The scenario with some of its names at other values.

    Raises:
        ScenarioError: for an unknown name, or a value that cannot work.
    """
    fields: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    x0 = list(scenario.initial)
    initial = [parameter.name for parameter in scenario.model_spec.initial]
    for name, value in changes.items():
        if name in initial:
            x0[initial.index(name)] = value
        elif name in scenario.parameters:
            parameters[name] = value
        elif name in FIELDS:
            fields[name] = value
        else:
            known = ", ".join(sweepable_names(scenario))
            raise ScenarioError(f"over.{name}", value, f"cannot be swept; {known} can")
    return scenario.replace(**fields, parameters=parameters, x0=x0)


def get_value(scenario: Scenario, name: str) -> Any:
    """The value that a scenario has for one of its sweepable names."""
    initial = [parameter.name for parameter in scenario.model_spec.initial]
    if name in initial:
        return scenario.initial[initial.index(name)]
    return scenario.parameters[name] if name in scenario.parameters else getattr(scenario, name)


def _full(scenario: Scenario, over: Mapping[str, Any]) -> SweepGrid:
    if not over:
        raise ScenarioError("over", over, "names nothing to sweep")
    axes = [_axis(scenario, str(name), values) for name, values in over.items()]
    shape = tuple(len(axis) for axis in axes)
    _require_count("over", math.prod(shape))
    return SweepGrid(tuple(map(str, over)), tuple(product(*axes)), shape)


def _axis(scenario: Scenario, name: str, values: Any) -> list[Any]:
    """The values of one name, as the scenario understands them."""
    field = f"over.{name}"
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(listed, Sequence | range) or isinstance(listed, str | bytes):
        raise ScenarioError(field, values, "must be a list of values")
    if not listed:
        raise ScenarioError(field, values, "must hold at least one value")
    _require_count(field, len(listed))
    return [_validated(scenario, {name: value})[0] for value in listed]


def _paired(scenario: Scenario, over: Sequence[Any]) -> SweepGrid:
    if not over:
        raise ScenarioError("over", over, "must hold at least one point")
    _require_count("over", len(over))
    first = over[0]
    for point in over:
        if not isinstance(point, Mapping) or not point or set(point) != set(first):
            hint = "each point must be a mapping from the same names to values"
            raise ScenarioError("over", point, hint)
    names = tuple(map(str, first))
    points = tuple(_validated(scenario, {name: point[name] for name in names}) for point in over)
    return SweepGrid(names, points, (len(points),))


def _validated(scenario: Scenario, changes: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values as a scenario keeps them, once it has checked them."""
    try:
        found = with_values(scenario, changes)
    except ScenarioError as error:
        field = error.field.removeprefix("parameters.")
        name = next((n for n in changes if n == field), next(iter(changes)))
        raise ScenarioError(f"over.{name}", changes[name], error.hint) from None
    return tuple(get_value(found, name) for name in changes)


def _require_count(field: str, count: int) -> None:
    if count > MAX_GRID_POINTS:
        raise ScenarioError(
            field, count, f"that many points are too many; {MAX_GRID_POINTS} are not"
        )
