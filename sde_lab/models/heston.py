"""Heston: a share price with stochastic, mean-reverting variance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from sde_lab.models.base import (
    Interpretation,
    Model,
    Parameter,
    ParameterTensors,
    Preset,
    hstack_rows,
    pushed_through_zero,
    safe_sqrt,
)
from sde_lab.models.laws.base import ExactLaws, LawInputs
from sde_lab.models.laws.distributions import MomentsOnly


class Heston(Model):
    """dS = μS dt + √V S dW₁, dV = κ(θ − V) dt + ξ√V (ρ dW₁ + √(1 − ρ²) dW₂).

    Drift of V and both roots are evaluated at max(V, 0) (full truncation).

    Source: Heston (1993); full truncation: Lord, Koekkoek and van Dijk (2010).
    """

    name = "heston"
    title = "Heston"
    description = (
        "A share price with mean-reverting stochastic variance, correlated with its returns."
    )
    equation = (
        r"dS = \mu S\,dt + \sqrt{V}\,S\,dW_1"
        r" \\ dV = \kappa(\theta - V)\,dt"
        r" + \xi\sqrt{V}\left(\rho\,dW_1 + \sqrt{1 - \rho^2}\,dW_2\right)"
    )
    text = (
        "dS = mu*S*dt + sqrt(max(V, 0))*S*dW1\n"
        "dV = kappa*(theta - max(V, 0))*dt + xi*sqrt(max(V, 0))*dW2\n"
        "corr(dW1, dW2) = rho"
    )
    components = ("price", "variance")
    symbols = ("S", "V")
    initial = (
        Parameter("s0", "S₀", "S_0", 1.0, 0.1, 3.0, 0.1, "initial price", minimum=1e-6),
        Parameter("v0", "V₀", "V_0", 0.1, 0.0, 0.5, 0.01, "initial variance", minimum=0.0),
    )
    parameters = (
        Parameter("mu", "μ", r"\mu", 0.05, -0.5, 1.0, 0.05, "growth rate"),
        Parameter("kappa", "κ", r"\kappa", 2.0, 0.0, 5.0, 0.1, "mean-reversion speed", minimum=0.0),
        Parameter("theta", "θ", r"\theta", 0.1, 0.0, 0.5, 0.01, "long-run variance", minimum=0.0),
        Parameter("xi", "ξ", r"\xi", 0.4, 0.0, 1.5, 0.05, "volatility of variance", minimum=0.0),
        Parameter(
            "rho", "ρ", r"\rho", -0.7, -0.95, 0.95, 0.05, "correlation", minimum=-0.999,
            maximum=0.999,
        ),
    )  # fmt: skip
    noise_type = "general"
    brownian_size = 2
    presets = (
        Preset("Low volatility", {"v0": 0.02, "theta": 0.02, "xi": 0.2}),
        Preset("Leverage effect", {"rho": -0.95, "xi": 1.0}, 2.0),
        Preset("No leverage effect", {"rho": 0.0, "xi": 1.0}, 2.0),
    )

    def why_unsolved(
        self, parameters: Mapping[str, float], interpretation: Interpretation
    ) -> str | None:
        if interpretation == self.interpretation:
            return None
        through = 0.0 < 4.0 * parameters["kappa"] * parameters["theta"] < parameters["xi"] ** 2
        return pushed_through_zero("0 < 4κθ < ξ²") if through else None

    def drift(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        price, variance = x[:, :1], x[:, 1:]
        return hstack_rows(p["mu"] * price, p["kappa"] * (p["theta"] - variance.clamp(min=0.0)))

    def diffusion(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        price, variance = x[:, :1], x[:, 1:]
        volatility = safe_sqrt(variance)
        rest = torch.sqrt(1.0 - p["rho"] ** 2)
        first = hstack_rows(volatility * price, p["xi"] * p["rho"] * volatility)
        second = hstack_rows(torch.zeros_like(price), p["xi"] * rest * volatility)
        return torch.stack([first, second], dim=-1)

    def correction(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        price, variance = x[:, :1], x[:, 1:]
        positive = variance > 0  # elsewhere both roots are truncated to 0
        return hstack_rows(
            positive * (0.5 * variance + 0.25 * p["xi"] * p["rho"]) * price,
            0.25 * p["xi"] ** 2 * positive,
        )

    def exact(self, grid: LawInputs) -> ExactLaws:
        """Return the means of price and variance, and of their derivatives; no distribution."""
        t = grid.times
        mu, kappa, theta = (grid.parameters[name] for name in ("mu", "kappa", "theta"))
        s0, v0 = grid.initial
        growth, decay, zero = np.exp(mu * t), np.exp(-kappa * t), np.zeros_like(t)

        def means(price: np.ndarray, variance: np.ndarray) -> MomentsOnly:
            return MomentsOnly.of_mean(np.stack([price, variance], axis=1))

        return ExactLaws(
            times=t,
            state=means(s0 * growth, theta + (v0 - theta) * decay),
            sensitivities={
                "s0": means(growth, zero),
                "v0": means(zero, decay),
                "mu": means(s0 * t * growth, zero),
                "kappa": means(zero, (theta - v0) * t * decay),
                "theta": means(zero, 1.0 - decay),
                "xi": means(zero, zero),
                "rho": means(zero, zero),
            },
        )
