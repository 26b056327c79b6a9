"""Entry point of the laboratory in the browser: ``streamlit run app.py``."""

from __future__ import annotations

import streamlit as st

from sde_lab.app.components.sidebar import draw_sidebar
from sde_lab.app.components.style import apply_style
from sde_lab.app.startup import initialise_process

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
            "sde_lab/app/routes/explore.py",
            title="Explore",
            icon=":material/query_stats:",
            default=True,
        ),
        st.Page(
            "sde_lab/app/routes/gradients.py",
            title="Gradients",
            icon=":material/timeline:",
        ),
        st.Page("sde_lab/app/routes/sweep.py", title="Sweep", icon=":material/tune:"),
        st.Page(
            "sde_lab/app/routes/lessons.py",
            title="Lessons",
            icon=":material/school:",
        ),
    ],
    position="top",
)
draw_sidebar()
page.run()
