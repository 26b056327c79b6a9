"""The Jacobian of a user's SDE: a tensor whose columns are found by the name of a parameter."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sde_lab.errors import ScenarioError
from sde_lab.labelled import to_dataset, to_frame

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

INITIAL_STATE = "y0"
"""Name of the columns by the initial state."""


class NamedJacobian(Tensor):
    """Derivatives ∂X[t, n, d] / ∂p as a tensor (time, sample, state, column), with names.

    The columns are the D components of the sample's own initial state, ``"y0"``, then the entries
    of each parameter in the order of its memory. ``jac["net.0.weight"]`` has the parameter's shape:
    (time, sample, state, …). Any operation, and any other index, gives a plain tensor.

    Attributes:
        parts: shape of each part by name; that of ``"y0"`` is (D,).
        times: the times, (T,), float64.
    """

    # Operations give plain tensors. The name is private, but torch's documentation gives it.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment] # noqa: SLF001
    parts: Mapping[str, tuple[int, ...]]
    times: Tensor

    @classmethod
    def of(
        cls, values: Tensor, parts: Mapping[str, tuple[int, ...]], times: Tensor
    ) -> NamedJacobian:
        """Return values (T, N, D, P), or their mean (T, D, P), with names, sharing their memory."""
        named: NamedJacobian = values.as_subclass(cls)
        named.parts, named.times = dict(parts), times
        return named

    def to_xarray(self) -> xr.Dataset:
        """Return an xarray dataset: ``jacobian`` (time, sample, component, column).

        The mean over samples has no axis ``sample``.
        """
        values = self.as_subclass(Tensor).cpu().numpy()
        coordinates = {"time": self.times.numpy(), "column": list(self.columns)}
        return to_dataset({"jacobian": ((*self._axes, "column"), values)}, coordinates, {})

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each time, sample and component, and a column for each entry."""
        values = self.as_subclass(Tensor).cpu().numpy()
        axes: dict[str, Any] = {
            name: range(size) for name, size in zip(self._axes, values.shape[:-1], strict=True)
        }
        axes["time"] = self.times.numpy()
        return to_frame(axes, self.columns, values)

    @property
    def _axes(self) -> tuple[str, ...]:
        """Name of each axis but the last."""
        return ("time", "sample", "component") if self.dim() == 4 else ("time", "component")

    @property
    def columns(self) -> tuple[str, ...]:
        """Name of each column, (P,), such as ``net.0.weight[3, 1]``; a scalar's is its own."""
        return tuple(
            f"{name}{list(index)}" if index else name
            for name, shape in self.parts.items()
            for index in itertools.product(*map(range, shape))
        )

    def __getitem__(self, key: Any) -> Tensor:
        """Return the derivatives by a name, (T, N, D, *shape), or index as a tensor."""
        if not isinstance(key, str):
            plain: Tensor = super().__getitem__(key)
            return plain
        first = 0
        for name, shape in self.parts.items():
            last = first + torch.Size(shape).numel()
            if name == key:
                part: Tensor = super().__getitem__((..., slice(first, last)))
                return part.reshape(*part.shape[:-1], *shape)
            first = last
        raise ScenarioError("name", key, f"must be one of {', '.join(self.parts)}")

    def __deepcopy__(self, memo: dict[int, Any]) -> NamedJacobian:
        """Return a copy with the same names; torch has no rule for subclasses."""
        return NamedJacobian.of(self.as_subclass(Tensor).clone(), self.parts, self.times)
