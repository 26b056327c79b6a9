"""A laboratory for stochastic differential equations: paths and every derivative of every path."""

from __future__ import annotations

from sde_lab.custom import sdeint_jacobian
from sde_lab.errors import ScenarioError
from sde_lab.fixed_points import fixed_points
from sde_lab.jacobian import ENGINES, Jacobian, jacobian
from sde_lab.models import MODELS
from sde_lab.models.exact import Law
from sde_lab.noise import Noise
from sde_lab.reference import Reference, exact_solution, reference
from sde_lab.scenario import Scenario
from sde_lab.schemes import SCHEMES
from sde_lab.simulate import Paths, simulate
from sde_lab.stationary import stationary
from sde_lab.studies.sweep import SweepInterruptedError, SweepResult, sweep
from sde_lab.summary import Bands, Summary, summarise
from sde_lab.typed import EquationError, parse_sde

__all__ = [
    "ENGINES",
    "MODELS",
    "SCHEMES",
    "Bands",
    "EquationError",
    "Jacobian",
    "Law",
    "Noise",
    "Paths",
    "Reference",
    "Scenario",
    "ScenarioError",
    "Summary",
    "SweepInterruptedError",
    "SweepResult",
    "exact_solution",
    "fixed_points",
    "jacobian",
    "parse_sde",
    "reference",
    "sdeint_jacobian",
    "simulate",
    "stationary",
    "summarise",
    "sweep",
]
