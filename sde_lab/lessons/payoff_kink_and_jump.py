"""The pathwise delta is unbiased for a call option; for a digital option it is 0."""

from sde_lab.figures.board import LessonFigure
from sde_lab.figures.payoffs import payoff_deltas_chart
from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario
from sde_lab.studies.payoffs import payoff_study

LESSON = Lesson(
    title="A kink and a jump",
    question="A call option pays X − K if X ends above K, a digital option pays 1. Does the"
    " pathwise estimator give the derivative of the mean payoff?",
    move="**σ** down to 0.1, **samples** up to 20 000, **Scheme**, **New seed**.",
    watch="Pathwise estimator (solid) and finite difference (dots: x₀ ± 2 %, same noise).",
    answer="The call's payoff is continuous (Lipschitz), and differentiable but at X = K, which has"
    " probability 0: the pathwise estimator is unbiased. The digital payoff is discontinuous: its"
    " derivative is 0 along almost every path, so the estimate is 0, but the derivative of the"
    " mean is not.",
    equation=r"\frac{\partial}{\partial x_0}\mathrm{E}\,(X_T - K)^+ ="
    r" \mathrm{E}\!\left[1_{X_T > K}\,\frac{\partial X_T}{\partial x_0}\right]",
    scenario=Scenario(
        model="geometric_brownian_motion",
        parameters={"mu": 0.05, "sigma": 0.3},
        x0=1.0,
        horizon=1.0,
        samples=5000,
    ),
    columns=("x0",),
    figure=LessonFigure(
        study=payoff_study,
        draw=payoff_deltas_chart,
        alt_text="Derivative of two mean payoffs with respect to x₀ over the strike K: pathwise"
        " estimator, finite difference, and exact",
        samples=20_000,
    ),
)
