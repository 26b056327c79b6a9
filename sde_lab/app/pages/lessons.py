"""Lessons: a question above the charts, live sliders beside them, the answer after a click."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sde_lab.app.components.answer_toggle import HIDE_KEY, answer_hidden
from sde_lab.app.components.page_values import open_explore, take_values_along
from sde_lab.app.components.path_board import current_summary, draw_board
from sde_lab.app.components.pin import STATE_KEY
from sde_lab.app.components.style import PRESENTATION_KEY, current_theme
from sde_lab.app.state.link_values import said_alone
from sde_lab.app.state.options import ENGINE_KEY, URL_BOUND
from sde_lab.app.state.url_state import apply_scenario, set_widgets
from sde_lab.errors import ScenarioError
from sde_lab.figures.board import CaptionedFigure, LessonFigure
from sde_lab.lessons import LESSONS
from sde_lab.lessons.base import Lesson
from sde_lab.scenario import Scenario
from sde_lab.server.scheduling import limit_to_interactive, run_study

LESSON_KEY = "lesson"
RESTART = "Start over"
_LEAVE = "lesson.leave"
"""Session key: the next run is to change over to Explore."""
HEIGHT = "clamp(310px, calc(100vh - 22rem), 900px)"
"""Height of the charts, a CSS length: the window's less what stands above and below them."""


def open_linked_lesson() -> None:
    """Open the lesson of a link that says nothing else, as a click on it would.

    To be called before the controls are drawn, since it sets them.
    """
    title = said_alone(LESSON_KEY, (PRESENTATION_KEY, ENGINE_KEY))
    if title is not None and title in LESSONS:
        _open(title)


def render() -> None:
    """Draw the page: the list of lessons, or the one that was opened."""
    if st.session_state.pop(_LEAVE, False):
        open_explore()
    left, right = st.columns([55, 45], gap="medium", vertical_alignment="center")
    with right:
        lesson = _chosen()
    with left, st.container(key="question"):
        st.subheader(lesson.question if lesson else "Lessons", anchor=False)
    if lesson is None:
        _contents()
        return
    answer_slot = _words(lesson)
    summary = current_summary()
    if summary is None:
        return
    scenario = summary.scenario
    if scenario.model != lesson.scenario.model:
        st.caption(f"This lesson is about another model. “{RESTART}” goes back to it.")

    def answer() -> None:
        with answer_slot:
            _answer(lesson)
        _formula(lesson)

    draw_board(
        summary,
        HEIGHT,
        lesson.columns,
        lesson.figure,
        lambda figure: _figure(figure, scenario),
        answer,
    )


def _chosen() -> Lesson | None:
    """Draw the row that chooses a lesson; return the chosen one, None on the list of lessons."""
    titles = list(LESSONS)
    with st.container(horizontal=True, wrap=False, gap="small"):
        title = st.selectbox(
            "Lesson",
            titles,
            index=None,
            placeholder="Choose a lesson",
            key=LESSON_KEY,
            label_visibility="collapsed",
            on_change=_open_chosen,
            **URL_BOUND,
        )
        lesson = LESSONS.get(str(title))
        if lesson is not None:
            following = titles[(titles.index(lesson.title) + 1) % len(titles)]
            _icon_button("Open in Explore", "query_stats", _take_along)
            _icon_button(RESTART, "restart_alt", _open, lesson.title)
            _icon_button("Next lesson", "arrow_forward", _open, following)
    return lesson


def _icon_button(label: str, icon: str, on_click: Callable[..., None], *args: str) -> None:
    """Draw a button that shows its icon alone; screen readers and the tooltip say its label."""
    with st.container(key=f"icon_{icon}", width="content"):
        st.button(
            label, key=label, icon=f":material/{icon}:", help=label, on_click=on_click, args=args
        )


def _take_along() -> None:
    take_values_along()
    st.session_state[_LEAVE] = True


def _open_chosen() -> None:
    title = str(st.session_state.get(LESSON_KEY))
    if title in LESSONS:
        _open(title)


def _open(title: str) -> None:
    """Open a lesson: set sliders and cursor, unpin, hide the answer."""
    lesson = LESSONS[title]
    apply_scenario(lesson.scenario)
    set_widgets(
        {LESSON_KEY: title, "cursor": lesson.cursor, HIDE_KEY: True},
        {LESSON_KEY: None, "cursor": 100, HIDE_KEY: False},
    )
    st.session_state[STATE_KEY] = None


def _contents() -> None:
    """Draw the list of lessons, each with its question."""
    with st.container(key="contents"):
        columns = st.columns(2)
        for index, lesson in enumerate(LESSONS.values()):
            with columns[index % 2], st.container(border=True):
                st.button(
                    f"**{lesson.title}**",
                    key=f"open.{lesson.title}",
                    on_click=_open,
                    args=(lesson.title,),
                    type="tertiary",
                )
                st.markdown(lesson.question)


def _words(lesson: Lesson) -> DeltaGenerator:
    """Draw what to move and to watch; return the container beside it for the answer.

    The answer itself is drawn later, since the switch that hides it stands below the charts.
    """
    with st.container(key="words"):
        todo, answer = st.columns([38, 62], gap="medium")
        todo.markdown(f"**Move** {lesson.move}\n\n**Watch** {lesson.watch}")
    return answer


def _answer(lesson: Lesson) -> None:
    """Draw the answer, or the button that shows it."""
    if not answer_hidden():
        st.markdown(lesson.answer)
        return
    st.button(
        "Show the answer",
        key="show_answer",
        on_click=_show,
        type="primary",
        icon=":material/visibility:",
    )


def _formula(lesson: Lesson) -> None:
    """Draw the equation of the answer beside the readout."""
    if not answer_hidden():
        with st.container(key="formula"):
            st.latex(lesson.equation, width="content")


def _show() -> None:
    st.session_state[HIDE_KEY] = False


def _figure(figure: LessonFigure, scenario: Scenario) -> CaptionedFigure | None:
    """Return the lesson's own figure; None where its study refuses the scenario."""
    try:
        result = _study(figure, limit_to_interactive(scenario, figure.samples))
    except ScenarioError as error:
        st.error(str(error), icon=":material/error:")
        return None
    return figure.draw(result, answer_hidden(), current_theme()), figure.alt_text


@st.cache_resource(
    max_entries=64, show_spinner=False, hash_funcs={Scenario: repr, LessonFigure: repr}
)
def _study(figure: LessonFigure, scenario: Scenario) -> Any:
    return run_study(figure.study, scenario)
