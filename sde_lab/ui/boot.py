"""Once per process, after all imports: settle what slows every later run."""

from __future__ import annotations

import gc

import streamlit as st
import torch


@st.cache_resource(show_spinner=False)
def boot() -> None:
    """Freeze what imports made, and keep torch to one thread per session.

    Streamlit collects garbage after every run; with torch imported, walking its objects takes
    longer than the run itself. Frozen objects are not walked.
    """
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401

    import sde_lab.export
    import sde_lab.survey  # noqa: F401

    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()
