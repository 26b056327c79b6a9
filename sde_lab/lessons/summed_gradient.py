"""The summed gradient: autograd.grad returns one number, not the derivative at each time."""

from sde_lab.figures.board import LessonFigure
from sde_lab.figures.summed_gradient import summed_gradient_chart
from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario
from sde_lab.studies.summed_gradient import summed_gradient

LESSON = Lesson(
    title="The summed gradient",
    question="autograd.grad of a path with respect to x₀ returns one number, above 11. But ∂X/∂x₀"
    " is 1 at most?",
    move="**Steps** from 25 to 50 to 100; then **samples** from 1 to 10.",
    watch="**autograd's number** on the right: it grows with both.",
    answer="A backward pass computes a vector-Jacobian product. With a vector of ones it is the sum"
    " of the derivatives at all times, of all samples. The bars are the derivatives at each time,"
    " the entries of the Jacobian.",
    equation=r"\texttt{grad(X, x0, ones\_like(X))} ="
    r" \sum_{n}\sum_{k} \frac{\partial X_{t_k}^{(n)}}{\partial x_0}",
    scenario=Scenario(
        parameters={"kappa": 1.0, "theta": 0.0, "sigma": 0.5},
        x0=1.0,
        horizon=2.0,
        steps=25,
        samples=1,
    ),
    columns=("x0",),
    figure=LessonFigure(
        study=summed_gradient,
        draw=summed_gradient_chart,
        alt_text="The number that autograd returns, above the derivatives by time that it sums",
        samples=1000,
    ),
)
