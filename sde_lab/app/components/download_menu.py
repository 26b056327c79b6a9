"""Downloads: the figures, the data, and a program that reproduces them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from sde_lab import export
from sde_lab.app.state.sweep_request import SweepRequest
from sde_lab.summaries.summary import Summary
from sde_lab.sweeps import SweepResult
from sde_lab.theory.exact_laws import ExactLaws


def draw_download_menu(
    summary: Summary, exact: ExactLaws | None, figures: list[dict[str, Any]]
) -> None:
    """Draw the downloads of a summary; each file is made when its button is clicked."""
    scenario = summary.scenario
    with st.popover("Download", icon=":material/download:"):
        _draw_file_button("Python script", "py", scenario, lambda: export.summary_script(scenario))
        _draw_file_button(
            "Data, CSV",
            "csv",
            scenario,
            lambda: export.to_csv(export.summary_table(summary, exact)),
        )
        _draw_file_button(
            "Data, Parquet",
            "parquet",
            scenario,
            lambda: export.to_parquet(export.summary_table(summary, exact), scenario),
        )
        _draw_file_button(
            "Charts, interactive HTML",
            "html",
            scenario,
            lambda: export.to_html(figures, scenario),
        )
        st.caption("PNG: the camera at the corner of each chart.")


def draw_sweep_download_menu(
    done: SweepRequest, result: SweepResult, figures: list[dict[str, Any]]
) -> None:
    """Draw the downloads of a sweep, with the grid points that are done."""
    scenario = done.scenario
    with st.popover("Download", icon=":material/download:"):
        _draw_file_button(
            "Python script",
            "py",
            scenario,
            lambda: export.sweep_script(**done.sweep_kwargs),
        )
        _draw_file_button("Data, CSV", "csv", scenario, lambda: export.to_csv(result.table()))
        _draw_file_button(
            "Data, Parquet",
            "parquet",
            scenario,
            lambda: export.to_parquet(result.table(), scenario),
        )
        _draw_file_button(
            "Charts, interactive HTML",
            "html",
            scenario,
            lambda: export.to_html(figures, scenario, note=done.description),
        )
        st.caption("PNG: the camera at the corner of each chart.")


def _draw_file_button(label: str, suffix: str, scenario: Any, make: Any) -> None:
    st.download_button(
        label,
        data=make,
        file_name=export.filename(scenario, suffix),
        mime=_MIME[suffix],
        key=f"take.{suffix}",
        on_click="ignore",
        width="stretch",
    )


_MIME = {
    "py": "text/x-python",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "html": "text/html",
}
