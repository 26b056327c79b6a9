"""On the ridge of the double well, the least nudge decides."""

from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario

LESSON = Lesson(
    title="On the ridge",
    question="A marble on the ridge between two valleys, or one in a valley: which feels a nudge?",
    move="**x₀** from 0, the ridge, to 1, the valley. Then back to 0, and **σ** down to 0.05.",
    watch="The scale of **∂X/∂x₀**: ten and more on the ridge, below 1 in the valley.",
    answer="While a path is on the ridge, any distance grows like $e^{at}$; once it rolls down, it"
    " shrinks again. Less noise keeps paths on the ridge for longer, and a nudge decides more.",
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
