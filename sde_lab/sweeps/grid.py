"""The points of a sweep: the names that vary and their values, checked by the scenario itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario

SWEEPABLE_FIELDS = ("horizon", "steps", "samples", "scheme", "seed")
"""Fields of a scenario that can be swept, beside the initial state and the parameters."""
MAX_GRID_POINTS = 1_000_000
"""Number of points of one grid, at most."""


@dataclass(frozen=True)
class SweepGrid:
    """The P points of a sweep.

    Attributes:
        names: the swept names.
        points: P tuples with one value per name.
        shape: number of values per name of a full grid, the last name varying fastest; (P,) where
            the points were given one by one.
    """

    names: tuple[str, ...]
    points: tuple[tuple[Any, ...], ...]
    shape: tuple[int, ...]


def sweepable_names(scenario: Scenario) -> tuple[str, ...]:
    """Return what can be swept: initial state, parameters, then :data:`SWEEPABLE_FIELDS`."""
    return (*scenario.model_spec.jacobian_columns, *SWEEPABLE_FIELDS)


def make_grid(scenario: Scenario, over: object) -> SweepGrid:
    """Build the grid from the ``over`` argument of a sweep.

    Args:
        scenario: gives every field that is not swept.
        over: a mapping from names to sequences of values, for their Cartesian product, or a
            sequence of mappings from names to values, one per point, all with the same names.

    Raises:
        ScenarioError: for unknown names, invalid values, an empty grid, or more than
            :data:`MAX_GRID_POINTS` points.
    """
    if isinstance(over, Mapping):
        return _full_grid(scenario, over)
    if isinstance(over, Sequence) and not isinstance(over, str | bytes):
        return _listed_points(scenario, over)
    raise ScenarioError("over", over, "must be a mapping from names to values, or a list of points")


def with_values(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """Return the scenario with other values for some of its sweepable names.

    Raises:
        ScenarioError: for an unknown name, or an invalid value.
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
        elif name in SWEEPABLE_FIELDS:
            fields[name] = value
        else:
            known = ", ".join(sweepable_names(scenario))
            raise ScenarioError(f"over.{name}", value, f"cannot be swept; {known} can")
    return scenario.replace(**fields, parameters=parameters, x0=x0)


def get_value(scenario: Scenario, name: str) -> Any:
    """Return the scenario's value of one sweepable name."""
    initial = [parameter.name for parameter in scenario.model_spec.initial]
    if name in initial:
        return scenario.initial[initial.index(name)]
    return scenario.parameters[name] if name in scenario.parameters else getattr(scenario, name)


def _full_grid(scenario: Scenario, over: Mapping[str, Any]) -> SweepGrid:
    """Return the Cartesian product of the values of each name."""
    if not over:
        raise ScenarioError("over", over, "names nothing to sweep")
    axes = [_axis(scenario, str(name), values) for name, values in over.items()]
    shape = tuple(len(axis) for axis in axes)
    _require_count("over", math.prod(shape))
    return SweepGrid(tuple(map(str, over)), tuple(product(*axes)), shape)


def _axis(scenario: Scenario, name: str, values: Any) -> list[Any]:
    """Return the values of one name, as a scenario stores them (``1`` as ``1.0``)."""
    field = f"over.{name}"
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(listed, Sequence | range) or isinstance(listed, str | bytes):
        raise ScenarioError(field, values, "must be a list of values")
    if not listed:
        raise ScenarioError(field, values, "must hold at least one value")
    _require_count(field, len(listed))
    return [_validated(scenario, {name: value})[0] for value in listed]


def _listed_points(scenario: Scenario, over: Sequence[Any]) -> SweepGrid:
    """Return the grid of points given one by one, each with values for the same names."""
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
    """Return the values as a scenario stores them.

    They are checked by building a scenario with them, so that the bounds stand once, on the model's
    parameters. The error then names ``over`` and the swept name instead of the scenario's field.
    """
    try:
        changed = with_values(scenario, changes)
    except ScenarioError as error:
        field = error.field.removeprefix("parameters.")
        name = next((n for n in changes if n == field), next(iter(changes)))
        raise ScenarioError(f"over.{name}", changes[name], error.hint) from None
    return tuple(get_value(changed, name) for name in changes)


def _require_count(field: str, count: int) -> None:
    if count > MAX_GRID_POINTS:
        raise ScenarioError(field, count, f"a sweep takes at most {MAX_GRID_POINTS:,} points")
