"""The script of all pages: Streamlit runs it at each interaction, in the thread of the session."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from sde_lab.app.components.link_notes import draw_link_notes
from sde_lab.app.components.page_values import use_values_of_page
from sde_lab.app.components.sidebar import draw_sidebar
from sde_lab.app.components.style import apply_style
from sde_lab.app.pages.lessons import open_linked_lesson
from sde_lab.app.startup import initialise_process
from sde_lab.app.state.link_values import remember_link
from sde_lab.app.state.script_turn import script_turn

ROUTES = Path(__file__).parent

with script_turn():
    st.set_page_config(
        page_title="SDE laboratory",
        page_icon="📈",
        layout="wide",
        initial_sidebar_state="auto",
    )
    initialise_process()
    apply_style()
    page = st.navigation(
        [
            st.Page(
                ROUTES / "explore.py",
                title="Explore",
                icon=":material/query_stats:",
                default=True,
            ),
            st.Page(
                ROUTES / "gradients.py",
                title="Gradients",
                icon=":material/timeline:",
            ),
            st.Page(ROUTES / "sweep.py", title="Sweep", icon=":material/tune:"),
            st.Page(
                ROUTES / "lessons.py",
                title="Lessons",
                icon=":material/school:",
            ),
        ],
        position="top",
    )
    remember_link()
    on_lessons = page.url_path == "lessons"
    use_values_of_page(on_lessons=on_lessons)
    if on_lessons:
        open_linked_lesson()
    draw_sidebar()
    page.run()
    draw_link_notes()
