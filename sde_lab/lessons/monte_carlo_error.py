"""The standard error of a mean is O(1/√N) in the number N of samples."""

from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario

LESSON = Lesson(
    title="The price of a digit",
    question="How many more paths does one more correct digit of the mean cost?",
    move="**Samples**: 100, 1 000, 10 000. Then **New seed**, a few times.",
    watch="The **± behind the mean**, and how far the mean moves with a new seed.",
    answer="The standard error of a mean is O(1/√N): one more digit takes 100 times the paths."
    " Over many seeds the standard deviation of the mean is the standard error.",
    equation=r"\mathrm{SE} = \frac{s}{\sqrt N}",
    scenario=Scenario(
        parameters={"kappa": 1.0, "theta": 1.0, "sigma": 1.0}, x0=0.0, horizon=2.0, samples=100
    ),
    columns=("sigma",),
)
