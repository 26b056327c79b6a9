"""Overdamped motion in a double-well potential."""

from __future__ import annotations

from torch import Tensor

from sde_lab.models.base import Model, Parameter, ParameterTensors, Preset


class DoubleWell(Model):
    """dX = (aX − bX³) dt + σ dW = −V′(X) dt + σ dW with V(x) = −ax²/2 + bx⁴/4."""

    name = "double_well"
    title = "Double well"
    description = (
        "Motion in a potential with two wells and a barrier at zero: noise causes transitions."
    )
    equation = r"dX = (a X - b X^3)\,dt + \sigma\,dW"
    text = "dX = X*(a - b*X*X)*dt + sigma*dW"
    components = ("x",)
    symbols = ("X",)
    initial = (Parameter("x0", "x₀", "x_0", 0.5, -2.0, 2.0, 0.1, "initial value"),)
    parameters = (
        Parameter("a", "a", "a", 1.0, -1.0, 3.0, 0.1, "linear coefficient"),
        Parameter("b", "b", "b", 1.0, 0.1, 3.0, 0.1, "cubic coefficient", minimum=0.0),
        Parameter("sigma", "σ", r"\sigma", 0.5, 0.0, 1.5, 0.05, "noise intensity", minimum=0.0),
    )
    noise_type = "diagonal"
    brownian_size = 1
    horizon = 10.0
    longest = 20.0
    presets = (
        Preset("On the ridge", {"x0": 0.0, "sigma": 0.3}),
        Preset("Rare transitions", {"x0": 1.0, "sigma": 0.7}, 20.0),
        Preset("Trapped in one well", {"x0": 1.0, "sigma": 0.3}),
        Preset("Single well", {"a": -1.0}),
    )

    def drift(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return x * (p["a"] - p["b"] * x * x)

    def diffusion(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return p["sigma"]

    def correction(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return x.new_zeros(1, 1)
