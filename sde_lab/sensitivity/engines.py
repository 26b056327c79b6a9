"""The engine that computes: compiled where it can, torchsde everywhere, the same to rounding."""

from __future__ import annotations

import os

from sde_lab.errors import ScenarioError

ENGINES = ("auto", "compiled", "torchsde")
ENGINE_VARIABLE = "SDE_LAB_ENGINE"
"""Environment variable with the engine of whoever names none; "auto" where it is not set."""


def chosen_engine(engine: str | None) -> str:
    """Return the engine to use: the one named, or that of ``SDE_LAB_ENGINE``.

    Raises:
        ScenarioError: for an engine that does not exist.
    """
    chosen = os.environ.get(ENGINE_VARIABLE, "auto") if engine is None else engine
    if chosen not in ENGINES:
        raise ScenarioError("engine", chosen, f"must be one of {', '.join(ENGINES)}")
    return chosen
