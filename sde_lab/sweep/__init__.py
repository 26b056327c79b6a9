"""Sweeps: what happens when the knob turns."""

from __future__ import annotations

from sde_lab.sweep.grid import get_value, sweepable_names
from sde_lab.sweep.plan import Plan, make_plan
from sde_lab.sweep.result import Curve, SweepResult
from sde_lab.sweep.run import SweepInterruptedError, SweepProgress, SweepRun, sweep

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
