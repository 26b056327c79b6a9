"""The sweep as it will be done: checked, sized against the memory budget, divided into blocks.

Which points share a block is decided here, never by who computes it. Whoever computes the blocks,
in whatever order, computes the same numbers, to the bit.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.sensitivity.engines import chosen_engine
from sde_lab.sweeps.batching import require_table, split_into_blocks
from sde_lab.sweeps.grid import SweepGrid, make_grid, with_values
from sde_lab.sweeps.measures import SENSITIVITY_INPUTS, STATE_INPUTS, Measure, make_measures


@dataclass(frozen=True)
class Column:
    """One number that each point has: which time (by place), of which quantity, which measure."""

    time: int
    quantity: str
    measure: str


@dataclass(frozen=True)
class SweepBlock:
    """Points that are walked together, with all that it takes: complete, and fit to be sent.

    Attributes:
        point_indices: of the points in the grid.
        scenarios: of the points; steps, samples and scheme are common.
        span: samples walked at a time.
        indices: steps at which something is measured, in order, repeated where times fall together.
        measures: what is measured.
        sensitivities: what is differentiated by.
        engine: who computes it, wherever it is sent: "auto", "compiled" or "torchsde".
    """

    point_indices: tuple[int, ...]
    scenarios: tuple[Scenario, ...]
    span: int
    indices: tuple[int, ...]
    measures: tuple[Measure, ...]
    sensitivities: tuple[str, ...]
    engine: str = "torchsde"

    @property
    def first(self) -> Scenario:
        """A scenario with what is common."""
        return self.scenarios[0]

    @property
    def seeds(self) -> list[int]:
        """The seed of each point."""
        return [scenario.seed for scenario in self.scenarios]

    @property
    def times(self) -> NDArray[np.float64]:
        """Real times at which something is measured, (points, times)."""
        shares = np.array(self.indices) / self.first.steps
        return np.array([shares * scenario.horizon for scenario in self.scenarios])


@dataclass(frozen=True)
class Plan:
    """A sweep, ready to be done.

    Attributes:
        scenario: what stays as it is.
        grid: the points.
        measures: what is measured in each.
        sensitivities: columns whose derivatives are measured too.
        times: as asked for.
        columns: the numbers that each point has.
        blocks: the work.
        engine: who computes it: "auto", "compiled" or "torchsde".
    """

    scenario: Scenario
    grid: SweepGrid
    measures: tuple[Measure, ...]
    sensitivities: tuple[str, ...]
    times: int | tuple[float, ...] | None
    columns: tuple[Column, ...]
    blocks: tuple[SweepBlock, ...]
    engine: str = "torchsde"

    @property
    def n_times(self) -> int:
        """Number of times at which something is measured."""
        return _count(self.times)

    def fingerprint(self) -> dict[str, Any]:
        """What makes it this sweep and no other, as plain data."""
        points = json.dumps(self.grid.points).encode()
        return {
            "scenario": self.scenario.to_dict(),
            "names": list(self.grid.names),
            "points": [len(self.grid.points), hashlib.sha256(points).hexdigest()],
            "measures": [measure.fingerprint for measure in self.measures],
            "sensitivities": list(self.sensitivities),
            "times": list(self.times) if isinstance(self.times, tuple) else self.times,
            "engine": self.engine,
        }


def make_plan(
    scenario: Scenario,
    over: object,
    measures: object,
    sensitivities: object = (),
    times: object = None,
    engine: str | None = None,
) -> Plan:
    """Check a sweep and divide it; the arguments are those of :func:`sde_lab.sweep`.

    Raises:
        ScenarioError: for what cannot work or does not fit, saying what would.
    """
    by = chosen_engine(engine)
    chosen = make_measures(measures)
    columns = _check_sensitivities(scenario, sensitivities)
    moments = _times(times)
    grid = make_grid(scenario, over)
    entries = _make_columns(scenario, chosen, columns, _count(moments))
    require_table(len(grid.points), len(entries))
    scenarios = [with_values(scenario, dict(zip(grid.names, p, strict=True))) for p in grid.points]
    groups: dict[tuple[Any, ...], list[int]] = {}
    for place, point in enumerate(scenarios):
        key = (point.steps, point.samples, point.scheme, _indices(point, moments))
        groups.setdefault(key, []).append(place)
    blocks = [
        SweepBlock(part, tuple(scenarios[i] for i in part), span, key[-1], chosen, columns, by)
        for key, places in groups.items()
        for part, span in split_into_blocks(scenarios, places, key[-1], chosen, columns)
    ]
    return Plan(scenario, grid, chosen, columns, moments, entries, tuple(blocks), by)


def _check_sensitivities(scenario: Scenario, given: object) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ScenarioError("sensitivities", given, "must be a list of names")
    known = scenario.model_spec.jacobian_columns
    for name in given:
        if name not in known or list(given).count(name) > 1:
            raise ScenarioError("sensitivities", name, f"must be, once each: {', '.join(known)}")
    return tuple(given)


def _times(given: object) -> int | tuple[float, ...] | None:
    """None, a number of equal steps over the horizon, or increasing real times."""
    if given is None:
        return None
    if isinstance(given, int) and not isinstance(given, bool):
        if not 1 <= given <= 10_000:
            raise ScenarioError("times", given, "must be from 1 to 10000 steps, or a list of times")
        return given
    listed = given.tolist() if isinstance(given, np.ndarray) else given
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
        raise ScenarioError("times", given, "must be None, a whole number or a list of times")
    for time in listed:
        if isinstance(time, bool) or not isinstance(time, Real) or not math.isfinite(time):
            raise ScenarioError("times", time, "must be a finite number")
    found = tuple(float(time) for time in listed)
    if any(later <= earlier for earlier, later in pairwise(found)):
        raise ScenarioError("times", given, "must increase")
    return found


def _count(times: int | tuple[float, ...] | None) -> int:
    if times is None:
        return 1
    return times + 1 if isinstance(times, int) else len(times)


def _indices(scenario: Scenario, times: int | tuple[float, ...] | None) -> tuple[int, ...]:
    """The steps nearest to the times."""
    if times is None:
        return (scenario.steps,)
    if isinstance(times, int):
        return tuple(np.linspace(0, scenario.steps, times + 1).round().astype(int).tolist())
    if times[0] < 0.0 or times[-1] > scenario.horizon * (1.0 + 1e-12):
        hint = f"must lie within the horizon of every point, here [0, {scenario.horizon:g}]"
        raise ScenarioError("times", [times[0], times[-1]], hint)
    return tuple(round(time / scenario.step) for time in times)


def _make_columns(
    scenario: Scenario, measures: Sequence[Measure], columns: Sequence[str], times: int
) -> tuple[Column, ...]:
    """State, then sensitivities, at each time; what is read off whole paths once, at the end."""
    components = scenario.model_spec.components
    found = []
    for time in range(times):
        for component in components:
            found += [
                Column(time, component, m.name) for m in measures if m.requires in STATE_INPUTS
            ]
        for column in columns:
            for component in components:
                quantity = f"d{component}_d{column}"
                found += [
                    Column(time, quantity, m.name)
                    for m in measures
                    if m.requires in SENSITIVITY_INPUTS
                ]
    found += [Column(times - 1, "path", m.name) for m in measures if m.requires == "path"]
    return tuple(found)
