"""Rounding does not add up over many steps: those beyond a bound are taken in float64."""

from __future__ import annotations

import pytest
import torch

import sde_lab as lab
from sde_lab.scenario import MAX_FLOAT32_STEPS

DRIFT = {"mu": 0.1, "sigma": 0.0}


@pytest.mark.parametrize(
    ("steps", "engine"),
    [(MAX_FLOAT32_STEPS, "torchsde"), (5_000, "torchsde"), (5_000, "compiled")],
)
def test_a_drift_is_what_it_says(steps: int, engine: str) -> None:
    """In float32 each step of 262 144 rounds 3.2 units in the last place of 1 to 3: 0.0937."""
    at = lab.Scenario(model="brownian_motion", parameters=DRIFT, x0=1.0, steps=steps, samples=1)
    paths = lab.simulate(at, engine=engine)
    bound = 0.5 * steps * float(torch.finfo(at.torch_dtype).eps) * 1.1
    assert abs(float(paths.values[-1, 0, 0]) - 1.1) < bound < 3e-4
    slope = lab.jacobian(paths, "replay" if engine == "torchsde" else engine).wrt("mu")
    assert abs(float(slope[-1, 0, 0]) - 1.0) < bound
    if steps > MAX_FLOAT32_STEPS:
        assert bound < 1e-10


def test_the_field_says_so() -> None:
    assert lab.Scenario(steps=MAX_FLOAT32_STEPS).dtype == "float32"
    many = lab.Scenario(steps=MAX_FLOAT32_STEPS + 1)
    assert many.dtype == "float64"
    assert many.to_dict()["dtype"] == "float64"
    assert lab.Scenario.from_dict(many.to_dict()) == many
