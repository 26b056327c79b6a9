"""The sum that one backward pass through whole paths returns, and the derivatives it sums.

``autograd.grad`` computes a vector-Jacobian product. With ``grad_outputs=ones_like(X)`` the vector
is all ones, so the derivatives at all times, of all samples and components, come out as one sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sde_lab.scenario import Scenario
from sde_lab.studies.benchmark.registry import METHODS
from sde_lab.studies.benchmark.torchsde_setup import torchsde_setup


@dataclass(frozen=True)
class SummedGradient:
    """The gradient of summed paths with respect to the first initial value, and its terms by time.

    Attributes:
        times: in the model's unit, (T,).
        derivatives: ∂X_t/∂x₀ summed over the samples and components of X, (T,).
        returned: the number that ``autograd.grad(X, x0, ones_like(X))`` returns, their sum.
        samples: number of samples in the sum.
        each_returned: the numbers that it returns, one for each initial value; the first of them
            is ``returned``.
    """

    times: NDArray[np.float64]
    derivatives: NDArray[np.float64]
    returned: float
    samples: int
    each_returned: tuple[float, ...] = ()


def summed_gradient(scenario: Scenario) -> SummedGradient:
    """Compute the summed gradient by one backward pass, and its terms by replay, in float64.

    Raises:
        ScenarioError: if the Jacobian does not fit the memory budget.
    """
    setup = torchsde_setup(scenario.replace(dtype="float64"))
    derivatives = METHODS["replay"](setup)[..., 0].sum(dim=(1, 2))
    each = tuple(float(number) for number in METHODS["summed"](setup))
    times = setup.ts * scenario.step
    return SummedGradient(times.numpy(), derivatives.numpy(), each[0], scenario.samples, each)
