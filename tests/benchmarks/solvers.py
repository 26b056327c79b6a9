"""The contestants in torch: this laboratory, and torchsde as people use it, states only.

All solve dX = κ(θ − X)dt + σ dW from x₀ = 0 over [0, 1] with the Euler scheme, in float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torchsde
from torch import Tensor

import sde_lab as lab
from sde_lab.compiled.run import run_kernel
from sde_lab.sensitivity.compiled_engine import find_kernel

KAPPA, THETA, SIGMA = 1.0, 0.0, 1.0


def scenario(steps: int, samples: int) -> lab.Scenario:
    """What every contestant solves."""
    parameters = {"kappa": KAPPA, "theta": THETA, "sigma": SIGMA}
    return lab.Scenario(
        model="ornstein_uhlenbeck",
        parameters=parameters,
        x0=0.0,
        horizon=1.0,
        steps=steps,
        samples=samples,
    )


def compiled_tables(what: lab.Scenario) -> Any:
    """Noise, paths and all columns at every time by the compiled loop, in one thread."""
    kernel = find_kernel(what, wait=True)
    assert kernel is not None
    return run_kernel(kernel, what, np.arange(what.steps + 1), threads=1)


def laboratory(what: lab.Scenario) -> Tensor:
    """Noise, paths and all columns of the Jacobian by torchsde and replay."""
    return lab.jacobian(lab.simulate(what, engine="torchsde")).values


class OrnsteinUhlenbeck:
    """The SDE with ``step`` of real time to the unit of the clock that the solver sees."""

    sde_type = "ito"
    noise_type = "diagonal"

    def __init__(self, step: float = 1.0) -> None:
        self._kappa = KAPPA * step
        self._sigma = SIGMA * step**0.5

    def f(self, t: Tensor, x: Tensor) -> Tensor:
        return self._kappa * (THETA - x)

    def g(self, t: Tensor, x: Tensor) -> Tensor:
        return torch.full_like(x, self._sigma)


class Table(torchsde.BaseBrownian):
    """Increments drawn beforehand, all at once."""

    def __init__(self, increments: Tensor) -> None:
        self._increments = increments
        self._shape = increments.shape[1:]

    def __call__(self, ta: Tensor, tb: Any = None, **_: Any) -> Tensor:
        return self._increments[int(ta)]

    def __repr__(self) -> str:
        return "Table()"

    dtype = property(lambda self: self._increments.dtype)
    device = property(lambda self: self._increments.device)
    shape = property(lambda self: self._shape)
    levy_area_approximation = property(lambda self: "none")


def from_table(steps: int, samples: int) -> Tensor:
    """torchsde with its noise drawn beforehand by ``torch.randn``: the least it can take."""
    noise = Table(torch.randn(steps, samples, 1))
    times = torch.arange(steps + 1, dtype=torch.float32)
    start = torch.zeros(samples, 1)
    sde = OrnsteinUhlenbeck(1.0 / steps)
    with torch.no_grad():
        states: Tensor = torchsde.sdeint(sde, start, times, bm=noise, method="euler", dt=1.0)
    return states


def from_interval(steps: int, samples: int) -> Tensor:
    """torchsde with its own ``BrownianInterval`` told the step."""
    times = torch.linspace(0.0, 1.0, steps + 1)
    step = 1.0 / steps
    noise = torchsde.BrownianInterval(0.0, 1.0, size=(samples, 1), dt=step)
    start = torch.zeros(samples, 1)
    with torch.no_grad():
        states: Tensor = torchsde.sdeint(
            OrnsteinUhlenbeck(), start, times, bm=noise, method="euler", dt=step
        )
    return states
