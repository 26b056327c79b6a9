"""The least an interactive chart can be: one slider, one line."""

import gc

import numpy as np
import plotly.graph_objects as go
import streamlit as st


@st.cache_resource
def boot():
    gc.collect()
    gc.freeze()


boot()
kappa = st.slider("κ", 0.0, 5.0, 1.0, 0.05, key="kappa")
t = np.linspace(0.0, 1.0, 101)
st.plotly_chart(go.Figure([{"type": "scatter", "x": t, "y": np.exp(-kappa * t)}]), key="line")
