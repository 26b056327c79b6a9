"""Correlations that are those of no noises are refused, with what would fit."""

from __future__ import annotations

import math

import pytest
import torch

import sde_lab as lab

THREE = """dx = dW1; dy = dW2; dz = dW3; corr(dW1, dW2) = {}; corr(dW1, dW3) = {}
corr(dW2, dW3) = {}"""


def test_numbers_that_do_not_fit_are_refused_where_they_stand() -> None:
    with pytest.raises(lab.EquationError, match=r"must lie between 0\.62 and 1") as caught:
        lab.parse_sde(THREE.format(0.9, 0.9, -0.9))
    assert "corr(dW2, dW3)" in str(caught.value)
    assert (caught.value.line, caught.value.column) == (2, 18)


@pytest.mark.parametrize("values", [(0.9, 0.9, -0.9), (-0.6, -0.6, -0.6), (0.999, -0.999, 0.9)])
def test_parameters_that_do_not_fit_are_refused_by_name(values: tuple[float, ...]) -> None:
    text = THREE.format("a", "b", "c")
    with pytest.raises(lab.ScenarioError, match="corr") as caught:
        lab.Scenario(model=text, parameters=dict(zip("abc", values, strict=True)))
    assert caught.value.field.startswith("parameters.")
    with pytest.raises(lab.ScenarioError, match="corr"):
        lab.Scenario(model=text).replace(parameters=dict(zip("abc", values, strict=True)))


@pytest.mark.parametrize("c", [0.63, 0.9, 0.99])
def test_what_the_message_says_fits_gives_the_correlation(c: float) -> None:
    """The bound is ρ₁ρ₂ ± √((1 − ρ₁²)(1 − ρ₂²)): 0.62 and 1 for 0.9 and 0.9."""
    assert 0.81 - 0.19 < c < 1.0
    at = lab.Scenario(
        model=THREE.format("a", "b", "c"),
        parameters={"a": 0.9, "b": 0.9, "c": c},
        steps=1,
        samples=4000,
    )
    ends = lab.simulate(at, engine="torchsde").values[-1].double()
    found = float(torch.corrcoef(ends.t())[1, 2])
    assert abs(found - c) < 4.5 * (1.0 - c**2) / math.sqrt(4000)


def test_first_values_of_parameters_fit_or_the_text_is_refused() -> None:
    """What the sliders of a text say before anyone moves them is a scenario."""
    text = THREE.format(0.9, 0.9, "c")
    with pytest.raises(lab.EquationError, match=r"line such as c = 0\.8 says its first value"):
        lab.parse_sde(text)
    assert lab.Scenario(model=f"{text}; c = 0.8").parameters["c"] == 0.8
