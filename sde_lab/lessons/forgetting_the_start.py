"""The sensitivity to the initial value decays: ∂X/∂x₀ = e^{−κt}."""

from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario

LESSON = Lesson(
    title="The start fades",
    question="Two paths start a little apart, with the same noise. How does their distance decay?",
    move="**κ**, the mean-reversion speed: up to 3, then down to 0.",
    watch="**∂X/∂x₀**, the distance of two such paths per unit of their initial distance.",
    answer="The noise is the same for both, so it cancels in their difference. The drift remains:"
    " any distance decays exponentially at the rate κ. Without mean reversion, κ = 0, the"
    " sensitivity stays 1.",
    equation=r"\frac{\partial X_t}{\partial x_0} = e^{-\kappa t}",
    scenario=Scenario(
        parameters={"kappa": 1.0, "theta": 0.0, "sigma": 0.5}, x0=2.0, horizon=5.0, steps=200
    ),
    columns=("x0",),
)
