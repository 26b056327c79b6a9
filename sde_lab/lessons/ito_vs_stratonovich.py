"""Itô and Stratonovich: two readings of the same symbols."""

from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario

LESSON = Lesson(
    title="Itô or Stratonovich",
    question="Growth rate 0, only noise. Does a typical path rise, fall, or stay where it is?",
    move="**μ** from 0 to 0.5, which is ½σ². Then **Scheme**: Heun, of Stratonovich's reading.",
    watch="The **dark band**, which holds the middle half of the paths, and the **mean**.",
    answer="Read as Itô's, σX dW keeps the mean in place and lets the middle path sink. With"
    " μ = ½σ² the middle stays and the mean rises: that is σX dW as Stratonovich reads it. Heun"
    " changes nothing, because the laboratory hands it the drift less ½σ²X: same equation, same"
    " paths.",
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
