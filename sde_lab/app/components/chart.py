"""Plotly charts that update in place.

``st.plotly_chart`` replaces its DOM node whenever the figure changes: zoom is lost, and the chart
is blank for 70 ms (median). This component keeps the node and its zoom, and redraws the traces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import plotly
import streamlit as st
from streamlit.components.v1 import declare_component

from sde_lab.figures.serialize import figure_to_json

_HERE = Path(__file__).parent
_PACKAGE_DATA = Path(plotly.__file__).parent / "package_data"
_SCRIPT = "plotly.min.js"

# Registered once, on import; mounting registers it again where a new runtime needs it.
_mount = st.components.v2.component(
    "sde_lab_chart",
    js=(_HERE / "chart.js").read_text(encoding="utf-8"),
    css=(_HERE / "chart.css").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def draw_chart(
    figure: Mapping[str, Any],
    *,
    key: str,
    height: int | str,
    alt: str,
    filename: str,
    link: str | None = None,
    on_click: Callable[[], None] | None = None,
) -> None:
    """Draw a figure, or update it in place.

    Args:
        figure: ``data`` and ``layout`` as Plotly knows them, and ``frames`` of an animation;
            ``layout.meta.time`` names the axes that show time, ``layout.meta.scene`` what they
            belong to (a zoom in time lasts as long as it stays the same), ``layout.meta.ground`` is
            the background of a saved picture; with ``layout.meta.animation``
            (:func:`sde_lab.figures.sweep_animation.sweep_animation`) a slider and a button below
            the chart play the frames.
        key: of the component; charts with the same key share one node across runs.
        height: pixels, or a CSS length.
        alt: text alternative for screen readers.
        filename: of a picture saved with the camera button, without suffix.
        link: charts with the same link zoom their time axes together.
        on_click: called when a cell of a heatmap is clicked; ``st.session_state[key].clicked``
            then holds its indices, ``{"x": column, "y": row}``.
    """
    callbacks: dict[str, Any] = {} if on_click is None else {"on_clicked_change": on_click}
    _mount(
        key=key,
        # As bytes: of a dictionary Streamlit would make JSON twice, once to send, once to name it.
        data=figure_to_json(
            {
                "figure": figure,
                "height": f"{height}px" if isinstance(height, int) else height,
                "alt": alt,
                "filename": filename,
                "link": link or "",
                "library": _library(),
            }
        ).encode(),
        height="content",
        **callbacks,
    )


@st.cache_resource(show_spinner=False)
def _library() -> str:
    """Return the URL of plotly.min.js relative to the server's base.

    It is the file that the plotly package ships, so no CDN is asked and both versions agree. The
    component declared here is never mounted: declaring one (of the first API, by path) is what
    makes the server serve a folder of static files.
    """
    served = declare_component("plotlyjs", path=_PACKAGE_DATA)
    return f"component/{served.name}/{_SCRIPT}?v={plotly.__version__}"
