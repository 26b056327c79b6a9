"""Results as xarray datasets and pandas frames: axes by name, the numbers of the arrays."""

from __future__ import annotations

import builtins
import json
from typing import Any

import numpy as np
import pytest
import torch

import sde_lab as lab

SCENARIO = lab.Scenario(model="damped_oscillator", steps=4, samples=3, dtype="float64")


def dataset(result: Any) -> Any:
    pytest.importorskip("xarray")
    return result.to_xarray()


def test_paths() -> None:
    paths = lab.simulate(SCENARIO, engine="torchsde")
    frame = paths.to_dataframe()
    components = SCENARIO.model_spec.components
    assert list(frame.columns) == ["time", "sample", *components]
    row = frame[(frame["sample"] == 2) & (frame["time"] == float(paths.times[3]))]
    assert row[components[1]].item() == float(paths.values[3, 2, 1])
    data = dataset(paths)
    assert data["state"].dims == ("time", "sample", "component")
    assert (
        float(data["state"].sel(component=components[1]).isel(time=3, sample=2))
        == row[components[1]].item()
    )
    assert lab.Scenario.from_dict(json.loads(data.attrs["scenario"])) == SCENARIO


def test_jacobian() -> None:
    jacobian = lab.jacobian(lab.simulate(SCENARIO, engine="torchsde"))
    frame = jacobian.to_dataframe()
    assert list(frame.columns) == ["time", "sample", "component", *jacobian.names]
    name, component = jacobian.names[-1], SCENARIO.model_spec.components[0]
    last = frame[(frame["time"] == SCENARIO.horizon) & (frame["component"] == component)]
    assert np.array_equal(last[name], jacobian.wrt(name)[-1, :, 0])
    data = dataset(jacobian)
    chosen = data["jacobian"].sel(parameter=name, component=component).isel(time=-1)
    assert np.array_equal(chosen, last[name])


class Matrix(torch.nn.Module):
    noise_type, sde_type = "diagonal", "ito"

    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor([[0.1, 0.2], [0.3, 0.4]]))

    def f(self, t: Any, y: torch.Tensor) -> torch.Tensor:
        return y @ self.a

    def g(self, t: Any, y: torch.Tensor) -> torch.Tensor:
        return 0.1 * y


@pytest.mark.parametrize("mean", [False, True])
def test_the_jacobian_of_ones_own_sde(mean: bool) -> None:
    function = lab.mean_jacobian if mean else lab.sdeint_jacobian
    _, jacobian = function(Matrix(), torch.ones(3, 2), [0.0, 0.1, 0.3], wrt="a")
    frame = jacobian.to_dataframe()
    axes = ["time", "component"] if mean else ["time", "sample", "component"]
    assert list(frame.columns) == [*axes, *jacobian.columns]
    assert sorted(set(frame["time"])) == [0.0, 0.1, 0.3]
    last = frame[(frame["time"] == 0.3) & (frame["component"] == 1)]["a[0, 1]"]
    assert np.array_equal(last, jacobian["a"][-1, ..., 1, 0, 1].reshape(-1))
    data = dataset(jacobian)
    assert data["jacobian"].dims == (*axes, "column")
    found = data["jacobian"].sel(column="a[0, 1]", component=1, time=0.3)
    assert np.array_equal(found, jacobian["a"][-1, ..., 1, 0, 1])


def test_summary() -> None:
    summary = lab.simulate_summary(SCENARIO.replace(samples=20), "torchsde")
    frame = summary.to_dataframe()
    name, component = next(iter(summary.sensitivities)), SCENARIO.model_spec.components[1]
    rows = frame[frame["quantity"] == f"d{component}_d{name}"]
    assert np.array_equal(rows["mean_se"], summary.sensitivities[name][1].mean_error)
    assert np.array_equal(rows["q95"], summary.sensitivities[name][1].quantiles[4])
    data = dataset(summary)
    found = data["quantile"].sel(quantity=f"d{component}_d{name}", level=0.95)
    assert np.array_equal(found, rows["q95"])


def test_sweep() -> None:
    base = lab.Scenario(steps=4, samples=20, dtype="float64")
    over = {"kappa": [0.5, 1.0, 2.0], "horizon": [1.0, 2.0]}
    result = lab.sweep(base, over, ["mean", "std"], ["sigma"], engine="torchsde")
    frame = result.to_dataframe()
    assert len(frame) == len(result.table())
    data = dataset(result)
    assert data["value"].dims == ("kappa", "horizon", "measured", "quantity", "measure")
    for _, row in frame.iterrows():
        place = {"kappa": row["kappa"], "horizon": row["horizon"]}
        at = data.sel(place, drop=True).sel(quantity=row["quantity"], measure=row["measure"])
        at = at.where(at["time"] == row["time"], drop=True)
        assert at["value"].item() == row["value"]
    points = [{"kappa": 0.5, "sigma": 1.0}, {"kappa": 2.0, "sigma": 0.3}]
    listed = dataset(lab.sweep(base, points, ["mean"], engine="torchsde"))
    assert listed["value"].dims[0] == "point"
    assert list(listed["sigma"].values) == [1.0, 0.3]


def test_without_xarray_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "xarray":
            raise ImportError(name)
        return usual(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"sde-lab\[xarray\]"):
        lab.simulate(SCENARIO, engine="torchsde").to_xarray()
