"""The values that widgets offer, and how they are bound to the link."""

from __future__ import annotations

from typing import Any

from sde_lab.equations.model import CUSTOM_KEY
from sde_lab.models.base import Model

STEPS = (25, 50, 100, 200, 400, 800, 1600, 3200)
SAMPLES = (1, 2, 5, *(m * 10**e for e in range(1, 7) for m in (1, 2, 5)), 10_000_000)
SWEPT_SAMPLES = tuple(count for count in SAMPLES if count <= 100_000)
"""Of them, those that a sweep over the number of samples can go through: it keeps them all."""
HORIZONS = (0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 50.0)


def horizons(model: Model) -> list[float]:
    """Return the horizons that the slider of a model offers."""
    return sorted({*(t for t in HORIZONS if t <= model.longest), model.horizon})


def horizon_label(horizon: float) -> str:
    """Return how the slider and a link write a horizon."""
    return f"{horizon:g}"


def samples_label(samples: int) -> str:
    """Return how the slider and a link write a number of samples: a narrow space between groups."""
    return f"{samples:,}".replace(",", "\u202f")


MAX_SEED = 999_999.0
"""A float, as Streamlit's number input fails on `seed=inf` in a link where its bounds are ints."""
URL_BOUND: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
"""Arguments of a widget whose value stands in the link and outlasts a change of page."""
ENGINE_KEY = "engine"
"""Widget key, and name in the link, of the choice of engine."""
COMPILED, TORCHSDE = "Compiled", "torchsde"
"""Its options: compiled loops, checked against torchsde, wherever there is one; ``sdeint`` and
replay."""
CUSTOM_MODEL_KEY = CUSTOM_KEY
"""The option of the model picker that opens the equation editor."""
CUSTOM_MODEL_LABEL = "Write your own…"
TEXT_KEY = "equation"
"""Of the editor's text area."""
