"""A laboratory for stochastic differential equations: paths and every derivative of every path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sde_lab.equations import EquationError, parse_sde
from sde_lab.errors import ScenarioError
from sde_lab.models import MODELS
from sde_lab.models.laws.base import Law
from sde_lab.scenario import Scenario
from sde_lab.schemes import SCHEMES
from sde_lab.sensitivity.engines import simulate
from sde_lab.sensitivity.jacobian import JACOBIAN_METHODS, Jacobian, jacobian
from sde_lab.sensitivity.named_jacobian import NamedJacobian
from sde_lab.sensitivity.sdeint_jacobian import mean_jacobian, sdeint_jacobian
from sde_lab.sensitivity.second_derivative import second_derivative
from sde_lab.sensitivity.vjp import vjp
from sde_lab.solver.brownian import BrownianIncrements
from sde_lab.solver.simulate import Paths
from sde_lab.studies.benchmark.torchsde_setup import TorchsdeSetup, torchsde_setup
from sde_lab.summaries.chunked_run import simulate_summary
from sde_lab.summaries.summary import Bands, Summary, summarise
from sde_lab.sweeps import SweepInterruptedError, SweepResult, sweep
from sde_lab.theory.exact_laws import ExactLaws, exact_laws, exact_solution
from sde_lab.theory.fixed_points import fixed_points
from sde_lab.theory.stationary_density import stationary_density

if TYPE_CHECKING:
    from sde_lab.figures.notebook import plot

__all__ = [
    "JACOBIAN_METHODS",
    "MODELS",
    "SCHEMES",
    "Bands",
    "BrownianIncrements",
    "EquationError",
    "ExactLaws",
    "Jacobian",
    "Law",
    "NamedJacobian",
    "Paths",
    "Scenario",
    "ScenarioError",
    "Summary",
    "SweepInterruptedError",
    "SweepResult",
    "TorchsdeSetup",
    "exact_laws",
    "exact_solution",
    "fixed_points",
    "jacobian",
    "mean_jacobian",
    "parse_sde",
    "plot",
    "sdeint_jacobian",
    "second_derivative",
    "simulate",
    "simulate_summary",
    "stationary_density",
    "summarise",
    "sweep",
    "torchsde_setup",
    "vjp",
]


def __getattr__(name: str) -> Any:
    """Import ``plot`` when it is first asked for: the numerical part does without Plotly."""
    if name == "plot":
        from sde_lab.figures.notebook import plot

        return plot
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
