"""A payoff with a kink can be differentiated path by path; one with a jump cannot."""

from sde_lab.figures.payoffs import payoff_deltas_chart
from sde_lab.lessons.base import Lesson, LessonFigure
from sde_lab.scenario import Scenario
from sde_lab.studies.payoffs import payoff_study

LESSON = Lesson(
    title="A kink and a jump",
    question="One bet pays X − K if X ends above K, another pays 1. May the mean payoff be"
    " differentiated path by path?",
    move="**σ** down to 0.1, **samples** up to 20 000, **Scheme**, **New seed**.",
    watch="The solid line (path by path) against the dots (start moved by ± 2 %, same noise).",
    answer="A kink is crossed by few paths, and each pays a little: differentiating path by path is"
    " right. A jump hides the few paths that a nudge carries across it: along every single path"
    " the derivative is 0, and so is their mean, whatever the truth.",
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
        alt_text="Sensitivity of two mean payoffs to the start over the strike K: path by path, by"
        " moving the start, and exact",
        samples=20_000,
    ),
)
