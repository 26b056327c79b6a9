"""Brownian motion with drift: constant drift and diffusion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from sde_lab.models.base import Model, Parameter, ParameterTensors, Preset
from sde_lab.models.laws.base import ExactLaws, ExactPaths, LawInputs
from sde_lab.models.laws.distributions import Gaussian


class BrownianMotion(Model):
    """dX = μ dt + σ dW."""

    name = "brownian_motion"
    title = "Brownian motion with drift"
    description = "Constant drift plus Brownian noise: mean and variance grow linearly in time."
    equation = r"dX = \mu\,dt + \sigma\,dW"
    text = "dX = mu*dt + sigma*dW"
    components = ("x",)
    symbols = ("X",)
    initial = (Parameter("x0", "x₀", "x_0", 0.0, -3.0, 3.0, 0.1, "initial value"),)
    parameters = (
        Parameter("mu", "μ", r"\mu", 0.5, -3.0, 3.0, 0.1, "drift"),
        Parameter("sigma", "σ", r"\sigma", 1.0, 0.0, 3.0, 0.05, "volatility", minimum=0.0),
    )
    noise_type = "diagonal"
    brownian_size = 1
    presets = (
        Preset("No drift", {"mu": 0.0}),
        Preset("Drift wins", {"mu": 1.0, "sigma": 0.5}, 10.0),
        Preset("Noise wins", {"mu": 0.2, "sigma": 2.0}, 2.0),
    )

    def drift(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return p["mu"]

    def diffusion(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return p["sigma"]

    def correction(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return x.new_zeros(1, 1)

    def exact(self, grid: LawInputs) -> ExactLaws:
        t = grid.times[:, None]
        mu, sigma = grid.parameters["mu"], grid.parameters["sigma"]
        zero = np.zeros_like(t)
        laws = ExactLaws(
            times=grid.times,
            state=Gaussian(grid.initial[0] + mu * t, sigma**2 * t),
            sensitivities={
                "x0": Gaussian(zero + 1.0, zero),
                "mu": Gaussian(t, zero),
                "sigma": Gaussian(zero, t),
            },
        )
        # Every scheme is exact where drift and diffusion are constant.
        return replace(laws, scheme=laws, schemes=(grid.scheme,))

    def exact_paths(
        self, grid: LawInputs, increments: Tensor, areas: Tensor, residual: Tensor
    ) -> ExactPaths:
        w = torch.zeros_like(increments[:1]).repeat(len(increments) + 1, 1, 1)
        w[1:] = increments.cumsum(0) * grid.step**0.5  # unit variance → variance Δ
        t = torch.as_tensor(grid.times, dtype=w.dtype, device=w.device).view(-1, 1, 1)
        x = grid.initial[0] + grid.parameters["mu"] * t + grid.parameters["sigma"] * w
        return ExactPaths(x, torch.stack([torch.ones_like(w), t.expand_as(w), w], dim=-1))
