"""The compiled engine where a kernel is ready: states and derivatives of a scenario in one pass.

Kernels (:mod:`sde_lab.compiled`) are compiled in the background at their first use and checked
against replay on ``torchsde.sdeint`` before they are used. Until then, and for scenarios that
cannot be compiled (CUDA, an equation too long, an environment without numba), callers use replay,
which gives the same numbers to rounding.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sde_lab.compiled.kernel import Kernel, KernelCache, Key, available
from sde_lab.compiled.run import Tables, fits, run_kernel
from sde_lab.compiled.source import StepSource, TooLongError, write
from sde_lab.equations.model import EquationModel, parse_sde
from sde_lab.errors import ScenarioError
from sde_lab.models.base import Model
from sde_lab.scenario import Scenario
from sde_lab.sensitivity.recording import records_graph
from sde_lab.sensitivity.replay import replay
from sde_lab.solver.simulate import Paths, simulate

CHECK_STEPS, CHECK_SAMPLES = 4, 8
"""Size of the simulation by which a new kernel is compared with replay."""
MAX_CHECK_ERROR_EPS = 1e4
"""Difference from replay after CHECK_STEPS steps, in units of the machine epsilon, up to which a
kernel is accepted. A wrong formula differs by far more; a condition number of a few thousand still
passes."""
STEP_SECONDS, NUMBER_SECONDS = 1e-4, 2e-8
"""Time of one step of a built-in model by torchsde and replay, and the time that each sample's
state or derivative adds to it; orders of magnitude, measured in sweeps of Ornstein–Uhlenbeck,
Heston and Lotka–Volterra."""
_LOG = logging.getLogger(__name__)


def equation_of(model: Model) -> EquationModel | None:
    """Return the model's equation as a typed equation, or None where it has no ``text``."""
    if isinstance(model, EquationModel):
        return model
    return parse_sde(model.text) if model.text else None  # type: ignore[return-value]


def equation_columns(model: Model, equation: EquationModel) -> tuple[str, ...]:
    """Return the Jacobian's columns in the model's order, by their names in its equation, (P,).

    Initial values correspond by position, parameters by name: in the text they may have another
    order than in the model.
    """
    initial = [parameter.name for parameter in equation.initial]
    return (*initial, *(parameter.name for parameter in model.parameters))


def compiled_tables(
    scenario: Scenario, indices: NDArray[np.intp], first_sample: int = 0, *, wait: bool = False
) -> Tables | None:
    """Return states and derivatives at some times, or None where no kernel is ready.

    Args:
        scenario: simulated, and differentiated by all its Jacobian columns.
        indices: increasing indices of the times on the solver's grid, (T,).
        first_sample: index of the first sample, a multiple of ``STREAM_SAMPLES``.
        wait: compile now, instead of in the background, if there is no kernel yet.
    """
    kernel = find_kernel(scenario, wait=wait)
    if kernel is None:
        return None
    return replace(
        run_kernel(kernel, scenario, indices, first_sample), difference=kernel.difference
    )


@records_graph
def compiled_jacobian(paths: Paths) -> Tensor:
    """Return the Jacobian (T, N, D, P) on the noise of the paths, by the compiled kernel.

    The first call for an equation and scheme compiles, which takes 0.2 to 2 s.

    Raises:
        ScenarioError: where the scenario cannot be compiled.
    """
    scenario = paths.scenario
    kernel = find_kernel(scenario, wait=True)
    if kernel is None:
        hint = "cannot be compiled here; replay gives the same numbers"
        raise ScenarioError("engine", "compiled", hint)
    indices = np.arange(scenario.steps + 1)
    tables = run_kernel(kernel, scenario, indices, noise=paths.noise)
    return torch.from_numpy(tables.derivatives).permute(1, 3, 2, 0)  # from (P, T, D, N)


def find_kernel(
    scenario: Scenario,
    names: Sequence[str] | None = None,
    *,
    wait: bool = False,
    work: float = math.inf,
) -> Kernel | None:
    """Return the kernel that serves a scenario, or None where there is none.

    Args:
        scenario: gives model, scheme, precision and device, and the size of its noise.
        names: what to differentiate by, of the model's Jacobian columns; None takes all.
        wait: compile now if there is no kernel yet. Otherwise it is compiled in the background.
        work: seconds, about, that replay takes instead; see :meth:`KernelCache.get`.
    """
    model, scheme = equation_of(scenario.model_spec), scenario.scheme_spec
    if model is None or scenario.device != "cpu" or not available():
        return None
    columns = equation_columns(scenario.model_spec, model)
    if names is not None:
        known = dict(zip(scenario.model_spec.jacobian_columns, columns, strict=True))
        columns = tuple(known[name] for name in names)
    key = Key(model.name, scheme.name, columns, scenario.dtype)
    kernel = _CACHE.wait_for(key, model, scheme) if wait else _CACHE.get(key, model, scheme, work)
    return kernel if kernel is not None and fits(kernel, scenario) else None


def why_not_compiled(scenario: Scenario) -> str | None:
    """Return why a scenario has no compiled loop, or None where it has one."""
    if not available():
        return "numba is not installed"
    if scenario.device != "cpu":
        return "compiled loops run on the CPU"
    try:
        return None if _write_source(scenario) else "the model does not state its equation as text"
    except TooLongError as error:
        return str(error)


def generated_code(scenario: Scenario) -> str:
    """Return the source of the loop that is compiled for a scenario and all its columns.

    Raises:
        TooLongError: if a step has too many operations.
        ValueError: if the model does not state its equation as text.
    """
    source = _write_source(scenario)
    if source is None:
        raise ValueError(f"{scenario.model!r} does not state its equation as text")
    return source.text


def _write_source(scenario: Scenario) -> StepSource | None:
    model = equation_of(scenario.model_spec)
    if model is None:
        return None
    columns = equation_columns(scenario.model_spec, model)
    return write(model, scenario.scheme_spec, columns)


def replay_seconds(scenario: Scenario, columns: int) -> float:
    """Return about how long torchsde and replay take for paths and their derivatives.

    Args:
        scenario: what is run.
        columns: number of columns to differentiate by.
    """
    model = scenario.model_spec
    cost = model.evaluation_cost(scenario.scheme_spec.interpretation)
    numbers = scenario.samples * len(model.components) * (1 + columns)
    return scenario.steps * cost * (STEP_SECONDS + numbers * NUMBER_SECONDS)


def _difference_from_replay(key: Key, kernel: Kernel) -> float | None:
    """Compare a kernel with torchsde and replay on a few steps of a few samples.

    Returns:
        The largest difference, relative to the largest number of its table; None, and a line in
        the log, if it is more than rounding explains.
    """
    try:
        scenario = Scenario(
            model=key.model,
            scheme=key.scheme,
            horizon=0.05,
            steps=CHECK_STEPS,
            samples=CHECK_SAMPLES,
            dtype="float32" if key.dtype == "float32" else "float64",
        )
    except ScenarioError as error:  # at its default parameters the scheme does not solve it
        _LOG.info("compiled %.200r with %s cannot be checked: %s", key.model, key.scheme, error)
        return None
    tables = run_kernel(kernel, scenario, np.arange(CHECK_STEPS + 1), threads=1)
    paths = simulate(scenario)
    order = [scenario.model_spec.jacobian_columns.index(name) for name in key.columns]
    # The kernel's layout: states (T, D, N), one such table per column.
    derivatives = replay(paths)[..., order].permute(3, 0, 2, 1)
    expected = [paths.values.permute(0, 2, 1), *derivatives]
    pairs = [
        (table, reference.numpy())
        for table, reference in zip([tables.states, *tables.derivatives], expected, strict=True)
    ]
    eps = np.finfo(key.dtype).eps
    if not all(_close(table, reference, eps) for table, reference in pairs):
        _LOG.warning("compiled %.200r with %s differs from replay", key.model, key.scheme)
        return None
    return max(_relative_difference(table, reference) for table, reference in pairs)


def _relative_difference(values: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    """Return the largest difference of finite numbers, relative to the largest of them."""
    finite = np.isfinite(values) & np.isfinite(expected)
    scale = np.max(np.abs(expected), where=finite, initial=0.0)
    # where both are Inf, their difference would be NaN, with a warning
    apart = np.abs(np.subtract(values, expected, where=finite, out=np.zeros_like(values)))
    return float(apart.max(initial=0.0) / scale) if scale > 0.0 else 0.0


def _close(values: NDArray[np.floating], expected: NDArray[np.floating], eps: np.floating) -> bool:
    tolerance = MAX_CHECK_ERROR_EPS * float(eps)
    return bool(np.allclose(values, expected, rtol=tolerance, atol=tolerance, equal_nan=True))


_CACHE = KernelCache(_difference_from_replay)
