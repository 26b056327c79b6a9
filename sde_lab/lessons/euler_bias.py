"""Euler's bias: the scheme has a law of its own."""

from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario

LESSON = Lesson(
    title="A stubborn bias",
    question="Ten thousand paths in 25 steps each: is their spread the true one?",
    move="**Steps**: 25, 50, 100, 200. Then **samples**, for comparison.",
    watch="The number under **spread**, and the width of the fan. Pin it first.",
    answer="Euler's scheme overshoots the mean in each step and so spreads too far: it has a law of"
    " its own (dotted), wider than the exact one (dashed). Halve the step and the excess is more"
    " than halved; more samples only measure the wrong law better.",
    equation=r"\mathrm{Var}\,X_\infty^{\mathrm{Euler}} ="
    r" \frac{\sigma^2}{2\kappa}\cdot\frac{1}{1 - \kappa\Delta/2}",
    scenario=Scenario(
        parameters={"kappa": 4.0, "theta": 0.0, "sigma": 1.0},
        x0=0.0,
        horizon=5.0,
        steps=25,
        samples=10_000,
    ),
    columns=("sigma",),
)
