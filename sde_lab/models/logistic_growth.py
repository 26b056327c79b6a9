"""Logistic growth with multiplicative noise: a population in a random environment."""

from __future__ import annotations

from torch import Tensor

from sde_lab.models.base import Model, Parameter, ParameterTensors, Preset


class LogisticGrowth(Model):
    """dX = rX(1 − X/K) dt + σX dW."""

    name = "logistic_growth"
    title = "Stochastic logistic growth"
    description = "Logistic growth to a carrying capacity, with noise proportional to the state."
    equation = r"dX = r X\left(1 - \frac{X}{K}\right)dt + \sigma X\,dW"
    text = "dX = r*X*(1 - X/K)*dt + sigma*X*dW"
    components = ("x",)
    symbols = ("X",)
    initial = (Parameter("x0", "x₀", "x_0", 0.2, 0.0, 3.0, 0.1, "initial population", minimum=0.0),)
    parameters = (
        Parameter("r", "r", "r", 1.0, 0.0, 4.0, 0.1, "growth rate"),
        Parameter("K", "K", "K", 1.0, 0.2, 3.0, 0.1, "carrying capacity", minimum=1e-3),
        Parameter("sigma", "σ", r"\sigma", 0.25, 0.0, 0.6, 0.01, "volatility", minimum=0.0),
    )
    noise_type = "diagonal"
    brownian_size = 1
    horizon = 10.0
    longest = 30.0
    presets = (
        Preset("Strong noise", {"sigma": 0.5}),
        Preset("Above capacity", {"x0": 3.0}, 5.0),
        Preset("Extinction", {"r": 0.1, "sigma": 0.6}, 15.0),
    )

    def drift(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return p["r"] * x * (1.0 - x / p["K"])

    def diffusion(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return p["sigma"] * x

    def correction(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return 0.5 * p["sigma"] ** 2 * x
