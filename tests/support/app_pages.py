"""Open pages without a browser, by Streamlit's AppTest, and read what they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

import sde_lab as lab
from sde_lab.app.state.current_scenario import LAST_SUMMARY

APP = str(Path(__file__).parents[2] / "sde_lab" / "app" / "routes" / "main.py")


def opened(**query: Any) -> AppTest:
    """The app, opened with this in the address bar."""
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in query.items():
        app.query_params[name.replace("__", ".")] = str(value)
    return app.run()


def shown(app: AppTest) -> lab.Summary:
    """What the page shows."""
    assert not app.exception
    summary: lab.Summary = app.session_state[LAST_SUMMARY]
    return summary


def widget(app: AppTest, key: str) -> Any:
    """The widget with this key, of whatever kind."""
    kinds = [
        "slider",
        "select_slider",
        "selectbox",
        "number_input",
        "button",
        "menu_button",
        "toggle",
    ]
    found = [w for kind in kinds for w in getattr(app, kind) if w.key == key]
    assert len(found) == 1, key
    return found[0]


def readout_of(app: AppTest) -> str:
    """The row of figures, as HTML."""
    bodies = [html.proto.body for html in app.get("html")]
    (found,) = [body for body in bodies if body.startswith('<div class="lab-figures">')]
    return str(found)
