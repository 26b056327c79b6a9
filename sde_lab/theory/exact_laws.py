"""Scenario → exact laws, and the exact solution on the Brownian paths of a simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from sde_lab.errors import ScenarioError
from sde_lab.models.laws.base import Array, ExactLaws, ExactPaths, LawInputs
from sde_lab.scenario import Scenario
from sde_lab.solver.brownian import sample_increments
from sde_lab.solver.simulate import Paths

__all__ = ["ExactLaws", "exact_laws", "exact_solution"]

MAX_GRID_ERROR = 1e-9
"""Steps by which a time may miss the solver's grid, for each step before it."""


def exact_laws(scenario: Scenario, times: Array | None = None) -> ExactLaws | None:
    """Return the exact laws of the state and of its sensitivities, without simulation.

    Args:
        scenario: gives the model, its parameters, the grid, and the scheme for its discrete law.
        times: non-decreasing real times from 0 on, (T,); None takes the solver's grid.

    Returns:
        Laws with arrays of shape (time, state), float64, or None where the model has none. The law
        of the scheme is None where it is not known, or some of the times do not lie on the solver's
        grid.

    Raises:
        ScenarioError: if ``times`` are not such times.
    """
    inputs = _law_inputs(scenario, times)
    laws = scenario.model_spec.exact(inputs)
    if laws is None:
        return None
    # Times computed as k · Δ or as k / K · T differ from the grid's by rounding alone.
    steps = inputs.times / inputs.step
    on_grid = bool((np.abs(steps - np.rint(steps)) <= MAX_GRID_ERROR * (1.0 + steps)).all())
    if on_grid and scenario.scheme in laws.schemes:
        return laws
    return replace(laws, scheme=None, schemes=())


def exact_solution(paths: Paths) -> ExactPaths | None:
    """Return the exact solution on the Brownian paths of a simulation, with its derivatives.

    The Brownian paths are drawn again from the scenario's seed, in float64 and with the Lévy areas
    that conditional distributions need; the increments are those of ``paths.noise``, unless the
    simulation was given others.

    Args:
        paths: a simulation; only its scenario is used.

    Returns:
        Values (time, sample, state) and Jacobian (time, sample, state, parameter) in float64, or
        None where no solution is known.
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
    # More Brownian motions do not change the first ones, which drive the scheme.
    driving = slice(0, model.brownian_size)
    extra = slice(model.brownian_size, None)
    return model.exact_paths(
        _law_inputs(scenario, None),
        noise.increments[..., driving],
        noise.levy_areas[..., driving],
        noise.increments[..., extra],
    )


def _law_inputs(scenario: Scenario, times: Array | None) -> LawInputs:
    if times is None:
        times = np.linspace(0.0, scenario.horizon, scenario.steps + 1)
    return LawInputs(
        _checked_times(times),
        scenario.parameters,
        scenario.initial,
        scenario.step,
        scenario.scheme,
    )


def _checked_times(times: object) -> Array:
    """Return the times as float64, (T,); raise ScenarioError where a law could not use them."""
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
