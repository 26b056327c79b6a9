"""First-order prediction of each path's end from its derivative, against simulation.

A path X_T(p) is a function of a parameter p, on fixed noise. The Jacobian gives its tangent at the
current value: X_T(p + Δ) ≈ X_T(p) + ∂X_T/∂p · Δ. Where X_T is linear in p, as that of an
Ornstein–Uhlenbeck process is in θ, σ and x₀, the prediction is exact for every Δ; elsewhere its
error is of the order Δ² (Taylor's theorem, path by path).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sde_lab.errors import ScenarioError
from sde_lab.models.base import Parameter
from sde_lab.scenario import Scenario
from sde_lab.sensitivity.engines import simulate
from sde_lab.sensitivity.jacobian import jacobian
from sde_lab.sensitivity.tangents import TangentBatch, propagate_tangents
from sde_lab.solver.brownian import BrownianIncrements
from sde_lab.sweeps.grid import get_value, with_values

Array = NDArray[np.float64]
VALUE_COUNT = 41
"""Number of equidistant values across a slider; the current value is added if it is not one."""
SHOWN_PATHS = 8
"""Number S of paths whose prediction is compared, at most."""
TOLERANCE = 0.05
"""Largest error of a prediction that holds, as a share of the standard deviation of X_T."""
MAX_SAMPLE_STEPS = 2_000_000
"""Samples × values × steps × components, times the cost of the equation, up to which a study takes
tenths of a second at most; beyond, it takes fewer samples, but not fewer than the paths on show."""


@dataclass(frozen=True)
class Prediction:
    """X_T as a function of one parameter, simulated on the same noise and predicted by tangents.

    V values of the parameter, S paths.

    Attributes:
        parameter: the parameter, or initial value, that varies.
        values: across its slider, increasing, (V,); the current value is one of them.
        current: its value in the scenario.
        paths: simulated X_T of single paths, (V, S); NaN where one diverges.
        mean: mean of the simulated X_T over all samples, (V,); NaN where one of them diverges.
        slopes: ∂X_T/∂p of these paths at the current value, (S,), in states per unit of p.
        mean_slope: mean of ∂X_T/∂p over all samples.
        interval: values around the current one between which the prediction of each of the S paths
            is off by less than ``TOLERANCE`` of the standard deviation of X_T; None where that is
            zero, as of one sample or without noise.
    """

    parameter: Parameter
    values: Array
    current: float
    paths: Array
    mean: Array
    slopes: Array
    mean_slope: float
    interval: tuple[float, float] | None

    @property
    def index(self) -> int:
        """Index of the current value."""
        return int(np.argmin(np.abs(self.values - self.current)))

    @property
    def predicted_paths(self) -> Array:
        """Tangents of the paths at the current value, (V, S)."""
        return _tangents(self.values - self.current, self.paths[self.index], self.slopes)

    @property
    def predicted_mean(self) -> Array:
        """Tangent of the mean at the current value, (V,)."""
        return np.asarray(self.mean[self.index] + (self.values - self.current) * self.mean_slope)


@dataclass(frozen=True)
class FirstOrderStudy:
    """Predictions of the first state component at the horizon, one per parameter.

    Attributes:
        scenario: what was simulated, with the number of samples that the study took.
        predictions: in the order in which the parameters were named.
        spread: standard deviation of X_T over the samples, at the current values.
    """

    scenario: Scenario
    predictions: tuple[Prediction, ...]
    spread: float


def first_order_study(scenario: Scenario, names: Sequence[str]) -> FirstOrderStudy:
    """Simulate X_T across the slider of each parameter, and predict it from the current value.

    Samples that diverge at the current values, or whose derivatives do, are left out.

    Args:
        scenario: gives the current values, the grid, the scheme and the noise.
        names: parameters or initial values, from the model's Jacobian columns. Those that the model
            lacks are left out; if it has none of them, its first columns stand in, parameters
            before initial values.

    Raises:
        ScenarioError: if the scenario does not fit the memory budget, or every path diverges.
    """
    columns = _columns(scenario, names)
    scenario = _limited(scenario, len(columns))
    paths = simulate(scenario)
    end = paths.values[-1, :, 0].double().numpy()
    derivatives = jacobian(paths)
    slopes = [derivatives.wrt(column.name)[-1, :, 0].double().numpy() for column in columns]
    finite = np.isfinite(np.stack([end, *slopes])).all(axis=0)
    if not finite.any():
        hint = "every path diverges (numerical overflow); more steps may prevent it"
        raise ScenarioError("steps", scenario.steps, hint)
    spread = float(end[finite].std())
    # (V, N) each
    ends = _ends(scenario, [(c.name, _values(scenario, c)) for c in columns], paths.noise)
    return FirstOrderStudy(
        scenario,
        tuple(
            _prediction(scenario, column, table[:, finite], slope[finite], spread)
            for column, table, slope in zip(columns, ends, slopes, strict=True)
        ),
        spread,
    )


def _prediction(
    scenario: Scenario, parameter: Parameter, ends: Array, slopes: Array, spread: float
) -> Prediction:
    """Compare the simulated X_T, (V, N), with the tangents at the current value."""
    values, current = _values(scenario, parameter), get_value(scenario, parameter.name)
    paths, shown = ends[:, :SHOWN_PATHS], slopes[:SHOWN_PATHS]
    at = int(np.argmin(np.abs(values - current)))
    error = np.abs(paths - _tangents(values - current, paths[at], shown)).max(axis=1)
    # Of states without noise the standard deviation is that of rounding.
    rounding = 100 * np.finfo(scenario.dtype).eps * float(np.abs(ends[at]).max())
    interval = _interval(values, at, error / (TOLERANCE * spread)) if spread > rounding else None
    mean = float(slopes.mean())
    return Prediction(parameter, values, current, paths, ends.mean(axis=1), shown, mean, interval)


def _tangents(change: Array, states: Array, slopes: Array) -> Array:
    """Return X + ∂X/∂p · Δ for changes Δ (V,), states X and slopes (S,): (V, S)."""
    return np.asarray(states + change[:, None] * slopes)


def _interval(values: Array, at: int, error: Array) -> tuple[float, float]:
    """Return the values next to ``values[at]`` between which the error (V,) is below 1.

    Between two values the root of the error is interpolated, which is linear where the error is
    quadratic.
    """
    root = np.sqrt(np.where(np.isfinite(error), error, np.inf))

    def reach(order: NDArray[np.intp]) -> float:
        for near, far in pairwise(order):
            if root[far] >= 1.0:
                share = (1.0 - root[near]) / (root[far] - root[near])
                return float(values[near] + share * (values[far] - values[near]))
        return float(values[order[-1]])

    return reach(np.arange(at, -1, -1)), reach(np.arange(at, len(values)))


def _columns(scenario: Scenario, names: Sequence[str]) -> list[Parameter]:
    """Return the parameters of these names; the model's first ones if it has none of them."""
    model = scenario.model_spec
    known = {parameter.name: parameter for parameter in (*model.parameters, *model.initial)}
    return [known[name] for name in names if name in known] or [*known.values()][: len(names)]


def _limited(scenario: Scenario, columns: int) -> Scenario:
    """Return the scenario with as many of its samples as MAX_SAMPLE_STEPS allows."""
    model = scenario.model_spec
    cost = model.evaluation_cost(scenario.scheme_spec.interpretation) * len(scenario.initial)
    few = int(MAX_SAMPLE_STEPS / ((VALUE_COUNT + 1) * columns * scenario.steps * cost))
    return scenario.replace(samples=min(scenario.samples, max(few, SHOWN_PATHS)))


def _values(scenario: Scenario, parameter: Parameter) -> Array:
    """Return values across the slider, and to the current value if that lies outside, (V,)."""
    current = get_value(scenario, parameter.name)
    ends = min(parameter.low, current), max(parameter.high, current)
    values = np.linspace(*ends, VALUE_COUNT)
    nearest = int(np.argmin(np.abs(values - current)))
    if np.isclose(values[nearest], current, rtol=0.0, atol=1e-9 * (ends[1] - ends[0])):
        values[nearest] = current
        return values
    return np.sort(np.append(values, current))


def _ends(
    scenario: Scenario, swept: Sequence[tuple[str, Array]], noise: BrownianIncrements
) -> list[Array]:
    """Return X_T of all samples at all values of each name, one (V, N) table per name.

    All are rows of one batch, the same samples at each value.
    """
    points = [with_values(scenario, {name: v}) for name, values in swept for v in values.tolist()]
    samples = scenario.samples

    def rows(numbers: Sequence[float]) -> Tensor:
        column = torch.tensor(numbers, dtype=scenario.torch_dtype, device=scenario.device)
        return column.repeat_interleave(samples).unsqueeze(1)

    def steps(first: int, last: int) -> BrownianIncrements:
        def tile(table: Tensor) -> Tensor:
            return table[first:last].repeat(1, len(points), 1)

        areas = noise.levy_areas
        return BrownianIncrements(tile(noise.increments), None if areas is None else tile(areas))

    batch = TangentBatch(
        scenario.model_spec,
        scenario.scheme_spec,
        torch.cat(
            [rows([point.initial[d] for point in points]) for d in range(len(scenario.initial))], 1
        ),
        {name: rows([point.parameters[name] for point in points]) for name in scenario.parameters},
        scenario.step,
        scenario.steps,
        steps,
    )
    last: list[Tensor] = []

    def keep(step: int, x: Tensor, _tangents: Tensor) -> None:
        if step == scenario.steps:
            last.append(x[:, 0].double())

    for _ in propagate_tangents(batch, (), keep):
        pass
    table = last[0].view(len(points), samples).cpu().numpy()
    table = np.where(np.isfinite(table), table, np.nan)
    return np.split(table, np.cumsum([len(values) for _, values in swept])[:-1])
