"""A scenario in the hands of someone who calls ``torchsde.sdeint`` themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from sde_lab.scenario import Scenario
from sde_lab.solver.brownian import Noise
from sde_lab.solver.simulate import brownian, settings
from sde_lab.solver.step_time import equation, for_torchsde


@dataclass(frozen=True)
class Setup:
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
    noise: Noise


def torchsde_setup(scenario: Scenario) -> Setup:
    """Everything to pass to ``torchsde.sdeint`` for the paths of ``simulate(scenario)``.

    Args:
        scenario: what to repeat.

    Returns:
        A :class:`Setup`; its ``sde`` may be differentiated through by its state.
    """
    scheme, step = scenario.solver, scenario.step
    noise = brownian(scenario)
    law = equation(scenario.sde, settings(scenario), scheme.reading)
    sde, bm = for_torchsde(law, noise, step, lambda u: u * step)
    solver = {"method": scheme.method, "dt": 1.0, "options": dict(scheme.options)}
    return Setup(
        scenario=scenario,
        sde=sde,
        x0=torch.tensor(scenario.initial, dtype=scenario.torch_dtype, device=scenario.device),
        samples=scenario.samples,
        ts=torch.arange(scenario.steps + 1, dtype=scenario.torch_dtype),
        bm=bm,
        solver=MappingProxyType(solver),
        noise=noise,
    )
