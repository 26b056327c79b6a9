"""Sweeps: what happens when the knob turns."""

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
