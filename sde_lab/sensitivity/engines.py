"""The engine that computes: compiled where it can, torchsde everywhere, the same to rounding."""

from __future__ import annotations

import os

import numpy as np
import torch

from sde_lab import memory
from sde_lab.compiled.run import run_kernel
from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.sensitivity.compiled_engine import find_kernel, replay_seconds
from sde_lab.solver import simulate as torchsde
from sde_lab.solver.allocation import empty_tensor
from sde_lab.solver.autograd_mode import autograd_mode
from sde_lab.solver.brownian import BrownianIncrements
from sde_lab.solver.simulate import Paths

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


def simulate(
    scenario: Scenario,
    noise: BrownianIncrements | None = None,
    *,
    engine: str | None = None,
) -> Paths:
    """Simulate the scenario.

    Args:
        scenario: what to simulate.
        noise: the increments, if already drawn for this scenario.
        engine: "torchsde" (``sdeint``), "compiled" (a compiled loop, made now if need be; torchsde
            where an equation cannot be compiled), or "auto": compiled where its loop is ready,
            which is made in the background once that pays. Each gives the same bits every time;
            they agree to rounding, so "auto" may change the last bits when it changes over. None
            takes what ``SDE_LAB_ENGINE`` says, "auto" by default.

    Returns:
        Paths with values of shape (T, N, D). Paths that explode hold Inf or NaN from there on.

    Raises:
        ScenarioError: for an engine that does not exist, if the scenario does not fit the memory
            budget (see :mod:`sde_lab.memory`), or if the noise is that of another grid.
    """
    engine = chosen_engine(engine)
    memory.check_run(scenario, jacobian=False)
    kernel = None
    if engine != "torchsde":
        work = replay_seconds(scenario, 0)
        kernel = find_kernel(scenario, (), wait=engine == "compiled", work=work)
    if kernel is None:
        return torchsde.simulate(scenario, noise)
    if noise is not None:
        torchsde.check_increments(noise, scenario)
    with autograd_mode(recording=False):
        drawn = _empty_increments(scenario) if noise is None else None
        shape = (scenario.steps + 1, scenario.samples, len(scenario.initial))
        values = np.empty(shape, dtype=scenario.dtype)
        # Of no column there are no derivatives; states are written in the layout of paths.
        out = values.transpose(0, 2, 1)[:, np.newaxis]
        run_kernel(
            kernel, scenario, np.arange(scenario.steps + 1), noise=noise, drawn=drawn, out=out
        )
        used = noise or drawn
        assert used is not None
        return Paths(
            scenario, torchsde.times(scenario), torch.from_numpy(values), used.outside_inference()
        )


def _empty_increments(scenario: Scenario) -> BrownianIncrements:
    """Return tables for the increments, (K, N, M), that a kernel draws block by block."""
    shape = (scenario.steps, scenario.samples, scenario.model_spec.brownian_size)
    areas = scenario.scheme_spec.levy_area
    tables = [empty_tensor(shape, scenario.torch_dtype) for _ in range(2 if areas else 1)]
    return BrownianIncrements(tables[0], tables[1] if areas else None)
