"""Entry point of the laboratory in the browser: ``streamlit run app.py``, or ``sde-lab``."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

import sde_lab.app
from sde_lab.app.components.sidebar import draw_sidebar
from sde_lab.app.components.style import apply_style
from sde_lab.app.startup import initialise_process

# Streamlit executes these files; absolute, since an installed package is not beside this script.
ROUTES = Path(sde_lab.app.__file__).parent / "routes"

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
draw_sidebar()
page.run()
