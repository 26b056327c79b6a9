"""Scenario → what theory says: exact laws, and the exact solution on the same Brownian path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from sde_lab.errors import ScenarioError
from sde_lab.models.laws.base import Array, ExactPaths, Law, LawInputs, ModelLaws
from sde_lab.scenario import Scenario
from sde_lab.solver.brownian import sample_increments
from sde_lab.solver.simulate import Paths

MAX_GRID_ERROR = 1e-9
"""Steps by which a time may miss the solver's grid, for each step before it."""


@dataclass(frozen=True)
class ExactLaws:
    """Exact laws over time, of the state and of every sensitivity that has one.

    Attributes:
        times: (T,)
        state: law of X, with mean, variance, quantile and density.
        sensitivities: law of ∂X/∂p by column name; names without a known law are left out.
        scheme: the same for the discrete law of the scenario's scheme, where it is known.
    """

    times: Array
    state: Law
    sensitivities: Mapping[str, Law]
    scheme: ExactLaws | None

    @property
    def mean(self) -> Array:
        """Mean of the state, (T, D)."""
        return self.state.mean

    @property
    def variance(self) -> Array:
        """Variance of the state, (T, D); NaN where it is not known."""
        return self.state.variance

    def quantile(self, q: float) -> Array | None:
        """The q-quantile of the state, (T, D), or None where only moments are known."""
        return self.state.quantile(q)


def exact_laws(scenario: Scenario, times: Array | None = None) -> ExactLaws | None:
    """The exact laws of the scenario, or None where there are none.

    Args:
        scenario: what is asked about.
        times: real times from 0 on, none before the one in front of it, (T,); None takes the
            solver's grid.

    Returns:
        Laws with arrays of shape (T, D), float64. The law of the scheme is left out where some of
        the times do not lie on the solver's grid.

    Raises:
        ScenarioError: if ``times`` are not such times.
    """
    grid = _grid(scenario, times)
    exact = scenario.model_spec.exact(grid)
    if exact is None:
        return None
    # Times computed as k · Δ or as k / K · T differ from the grid's by rounding alone.
    steps = grid.times / grid.step
    on_grid = bool((np.abs(steps - np.rint(steps)) <= MAX_GRID_ERROR * (1.0 + steps)).all())
    return _reference(grid.times, exact, scenario.scheme if on_grid else "")


def exact_solution(paths: Paths) -> ExactPaths | None:
    """The exact solution on the Brownian paths of a simulation, with its derivatives.

    Returns:
        Values (T, N, D) and Jacobian (T, N, D, P) in float64, or None where no solution is known.
    """
    scenario = paths.scenario
    model = scenario.model_spec
    noise = sample_increments(
        scenario.seed,
        scenario.steps,
        scenario.samples,
        model.brownian_size + model.extra_normals,
        levy_areas=True,
        dtype=torch.float64,
    )
    assert noise.levy_areas is not None
    own = slice(0, model.brownian_size)
    rest = slice(model.brownian_size, None)
    return model.exact_paths(
        _grid(scenario, None),
        noise.increments[..., own],
        noise.levy_areas[..., own],
        noise.increments[..., rest],
    )


def _grid(scenario: Scenario, times: Array | None) -> LawInputs:
    if times is None:
        times = np.linspace(0.0, scenario.horizon, scenario.steps + 1)
    return LawInputs(_checked(times), scenario.parameters, scenario.initial, scenario.step)


def _checked(times: object) -> Array:
    """The times as float64, (T,); what each law relies on is asked for here once."""
    hint = "must be real times from 0 on, in increasing order"
    try:
        checked = np.asarray(times, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ScenarioError("times", times, hint) from error
    if checked.ndim != 1 or not checked.size:
        raise ScenarioError("times", checked.shape, f"{hint}, at least one; not of this shape")
    wrong = ~np.isfinite(checked) | (checked < 0.0)
    if wrong.any():
        raise ScenarioError("times", float(checked[wrong][0]), hint)
    if (falls := np.flatnonzero(np.diff(checked) < 0.0)).size:
        k = int(falls[0])
        shown = [float(checked[k]), float(checked[k + 1])]
        raise ScenarioError("times", shown, f"{hint}; times[{k + 1}] comes before times[{k}]")
    return checked


def _reference(times: Array, exact: ModelLaws, scheme: str) -> ExactLaws:
    discrete = exact.scheme if scheme in exact.schemes else None
    return ExactLaws(
        times,
        exact.state,
        exact.sensitivities,
        None if discrete is None else _reference(times, discrete, scheme),
    )
