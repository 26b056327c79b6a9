"""How much generated hostile input a run of the tests tries."""

from __future__ import annotations

import os

SHARE = float(os.environ.get("SDE_LAB_FUZZ", "0.25"))
"""Examples tried, as a multiple of the numbers that the tests state: a quarter in an everyday run,
all with SDE_LAB_FUZZ=1, and as many times more with a larger one."""


def share_of(examples: int) -> int:
    """Return how many of so many examples this run tries."""
    return max(1, round(SHARE * examples))
