"""A scenario in the hands of someone who calls ``torchsde.sdeint`` themselves."""

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
    """What ``sdeint`` needs to repeat a scenario: ``sdeint(sde, y0, ts, bm=bm, **solver)``.

    Time is counted in solver steps, so that K steps are K steps in floating point.

    Attributes:
        scenario: what is repeated.
        sde: drift and diffusion per step, on rows of states (N, D).
        x0: initial state, (D,).
        samples: N.
        ts: 0, 1, …, steps: (T,).
        bm: the Brownian motion of the scenario's seed, drawn beforehand.
        solver: ``method``, ``dt`` and ``options`` of the scenario's scheme.
        noise: what ``bm`` hands out.
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
    """Everything to pass to ``torchsde.sdeint`` for the paths of ``simulate(scenario)``.

    Args:
        scenario: what to repeat.

    Returns:
        A :class:`TorchsdeSetup`; its ``sde`` may be differentiated through by its state.
    """
    scheme, step = scenario.scheme_spec, scenario.step
    noise = brownian_increments(scenario)
    law = make_sde(scenario.model_spec, parameter_tensors(scenario), scheme.interpretation)
    sde, bm = as_torchsde(law, noise, step, lambda u: u * step)
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
