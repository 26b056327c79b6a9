"""The start fades: ∂X/∂x₀ = e^{−κt}."""

from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario

LESSON = Lesson(
    title="The start fades",
    question="Two paths start a little apart and meet the same noise. When have they forgotten it?",
    move="**κ**, the rate of return: up to 3, then down to 0.",
    watch="**∂X/∂x₀**, the distance between two such paths per unit of distance at the start.",
    answer="Both meet the same noise, so it cancels in their difference. Only the pull is left, and"
    " it shrinks any distance at the rate κ. Without a pull, κ = 0, nothing is ever forgotten.",
    equation=r"\frac{\partial X_t}{\partial x_0} = e^{-\kappa t}",
    scenario=Scenario(
        parameters={"kappa": 1.0, "theta": 0.0, "sigma": 0.5}, x0=2.0, horizon=5.0, steps=200
    ),
    columns=("x0",),
)
