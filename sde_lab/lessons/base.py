"""What a lesson is: a question, something to move, something to watch, and the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sde_lab.figures.theme import Theme
from sde_lab.scenario import Scenario


@dataclass(frozen=True)
class LessonFigure:
    """A figure of the lesson's own, in the place of the sensitivities.

    Attributes:
        study: scenario → what the figure shows; asked once per scenario.
        draw: what was found, whether the answer is hidden → ``data`` and ``layout``.
        alt_text: what the figure shows, in words.
        samples: as many of the scenario's samples as the study takes.
    """

    study: Callable[[Scenario], Any]
    draw: Callable[[Any, bool, Theme], dict[str, Any]]
    alt_text: str
    samples: int


@dataclass(frozen=True)
class Lesson:
    """One lesson, in Markdown of one paragraph each.

    Attributes:
        title: a few words; names the lesson in a link, so it must stay.
        question: what the class guesses.
        move: what to move.
        watch: where to look while it moves.
        answer: what there was to see, and why.
        equation: the same in LaTeX.
        scenario: what the page opens with, in values that its sliders offer.
        columns: the sensitivities on show, by name.
        cursor: time cursor, in percent of the horizon.
        figure: a figure in the place of the sensitivities.
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
