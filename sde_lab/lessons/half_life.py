"""Half-life of the sensitivity to the initial value: ln 2 / κ."""

from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario

LESSON = Lesson(
    title="Half-life",
    question="After what time is the sensitivity to x₀ one half? And with twice the κ?",
    move="The **time cursor** below, until ∂X/∂x₀ reads 0.5. Then **κ** from 0.7 to 1.4.",
    watch="The number under **∂X/∂x₀**, and where the cursor stands: t = 1 first, t = 0.5 then.",
    answer="An exponential decay has a constant half-life. Twice the mean-reversion speed, half the"
    " half-life; it depends neither on σ nor on x₀.",
    equation=r"e^{-\kappa t} = \tfrac12 \iff t = \frac{\ln 2}{\kappa} = \frac{0.693}{\kappa}",
    scenario=Scenario(
        parameters={"kappa": 0.7, "theta": 0.0, "sigma": 0.4}, x0=3.0, horizon=5.0, steps=400
    ),
    columns=("x0",),
)
