"""Sensitivity to the initial value at the unstable fixed point of the double well."""

from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario

LESSON = Lesson(
    title="On the ridge",
    question="On the ridge between two wells, or in a well: where does a change of x₀ matter?",
    move="**x₀** from 0, the ridge, to 1, the well. Then back to 0, and **σ** down to 0.05.",
    watch="The scale of **∂X/∂x₀**: its mean exceeds 10 on the ridge; in the well it is at most 1.",
    answer="At x = 0 the drift's derivative is a > 0: near it a perturbation grows like $e^{at}$."
    " Where |X| exceeds √(a/(3b)) the derivative is negative and the perturbation decays. Less"
    " noise keeps paths near 0 for longer, so the mean sensitivity is larger.",
    equation=r"\frac{\partial X_t}{\partial x_0} ="
    r" \exp\int_0^t \left(a - 3bX_s^2\right) ds",
    scenario=Scenario(
        model="double_well",
        parameters={"a": 1.0, "b": 1.0, "sigma": 0.1},
        x0=0.0,
        horizon=5.0,
        samples=2000,
    ),
    columns=("x0",),
)
