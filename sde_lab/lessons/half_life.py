"""Half-life: the start counts half after ln 2 / κ."""

from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario

LESSON = Lesson(
    title="Half-life",
    question="After how much time does the start count only half? And when the pull is doubled?",
    move="The **time cursor** below, until ∂X/∂x₀ reads 0.5. Then **κ** from 0.7 to 1.4.",
    watch="The number under **∂X/∂x₀**, and where the cursor stands: t = 1 first, t = 0.5 then.",
    answer="Whatever decays at a constant rate halves in a constant time. Twice the pull, half the"
    " half-life; neither the noise nor the start has a say.",
    equation=r"e^{-\kappa t} = \tfrac12 \iff t = \frac{\ln 2}{\kappa} = \frac{0.693}{\kappa}",
    scenario=Scenario(
        parameters={"kappa": 0.7, "theta": 0.0, "sigma": 0.4}, x0=3.0, horizon=5.0, steps=400
    ),
    columns=("x0",),
)
