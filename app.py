"""Entry point of the laboratory in the browser: ``streamlit run app.py``."""

from __future__ import annotations

import streamlit as st

from sde_lab.ui.boot import boot
from sde_lab.ui.controls import sidebar
from sde_lab.ui.style import apply_style

st.set_page_config(
    page_title="SDE laboratory",
    page_icon="📈",
    layout="wide",
    initial_sidebar_state="auto",
)
boot()
apply_style()
page = st.navigation(
    [
        st.Page(
            "sde_lab/ui/pages/explore.py",
            title="Explore",
            icon=":material/query_stats:",
            default=True,
        ),
        st.Page(
            "sde_lab/ui/pages/gradients.py",
            title="Gradients",
            icon=":material/timeline:",
        ),
        st.Page("sde_lab/ui/pages/sweep.py", title="Sweep", icon=":material/tune:"),
        st.Page(
            "sde_lab/ui/pages/lessons.py",
            title="Lessons",
            icon=":material/school:",
        ),
    ],
    position="top",
)
sidebar()
page.run()
