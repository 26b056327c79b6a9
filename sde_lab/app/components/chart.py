"""Charts that update in place: one Plotly node that stays.

``st.plotly_chart`` replaces its node whenever the figure changes: zoom is lost, and the place is
blank for a moment. Here the node, its zoom and the picture stay, and only what changed is drawn.
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
        figure: ``data`` and ``layout`` as Plotly knows them, and ``frames`` where it is a film;
            ``layout.meta.time`` names the axes that show time, ``layout.meta.scene`` what they
            belong to (a zoom in time lasts as long as it stays the same), ``layout.meta.ground`` is
            the background of a saved picture, ``layout.meta.frame`` the frame that ``data`` shows.
        key: the same key is the same node.
        height: pixels, or a CSS length.
        alt: what the figure shows, in words.
        filename: name of a picture taken with the camera, without suffix.
        link: charts with the same link zoom their time axes together.
        on_click: called when a cell of a map is clicked; ``st.session_state[key].clicked`` then
            holds its place, ``{"x": column, "y": row}``.
    """
    callbacks: dict[str, Any] = {} if on_click is None else {"on_clicked_change": on_click}
    _mount(
        key=key,
        data={
            "figure": figure_to_json(figure),
            "height": f"{height}px" if isinstance(height, int) else height,
            "alt": alt,
            "filename": filename,
            "link": link or "",
            "library": _library(),
        },
        height="content",
        **callbacks,
    )


@st.cache_resource(show_spinner=False)
def _library() -> str:
    """Address of plotly.min.js below the server's base: the file that the plotly package ships.

    A component of the first kind is never mounted; declaring it makes the server offer the folder.
    """
    served = declare_component("plotlyjs", path=_PACKAGE_DATA)
    return f"component/{served.name}/{_SCRIPT}?v={plotly.__version__}"
