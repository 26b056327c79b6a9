"""The trap: one backward pass through a whole path returns the sum of all its derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sde_lab.jacobian import jacobian
from sde_lab.scenario import Scenario
from sde_lab.simulate import flow, initial_state, settings, simulate


@dataclass(frozen=True)
class SummedGradient:
    """What a backward pass returns for the first start, and what it is made of.

    Attributes:
        times: (T,)
        derivatives: ∂X_t/∂x₀ of the first component, summed over the samples, (T,).
        returned: the one number from ``autograd.grad(X, x0, ones_like(X))``.
        samples: how many paths are in it.
    """

    times: NDArray[np.float64]
    derivatives: NDArray[np.float64]
    returned: float
    samples: int


def summed_gradient(scenario: Scenario) -> SummedGradient:
    """Ask autograd for the gradient of whole paths by their common start.

    Raises:
        ScenarioError: if the Jacobian does not fit the memory budget.
    """
    paths = simulate(scenario)
    derivatives = jacobian(paths).values[:, :, 0, 0].double().sum(dim=1).numpy()
    start = initial_state(scenario)[:1].clone().requires_grad_()
    x0 = start.expand(scenario.samples, -1)
    component = flow(scenario, x0, settings(scenario), paths.noise)[..., 0]
    (gradient,) = torch.autograd.grad(component, start, torch.ones_like(component))
    return SummedGradient(paths.times.numpy(), derivatives, float(gradient[0, 0]), scenario.samples)
