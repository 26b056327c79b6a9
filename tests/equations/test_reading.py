"""What is understood where there is a choice, how a refusal helps, and what is not possible."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings

import sde_lab as lab
from sde_lab.equations import plain_text, read_sde
from sde_lab.equations.examples import EXAMPLES
from sde_lab.equations.expression_parser import ExpressionParser
from sde_lab.equations.lexer import statements
from sde_lab.equations.reading import read
from sde_lab.equations.reading.repair import repaired_line
from tests.equations.test_equations import BUILT_IN, EXPRESSIONS


@pytest.mark.parametrize("text", [*(example.text for example in EXAMPLES), *BUILT_IN.values()])
def test_plain_texts_stay_as_they_are(text: str) -> None:
    reading = read_sde(text)
    assert reading.text == text.strip()
    assert reading.remarks == ()


@pytest.mark.parametrize("text", [*(example.text for example in EXAMPLES), *BUILT_IN.values()])
def test_the_reader_itself_agrees_with_the_plain_parser(text: str) -> None:
    found, expected = lab.parse_sde(read(text).text), lab.parse_sde(text)
    assert found.components == expected.components
    assert set(found.parameters) == set(expected.parameters)
    assert found.initial == expected.initial
    assert found.horizon == expected.horizon
    assert found.noise_type == expected.noise_type


@settings(max_examples=300)
@given(EXPRESSIONS)
def test_a_written_tree_parses_to_the_same_tree(text: str) -> None:
    try:
        (tokens,) = statements(text)
        node = ExpressionParser(tokens).expression()
    except (lab.EquationError, ValueError):
        return
    (again,) = statements(plain_text.write(node))
    assert ExpressionParser(again).expression() == node


PLAIN = {
    "dx = [1]x dt + sin[x] dW": "dx = 1*x*dt + sin(x)*dW",
    "dx = self.a*x*dt + math.pi*dW": "dx = a*x*dt + pi*dW",
    "dx = sin(x)(x)*dt + exp(x)exp(x)*dW": "dx = sin(x)*x*dt + exp(x)*exp(x)*dW",
    "dx = max(x, 1, t)*dt + dW": "dx = max(max(x, 1), t)*dt + dW",
    "dx = sin x*dW": "dx = sin(x)*dW",
    "dx = x(t)*dW": "dx = x*dW",
    "dx = 2x*dt + 2 x*dW": "dx = 2*x*dt + 2*x*dW",
    "dx = 2(x)*dt + (x)(x)*dW": "dx = 2*x*dt + x*x*dW",
    "dx = 1e5x*dt + x y*dW": "dx = 1e5*x*dt + x*y*dW",
    "dx = e*dt + e**x*dW": "dx = e1*dt + exp(x)*dW",
    "dx = ½𝑥*dt + 𝜎*dW": "dx = 1/2*x*dt + sigma*dW",
    "dx = x*dt + dZ": "dx = x*dt + dW",
    "dx = a*dt; a = 1 in (0, 1)": "dx = a*dt\na = 1 in [0, 1]",
    "dx = a*dt; a = b": "dx = b*dt",
    "dx = a*dt; b = 1": "dx = a*dt",
    "dx = a*dt; x(0) = y": "dx = a*dt",
    "dx = x0*dt": "dx = x_ref*dt",
    "dx = x∘(dW)": "dx = x*dW\nstratonovich",
    "a dx = dt": "dx = 1/a*dt",
    "-dx = dt": "dx = -dt",
    "d x = dt": "dx = dt",
    "dx/dt = -x": "dx = -x*dt",
    "x' = -kx": "dx = -k*x*dt",
    "dx = kx x dt": "dx = kx*x*dt",
    "dx = -x^2 dt": "dx = -x**2*dt",
    "dx = a/2b dt": "dx = a/(2*b)*dt",
    "dx = 1/2a dt": "dx = 1/2*a*dt",
    "dx = xi dt + dW 2": None,
    "dx = (0 < x < 1)*dt + dW": "dx = step(x)*step(1 - x)*dt + dW",
    "dx = (x >= 0)*dt": "dx = (1 - step(-x))*dt",
    "dx = -x dt + Δω dW": "dx = -x*dt + Deltaomega*dW",
    r"\dot N = -aNP; \dot P = aNP": "dN = -a*N*P*dt\ndP = a*N*P*dt",
    "x' = -x + s ξ(τ)": "dx = -x*dt + s*dW",
    "x' = -k(x - x_∞)": "dx = -k*(x - x_inf)*dt",
    "dx = cot(x) dt + log10(x) dW": "dx = 1/tan(x)*dt + log(x)/log(10)*dW",
}


@pytest.mark.parametrize("text", PLAIN)
def test_choices(text: str) -> None:
    if PLAIN[text] is None:
        with pytest.raises(lab.EquationError):
            read_sde(text)
    else:
        assert read_sde(text).text == PLAIN[text]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dx = k(m - x) dt", "read as products: k(m - x)"),
        ("dx = e x dt", "parameter, called e1"),
        ("dr = theta(t) dt + dW", "theta(t) is given by no equation"),
        ("x'' = -x + xi", "v is the velocity, dx/dt"),
        ("dx = a/2b dt", "the divisor of …/2b is all of 2b"),
        ("dx = -k(x - x0) dt", "it is the parameter x_ref"),
        ("dx = sin 2t dt", "sin 2t: the function covers all of it"),
        ("dx = 2x dt; T = 3; n = 1000", "left out: n = 1000, which no equation uses"),
        ("dx = H(x) dt", "H is the unit step"),
        ("drift = -x; diffusion = s", "drift is the drift"),
    ],
)
def test_each_choice_is_told(text: str, words: str) -> None:
    assert any(words in remark for remark in read_sde(text).remarks)


@pytest.mark.parametrize(
    ("text", "words", "works"),
    [
        ("dx = k*(m - x]*dt + dW", "] cannot stand here", "dx = k*(m - x)*dt + dW"),
        ("dx = (2x dt + dW", "the bracket ( needs )", "dx = (2x) dt + dW"),
        ("dx = -x + dW", "neither dt nor a noise", "dx = -x*dt + dW"),
        ("dx = -x", "neither dt nor a noise", "dx = -x*dt"),
        ("dx -x dt + dW", "= works between", "dx = -x dt + dW"),
        ("dx = sinn(x) dt + dW", "sinn is not a function", "dx = sin(x) dt + dW"),
        ("dx = -х dt + dW", "х cannot stand here", "dx = -x dt + dW"),
        ("dx = kappa x dt; kapa = 2", "did you mean kappa", "dx = kappa x dt; kappa = 2"),
        ("dx/dt = -x dt + xi", "leave dt out", "dx/dt = -x + xi"),
        ("dx = a*dt; a = 1 in [2, 3]", "lies outside", "dx = a*dt; a = 1"),
        ("dx = x dt + dN", "jumps are not possible", "dx = x dt"),
        ("dx/dt = -x(t - tau) + xi(t)", "delays are not possible", "dx/dt = -x + xi(t)"),
        ("dv/dt = -v + xi; v -> v_r", "resets and thresholds are not possible", None),
        ("dx = erf(x) dt", "erf is not a function here", None),
        ("dx = x/0 dt", "division by zero", None),
        (r"dX_t = -\nabla V dt + dW_t", "gradients are not read", None),
        ("dx = f(x) dt + dW", "add a line f(x) = …", None),
        ("dx = import os dt", "import is a word", None),
        ("dx = a*dt; t in [0, 1e9]", "a final time up to 1e+06 works", None),
        ("dx = 2x dt; 0 <= t <= 1e9", "a final time up to 1e+06 works", None),
        ("dx = -x dt + 0,5 dW", "a decimal point works, 0.5", "dx = -x dt + 0.5 dW"),
        ("dX = (a - E[X]) dt + dW", "depend on the mean of all paths", None),
        (r"\partial_t u = \partial_x^2 u + \xi(x,t)", "partial differential equations", None),
        ("dx = dt + dW; dx = dt", "has an equation already", None),
        ("dx = v dt; v = v + 1", "v is defined by itself", None),
    ],
)
def test_a_refusal_names_what_stands_there_and_shows_what_works(
    text: str, words: str, works: str | None
) -> None:
    with pytest.raises(lab.EquationError) as caught:
        lab.parse_sde(text)
    assert words in str(caught.value)
    found = repaired_line(text, caught.value)
    if works is not None:
        assert found == works
    if found is not None:
        lab.parse_sde(found)


GROWING = [
    "dx = a0*dt\n" + "\n".join(f"a{i} = sin(a{i + 1}) a{i + 1}" for i in range(90)) + "\na90 = x",
    f"dx = {'f(' * 12}x{')' * 12} dt; f(y) = y y y",
    "dx = f(x) dt; f(y) = g(y) + g(y + 1); g(y) = f(y)",
    "dx = " + "\\frac{" * 650,
    "dx = " + "dW" * 1990,
    "dx = " + "σx" * 1900,
    "(a=" * 1300,
    "f(du,=(" * 570,
    "x = lambda " * 360,
    "\\begin{cases}" * 300,
    "dx = " + "W^{(1)}" * 550,
    '"=" ' * 990,
    "dx = x" + "\u0307" * 3900,
]


@pytest.mark.parametrize("text", GROWING, ids=range(len(GROWING)))
def test_definitions_and_nesting_that_grow_are_refused_at_once(text: str) -> None:
    before = time.process_time()
    with pytest.raises(lab.EquationError):
        lab.parse_sde(text)
    assert time.process_time() - before < 1.0
