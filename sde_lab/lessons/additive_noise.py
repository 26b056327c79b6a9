"""Additive noise cancels in ∂X/∂x₀."""

from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario

LESSON = Lesson(
    title="Noise that cancels",
    question="Six times the volatility: does the sensitivity to the initial value decay faster?",
    move="**σ**, the volatility: from 0.5 to 3, then to 0.",
    watch="The fan of paths, and **∂X/∂x₀** beside it: one of the two does not change.",
    answer="The noise is additive: σ does not depend on the state. Differentiate the equation with"
    " respect to x₀ and the noise drops out: ∂X/∂x₀ is the same curve for every path, without a"
    " band.",
    equation=r"d\,\frac{\partial X}{\partial x_0} = -\kappa\,\frac{\partial X}{\partial x_0}\,dt",
    scenario=Scenario(parameters={"kappa": 1.0, "theta": 0.0, "sigma": 0.5}, x0=1.0, horizon=3.0),
    columns=("x0",),
)
