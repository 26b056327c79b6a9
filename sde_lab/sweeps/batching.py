"""How much of a sweep is held at a time: the sizes of its blocks, and what is too large at all."""

from __future__ import annotations

from collections.abc import Sequence

from sde_lab import memory
from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.solver.brownian import STREAM_SAMPLES
from sde_lab.sweeps.measures import Measure

MAX_BLOCK_ROWS = 2**16
"""Rows (points × samples) that are stepped together: many enough to hide Python, few for caches."""
MAX_BLOCK_POINTS = 64
"""Points of a block, at most: each block done is progress seen, kept and spread over workers."""
BLOCK_BYTES = 64e6
"""Bytes that the noise of a block, and the numbers it keeps, may take each."""
ROW_NUMBERS = 40
"""Numbers alive per row while one step is taken and differentiated."""
CELL_BYTES = 200
"""Bytes of one row of the table, names included."""


def require_table(points: int, entries: int) -> None:
    """Refuse more points than there is room for in a table, saying how many fit."""
    allowed = memory.run_limit_bytes() / 2.0
    fits = int(allowed / (CELL_BYTES * max(entries, 1)))
    if points > fits:
        needed = points * entries * CELL_BYTES
        raise ScenarioError(
            "over",
            f"{points} points",
            f"the table of {entries} numbers each needs {needed / 1e9:.2g} GB, it may take"
            f" {allowed / 1e9:.2g} GB; {fits} points fit",
        )


def split_into_blocks(
    scenarios: Sequence[Scenario],
    places: list[int],
    indices: tuple[int, ...],
    measures: Sequence[Measure],
    columns: Sequence[str],
) -> list[tuple[tuple[int, ...], int]]:
    """Consecutive points with a common walk, cut into blocks: their places, samples at a time."""
    scenario = scenarios[places[0]]
    width = 8 if scenario.dtype == "float64" else 4
    model, paths = scenario.model_spec, any(m.requires == "path" for m in measures)
    state = len(model.components)
    noise = (
        scenario.steps * model.brownian_size * (2 if scenario.scheme_spec.levy_area else 1) * width
    )
    extremes = 2 if any(m.requires == "extremes" for m in measures) else 0
    kept = (len(indices) * state * (1 + len(columns) + extremes) + 1 + len(measures)) * width
    whole = (scenario.steps + 1) * state * width if paths else 0
    room = min(BLOCK_BYTES, memory.run_limit_bytes() / 16.0)
    span = min(scenario.samples, MAX_BLOCK_ROWS)
    if noise * span > room and span > STREAM_SAMPLES:
        span = min(span, max(STREAM_SAMPLES, int(room / noise) // STREAM_SAMPLES * STREAM_SAMPLES))
    seeds = len({scenarios[place].seed for place in places}) > 1
    per_point = max(kept * scenario.samples, span * (whole + (noise if seeds else 0)))
    count = min(MAX_BLOCK_POINTS, max(1, MAX_BLOCK_ROWS // span), max(1, int(room / per_point)))
    _require_block(
        scenario,
        2.0 * noise * (span * count if seeds else span)
        + count * (3.0 * kept * scenario.samples + span * (whole + ROW_NUMBERS * state * width)),
    )
    return [(tuple(places[i : i + count]), span) for i in range(0, len(places), count)]


def _require_block(scenario: Scenario, needed: float) -> None:
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
