"""Scenario → what theory says: exact laws, and the exact solution on the same Brownian path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from sde_lab.models.laws.base import Array, ExactPaths, Law, LawInputs, ModelLaws
from sde_lab.scenario import Scenario
from sde_lab.solver.brownian import sample_increments
from sde_lab.solver.simulate import Paths


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
        times: real times, increasing from 0, on the solver's grid; None takes the whole grid.

    Returns:
        Laws with arrays of shape (T, D), float64.
    """
    grid = _grid(scenario, times)
    exact = scenario.model_spec.exact(grid)
    return None if exact is None else _reference(grid.times, exact, scenario.scheme)


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
    return LawInputs(
        np.asarray(times, dtype=np.float64), scenario.parameters, scenario.initial, scenario.step
    )


def _reference(times: Array, exact: ModelLaws, scheme: str) -> ExactLaws:
    discrete = exact.scheme if scheme in exact.schemes else None
    return ExactLaws(
        times,
        exact.state,
        exact.sensitivities,
        None if discrete is None else _reference(times, discrete, scheme),
    )
