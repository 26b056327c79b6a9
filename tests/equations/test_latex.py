"""Formulas on the screen: read back, they are the equation."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given, settings

import sde_lab as lab
from sde_lab.equations.examples import EXAMPLES
from sde_lab.equations.latex import typeset
from sde_lab.figures.live_equation import live_equation
from sde_lab.figures.theme import Theme
from tests.equations.test_collection import at_random_points, entries
from tests.equations.test_equations import EXPRESSIONS

COLOUR = re.compile(r"\\textcolor\{[^{}]*\}\{((?:[^{}]|\{[^{}]*\})*)\}")


def uncoloured(latex: str) -> str:
    """Return LaTeX without colours, its numbers as numbers in place of text."""
    plain = COLOUR.sub(r"\1", latex)
    return re.sub(r"\\textrm\{(.*?)\}", lambda match: match[1].replace("–", "-"), plain)


def read_back(latex: str) -> lab.equations.EquationModel:
    r"""Read LaTeX of an equation, names such as \mathrm{rate} included."""
    return lab.parse_sde(uncoloured(latex).replace(r"\mathrm{corr}", "corr"))


def assert_equal(first: lab.equations.EquationModel, second: lab.equations.EquationModel) -> None:
    """Compare drift and noise at random points."""
    for one, other in zip(at_random_points(first), at_random_points(second), strict=True):
        assert bool(one.isclose(other, rtol=1e-9, atol=1e-9, equal_nan=True).all())


@settings(max_examples=150)
@given(EXPRESSIONS)
def test_an_equation_as_it_is_shown_reads_as_itself(text: str) -> None:
    try:
        model = lab.parse_sde(f"dx = ({text})*dt + x*y*dW1; dy = a*b*dt + dW2")
    except lab.EquationError:
        return
    assert_equal(read_back(model.equation), model)


@pytest.mark.parametrize("name", ["first.txt", "second.txt", "third.txt"])
def test_the_collections_as_they_are_shown_read_as_themselves(name: str) -> None:
    for head, _, plain in entries(name):
        model = lab.parse_sde(plain)
        again = read_back(model.equation + ("; stratonovich" * (r"\circ" in plain)))
        assert again.components == model.components, head
        assert_equal(again, model)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sqrt(2*D)", r"\sqrt{2 D}"),
        ("-0.5*x", "-0.5 x"),
        ("1/2*x", r"\frac{1}{2} x"),
        ("2*3*x", r"2 \cdot 3 x"),
        ("x*2", r"x \cdot 2"),
        ("x**-2", "x^{-2}"),
        ("x - (x - 1)", r"x - \left(x - 1\right)"),
        ("(-x)**2", r"\left(-x\right)^{2}"),
        ("x/2/y", r"\frac{x}{2 y}"),
        ("1e-9*x", r"1 \cdot 10^{-9} x"),
        ("sin(x)**2", r"\sin^{2}{\left(x \right)}"),
        ("-(a + b)*x", r"-\left(a + b\right) x"),
        ("exp(-x)", "e^{-x}"),
    ],
)
def test_formulas(text: str, shown: str) -> None:
    model = lab.parse_sde(f"dx = ({text})*dt; dy = dt")
    assert typeset(model.system.drift[0]) == shown


@pytest.mark.parametrize(
    ("text", "values", "shown"),
    [
        ("dx = sqrt(2*D)*dW", {"D": 0.3}, r"dx = \sqrt{2 \cdot 0.3}\,dW"),
        ("dx = a*b*dW", {"a": 3.0, "b": 0.5}, r"dx = 3 \cdot 0.5\,dW"),
        ("dx = x*b*dW", {"b": -0.5}, r"dx = x \cdot (-0.5)\,dW"),
        ("dx = 2**a*b*dW", {"a": 3.0, "b": 2.0}, r"dx = 2^{3} \cdot 2\,dW"),
        ("dx = a*(x - b)*dt", {"a": 2.0, "b": 1.0}, r"dx = 2 \left(x - 1\right)\,dt"),
        ("dx = pi*a*dt", {"a": 2.0}, r"dx = \pi \cdot 2\,dt"),
    ],
)
def test_numbers_beside_numbers_have_a_dot(text: str, values: dict[str, float], shown: str) -> None:
    _, live = live_equation(lab.Scenario(model=text, parameters=values), Theme())
    assert uncoloured(live) == shown


SCALAR = [example for example in EXAMPLES if len(lab.parse_sde(example.text).components) == 1]


@pytest.mark.parametrize("example", SCALAR, ids=lambda example: example.title)
def test_the_equation_with_its_numbers_reads_as_the_equation_at_these_values(
    example: object,
) -> None:
    scenario = lab.Scenario(model=example.text)
    _, live = live_equation(scenario, Theme())
    found, model = read_back(live), scenario.model_spec
    assert not found.parameters
    t, x = torch.tensor(0.3), torch.linspace(0.1, 0.9, 9, dtype=torch.float64)[:, None]
    given = {
        name: torch.tensor([[value]], dtype=torch.float64)
        for name, value in scenario.parameters.items()
    }
    for function in ("drift", "diffusion"):
        expected = getattr(model, function)(t, x, given)
        torch.testing.assert_close(getattr(found, function)(t, x, {}), expected, rtol=1e-5, atol=0)
