"""Scenario → summary, in chunks of samples and in bounded memory.

A page shows at most 121 times. So a run too large for memory is simulated and differentiated in
chunks of samples, of which only the displayed times are stored. Samples do not influence each other
and their noise does not depend on their number: the numbers are those of a single run.

Where even the displayed times of all samples do not fit, each chunk is reduced to moments and to
counts in bins (:mod:`sde_lab.summaries.streaming`). Then memory does not grow with the samples, and
quantiles have an error, whose bound is stated.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sde_lab import memory
from sde_lab.scenario import Scenario
from sde_lab.sensitivity.compiled_engine import compiled_tables
from sde_lab.sensitivity.engines import chosen_engine
from sde_lab.sensitivity.jacobian import jacobian
from sde_lab.solver.brownian import STREAM_SAMPLES
from sde_lab.solver.simulate import brownian_increments, simulate
from sde_lab.summaries.estimators import Array
from sde_lab.summaries.streaming import StreamedSummary
from sde_lab.summaries.summary import Summary, display_indices, summarise_tables, to_display_layout

CHUNK_BYTES = 256e6
"""Memory of one chunk, in bytes. Many samples at once spread the solver's overhead per step."""
MAX_CHUNK_SAMPLES = 16 * STREAM_SAMPLES
"""Largest number of samples of one chunk, for an equation as cheap as a built-in model: more gain
no speed, and progress would be reported too rarely."""


class ChunkedRun:
    """A run in chunks of samples, which can be advanced, summarised at any time and abandoned.

    Args:
        scenario: the scenario.
        engine: as :func:`simulate_summary` takes it.
        keep_bytes: memory up to which the displayed times of all samples are kept, in bytes; None
            takes the memory limit of one run.

    Attributes:
        scenario: the scenario.
        done: number of samples simulated so far.

    Raises:
        ScenarioError: if the run does not fit the memory budget, or the engine does not exist.
    """

    def __init__(
        self, scenario: Scenario, engine: str | None = None, keep_bytes: float | None = None
    ) -> None:
        check_memory(scenario)
        self._engine = chosen_engine(engine)
        self._engines_used: dict[str, None] = {}
        self._difference: float | None = None
        self.scenario = scenario
        self.done = 0
        self._indices = display_indices(scenario.steps)
        self._tables: list[Array] = []
        self._streamed: StreamedSummary | None = None
        if memory.keeps_samples(scenario, keep_bytes):
            shape = (len(self._indices), len(scenario.initial), scenario.samples)
            columns = 1 + len(scenario.model_spec.jacobian_columns)
            self._tables = [np.empty(shape, dtype=scenario.dtype) for _ in range(columns)]
        else:
            self._streamed = StreamedSummary(scenario, memory.streaming_sizes(scenario))

    @property
    def engine(self) -> str:
        """Engines of the chunks so far: "compiled", "torchsde", or both in order of use."""
        return ", ".join(self._engines_used) or "torchsde"

    @property
    def finished(self) -> bool:
        """True once all samples are simulated."""
        return self.done == self.scenario.samples

    def advance(self) -> int:
        """Simulate and differentiate the next chunk; return the number of samples done so far."""
        fitting = int(CHUNK_BYTES / memory.bytes_per_sample(self.scenario, jacobian=True))
        most = int(
            MAX_CHUNK_SAMPLES
            / self.scenario.model_spec.evaluation_cost(self.scenario.scheme_spec.interpretation)
        )
        # Whole random streams, so that the next chunk starts at a multiple of STREAM_SAMPLES.
        size = max(min(fitting, most) // STREAM_SAMPLES * STREAM_SAMPLES, STREAM_SAMPLES)
        stop = min(self.done + size, self.scenario.samples)
        part = self.scenario.replace(samples=stop - self.done)
        compiled = None
        if self._engine != "torchsde":
            wait = self._engine == "compiled"
            compiled = compiled_tables(part, self._indices, self.done, wait=wait)
        if compiled is not None:
            self._engines_used["compiled"] = None
            self._difference = compiled.difference
            parts = [compiled.states, *compiled.derivatives]
        else:
            self._engines_used["torchsde"] = None
            parts = self._run_torchsde(part)
        if self._streamed is not None:
            self._streamed.add(parts)
        else:
            for table, values in zip(self._tables, parts, strict=True):
                table[..., self.done : stop] = values
        self.done = stop
        return stop

    def _run_torchsde(self, part: Scenario) -> list[Array]:
        """Return states and derivatives at the displayed times by torchsde, (T, D, N) each."""
        paths = simulate(part, brownian_increments(part, first_sample=self.done))
        derivatives = jacobian(paths).values
        tables = [paths.values, *derivatives.unbind(-1)]
        return [to_display_layout(table, self._indices) for table in tables]

    def summary(self) -> Summary:
        """Return the summary of the samples done so far, with their number as ``samples``."""
        if self._streamed is not None:
            summary = self._streamed.summary()
        else:
            scenario = self.scenario.replace(samples=max(self.done, 1))
            tables = [table[..., : self.done] for table in self._tables]
            names = self.scenario.model_spec.jacobian_columns
            summary = summarise_tables(scenario, names, tables)
        return replace(summary, engine=self.engine, engine_difference=self._difference)


def check_memory(scenario: Scenario) -> None:
    """Raise ScenarioError if a run in chunks does not fit the memory budget.

    Needed are the displayed times of all samples, or what is kept in their place, and all times of
    one chunk.
    """
    memory.check_chunked_run(scenario)
    memory.check_run(scenario.replace(samples=min(scenario.samples, STREAM_SAMPLES)), jacobian=True)


def simulate_summary(
    scenario: Scenario, engine: str | None = None, keep_bytes: float | None = None
) -> Summary:
    """Simulate and differentiate a scenario in bounded memory; return its summary.

    The numbers are those of ``summarise(paths, jacobian(paths))`` with ``paths =
    simulate(scenario)``: samples do not influence each other, and the noise of each does not depend
    on their number. So the samples are run in chunks, of which only the displayed times, at most
    121, are stored. Whole paths (time, sample, state) and derivatives (time, sample, state,
    parameter), which otherwise limit the number of steps and samples, are never in memory.

    Where even the displayed times of all samples exceed ``keep_bytes``, as those of 10 million
    samples do, memory does not grow with the samples: moments are the same to rounding, histograms
    are counted in bins that the first samples choose, and quantiles have an error, whose bound is
    in :attr:`Bands.quantile_bound`. For built-in models in float32 it is below the standard error
    of the quantile.

    Args:
        scenario: the scenario, run in its own precision.
        engine: "torchsde" (``sdeint`` and replay), "compiled" (a compiled loop; compiles first if
            necessary), or "auto": compiled where its kernel is ready, and torchsde until then,
            while it compiles in the background. They agree to rounding. None takes the environment
            variable ``SDE_LAB_ENGINE``, "auto" by default.
        keep_bytes: memory up to which the displayed times of all samples are kept, in bytes; None
            takes the memory limit of one run, ``SDE_LAB_MEMORY_GB``, 2 GB by default.

    Returns:
        Statistics of the states and of their derivatives by every initial value and parameter at
        the displayed times, with Monte-Carlo errors, and some sample paths.

    Raises:
        ScenarioError: if one chunk of samples at all times, or what is kept of all samples, does
            not fit the memory budget (:mod:`sde_lab.memory`), or for an engine that does not exist.
    """
    run = ChunkedRun(scenario, engine, keep_bytes)
    while not run.finished:
        run.advance()
    return run.summary()
