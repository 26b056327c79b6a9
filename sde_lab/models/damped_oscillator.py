"""A damped harmonic oscillator driven by white noise."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from sde_lab.models.base import Model, Parameter, ParameterTensors, Preset, hstack_rows
from sde_lab.models.laws.base import ExactLaws, LawInputs
from sde_lab.models.laws.linear_gaussian import LinearSDE, gaussian_laws


class DampedOscillator(Model):
    """dx = v dt, dv = −(ω²x + γv) dt + σ dW."""

    name = "damped_oscillator"
    title = "Damped noisy oscillator"
    description = "A harmonic oscillator with linear damping, driven by white noise."
    equation = r"dx = v\,dt \\ dv = -(\omega^2 x + \gamma v)\,dt + \sigma\,dW"
    text = "dx = v*dt\ndv = -(omega**2*x + gamma*v)*dt + sigma*dW"
    components = ("position", "velocity")
    symbols = ("x", "v")
    initial = (
        Parameter("x0", "x₀", "x_0", 1.0, -3.0, 3.0, 0.1, "initial position"),
        Parameter("v0", "v₀", "v_0", 0.0, -3.0, 3.0, 0.1, "initial velocity"),
    )
    parameters = (
        Parameter("omega", "ω", r"\omega", 2.0, 0.0, 6.0, 0.1, "angular frequency"),
        Parameter("gamma", "γ", r"\gamma", 0.5, 0.0, 4.0, 0.1, "damping rate"),
        Parameter("sigma", "σ", r"\sigma", 0.5, 0.0, 3.0, 0.05, "noise intensity", minimum=0.0),
    )
    noise_type = "additive"
    brownian_size = 1
    horizon = 5.0
    longest = 20.0
    presets = (
        Preset("Weak damping", {"gamma": 0.1, "omega": 3.0}, 10.0),
        Preset("Critical damping", {"gamma": 4.0, "omega": 2.0, "x0": 2.0}),
        Preset("Driven by noise alone", {"x0": 0.0, "sigma": 1.5}, 20.0),
    )

    def drift(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        position, velocity = x[:, :1], x[:, 1:]
        return hstack_rows(velocity, -(p["omega"] ** 2 * position + p["gamma"] * velocity))

    def diffusion(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        sigma = p["sigma"]
        return hstack_rows(sigma.new_zeros(1, 1), sigma).unsqueeze(-1)

    def correction(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return x.new_zeros(1, 2)

    def exact(self, grid: LawInputs) -> ExactLaws:
        omega, gamma, sigma = (grid.parameters[name] for name in ("omega", "gamma", "sigma"))

        def linear(
            stiffness: float,
            damping: float,
            noise: float,
            start: tuple[float, ...],
            velocity: float,
        ) -> LinearSDE:
            """Return dx = velocity·v dt, dv = −(stiffness·x + damping·v) dt + noise dW."""
            matrix = np.array([[0.0, velocity], [-stiffness, -damping]])
            return LinearSDE(matrix, np.zeros(2), np.array([[0.0], [noise]]), np.array(start))

        zero = (0.0, 0.0)
        return gaussian_laws(
            grid,
            linear(omega**2, gamma, sigma, grid.initial, 1.0),
            {
                "x0": linear(0.0, 0.0, 0.0, (1.0, 0.0), 0.0),
                "v0": linear(0.0, 0.0, 0.0, (0.0, 1.0), 0.0),
                "omega": linear(2.0 * omega, 0.0, 0.0, zero, 0.0),
                "gamma": linear(0.0, 1.0, 0.0, zero, 0.0),
                "sigma": linear(0.0, 0.0, 1.0, zero, 0.0),
            },
        )
