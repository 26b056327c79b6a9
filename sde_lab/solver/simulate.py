"""Scenario → paths."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sde_lab import memory
from sde_lab.errors import ScenarioError
from sde_lab.models.base import ParameterTensors
from sde_lab.scenario import Scenario
from sde_lab.solver.autograd_mode import autograd_mode, outside_inference
from sde_lab.solver.brownian import BrownianIncrements, sample_increments
from sde_lab.solver.step_time import TimeMap, integrate, make_sde


@dataclass(frozen=True)
class Paths:
    """Simulated paths, with the noise that drove them.

    Attributes:
        scenario: what was asked for.
        times: real times of the grid, (T,), float64, T = steps + 1.
        values: states, (T, N, D).
        noise: Brownian increments of unit variance, (steps, N, M), and areas where the scheme reads
            them.
    """

    scenario: Scenario
    times: Tensor
    values: Tensor
    noise: BrownianIncrements

    def outside_inference(self) -> Paths:
        """Return the same paths in tensors that autograd accepts."""
        return replace(
            self,
            times=outside_inference(self.times),
            values=outside_inference(self.values),
            noise=self.noise.outside_inference(),
        )


def simulate(scenario: Scenario, noise: BrownianIncrements | None = None) -> Paths:
    """Simulate the scenario.

    Args:
        scenario: what to simulate.
        noise: the increments, if already drawn by :func:`brownian` for this scenario.

    Returns:
        Paths with values of shape (T, N, D). Paths that explode hold Inf or NaN from there on.

    Raises:
        ScenarioError: if it does not fit the memory budget (see :mod:`sde_lab.memory`), or the
            noise is that of another grid.
    """
    memory.check_run(scenario, jacobian=False)
    if noise is not None:
        check_increments(noise, scenario)
    with autograd_mode(recording=False):
        noise = brownian_increments(scenario) if noise is None else noise.outside_inference()
        values = solve(scenario, initial_state(scenario), parameter_tensors(scenario), noise)
        return Paths(scenario, times(scenario), values, noise)


def brownian_increments(scenario: Scenario, first_sample: int = 0) -> BrownianIncrements:
    """The Brownian increments that the scenario's seed names, from sample ``first_sample`` on."""
    return sample_increments(
        scenario.seed,
        scenario.steps,
        scenario.samples,
        scenario.model_spec.brownian_size,
        levy_areas=scenario.scheme_spec.levy_area,
        first_sample=first_sample,
        dtype=scenario.torch_dtype,
        device=scenario.device,
    )


def check_increments(noise: BrownianIncrements, scenario: Scenario) -> None:
    """Raise ScenarioError if the increments are those of another grid, or lack the Lévy areas."""
    shape = (scenario.steps, scenario.samples, scenario.model_spec.brownian_size)
    if noise.increments.shape != shape:
        found = tuple(noise.increments.shape)
        raise ScenarioError("noise", found, f"must be (steps, samples, channels) = {shape}")
    if scenario.scheme_spec.levy_area and noise.levy_areas is None:
        raise ScenarioError("noise", None, f"{scenario.scheme} reads the Lévy areas as well")


def times(scenario: Scenario) -> Tensor:
    """Real times of the grid, (T,), float64."""
    return torch.linspace(
        0.0, scenario.horizon, scenario.steps + 1, dtype=torch.float64, device="cpu"
    )


def initial_state(scenario: Scenario) -> Tensor:
    """The initial state of every sample, (N, D)."""
    start = torch.tensor([scenario.initial], dtype=scenario.torch_dtype, device=scenario.device)
    return start.expand(scenario.samples, -1)


def parameter_tensors(scenario: Scenario) -> dict[str, Tensor]:
    """The parameters as tensors of shape (1, 1)."""
    return {
        name: torch.tensor([[value]], dtype=scenario.torch_dtype, device=scenario.device)
        for name, value in scenario.parameters.items()
    }


def solve(
    scenario: Scenario, x0: Tensor, parameters: ParameterTensors, noise: BrownianIncrements
) -> Tensor:
    """The scheme's solution as a differentiable function of start and parameters.

    Args:
        scenario: gives the model, the scheme and the step.
        x0: initial states, (rows, D).
        parameters: tensors of shape (1, 1) or (rows, 1).
        noise: increments (and areas), (steps, rows, M).

    Returns:
        (steps + 1, rows, D)
    """
    scheme = scenario.scheme_spec
    sde = make_sde(scenario.model_spec, parameters, scheme.interpretation)
    step = scenario.step
    clock: TimeMap = (lambda u: u * step) if scenario.model_spec.time_dependent else (lambda u: u)
    return integrate(sde, scheme, x0, noise, step, clock)
