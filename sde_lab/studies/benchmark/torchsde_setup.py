"""The arguments of ``torchsde.sdeint`` that reproduce a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from sde_lab.scenario import Scenario
from sde_lab.solver.brownian import BrownianIncrements
from sde_lab.solver.simulate import brownian_increments, parameter_tensors
from sde_lab.solver.step_time import as_torchsde, make_sde


@dataclass(frozen=True)
class TorchsdeSetup:
    """The arguments of ``sdeint`` for a scenario: ``sdeint(sde, y0, ts, bm=bm, **solver)``.

    Time is measured in solver steps (:mod:`sde_lab.solver.step_time`), so that the times are whole
    numbers: rounding of k·Δ cannot add or drop a step.

    Attributes:
        scenario: the scenario.
        sde: drift and diffusion per step, on rows of states (N, D).
        x0: initial state of every sample, (D,).
        samples: number of samples, N.
        ts: times 0, 1, …, steps, (T,).
        bm: the Brownian motion of the scenario's seed, drawn beforehand.
        solver: ``method``, ``dt`` and ``options`` of the scenario's scheme.
        noise: the increments that ``bm`` returns.
    """

    scenario: Scenario
    sde: Any
    x0: Tensor
    samples: int
    ts: Tensor
    bm: Any
    solver: Mapping[str, Any]
    noise: BrownianIncrements


def torchsde_setup(scenario: Scenario) -> TorchsdeSetup:
    """Return the arguments of ``torchsde.sdeint`` that give the paths of ``simulate(scenario)``.

    Args:
        scenario: the scenario.

    Returns:
        A :class:`TorchsdeSetup`; autograd differentiates through its ``sde`` with respect to the
        state.
    """
    scheme, step = scenario.scheme_spec, scenario.step
    noise = brownian_increments(scenario)
    per_time = make_sde(scenario.model_spec, parameter_tensors(scenario), scheme.interpretation)
    sde, bm = as_torchsde(per_time, noise, step, lambda u: u * step)
    solver = {"method": scheme.method, "dt": 1.0, "options": dict(scheme.options)}
    return TorchsdeSetup(
        scenario=scenario,
        sde=sde,
        x0=torch.tensor(scenario.initial, dtype=scenario.torch_dtype, device=scenario.device),
        samples=scenario.samples,
        ts=torch.arange(scenario.steps + 1, dtype=scenario.torch_dtype),
        bm=bm,
        solver=MappingProxyType(solver),
        noise=noise,
    )
