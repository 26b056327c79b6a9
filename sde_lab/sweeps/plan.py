"""The plan of a sweep: its arguments checked, its points divided into blocks that fit the memory.

Which points share a block is decided here and never depends on the executor: the result is the same
to the bit whoever computes the blocks, and in whatever order.
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
from sde_lab.sweeps.batching import check_table, split_into_blocks
from sde_lab.sweeps.grid import SweepGrid, make_grid, with_values
from sde_lab.sweeps.measures import SENSITIVITY_INPUTS, STATE_INPUTS, Measure, make_measures

MAX_TIMES = 10_000
"""Equal time steps that may be asked for, at most."""


@dataclass(frozen=True)
class Column:
    """One of the E numbers of each point.

    Attributes:
        time: index of the measured time, from 0.
        quantity: a state component (``x``), a sensitivity (``dx_dkappa``) or ``path``.
        measure: name of the measure.
    """

    time: int
    quantity: str
    measure: str


@dataclass(frozen=True)
class SweepBlock:
    """P points that are simulated as rows of one batch: a self-contained, picklable unit of work.

    Attributes:
        point_indices: indices of the points in the grid, (P,).
        scenarios: of the points; they share steps, samples and scheme.
        span: samples simulated at a time.
        indices: steps at which something is measured, (T,), increasing; repeated where two of the
            times asked for have the same nearest step.
        measures: what is measured.
        sensitivities: Jacobian columns that are propagated along with the states.
        engine: which engine computes it: "auto", "compiled" or "torchsde".
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
        """The first point's scenario, for the fields that all points share."""
        return self.scenarios[0]

    @property
    def seeds(self) -> list[int]:
        """Seed of each point, (P,)."""
        return [scenario.seed for scenario in self.scenarios]

    @property
    def times(self) -> NDArray[np.float64]:
        """Times at which something is measured, in the model's unit, (P, T)."""
        shares = np.array(self.indices) / self.first.steps
        return np.array([shares * scenario.horizon for scenario in self.scenarios])


@dataclass(frozen=True)
class Plan:
    """A checked sweep, divided into blocks.

    Attributes:
        scenario: gives every field that is not swept.
        grid: the points.
        measures: what is measured at each point.
        sensitivities: Jacobian columns that are measured too.
        times: as asked for: None for the horizon, a number of equal steps, or times.
        columns: meaning of the E numbers of each point, (E,).
        blocks: the units of work; every point is in exactly one.
        engine: which engine computes it: "auto", "compiled" or "torchsde".
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
        """Number T of times at which something is measured."""
        return _count_times(self.times)

    def fingerprint(self) -> dict[str, Any]:
        """Return the identity of the sweep as plain data: equal for equal results.

        A checkpoint stores it, and refuses to continue a sweep with another one. The points are
        hashed, as there may be a million.
        """
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
    """Check a sweep and divide it into blocks; the arguments are those of :func:`sde_lab.sweep`.

    Raises:
        ScenarioError: for an invalid argument, or a sweep beyond the memory budget; the hint says
            what would work.
    """
    engine = chosen_engine(engine)
    checked_measures = make_measures(measures)
    names = _check_sensitivities(scenario, sensitivities)
    checked_times = _check_times(times)
    grid = make_grid(scenario, over)
    columns = _make_columns(scenario, checked_measures, names, _count_times(checked_times))
    check_table(len(grid.points), len(columns))
    scenarios = [with_values(scenario, dict(zip(grid.names, p, strict=True))) for p in grid.points]
    # Points can be rows of one batch if they take the same steps by the same scheme.
    groups: dict[tuple[Any, ...], list[int]] = {}
    for index, point in enumerate(scenarios):
        key = (point.steps, point.samples, point.scheme, _nearest_steps(point, checked_times))
        groups.setdefault(key, []).append(index)
    blocks = [
        SweepBlock(
            part, tuple(scenarios[i] for i in part), span, key[-1], checked_measures, names, engine
        )
        for key, indices in groups.items()
        for part, span in split_into_blocks(scenarios, indices, key[-1], checked_measures, names)
    ]
    return Plan(
        scenario, grid, checked_measures, names, checked_times, columns, tuple(blocks), engine
    )


def _check_sensitivities(scenario: Scenario, given: object) -> tuple[str, ...]:
    """Return the names of Jacobian columns, each known and given once."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ScenarioError("sensitivities", given, "must be a list of names")
    known = scenario.model_spec.jacobian_columns
    for name in given:
        if name not in known or list(given).count(name) > 1:
            raise ScenarioError("sensitivities", name, f"must be, once each: {', '.join(known)}")
    return tuple(given)


def _check_times(given: object) -> int | tuple[float, ...] | None:
    """Return None, a number of equal steps over the horizon, or increasing times."""
    if given is None:
        return None
    if isinstance(given, int) and not isinstance(given, bool):
        if not 1 <= given <= MAX_TIMES:
            hint = f"must be from 1 to {MAX_TIMES:,} steps, or a list of times"
            raise ScenarioError("times", given, hint)
        return given
    listed = given.tolist() if isinstance(given, np.ndarray) else given
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
        raise ScenarioError("times", given, "must be None, a whole number or a list of times")
    for time in listed:
        if isinstance(time, bool) or not isinstance(time, Real) or not math.isfinite(time):
            raise ScenarioError("times", time, "must be a finite number")
    times = tuple(float(time) for time in listed)
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise ScenarioError("times", given, "must increase")
    return times


def _count_times(times: int | tuple[float, ...] | None) -> int:
    """Return the number T of measured times; equal steps include time 0."""
    if times is None:
        return 1
    return times + 1 if isinstance(times, int) else len(times)


def _nearest_steps(scenario: Scenario, times: int | tuple[float, ...] | None) -> tuple[int, ...]:
    """Return the steps of the solver's grid nearest to the times, (T,)."""
    if times is None:
        return (scenario.steps,)
    if isinstance(times, int):
        return tuple(np.linspace(0, scenario.steps, times + 1).round().astype(int).tolist())
    if times[0] < 0.0 or times[-1] > scenario.horizon * (1.0 + 1e-12):
        hint = f"must lie within the horizon of every point, here [0, {scenario.horizon:g}]"
        raise ScenarioError("times", [times[0], times[-1]], hint)
    return tuple(round(time / scenario.step) for time in times)


def _make_columns(
    scenario: Scenario, measures: Sequence[Measure], sensitivities: Sequence[str], times: int
) -> tuple[Column, ...]:
    """List the columns of the table: states, then sensitivities, at each time; path functionals.

    A path functional stands once, at the last time. The order is that in which
    :class:`~sde_lab.sweeps.accumulator.BlockAccumulator` gives its estimates.
    """
    components = scenario.model_spec.components
    columns = []
    for time in range(times):
        for component in components:
            columns += [
                Column(time, component, m.name) for m in measures if m.requires in STATE_INPUTS
            ]
        for name in sensitivities:
            for component in components:
                quantity = f"d{component}_d{name}"
                columns += [
                    Column(time, quantity, m.name)
                    for m in measures
                    if m.requires in SENSITIVITY_INPUTS
                ]
    columns += [Column(times - 1, "path", m.name) for m in measures if m.requires == "path"]
    return tuple(columns)
