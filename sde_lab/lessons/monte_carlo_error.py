"""The standard error falls with the root of the sample count."""

from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario

LESSON = Lesson(
    title="The price of a digit",
    question="How many more paths does one more correct digit of the mean cost?",
    move="**Samples**: 100, 1 000, 10 000. Then **New seed**, a few times.",
    watch="The **± behind the mean**, and how far the mean jumps with new noise.",
    answer="The error of a mean falls with the root of the number of paths: a digit costs a hundred"
    " times the work. A new seed moves the mean by about as much as its ± said it would.",
    equation=r"\mathrm{SE} = \frac{s}{\sqrt N}",
    scenario=Scenario(
        parameters={"kappa": 1.0, "theta": 1.0, "sigma": 1.0}, x0=0.0, horizon=2.0, samples=100
    ),
    columns=("sigma",),
)
