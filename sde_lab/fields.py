"""Drift and diffusion of a scenario as functions of the state alone, for theory to work with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sde_lab.models.exact import Array
from sde_lab.scenario import Scenario


def settings(scenario: Scenario) -> dict[str, Tensor]:
    """The parameters in float64, (1, 1) each."""
    return {
        name: torch.tensor([[value]], dtype=torch.float64)
        for name, value in scenario.parameters.items()
    }


def drift(scenario: Scenario) -> Callable[[Tensor], Tensor]:
    """The drift as the model writes it, at time 0: states (rows, D) → (rows, D)."""
    model, given = scenario.sde, settings(scenario)
    start = torch.zeros((), dtype=torch.float64)
    return lambda x: model.drift(start, x, given).expand_as(x)


def diffusion(scenario: Scenario) -> Callable[[Tensor], Tensor]:
    """The diffusion at time 0 as a matrix, whatever the noise: (rows, D) → (rows, D, M)."""
    model, given = scenario.sde, settings(scenario)
    start = torch.zeros((), dtype=torch.float64)

    def matrix(x: Tensor) -> Tensor:
        g = model.diffusion(start, x, given)
        if model.noise_type == "diagonal":
            return torch.diag_embed(g.expand_as(x))
        return g.expand(*x.shape, model.channels)

    return matrix


def on_a_line(scenario: Scenario) -> Callable[[Array], tuple[Array, Array]]:
    """Itô drift and squared diffusion of an equation of one state: values (n,) → (n,) each."""
    model, given = scenario.sde, settings(scenario)
    start, own, matrix = torch.zeros((), dtype=torch.float64), drift(scenario), diffusion(scenario)

    def both(values: Array) -> tuple[Array, Array]:
        x = torch.from_numpy(np.ascontiguousarray(values)).view(-1, 1)
        f = own(x)
        if model.reading == "stratonovich":
            f = f + model.correction(start, x, given)
        return f[:, 0].numpy(), matrix(x).square().sum(dim=(1, 2)).numpy()

    return both
