"""Charts that update in place: Plotly.react in a node that stays.

``st.plotly_chart`` replaces its node whenever the figure changes: zoom is lost, and the place
is blank for a moment. Here node, zoom and picture stay, and what changed is redrawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import plotly
import streamlit as st
from plotly.io.json import to_json_plotly
from streamlit.components.v1 import declare_component

_PACKAGE_DATA = Path(plotly.__file__).parent / "package_data"
_SCRIPT = "plotly.min.js"
_HERE = Path(__file__).parent


def chart(
    figure: Mapping[str, Any],
    *,
    key: str,
    height: str,
    alt: str,
    filename: str,
    link: str | None = None,
) -> None:
    """Draw a figure, or update it in place.

    Args:
        figure: ``data`` and ``layout`` as Plotly knows them; ``layout.meta.time`` names the axes
            that show time.
        key: the same key is the same node.
        height: a CSS length.
        alt: what the figure shows, in words.
        filename: name of a picture taken with the camera, without suffix.
        link: charts with the same link zoom their time axes together.
    """
    mount = _component()
    mount(
        key=key,
        data={
            "figure": to_json_plotly(figure),
            "height": height,
            "alt": alt,
            "filename": filename,
            "link": link or "",
            "library": _library(),
        },
        height="content",
    )


def _component() -> Any:
    """The component, registered anew in each run: Streamlit keeps the first of equal ones."""
    return st.components.v2.component("lab_chart", js=_script(), isolate_styles=False)


@st.cache_resource(show_spinner=False)
def _script() -> str:
    return (_HERE / "chart.js").read_text(encoding="utf-8")


@st.cache_resource(show_spinner=False)
def _library() -> str:
    """Address of plotly.min.js, the file that the plotly package ships, on this very server."""
    served = declare_component("plotlyjs", path=_PACKAGE_DATA)
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    prefix = f"/{base}" if base else ""
    return f"{prefix}/component/{served.name}/{_SCRIPT}"
