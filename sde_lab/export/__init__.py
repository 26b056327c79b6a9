"""Downloads of a page: the program that repeats it, its tables, its figures in one HTML file."""

from __future__ import annotations

import re
import zlib

from sde_lab.export.html_page import to_html
from sde_lab.export.scripts import summary_script, sweep_script
from sde_lab.export.tables import paths_table, read_scenario, summary_table, to_csv, to_parquet
from sde_lab.scenario import Scenario

__all__ = [
    "filename",
    "paths_table",
    "read_scenario",
    "summary_script",
    "summary_table",
    "sweep_script",
    "to_csv",
    "to_html",
    "to_parquet",
]


def filename(scenario: Scenario, suffix: str) -> str:
    """Return a file name that says what the file holds, in characters that every system takes.

    Args:
        scenario: what the file was made from.
        suffix: such as ``"csv"`` or ``"paths.csv"``; anything but ASCII letters, digits and ``_``
            only separates its parts.

    Returns:
        Such as ``ornstein_uhlenbeck-100x1000-seed0.csv``: model, steps × samples, seed. A typed
        equation is called ``own`` and a checksum of its text.
    """
    size = f"{scenario.steps}x{scenario.samples}"
    name = scenario.model_spec.slug
    if name != scenario.model:
        name = f"{name}{zlib.crc32(scenario.model.encode()):08x}"
    stem = f"{name}-{size}-seed{scenario.seed}"
    return ".".join([stem, *re.findall(r"[A-Za-z0-9_]+", suffix)])
