"""A lesson: a question, what to move, what to watch, and the answer."""

from __future__ import annotations

from dataclasses import dataclass

from sde_lab.figures.board import LessonFigure
from sde_lab.scenario import Scenario


@dataclass(frozen=True)
class Lesson:
    """One lesson, in Markdown of one paragraph each.

    Attributes:
        title: a few words; names the lesson in a link, so it must stay.
        question: what to predict before moving anything.
        move: what to move.
        watch: where to look while it moves.
        answer: what can be seen, and why.
        equation: the answer as a formula, in LaTeX.
        scenario: what the page opens with, in values that its sliders offer.
        columns: the Jacobian columns that are shown, by name.
        cursor: time cursor, in percent of the horizon.
        figure: a figure instead of the sensitivities, or None.
    """

    title: str
    question: str
    move: str
    watch: str
    answer: str
    equation: str
    scenario: Scenario
    columns: tuple[str, ...]
    cursor: int = 100
    figure: LessonFigure | None = None
