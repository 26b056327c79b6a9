"""Noise in proportion to the state stays in ∂X/∂x₀."""

from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario

LESSON = Lesson(
    title="Noise that stays",
    question="A share price: is its sensitivity to the start as free of noise as the last one was?",
    move="**σ**, the volatility: from 0.4 to 1, then to 0.",
    watch="**∂X/∂x₀**: it has a band now. Compare its shape with the fan on the left.",
    answer="Here the noise is in proportion to the price, so two prices move apart in proportion"
    " too: the sensitivity is the price itself, counted in units of the start. Its mean is free"
    " of σ all the same.",
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
