"""How fast an equation moves: the steps that a horizon needs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sde_lab.models.base import Model

POINTS = 64
"""Random states at which the rates are taken."""
STEP_SHARE = 0.5
"""A step is this share of the time in which a disturbance changes by a factor e, at most."""
QUANTILE = 0.9
"""Of the rates at the states: a few far states do not decide."""


def suggested_steps(model: Model, horizon: float) -> float:
    """Return about how many Euler steps the equation needs up to a horizon, at its own values.

    The rate at a state is the largest row sum of |∂drift/∂x|, plus the square of that of the
    noise; an explicit step longer than twice its inverse is unstable. Rates are taken around the
    initial value, as far as noise and drift carry in one unit of their own time; where nothing is
    finite there, none is known and 0 is returned.
    """
    generator = torch.Generator().manual_seed(0)
    start = torch.tensor([[p.default for p in model.initial]], dtype=torch.float64)
    given = {p.name: torch.tensor([[p.default]], dtype=torch.float64) for p in model.parameters}
    t = torch.zeros((), dtype=torch.float64)
    reach = _reach(model, t, start, given, horizon)
    shifts = 2 * torch.rand(POINTS, start.shape[1], generator=generator, dtype=torch.float64) - 1
    rates = _rates(model, t, start + shifts * reach, given)
    rates = rates[rates.isfinite()]
    if not len(rates):
        return 0.0
    return horizon * float(torch.quantile(rates, QUANTILE)) / STEP_SHARE


def _reach(model: Model, t: Tensor, x: Tensor, p: dict[str, Tensor], horizon: float) -> Tensor:
    """Return how far each state may move from its start, (1, D)."""
    rate = _rates(model, t, x, p).nan_to_num(0.0, 0.0, 0.0).clamp(min=1.0 / horizon)
    unit = 1.0 / rate[:, None]
    drift = model.drift(t, x, p).expand_as(x).abs() * unit
    noise = _rows(model, model.diffusion(t, x, p)).expand_as(x) * unit.sqrt()
    return (0.5 * x.abs() + drift + noise).nan_to_num(0.0, 0.0, 0.0)


def _rows(model: Model, g: Tensor) -> Tensor:
    """Return the size of the noise of each state, (N, D)."""
    return g.abs() if model.noise_type == "diagonal" else g.abs().sum(-1)


def _rates(model: Model, t: Tensor, x: Tensor, p: dict[str, Tensor]) -> Tensor:
    """Return the rate at each state, (N,)."""

    def drift(x: Tensor) -> Tensor:
        return model.drift(t, x, p).expand_as(x).sum(0)

    def noise(x: Tensor) -> Tensor:
        return _rows(model, model.diffusion(t, x, p)).expand_as(x).sum(0)

    def slopes(function: Callable[[Tensor], Tensor]) -> Tensor:
        rows: Tensor = torch.func.jacrev(function)(x)
        return rows.abs().sum(-1).amax(0)

    return slopes(drift) + slopes(noise) ** 2
