"""Downloads: the figures, the data, and a program that reproduces them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from sde_lab import export
from sde_lab.app.state.sweep_request import SweepRequest
from sde_lab.scenario import Scenario
from sde_lab.summaries.summary import Summary
from sde_lab.sweeps import SweepResult
from sde_lab.theory.exact_laws import ExactLaws


def draw_download_menu(
    summary: Summary, exact: ExactLaws | None, figures: list[dict[str, Any]]
) -> None:
    """Draw the downloads of a summary; each file is made when its button is clicked."""
    scenario = summary.scenario
    _draw_menu(
        scenario,
        py=lambda: export.summary_script(scenario),
        csv=lambda: export.to_csv(export.summary_table(summary, exact)),
        parquet=lambda: export.to_parquet(export.summary_table(summary, exact), scenario),
        html=lambda: export.to_html(figures, scenario),
    )


def draw_sweep_download_menu(
    done: SweepRequest, result: SweepResult, figures: list[dict[str, Any]]
) -> None:
    """Draw the downloads of a sweep, with the grid points that are done."""
    scenario = done.scenario
    _draw_menu(
        scenario,
        py=lambda: export.sweep_script(**done.sweep_kwargs),
        csv=lambda: export.to_csv(result.table()),
        parquet=lambda: export.to_parquet(result.table(), scenario),
        html=lambda: export.to_html(figures, scenario, note=done.description),
    )


def _draw_menu(scenario: Scenario, **makers: Callable[[], str | bytes]) -> None:
    """Draw the menu; its buttons are drawn once it is open, and not at every move.

    Args:
        scenario: names the files.
        makers: suffix of each file → what makes its content.
    """
    menu = st.popover("Download", icon=":material/download:", key="downloads", on_change="rerun")
    if not menu.open:
        return
    with menu:
        for suffix, make in makers.items():
            label, mime = _KINDS[suffix]
            st.download_button(
                label,
                data=make,
                file_name=export.filename(scenario, suffix),
                mime=mime,
                key=f"take.{suffix}",
                on_click="ignore",
                width="stretch",
            )
        st.caption("PNG: the camera at the corner of each chart.")


_KINDS = {
    "py": ("Python script", "text/x-python"),
    "csv": ("Data, CSV", "text/csv"),
    "parquet": ("Data, Parquet", "application/vnd.apache.parquet"),
    "html": ("Charts, interactive HTML", "text/html"),
}
"""Label and media type of each file, by its suffix."""
