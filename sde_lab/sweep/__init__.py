"""Sweeps: what happens when the knob turns."""

from __future__ import annotations

from sde_lab.sweep.grid import sweepable, value_of
from sde_lab.sweep.plan import Plan, make_plan
from sde_lab.sweep.result import Curve, SweepResult
from sde_lab.sweep.run import Progress, SweepInterruptedError, SweepRun, sweep

__all__ = [
    "Curve",
    "Plan",
    "Progress",
    "SweepInterruptedError",
    "SweepResult",
    "SweepRun",
    "make_plan",
    "sweep",
    "sweepable",
    "value_of",
]
