"""Parameter sweeps: estimates of a scenario at every point of a grid, under common random numbers.

:func:`sweep` does a whole sweep. Its parts, in the order in which they work: ``grid`` (the points),
``measures`` (the estimators), ``plan`` and ``batching`` (the division into blocks), ``batch`` and
``accumulator`` (one block), ``executors`` (who computes the blocks), ``run`` (the loop),
``checkpoint`` and ``result``.
"""

from __future__ import annotations

from sde_lab.sweeps.grid import get_value, sweepable_names
from sde_lab.sweeps.plan import Plan, make_plan
from sde_lab.sweeps.result import Curve, SweepResult
from sde_lab.sweeps.run import SweepInterruptedError, SweepProgress, SweepRun, sweep

__all__ = [
    "Curve",
    "Plan",
    "SweepInterruptedError",
    "SweepProgress",
    "SweepResult",
    "SweepRun",
    "get_value",
    "make_plan",
    "sweep",
    "sweepable_names",
]
