"""Ornstein–Uhlenbeck: Gaussian mean reversion, with exact laws, paths and scheme."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from sde_lab.models.base import Model, Parameter, ParameterTensors, Preset
from sde_lab.models.laws.base import Array, ExactLaws, ExactPaths, LawInputs
from sde_lab.models.laws.distributions import Gaussian


class OrnsteinUhlenbeck(Model):
    """dX = κ(θ − X) dt + σ dW.

    Source: Uhlenbeck and Ornstein (1930); every sensitivity is Gaussian because the equation is
    linear with additive noise.
    """

    name = "ornstein_uhlenbeck"
    title = "Ornstein–Uhlenbeck"
    description = "Mean reversion with additive noise: a Gaussian process with stationary law."
    equation = r"dX = \kappa(\theta - X)\,dt + \sigma\,dW"
    text = "dX = kappa*(theta - X)*dt + sigma*dW"
    components = ("x",)
    symbols = ("X",)
    initial = (Parameter("x0", "x₀", "x_0", 0.0, -3.0, 3.0, 0.1, "initial value"),)
    parameters = (
        Parameter("kappa", "κ", r"\kappa", 1.0, 0.0, 5.0, 0.05, "mean-reversion speed"),
        Parameter("theta", "θ", r"\theta", 0.0, -3.0, 3.0, 0.1, "long-run mean"),
        Parameter("sigma", "σ", r"\sigma", 1.0, 0.0, 3.0, 0.05, "volatility", minimum=0.0),
    )
    noise_type = "diagonal"
    brownian_size = 1
    extra_normals = 2
    presets = (
        Preset("Far from the mean", {"x0": 3.0, "sigma": 0.5}, 5.0),
        Preset("Weak mean reversion", {"kappa": 0.1}, 10.0),
        Preset("In equilibrium", {"kappa": 2.0, "sigma": 1.0}, 10.0),
        Preset("Relaxation to a new mean", {"x0": -2.0, "theta": 2.0, "sigma": 0.4}, 5.0),
    )

    def drift(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return p["kappa"] * (p["theta"] - x)

    def diffusion(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return p["sigma"]

    def correction(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return x.new_zeros(1, 1)

    def exact(self, grid: LawInputs) -> ExactLaws:
        t = grid.times[:, None]
        kappa, theta, sigma = (grid.parameters[name] for name in ("kappa", "theta", "sigma"))
        decay = np.exp(-kappa * t)
        start = grid.initial[0] - theta
        power = -np.expm1(-2 * kappa * t) / (2 * kappa) if kappa else t
        laws = _laws(theta, start, sigma, decay, t * decay, power, _second_moment(kappa, t))
        return ExactLaws(
            grid.times,
            *laws,
            scheme=self._discrete(grid),
            schemes=("euler", "milstein", "milstein_grad_free", "euler_heun"),
        )

    def _discrete(self, grid: LawInputs) -> ExactLaws:
        """Return the laws of X_{k+1} = X_k + κ(θ − X_k)Δ + σ ΔW_k and of its derivatives.

        With q = 1 − κΔ: X_k = θ + (x₀ − θ)q^k + σ Σ_j q^{k−1−j} ΔW_j, differentiated term by term.
        """
        step = grid.step
        kappa, theta, sigma = (grid.parameters[name] for name in ("kappa", "theta", "sigma"))
        k = grid.counts
        factor = 1.0 - kappa * step
        powers = factor ** np.arange(k[-1] + 1, dtype=np.float64)
        lags = np.arange(k[-1], dtype=np.float64)
        # −∂q^k/∂κ = k q^{k−1} Δ; the sums run over lags l = 0 … k−1: Σ q^{2l} and Σ (l q^{l−1})².
        slopes = np.append(0.0, np.arange(1, k[-1] + 1) * powers[:-1])
        variance = step * np.append(0.0, np.cumsum(powers[:-1] ** 2))
        squares = np.append(0.0, (lags[1:] * powers[: max(len(lags) - 1, 0)]) ** 2)[: len(lags)]
        second = step**3 * np.append(0.0, np.cumsum(squares))
        start = grid.initial[0] - theta
        return ExactLaws(
            grid.times,
            *_laws(
                theta,
                start,
                sigma,
                *(row[k][:, None] for row in (powers, step * slopes, variance, second)),
            ),
        )

    def exact_paths(
        self, grid: LawInputs, increments: Tensor, areas: Tensor, residual: Tensor
    ) -> ExactPaths:
        """Return the exact solution, from two integrals per step that are Gaussian given (W, H).

        They are I = ∫e^{−κ(Δ−s)}dW, by which the state moves, and L = ∫(Δ−s)e^{−κ(Δ−s)}dW = −∂I/∂κ,
        by which its derivative by κ moves.
        """
        kappa, theta, sigma = (grid.parameters[name] for name in ("kappa", "theta", "sigma"))
        mixing = torch.from_numpy(_mixing(kappa, grid.step)).to(increments.device)
        normals = torch.cat([increments, areas * math.sqrt(12.0), residual], dim=-1).double()
        decayed, weighted = (normals @ mixing.T).unbind(-1)
        decay = math.exp(-kappa * grid.step)
        count, samples = decayed.shape
        x = decayed.new_full((count + 1, samples), grid.initial[0])
        by_kappa, by_sigma = torch.zeros_like(x), torch.zeros_like(x)
        for n in range(count):
            x[n + 1] = theta + (x[n] - theta) * decay + sigma * decayed[n]
            by_sigma[n + 1] = by_sigma[n] * decay + decayed[n]
            # ∂/∂κ of the first line: decay · (∂x/∂κ − Δ(x − θ)) + σ ∂I/∂κ
            slope = grid.step * (x[n] - theta) + by_kappa[n].neg()
            by_kappa[n + 1] = -decay * slope - sigma * weighted[n]
        by_x0 = torch.from_numpy(np.exp(-kappa * grid.times)).to(x.device).unsqueeze(1).expand_as(x)
        columns = torch.stack([by_x0, by_kappa, 1.0 - by_x0, by_sigma], dim=-1)
        return ExactPaths(x.unsqueeze(-1), columns.unsqueeze(2))


def _laws(
    theta: float,
    start: float,
    sigma: float,
    decay: Array,
    slope: Array,
    power: Array,
    second: Array,
) -> tuple[Gaussian, dict[str, Gaussian]]:
    """Return the laws of X and of its derivatives, (T, 1), in continuous or discrete time.

    Args:
        theta: long-run mean.
        start: x₀ − θ.
        sigma: volatility.
        decay: e^{−κt}, or (1 − κΔ)^k.
        slope: −∂decay/∂κ.
        power: ∫₀ᵗ decay², or its sum.
        second: ∫₀ᵗ slope², or its sum.
    """
    zero = np.zeros_like(decay)
    return Gaussian(theta + start * decay, sigma**2 * power), {
        "x0": Gaussian(decay, zero),
        "kappa": Gaussian(-start * slope, sigma**2 * second),
        "theta": Gaussian(1.0 - decay, zero),
        "sigma": Gaussian(zero, power),
    }


@cache
def _gauss_legendre(count: int) -> tuple[Array, Array]:
    """Return nodes and weights of Gauss–Legendre on [−1, 1], (count,) each; cached, read-only."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    nodes.flags.writeable = weights.flags.writeable = False
    return nodes, weights


def _second_moment(kappa: float, t: Array) -> Array:
    """Return ∫₀ᵗ u² e^{−2κu} du at times t (T, 1): (T, 1).

    In closed form for |κt| > 1; by Gauss–Legendre below, where the closed form cancels.
    """
    nodes, weights = _gauss_legendre(20)
    u = 0.5 * t * (nodes + 1.0)  # (T, nodes)
    integral = 0.5 * t * (u**2 * np.exp(-2.0 * kappa * u)) @ weights[:, None]
    large = np.abs(kappa * t) > 1.0
    if not large.any():
        return np.asarray(integral)
    z = kappa * t[large]
    closed = (1.0 - np.exp(-2.0 * z) * (1.0 + 2.0 * z + 2.0 * z * z)) / (4.0 * kappa**3)
    integral[large] = closed
    return np.asarray(integral)


def _mixing(kappa: float, step: float) -> Array:
    """Return the (2, 4) matrix from independent standard normals (W, √12·H, Z₁, Z₂) to (I, L).

    All four are integrals of smooth kernels against the same dW, so their covariance is a Gram
    matrix; orthogonalising the kernels in order (QR) gives the dependence without cancellation.
    """
    nodes, weights = _gauss_legendre(24)
    u = 0.5 * step * (nodes + 1.0)
    decay = np.exp(-kappa * u)
    kernels = np.stack([np.ones_like(u), u / step - 0.5, decay, u * decay], axis=1)
    upper = np.linalg.qr(kernels * np.sqrt(0.5 * step * weights)[:, None], mode="r")
    upper *= np.sign(np.diag(upper))[
        :, None
    ]  # QR is unique up to signs: make the diagonal positive
    return np.asarray(upper[:, 2:].T)
