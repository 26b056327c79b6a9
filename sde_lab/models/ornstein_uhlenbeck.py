"""Ornstein–Uhlenbeck: the process this laboratory began with."""

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
    description = "A spring pulls the state back to its mean while noise pushes it about."
    equation = r"dX = \kappa(\theta - X)\,dt + \sigma\,dW"
    text = "dX = kappa*(theta - X)*dt + sigma*dW"
    components = ("x",)
    symbols = ("X",)
    initial = (Parameter("x0", "x₀", "x_0", 0.0, -3.0, 3.0, 0.1, "initial value"),)
    parameters = (
        Parameter("kappa", "κ", r"\kappa", 1.0, 0.0, 5.0, 0.05, "rate of return"),
        Parameter("theta", "θ", r"\theta", 0.0, -3.0, 3.0, 0.1, "mean"),
        Parameter("sigma", "σ", r"\sigma", 1.0, 0.0, 3.0, 0.05, "volatility", minimum=0.0),
    )
    noise_type = "diagonal"
    brownian_size = 1
    extra_normals = 2
    presets = (
        Preset("Far from home", {"x0": 3.0, "sigma": 0.5}, 5.0),
        Preset("Hardly pulled back", {"kappa": 0.1}, 10.0),
        Preset("In equilibrium", {"kappa": 2.0, "sigma": 1.0}, 10.0),
        Preset("Up to a new mean", {"x0": -2.0, "theta": 2.0, "sigma": 0.4}, 5.0),
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
        """The law of X_{k+1} = X_k + κ(θ − X_k)Δ + σ ΔW_k and of its derivatives."""
        step = grid.step
        kappa, theta, sigma = (grid.parameters[name] for name in ("kappa", "theta", "sigma"))
        k = np.rint(grid.times / step).astype(np.intp)
        factor = 1.0 - kappa * step
        powers = factor ** np.arange(k[-1] + 1, dtype=np.float64)
        lags = np.arange(k[-1], dtype=np.float64)
        slopes = np.append(0.0, np.arange(1, k[-1] + 1) * powers[:-1])
        spread = step * np.append(0.0, np.cumsum(powers[:-1] ** 2))
        memory = np.append(0.0, (lags[1:] * powers[: max(len(lags) - 1, 0)]) ** 2)[: len(lags)]
        second = step**3 * np.append(0.0, np.cumsum(memory))
        start = grid.initial[0] - theta
        return ExactLaws(
            grid.times,
            *_laws(
                theta,
                start,
                sigma,
                *(row[k][:, None] for row in (powers, step * slopes, spread, second)),
            ),
        )

    def exact_paths(
        self, grid: LawInputs, increments: Tensor, areas: Tensor, residual: Tensor
    ) -> ExactPaths:
        """Per step I = ∫e^{−κ(Δ−s)}dW and L = ∫(Δ−s)e^{−κ(Δ−s)}dW, jointly Gaussian with (W, H)."""
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
            pull = grid.step * (x[n] - theta) + by_kappa[n].neg()
            by_kappa[n + 1] = -decay * pull - sigma * weighted[n]
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
    """Laws of X and of its derivatives, (T, 1), continuous or discrete.

    Args:
        theta: mean.
        start: x₀ − θ.
        sigma: volatility.
        decay: e^{−κt}, or (1 − κΔ)^k.
        slope: −∂decay/∂κ.
        power: ∫₀ᵗ decay², or its sum.
        second: ∫₀ᵗ slope², or its sum.
    """
    nothing = np.zeros_like(decay)
    return Gaussian(theta + start * decay, sigma**2 * power), {
        "x0": Gaussian(decay, nothing),
        "kappa": Gaussian(-start * slope, sigma**2 * second),
        "theta": Gaussian(1.0 - decay, nothing),
        "sigma": Gaussian(nothing, power),
    }


@cache
def _gauss(count: int) -> tuple[Array, Array]:
    """Nodes and weights of Gauss–Legendre, which take longer to find than to use."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    nodes.flags.writeable = weights.flags.writeable = False
    return nodes, weights


def _second_moment(kappa: float, t: Array) -> Array:
    """∫₀ᵗ u² e^{−2κu} du: in closed form, and by Gauss–Legendre where that would cancel."""
    nodes, weights = _gauss(20)
    u = 0.5 * t * (nodes + 1.0)
    small = 0.5 * t * (u**2 * np.exp(-2.0 * kappa * u)) @ weights[:, None]
    far = np.abs(kappa * t) > 1.0
    if not far.any():
        return np.asarray(small)
    z = kappa * t[far]
    closed = (1.0 - np.exp(-2.0 * z) * (1.0 + 2.0 * z + 2.0 * z * z)) / (4.0 * kappa**3)
    small[far] = closed
    return np.asarray(small)


def _mixing(kappa: float, step: float) -> Array:
    """The (2, 4) matrix that maps independent standard normals (W, √12·H, Z₁, Z₂) to (I, L).

    All four are integrals of smooth kernels against the same dW, so their covariance is a Gram
    matrix; orthogonalising the kernels in order (QR) gives the dependence without cancellation.
    """
    nodes, weights = _gauss(24)
    u = 0.5 * step * (nodes + 1.0)
    decay = np.exp(-kappa * u)
    kernels = np.stack([np.ones_like(u), u / step - 0.5, decay, u * decay], axis=1)
    upper = np.linalg.qr(kernels * np.sqrt(0.5 * step * weights)[:, None], mode="r")
    upper *= np.sign(np.diag(upper))[:, None]
    return np.asarray(upper[:, 2:].T)
