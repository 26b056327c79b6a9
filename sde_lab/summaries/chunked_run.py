"""Scenario → summary, span of samples by span, in bounded memory.

A page shows at most 121 times. So a run too long to hold whole is simulated and differentiated some
samples at a time, of which only the displayed times are kept. Samples do not influence each other
and their noise does not depend on how many there are: the numbers are those of a single run.
"""

from __future__ import annotations

import numpy as np

from sde_lab import memory
from sde_lab.scenario import Scenario
from sde_lab.sensitivity.compiled_engine import compiled_tables
from sde_lab.sensitivity.engines import chosen_engine
from sde_lab.sensitivity.jacobian import jacobian
from sde_lab.solver.brownian import STREAM_SAMPLES
from sde_lab.solver.simulate import brownian_increments, simulate
from sde_lab.summaries.estimators import Array
from sde_lab.summaries.summary import Summary, display_indices, summarise_tables, to_display_layout

CHUNK_BYTES = 256e6
"""Memory of one span. The solver's own cost per step asks for many samples at once."""
MAX_CHUNK_SAMPLES = 16 * STREAM_SAMPLES
"""Samples of one span, at most: beyond, nothing is gained and progress is shown too rarely. Fewer
of an equation that takes long to evaluate."""


class ChunkedRun:
    """A run in progress, which can be advanced, looked at and left.

    Attributes:
        scenario: what is run.
        done: number of samples done so far.
        engine: which engine computed the last of them, "compiled" or "torchsde".

    Raises:
        ScenarioError: for an engine that does not exist, and if even the displayed times do not
            fit the memory budget.
    """

    def __init__(self, scenario: Scenario, engine: str | None = None) -> None:
        check_memory(scenario)
        self._engine = chosen_engine(engine)
        self.engine = "torchsde"
        self.scenario = scenario
        self.done = 0
        self._indices = display_indices(scenario.steps)
        shape = (len(self._indices), len(scenario.initial), scenario.samples)
        columns = 1 + len(scenario.model_spec.jacobian_columns)
        self._tables = [np.empty(shape, dtype=scenario.dtype) for _ in range(columns)]

    @property
    def finished(self) -> bool:
        """Whether all samples are done."""
        return self.done == self.scenario.samples

    def advance(self) -> int:
        """Simulate and differentiate the next span of samples; how many are done then."""
        fitting = int(CHUNK_BYTES / memory.bytes_per_sample(self.scenario, jacobian=True))
        widest = int(
            MAX_CHUNK_SAMPLES
            / self.scenario.model_spec.evaluation_cost(self.scenario.scheme_spec.interpretation)
        )
        span = max(min(fitting, widest) // STREAM_SAMPLES * STREAM_SAMPLES, STREAM_SAMPLES)
        stop = min(self.done + span, self.scenario.samples)
        part = self.scenario.replace(samples=stop - self.done)
        done = slice(self.done, stop)
        compiled = None
        if self._engine != "torchsde":
            wait = self._engine == "compiled"
            compiled = compiled_tables(part, self._indices, self.done, wait=wait)
        if compiled is not None:
            self.engine = "compiled"
            parts = [compiled.states, *compiled.derivatives]
        else:
            self.engine = "torchsde"
            parts = self._replayed(part)
        for table, values in zip(self._tables, parts, strict=True):
            table[..., done] = values
        self.done = stop
        return stop

    def _replayed(self, part: Scenario) -> list[Array]:
        """Return the displayed states and derivatives of some samples by torchsde and replay."""
        paths = simulate(part, brownian_increments(part, first_sample=self.done))
        derivatives = jacobian(paths).values
        tables = [paths.values, *derivatives.unbind(-1)]
        return [to_display_layout(table, self._indices) for table in tables]

    def summary(self) -> Summary:
        """What the samples done so far show."""
        done = self.scenario.replace(samples=max(self.done, 1))
        tables = [table[..., : self.done] for table in self._tables]
        return summarise_tables(done, self.scenario.model_spec.jacobian_columns, tables)


def check_memory(scenario: Scenario) -> None:
    """Raise ScenarioError if the displayed times, or one block of samples, are over the memory."""
    memory.check_chunked_run(scenario)
    memory.check_run(scenario.replace(samples=min(scenario.samples, STREAM_SAMPLES)), jacobian=True)


def simulate_summary(scenario: Scenario, engine: str | None = None) -> Summary:
    """Simulate and differentiate a scenario in bounded memory; return its summary.

    The numbers are those of ``summarise(paths, jacobian(paths))`` with ``paths =
    simulate(scenario)``: samples do not influence each other, and the noise of each does not depend
    on how many there are. So spans of samples are run one after the other, and of each only the
    displayed times are kept, at most 121. Whole paths of (time, sample, state) and derivatives of
    (time, sample, state, parameter) are never held, which is what limits the number of steps and
    samples otherwise.

    Args:
        scenario: what is run, in its own precision.
        engine: "torchsde" (``sdeint`` and replay), "compiled" (a compiled loop, made now if need
            be), or "auto": compiled where its kernel is ready, which is then made in the
            background, and torchsde until then. They agree to rounding. None takes what
            ``SDE_LAB_ENGINE`` says, "auto" by default.

    Returns:
        Statistics of the states and of their derivatives by every initial value and parameter at
        the displayed times, with Monte-Carlo errors, and some sample paths.

    Raises:
        ScenarioError: if even the displayed times of all samples, or one block of samples at all
            times, do not fit the memory budget (:mod:`sde_lab.memory`).
    """
    run = ChunkedRun(scenario, engine)
    while not run.finished:
        run.advance()
    return run.summary()
