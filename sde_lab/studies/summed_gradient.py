"""The trap: one backward pass through a whole path returns the sum of all its derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sde_lab.scenario import Scenario
from sde_lab.studies.benchmark.registry import METHODS
from sde_lab.studies.benchmark.torchsde_setup import torchsde_setup


@dataclass(frozen=True)
class SummedGradient:
    """What a backward pass returns for the first start, and what it is made of.

    Attributes:
        times: (T,)
        derivatives: ∂X_t/∂x₀ summed over the samples and components of X, (T,).
        returned: the one number from ``autograd.grad(X, x0, ones_like(X))``.
        samples: how many paths are in it.
    """

    times: NDArray[np.float64]
    derivatives: NDArray[np.float64]
    returned: float
    samples: int


def summed_gradient(scenario: Scenario) -> SummedGradient:
    """Ask autograd for the gradient of whole paths by their common start, in float64.

    Raises:
        ScenarioError: if the Jacobian does not fit the memory budget.
    """
    setup = torchsde_setup(scenario.replace(dtype="float64"))
    derivatives = METHODS["replay"](setup)[..., 0].sum(dim=(1, 2))
    returned = float(METHODS["summed"](setup)[0])
    times = setup.ts * scenario.step
    return SummedGradient(times.numpy(), derivatives.numpy(), returned, scenario.samples)
