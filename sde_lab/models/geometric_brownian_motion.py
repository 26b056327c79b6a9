"""Geometric Brownian motion: drift and diffusion proportional to the state."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sde_lab.models.base import Model, Parameter, ParameterTensors, Preset
from sde_lab.models.laws.base import ExactLaws, ExactPaths, LawInputs
from sde_lab.models.laws.distributions import LogNormal, LogNormalSlope


class GeometricBrownianMotion(Model):
    """dX = μX dt + σX dW."""

    name = "geometric_brownian_motion"
    title = "Geometric Brownian motion"
    description = "Drift and noise are proportional to the state: a model of share prices."
    equation = r"dX = \mu X\,dt + \sigma X\,dW"
    text = "dX = mu*X*dt + sigma*X*dW"
    components = ("x",)
    symbols = ("X",)
    initial = (Parameter("x0", "x₀", "x_0", 1.0, 0.1, 3.0, 0.1, "initial value", minimum=1e-6),)
    parameters = (
        Parameter("mu", "μ", r"\mu", 0.1, -1.0, 2.0, 0.05, "growth rate"),
        Parameter("sigma", "σ", r"\sigma", 0.4, 0.0, 2.0, 0.05, "volatility", minimum=0.0),
    )
    noise_type = "diagonal"
    brownian_size = 1
    presets = (
        Preset("Low volatility", {"mu": 0.05, "sigma": 0.15}, 5.0),
        Preset("Martingale", {"mu": 0.0, "sigma": 0.6}, 2.0),
        Preset("The mean grows, paths decay", {"mu": 0.1, "sigma": 1.0}, 10.0),
    )

    def drift(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return p["mu"] * x

    def diffusion(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return p["sigma"] * x

    def correction(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return 0.5 * p["sigma"] ** 2 * x

    def exact(self, grid: LawInputs) -> ExactLaws:
        t = grid.times[:, None]
        mu, sigma, x0 = grid.parameters["mu"], grid.parameters["sigma"], grid.initial[0]
        log_mean, log_std = (mu - 0.5 * sigma**2) * t, sigma * np.sqrt(t)

        return ExactLaws(
            times=grid.times,
            state=LogNormal(np.full_like(t, x0), log_mean, log_std),
            sensitivities={
                "x0": LogNormal(np.ones_like(t), log_mean, log_std),
                "mu": LogNormal(x0 * t, log_mean, log_std),
                # ∂X/∂σ = X (W − σt), and W − σt = √t (Z − σ√t)
                "sigma": LogNormalSlope(x0 * np.sqrt(t), log_mean, log_std),
            },
        )

    def exact_paths(
        self, grid: LawInputs, increments: Tensor, areas: Tensor, residual: Tensor
    ) -> ExactPaths:
        w = torch.zeros_like(increments[:1]).repeat(len(increments) + 1, 1, 1)
        w[1:] = increments.cumsum(0) * grid.step**0.5  # unit variance → variance Δ
        t = torch.as_tensor(grid.times, dtype=w.dtype, device=w.device).view(-1, 1, 1)
        mu, sigma = grid.parameters["mu"], grid.parameters["sigma"]
        growth = torch.exp((mu - 0.5 * sigma**2) * t + sigma * w)
        x = grid.initial[0] * growth
        return ExactPaths(x, torch.stack([growth, t * x, x * (w - sigma * t)], dim=-1))
