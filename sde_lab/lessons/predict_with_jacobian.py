"""First-order prediction of each path: exact in σ, with an error of order Δ² in κ."""

from functools import partial

from sde_lab.figures.board import LessonFigure
from sde_lab.figures.first_order import first_order_chart
from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario
from sde_lab.studies.first_order import first_order_study

LESSON = Lesson(
    title="Predict with the Jacobian",
    question="Same noise, another κ or σ: can the derivative predict where a path ends?",
    move="**κ** from 1 to 0.5, then up to 3. Then **σ**.",
    watch="On the right, where 8 paths end (dots), and what the derivative predicts,"
    " X\u00a0+\u00a0∂X/∂κ\u00a0·\u00a0Δ (dashed; the mean is thick).",
    answer="X is linear in σ, θ and x₀: the prediction is exact for any Δ. In κ paths are curved:"
    " for a small Δ, twice the Δ means about four times the error. In the shaded interval each"
    " error is below 5 % of the standard deviation of X. It is narrower at κ = 0.5 and wider at"
    " κ = 3, where the curves are flatter.",
    equation=r"X_T = \theta + (x_0 - \theta)\,e^{-\kappa T}"
    r" + \sigma \int_0^T e^{-\kappa (T - s)}\,dW_s",
    scenario=Scenario(
        parameters={"kappa": 1.0, "theta": 0.0, "sigma": 0.5},
        x0=2.5,
        horizon=2.0,
        samples=200,
    ),
    columns=("kappa", "sigma"),
    figure=LessonFigure(
        study=partial(first_order_study, names=("kappa", "sigma")),
        draw=first_order_chart,
        alt_text="State at the horizon over κ and over σ, of single paths and their mean: predicted"
        " by the derivative at the current value (dashed), and simulated (solid)",
        samples=200,
    ),
)
