"""Itô and Stratonovich: two interpretations of the same equation."""

from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario

LESSON = Lesson(
    title="Itô or Stratonovich",
    question="Growth rate 0, only noise. Does a typical path rise, fall, or stay where it is?",
    move="**μ** from 0 to 0.5, which is ½σ². Then **Scheme**: Heun (Stratonovich interpretation).",
    watch="The **dark band**, which holds the central 50 % of the paths, and the **mean**.",
    answer="In the Itô interpretation of σX dW the mean is constant and the median falls. With"
    " μ = ½σ² the median is constant and the mean rises: that is the Stratonovich interpretation."
    " Heun gives the same paths up to the discretisation error, as its drift is converted, to"
    " μX − ½σ²X.",
    equation=r"\sigma X\circ dW = \sigma X\,dW + \tfrac12\sigma^2 X\,dt,\qquad"
    r" \mathrm{median}\,X_t = x_0\,e^{(\mu - \sigma^2/2)\,t}",
    scenario=Scenario(
        model="geometric_brownian_motion",
        parameters={"mu": 0.0, "sigma": 1.0},
        x0=1.0,
        horizon=2.0,
        samples=5000,
        steps=200,
    ),
    columns=("mu",),
)
