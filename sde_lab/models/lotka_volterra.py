"""Lotka–Volterra predator and prey, each with its own multiplicative noise."""

from __future__ import annotations

from torch import Tensor

from sde_lab.models.base import Model, Parameter, ParameterTensors, Preset, hstack_rows


class LotkaVolterra(Model):
    """dx = x(α − βy) dt + σ₁x dW₁, dy = y(δx − γ) dt + σ₂y dW₂."""

    name = "lotka_volterra"
    title = "Lotka–Volterra"
    description = "Predator–prey cycles with multiplicative noise on both populations."
    equation = (
        r"dx = x(\alpha - \beta y)\,dt + \sigma_1 x\,dW_1"
        r" \\ dy = y(\delta x - \gamma)\,dt + \sigma_2 y\,dW_2"
    )
    text = "dx = x*(alpha - beta*y)*dt + sigma1*x*dW1\ndy = y*(delta*x - gamma)*dt + sigma2*y*dW2"
    components = ("prey", "predator")
    symbols = ("x", "y")
    initial = (
        Parameter("prey0", "x₀", "x_0", 1.0, 0.1, 3.0, 0.1, "initial prey", minimum=0.0),
        Parameter("predator0", "y₀", "y_0", 0.5, 0.1, 3.0, 0.1, "initial predators", minimum=0.0),
    )
    parameters = (
        Parameter("alpha", "α", r"\alpha", 1.0, 0.1, 2.0, 0.1, "prey growth rate"),
        Parameter("beta", "β", r"\beta", 1.0, 0.1, 3.0, 0.1, "predation rate"),
        Parameter("delta", "δ", r"\delta", 1.0, 0.1, 3.0, 0.1, "conversion rate"),
        Parameter("gamma", "γ", r"\gamma", 1.0, 0.1, 3.0, 0.1, "predator death rate"),
        Parameter("sigma1", "σ₁", r"\sigma_1", 0.1, 0.0, 0.5, 0.01, "prey noise", minimum=0.0),
        Parameter("sigma2", "σ₂", r"\sigma_2", 0.1, 0.0, 0.5, 0.01, "predator noise", minimum=0.0),
    )
    noise_type = "diagonal"
    brownian_size = 2
    horizon = 10.0
    longest = 20.0
    presets = (
        Preset("No noise", {"sigma1": 0.0, "sigma2": 0.0}, 20.0),
        Preset("Damped by noise", {"sigma1": 0.2, "sigma2": 0.2}),
        Preset("At the fixed point", {"prey0": 1.0, "predator0": 1.0}, 20.0),
    )

    def drift(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        prey, predator = x[:, :1], x[:, 1:]
        return hstack_rows(
            prey * (p["alpha"] - p["beta"] * predator), predator * (p["delta"] * prey - p["gamma"])
        )

    def diffusion(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return hstack_rows(p["sigma1"], p["sigma2"]) * x

    def correction(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return 0.5 * hstack_rows(p["sigma1"], p["sigma2"]) ** 2 * x
