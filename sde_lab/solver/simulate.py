"""Scenario → simulated paths, by ``torchsde.sdeint``."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sde_lab import memory
from sde_lab.errors import ScenarioError
from sde_lab.labelled import to_dataset, to_frame
from sde_lab.models.base import ParameterTensors
from sde_lab.scenario import Scenario
from sde_lab.solver.autograd_mode import autograd_mode, outside_inference
from sde_lab.solver.brownian import BrownianIncrements, sample_increments
from sde_lab.solver.step_time import InitialValueProblem, TimeMap, integrate, make_sde

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True)
class Paths:
    """Simulated paths, with the Brownian increments that drove them.

    Attributes:
        scenario: the simulated scenario.
        times: real times of the solver's grid, (T,), float64, T = steps + 1.
        values: states, (time, sample, state) = (T, N, D); Inf or NaN from the step on at which a
            path diverges.
        noise: Brownian increments of unit variance, (steps, N, M), with Lévy areas where the scheme
            needs them.
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

    def to_xarray(self) -> xr.Dataset:
        """Return the states as an xarray dataset: ``state`` (time, sample, component).

        Its attribute ``scenario`` is the scenario as JSON.
        """
        return to_dataset(
            {"state": (("time", "sample", "component"), self.values.cpu().numpy())},
            {
                "time": self.times.numpy(),
                "component": list(self.scenario.model_spec.components),
            },
            {"scenario": json.dumps(self.scenario.to_dict())},
        )

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each time and sample: time, sample, and the state's components."""
        axes: dict[str, Any] = {"time": self.times.numpy(), "sample": range(self.values.shape[1])}
        return to_frame(axes, self.scenario.model_spec.components, self.values.cpu().numpy())


def simulate(scenario: Scenario, noise: BrownianIncrements | None = None) -> Paths:
    """Simulate all paths of a scenario.

    Args:
        scenario: the model, its parameters, the grid, the scheme and the seed.
        noise: Brownian increments to use instead of those of the seed, (steps, N, M) with areas
            where the scheme needs them; for example those of another simulation.

    Returns:
        Paths with values of shape (time, sample, state). A path that diverges (numerical overflow)
        holds Inf or NaN from that step on.

    Raises:
        ScenarioError: if the paths do not fit the memory budget (see :mod:`sde_lab.memory`), or the
            shape of ``noise`` is not that of the scenario.
    """
    memory.check_run(scenario, jacobian=False)
    if noise is not None:
        check_increments(noise, scenario)
    with autograd_mode(recording=False):
        noise = brownian_increments(scenario) if noise is None else noise.outside_inference()
        values = solve(scenario, initial_state(scenario), parameter_tensors(scenario), noise)
        return Paths(scenario, times(scenario), values, noise)


def brownian_increments(scenario: Scenario, first_sample: int = 0) -> BrownianIncrements:
    """Draw the Brownian increments of the scenario's seed, (steps, N, M).

    Args:
        scenario: gives seed, grid, number of samples and what the scheme needs.
        first_sample: index of the first sample, a multiple of ``STREAM_SAMPLES``, for runs in
            chunks of samples.
    """
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
        given = tuple(noise.increments.shape)
        raise ScenarioError("noise", given, f"must be (steps, samples, channels) = {shape}")
    if scenario.scheme_spec.levy_area and noise.levy_areas is None:
        raise ScenarioError("noise", None, f"{scenario.scheme} needs the Lévy areas as well")


def times(scenario: Scenario) -> Tensor:
    """Return the real times of the solver's grid, (T,), float64, whatever the scenario's dtype."""
    return torch.linspace(
        0.0, scenario.horizon, scenario.steps + 1, dtype=torch.float64, device="cpu"
    )


def initial_state(scenario: Scenario) -> Tensor:
    """Return the initial state of every sample, (N, D), as a view of one row."""
    start = torch.tensor([scenario.initial], dtype=scenario.torch_dtype, device=scenario.device)
    return start.expand(scenario.samples, -1)


def parameter_tensors(scenario: Scenario) -> dict[str, Tensor]:
    """Return the parameters by name as tensors of shape (1, 1), which broadcast over rows."""
    return {
        name: torch.tensor([[value]], dtype=scenario.torch_dtype, device=scenario.device)
        for name, value in scenario.parameters.items()
    }


def solve(
    scenario: Scenario, x0: Tensor, parameters: ParameterTensors, noise: BrownianIncrements
) -> Tensor:
    """Solve the SDE as a differentiable function of initial states and parameters.

    Args:
        scenario: gives the model, the scheme and the step length.
        x0: initial states, (rows, D).
        parameters: tensors by name, of shape (1, 1) or (rows, 1).
        noise: increments (and areas), (steps, rows, M).

    Returns:
        States on the grid, (steps + 1, rows, D).
    """
    scheme = scenario.scheme_spec
    sde = make_sde(scenario.model_spec, parameters, scheme.interpretation)
    step = scenario.step
    clock: TimeMap = (lambda u: u * step) if scenario.model_spec.time_dependent else (lambda u: u)
    return integrate(InitialValueProblem(sde, scheme, x0, noise, step, clock))
