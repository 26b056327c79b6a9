"""A laboratory for stochastic differential equations: paths and every derivative of every path."""

from __future__ import annotations

from sde_lab.equations import EquationError, parse_sde
from sde_lab.errors import ScenarioError
from sde_lab.models import MODELS
from sde_lab.models.laws.base import Law
from sde_lab.scenario import Scenario
from sde_lab.schemes import SCHEMES
from sde_lab.sensitivity.jacobian import ENGINES, Jacobian, jacobian
from sde_lab.sensitivity.sdeint_jacobian import sdeint_jacobian
from sde_lab.solver.brownian import Noise
from sde_lab.solver.simulate import Paths, simulate
from sde_lab.summaries.summary import Bands, Summary, summarise
from sde_lab.sweep import SweepInterruptedError, SweepResult, sweep
from sde_lab.theory.exact_laws import Reference, exact_solution, reference
from sde_lab.theory.fixed_points import fixed_points
from sde_lab.theory.stationary_density import stationary

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
