"""Discretisation bias of Euler–Maruyama: its stationary variance is not that of the SDE."""

from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario

LESSON = Lesson(
    title="A stubborn bias",
    question="Ten thousand paths in 25 steps each: is their standard deviation that of the SDE?",
    move="**Steps**: 25, 50, 100, 200. Then **samples**, for comparison.",
    watch="The **standard deviation** under the chart, and the width of the fan. Pin it first.",
    answer="Euler's scheme adds the noise of each step undamped: with 25 steps its variance is"
    " σ²Δ = 0.2, against 0.0998 of the exact transition. So the stationary variance is 0.208"
    " instead of 0.125: the scheme's distribution (dotted) is wider than the exact one (dashed)."
    " Halve the step and the excess variance is more than halved; more samples reduce the"
    " standard error, not the bias.",
    equation=r"\mathrm{Var}\,X_\infty^{\mathrm{Euler}} ="
    r" \frac{\sigma^2\Delta}{1 - (1 - \kappa\Delta)^2} ="
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
