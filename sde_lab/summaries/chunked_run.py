"""Scenario → summary, span of samples by span, in bounded memory.

A page shows at most 121 times. So a run too long to hold whole is simulated and differentiated some
samples at a time, of which only the displayed times are kept. Samples do not influence each other
and their noise does not depend on how many there are: the numbers are those of a single run.
"""

from __future__ import annotations

import numpy as np

from sde_lab import memory
from sde_lab.scenario import Scenario
from sde_lab.sensitivity.jacobian import jacobian
from sde_lab.solver.brownian import BLOCK
from sde_lab.solver.simulate import brownian, simulate
from sde_lab.summaries.summary import Summary, displayed, reduce_tables, samples_last

SPAN_BYTES = 256e6
"""Memory of one span. The solver's own cost per step asks for many samples at once."""
WIDEST = 16 * BLOCK
"""Samples of one span, at most: beyond, nothing is gained and progress is shown too rarely. Fewer
of an equation that takes long to evaluate."""


class Survey:
    """A run in progress, which can be advanced, looked at and left.

    Attributes:
        scenario: what is run.
        done: number of samples done so far.

    Raises:
        ScenarioError: if even the displayed times do not fit the memory memory.
    """

    def __init__(self, scenario: Scenario) -> None:
        require_fitting(scenario)
        self.scenario = scenario
        self.done = 0
        self._indices = displayed(scenario.steps)
        shape = (len(self._indices), len(scenario.initial), scenario.samples)
        columns = 1 + len(scenario.sde.columns)
        self._tables = [np.empty(shape, dtype=scenario.dtype) for _ in range(columns)]

    @property
    def finished(self) -> bool:
        """Whether all samples are done."""
        return self.done == self.scenario.samples

    def advance(self) -> int:
        """Simulate and differentiate the next span of samples; how many are done then."""
        fitting = int(SPAN_BYTES / memory.per_sample(self.scenario, jacobian=True))
        widest = int(WIDEST / self.scenario.sde.weight(self.scenario.solver.reading))
        span = max(min(fitting, widest) // BLOCK * BLOCK, BLOCK)
        stop = min(self.done + span, self.scenario.samples)
        part = self.scenario.but(samples=stop - self.done)
        paths = simulate(part, brownian(part, first=self.done))
        derivatives = jacobian(paths).values
        self._tables[0][..., self.done : stop] = samples_last(paths.values, self._indices)
        for column, table in enumerate(self._tables[1:]):
            table[..., self.done : stop] = samples_last(derivatives[..., column], self._indices)
        self.done = stop
        return stop

    def summary(self) -> Summary:
        """What the samples done so far show."""
        done = self.scenario.but(samples=max(self.done, 1))
        tables = [table[..., : self.done] for table in self._tables]
        return reduce_tables(done, self.scenario.sde.columns, tables)


def require_fitting(scenario: Scenario) -> None:
    """Raise ScenarioError if the displayed times, or one block of samples, are over the memory."""
    memory.require_survey(scenario)
    memory.require(scenario.but(samples=min(scenario.samples, BLOCK)), jacobian=True)


def survey(scenario: Scenario) -> Summary:
    """The summary of the whole scenario: paths and every derivative."""
    run = Survey(scenario)
    while not run.finished:
        run.advance()
    return run.summary()
