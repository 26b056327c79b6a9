"""Cox–Ingersoll–Ross: mean reversion with a non-negative state."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from sde_lab.models.base import (
    Interpretation,
    Model,
    Parameter,
    ParameterTensors,
    Preset,
    pushed_through_zero,
    safe_sqrt,
)
from sde_lab.models.laws.base import ExactLaws, LawInputs
from sde_lab.models.laws.distributions import Gaussian, MomentsOnly, NoncentralChiSquare


class CoxIngersollRoss(Model):
    """dX = κ(θ − X) dt + σ√X dW, with √ and drift evaluated at max(X, 0) (full truncation).

    Source: Cox, Ingersoll and Ross (1985); full truncation: Lord, Koekkoek and van Dijk (2010).
    """

    name = "cox_ingersoll_ross"
    title = "Cox–Ingersoll–Ross"
    description = "Mean reversion with noise proportional to √X: a model of short interest rates."
    equation = r"dX = \kappa(\theta - X)\,dt + \sigma\sqrt{X}\,dW"
    text = "dX = kappa*(theta - max(X, 0))*dt + sigma*sqrt(max(X, 0))*dW"
    components = ("x",)
    symbols = ("X",)
    initial = (Parameter("x0", "x₀", "x_0", 1.0, 0.0, 3.0, 0.1, "initial value", minimum=0.0),)
    parameters = (
        Parameter(
            "kappa", "κ", r"\kappa", 1.5, 0.0, 5.0, 0.05, "mean-reversion speed", minimum=0.0
        ),
        Parameter("theta", "θ", r"\theta", 1.0, 0.0, 3.0, 0.1, "long-run mean", minimum=0.0),
        Parameter("sigma", "σ", r"\sigma", 0.6, 0.0, 2.0, 0.05, "volatility", minimum=0.0),
    )
    noise_type = "diagonal"
    brownian_size = 1
    horizon = 3.0
    presets = (
        Preset("Away from zero", {"sigma": 0.3}),
        Preset("Touches zero", {"kappa": 0.5, "theta": 0.3, "x0": 0.5, "sigma": 1.0}, 5.0),
        Preset("Starts at zero", {"x0": 0.0}),
    )

    def why_unsolved(
        self, parameters: Mapping[str, float], interpretation: Interpretation
    ) -> str | None:
        if interpretation == self.interpretation:
            return None
        through = 0.0 < 4.0 * parameters["kappa"] * parameters["theta"] < parameters["sigma"] ** 2
        return pushed_through_zero("0 < 4κθ < σ²") if through else None

    def drift(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return p["kappa"] * (p["theta"] - x.clamp(min=0.0))

    def diffusion(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return p["sigma"] * safe_sqrt(x)

    def correction(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return 0.25 * p["sigma"] ** 2 * (x > 0)

    def exact(self, grid: LawInputs) -> ExactLaws:
        t = grid.times[:, None]
        kappa, theta, sigma = (grid.parameters[name] for name in ("kappa", "theta", "sigma"))
        x0 = grid.initial[0]
        decay = np.exp(-kappa * t)
        zero = np.zeros_like(t)
        return ExactLaws(
            times=grid.times,
            state=NoncentralChiSquare.of_cir_process(t, kappa, theta, sigma, x0),
            sensitivities={
                "x0": MomentsOnly.of_mean(decay),
                "kappa": MomentsOnly.of_mean((theta - x0) * t * decay),
                "theta": MomentsOnly.of_mean(1.0 - decay),
                "sigma": MomentsOnly.of_mean(zero),
            }
            if sigma > 0
            else {"x0": Gaussian(decay, zero), "theta": Gaussian(1.0 - decay, zero)},
        )
