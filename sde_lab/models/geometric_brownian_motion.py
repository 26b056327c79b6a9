"""Geometric Brownian motion: drift and diffusion proportional to the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from sde_lab.models.base import Model, Parameter, ParameterTensors, Preset
from sde_lab.models.laws.base import Array, ExactLaws, ExactPaths, LawInputs
from sde_lab.models.laws.distributions import LogNormal, LogNormalSlope, MomentsOnly

_Factor = tuple[Array, Array, Array]
"""Factor φ of a step at some standard normals, and its derivatives by μ and σ."""
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(8)
_WEIGHTS /= _WEIGHTS.sum()
"""Gauss–Hermite of the standard normal, exact for the fourth powers that φ² has."""


def _euler(mu: float, sigma: float, step: float, z: Array) -> _Factor:
    root = np.sqrt(step)
    return 1.0 + mu * step + sigma * root * z, np.full_like(z, step), root * z


def _milstein(mu: float, sigma: float, step: float, z: Array) -> _Factor:
    value, by_mu, by_sigma = _euler(mu, sigma, step, z)
    square = (z**2 - 1.0) * step
    return value + 0.5 * sigma**2 * square, by_mu, by_sigma + sigma * square


def _heun(mu: float, sigma: float, step: float, z: Array) -> _Factor:
    """Return 1 + a + a²/2 with a = (μ − σ²/2)Δ + σΔW, which the midpoint rule has too."""
    root = np.sqrt(step)
    a = (mu - 0.5 * sigma**2) * step + sigma * root * z
    return 1.0 + a + 0.5 * a * a, (1.0 + a) * step, (1.0 + a) * (root * z - sigma * step)


_STEP_FACTORS: Mapping[str, Callable[[float, float, float, Array], _Factor]] = {
    "euler": _euler,
    "milstein": _milstein,
    "heun": _heun,
    "midpoint": _heun,
    "euler_heun": _milstein,  # (μ − σ²/2)Δ + σΔW + (σΔW)²/2 is the same step
}


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
            scheme=self._discrete(grid),
            schemes=tuple(_STEP_FACTORS),
        )

    def _discrete(self, grid: LawInputs) -> ExactLaws | None:
        """Return the moments of X_k = x₀ φ₁ ⋯ φ_k, of the independent factors of each step."""
        factor = _STEP_FACTORS.get(grid.scheme)
        if factor is None:
            return None
        mu, sigma = grid.parameters["mu"], grid.parameters["sigma"]
        x0, k = grid.initial[0], grid.counts[:, None].astype(np.float64)
        value, by_mu, by_sigma = factor(mu, sigma, grid.step, _NODES)
        first, second = float(_WEIGHTS @ value), float(_WEIGHTS @ value**2)
        with np.errstate(over="ignore", invalid="ignore"):
            mean, variance = first**k, np.maximum(second**k - first ** (2.0 * k), 0.0)
            slope = x0 * k * first ** np.maximum(k - 1.0, 0.0)
        return ExactLaws(
            times=grid.times,
            state=MomentsOnly(x0 * mean, x0**2 * variance),
            sensitivities={
                "x0": MomentsOnly(mean, variance),
                "mu": MomentsOnly.of_mean(slope * float(_WEIGHTS @ by_mu)),
                "sigma": MomentsOnly.of_mean(slope * float(_WEIGHTS @ by_sigma)),
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
