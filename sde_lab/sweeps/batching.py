"""Block sizes of a sweep, from the memory budget, and the refusal of sweeps beyond it."""

from __future__ import annotations

from collections.abc import Sequence

from sde_lab import memory
from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.solver.brownian import STREAM_SAMPLES
from sde_lab.sweeps.measures import Measure

MAX_BLOCK_ROWS = 2**16
"""Rows (points × samples) stepped together, at most.

Enough that Python's overhead per step does not count, few enough that a row of states and tangents
stays in the processor's cache.
"""
MAX_BLOCK_POINTS = 64
"""Points of a block, at most.

A block is the unit of progress, of the checkpoint and of the work handed to an executor, so a block
of very many points would show nothing for long and keep other workers idle.
"""
BLOCK_BYTES = 64e6
"""Bytes that the increments of a block, and the samples it stores, may take each."""
TEMPORARIES_PER_COMPONENT = 40
"""Numbers allocated per row and state component while one step is taken and differentiated."""
TABLE_ROW_BYTES = 200
"""Bytes of one row of the tidy table (one number of one point), names included."""


def check_table(points: int, columns: int) -> None:
    """Check that the result table fits half of the memory budget.

    Args:
        points: number of points.
        columns: numbers per point.

    Raises:
        ScenarioError: if it does not fit; the hint says how many points do.
    """
    allowed = memory.run_limit_bytes() / 2.0
    fits = int(allowed / (TABLE_ROW_BYTES * max(columns, 1)))
    if points > fits:
        needed = points * columns * TABLE_ROW_BYTES
        raise ScenarioError(
            "over",
            f"{points} points",
            f"the table of {columns} numbers each needs {needed / 1e9:.2g} GB, it may take"
            f" {allowed / 1e9:.2g} GB; {fits} points fit",
        )


def split_into_blocks(
    scenarios: Sequence[Scenario],
    point_indices: list[int],
    step_indices: tuple[int, ...],
    measures: Sequence[Measure],
    sensitivities: Sequence[str],
) -> list[tuple[tuple[int, ...], int]]:
    """Split points with equal steps, samples and scheme into blocks.

    Args:
        scenarios: of all points of the sweep.
        point_indices: the points to split, as indices into ``scenarios``.
        step_indices: steps at which something is measured.
        measures: what is measured.
        sensitivities: Jacobian columns that are propagated.

    Returns:
        For each block the indices of its points, and how many samples are simulated at a time
        (a multiple of the samples per random stream, unless all samples fit).

    Raises:
        ScenarioError: if not even a block of one point fits the memory budget.
    """
    scenario = scenarios[point_indices[0]]
    width = 8 if scenario.dtype == "float64" else 4  # bytes per number
    model, paths = scenario.model_spec, any(m.requires == "path" for m in measures)
    size = len(model.components)
    levy = 2 if scenario.scheme_spec.levy_area else 1
    # bytes per sample: of the increments, of the stored times, and of a whole path
    noise = scenario.steps * model.brownian_size * levy * width
    extremes = 2 if any(m.requires == "extremes" for m in measures) else 0
    numbers = len(step_indices) * size * (1 + len(sensitivities) + extremes) + 1 + len(measures)
    stored = numbers * width
    path = (scenario.steps + 1) * size * width if paths else 0
    limit = min(BLOCK_BYTES, memory.run_limit_bytes() / 16.0)
    span = min(scenario.samples, MAX_BLOCK_ROWS)
    if noise * span > limit and span > STREAM_SAMPLES:
        # whole random streams, so that no stream is drawn twice
        span = min(span, max(STREAM_SAMPLES, int(limit / noise) // STREAM_SAMPLES * STREAM_SAMPLES))
    # points of one seed share their increments, those of several seeds hold them once each
    seeds = len({scenarios[index].seed for index in point_indices}) > 1
    per_point = max(stored * scenario.samples, span * (path + (noise if seeds else 0)))
    count = min(MAX_BLOCK_POINTS, max(1, MAX_BLOCK_ROWS // span), max(1, int(limit / per_point)))
    temporaries = TEMPORARIES_PER_COMPONENT * size * width
    # The peak: increments twice, for the copies while they are drawn; stored numbers three times,
    # for the sorted and centred copies that the estimates need.
    _check_block(
        scenario,
        2.0 * noise * (span * count if seeds else span)
        + count * (3.0 * stored * scenario.samples + span * (path + temporaries)),
    )
    return [
        (tuple(point_indices[i : i + count]), span) for i in range(0, len(point_indices), count)
    ]


def _check_block(scenario: Scenario, needed: float) -> None:
    """Raise if a block of ``needed`` bytes exceeds the budget, saying what would fit."""
    allowed = memory.run_limit_bytes()
    if needed > allowed:
        share = allowed / needed
        samples = int(scenario.samples * share) // STREAM_SAMPLES * STREAM_SAMPLES
        fits = (
            f"{samples} samples should fit"
            if samples >= STREAM_SAMPLES
            else f"{max(1, int(scenario.steps * share))} steps should fit"
        )
        raise ScenarioError(
            "samples",
            scenario.samples,
            f"one point needs {needed / 1e9:.2g} GB, the budget is {allowed / 1e9:.2g} GB; {fits}",
        )
