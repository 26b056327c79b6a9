"""Multiplicative noise stays in ∂X/∂x₀."""

from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario

LESSON = Lesson(
    title="Noise that stays",
    question="A share price, with multiplicative noise: is ∂X/∂x₀ the same for every path?",
    move="**σ**, the volatility: from 0.4 to 1, then to 0.",
    watch="**∂X/∂x₀**: it has a band. Compare its shape with the fan on the left.",
    answer="The noise is proportional to the price, and so is the solution to x₀: so ∂X/∂x₀ is the"
    " price divided by x₀, as random as the price. Its mean does not depend on σ.",
    equation=r"\frac{\partial X_t}{\partial x_0} = \frac{X_t}{x_0},\qquad"
    r" \mathrm{E}\,\frac{\partial X_t}{\partial x_0} = e^{\mu t}",
    scenario=Scenario(
        model="geometric_brownian_motion",
        parameters={"mu": 0.1, "sigma": 0.4},
        x0=2.0,
        horizon=2.0,
        samples=2000,
    ),
    columns=("x0",),
)
