"""Paths → Jacobian of every path by initial state and parameters, by any of six methods."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from torch import Tensor

from sde_lab import memory
from sde_lab.errors import ScenarioError
from sde_lab.labelled import to_dataset, to_frame
from sde_lab.scenario import Scenario
from sde_lab.sensitivity.backward import batched, per_time_loop
from sde_lab.sensitivity.compiled_engine import compiled_jacobian
from sde_lab.sensitivity.replay import replay
from sde_lab.sensitivity.torch_func import forward, reverse
from sde_lab.solver.simulate import Paths

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

JACOBIAN_METHODS: Mapping[str, Callable[[Paths], Tensor]] = MappingProxyType(
    {
        "replay": replay,
        "compiled": compiled_jacobian,
        "reverse": reverse,
        "forward": forward,
        "batched": batched,
        "loop": per_time_loop,
    }
)


@dataclass(frozen=True)
class Jacobian:
    """Pathwise derivatives ∂X[t, n, d] / ∂p, in units of the state per unit of p.

    Attributes:
        names: names of the columns, (P,): the initial state first, then the parameters.
        values: (time, sample, state, parameter) = (T, N, D, P).
        scenario, times: those of the simulation that was differentiated; None if not known.
    """

    names: tuple[str, ...]
    values: Tensor
    scenario: Scenario | None = None
    times: Tensor | None = None

    def wrt(self, name: str) -> Tensor:
        """Return the derivatives by one initial value or parameter, (T, N, D).

        Args:
            name: one of ``names``.

        Raises:
            ScenarioError: if there is no such column.
        """
        if name not in self.names:
            raise ScenarioError("name", name, f"must be one of {', '.join(self.names)}")
        return self.values[..., self.names.index(name)]

    def to_xarray(self) -> xr.Dataset:
        """Return an xarray dataset: ``jacobian`` (time, sample, component, parameter).

        Its attribute ``scenario`` is the scenario as JSON.
        """
        coordinates: dict[str, Any] = {"parameter": list(self.names)}
        attributes = {}
        if self.times is not None:
            coordinates["time"] = self.times.numpy()
        if self.scenario is not None:
            coordinates["component"] = list(self.scenario.model_spec.components)
            attributes["scenario"] = json.dumps(self.scenario.to_dict())
        axes = ("time", "sample", "component", "parameter")
        return to_dataset({"jacobian": (axes, self.values.cpu().numpy())}, coordinates, attributes)

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each time, sample and component, and a column for each parameter."""
        times, samples, size = self.values.shape[:3]
        axes: dict[str, Any] = {
            "time": range(times),
            "sample": range(samples),
            "component": range(size),
        }
        if self.times is not None:
            axes["time"] = self.times.numpy()
        if self.scenario is not None:
            axes["component"] = self.scenario.model_spec.components
        return to_frame(axes, self.names, self.values.cpu().numpy())


def jacobian(paths: Paths, engine: str = "replay") -> Jacobian:
    """Differentiate every state of every path by the initial state and every parameter.

    The derivatives are those of the scheme's own solution on the noise of ``paths``, exact to
    rounding, not approximations of the derivatives of the SDE's solution.

    Args:
        paths: simulated paths.
        engine: "replay" (batched pathwise recursion: every step of every sample is linearised at
            once on torchsde, then the tangent recursion runs), "compiled" (one loop for the
            equation and scheme, compiled by numba at first use; much faster from then on), or for
            comparison "reverse" (``torch.func.jacrev``), "forward" (``torch.func.jacfwd``, one
            thread at a time), "batched" (one leaf per sample, all times in one vectorised backward
            pass) and "loop" (one backward pass per time and component).

    Returns:
        Jacobian with values of shape (time, sample, state, parameter).

    Raises:
        ScenarioError: for an engine that does not exist or cannot differentiate the scheme, and for
            paths whose Jacobian does not fit the memory budget.
    """
    if not isinstance(engine, str) or engine not in JACOBIAN_METHODS:
        raise ScenarioError("engine", engine, f"must be one of {', '.join(JACOBIAN_METHODS)}")
    memory.check_run(paths.scenario, jacobian=True)
    names = paths.scenario.model_spec.jacobian_columns
    return Jacobian(names, JACOBIAN_METHODS[engine](paths), paths.scenario, paths.times)
