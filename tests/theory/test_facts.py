"""Facts about an equation: none takes the page down, and what is said is so."""

from __future__ import annotations

import logging
import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sde_lab as lab
from sde_lab.app.components.equation_facts import fixed_points_sentence
from sde_lab.app.state.options import CUSTOM_MODEL_LABEL
from sde_lab.equations import description
from sde_lab.figures.axis_range import axis_range
from sde_lab.models.base import safe_sqrt
from sde_lab.theory.boundaries import state_interval
from sde_lab.theory.coefficients import drift
from sde_lab.theory.exact_laws import exact_laws
from sde_lab.theory.fixed_points import MAX_POINTS, fixed_points
from sde_lab.theory.optional_facts import fact_or_none
from sde_lab.theory.stationary_density import stationary_density
from tests.fuzz.test_equations_hostile import EXPRESSIONS
from tests.support.app_pages import opened, shown

NAMED = [
    "dx = x**2*dt + dW",
    "dx = x*(1-x)*dt + sigma*dW",
    "dx = -(x-1)**3*dt + dW",
    "dx = dW1; dy = dW2",
    "dx = (1-x**2)*dW; x(0)=0",
    "dx = sin(x)*cos(x)**3*dt + cos(x)**2*dW; x(0)=0",
    "dx = -(a + x*b**2)*(1-x**2)*dt + b*(1-x**2)*dW; x(0)=0",
    "dx = -x*dt + t*dW",
    "dx = sin(x)*dt + dW",
    "dx = x**2*dt + dW; dy = -y*dt + dW",
    "dx = -x*dt",
    "dx = -x*dt + x*dW; dy = -y*dt",
    "dx = sqrt(a)*dW; a = 1e-13 in [0, 1e-10]",
    "dx = sqrt(a)*dW; a = -1 in [-1, 1]",
]
COEFFICIENTS = st.one_of(
    EXPRESSIONS,
    st.sampled_from(["0", "1", "x", "-x", "x**2", "1-x", "x*(1-x)", "-(x-1)**3", "1e12", "1e-12"]),
)


@st.composite
def equations(draw: Any) -> str:
    """An equation of one or two states, or of one without noise, read in either sense."""
    kind = draw(st.integers(0, 4))
    first, second = draw(COEFFICIENTS), draw(COEFFICIENTS)
    circle = draw(st.sampled_from(["*", "∘ "]))
    if kind == 0:
        other = draw(COEFFICIENTS).replace("t", "1") if draw(st.booleans()) else draw(COEFFICIENTS)
        return f"dx = ({first})*dt + ({second}){circle}dW1; dy = ({other})*dt + y{circle}dW1"
    if kind == 1:
        return f"dx = ({first})*y*dt + ({second}){circle}dW1; dy = -y*dt + x{circle}dW2"
    if kind == 2:
        return f"dx = ({first})*dt; x(0) = {draw(st.sampled_from(['0', '1', '-1', '1e6', '1e-9']))}"
    start = draw(st.sampled_from(["0", "1", "-1", "0.5", "1e3"]))
    return f"dx = ({first})*dt + ({second}){circle}dW; x(0) = {start}"


def all_facts(text: str) -> bool:
    """Ask every fact of an equation, without what holds failures off the page."""
    try:
        scenario = lab.Scenario(model=text, steps=4, samples=1)
    except lab.ScenarioError:
        return False
    model = lab.parse_sde(text)
    assert description.noise(model)
    assert description.correction(model)
    for point in fixed_points(scenario):
        assert all(map(math.isfinite, point.state))
    exact_laws(scenario)
    state_interval(scenario)
    found = stationary_density(scenario)
    if found is not None:
        total = np.trapezoid(found.density, found.values)
        assert np.isfinite(found.density).all()
        assert abs(total - 1.0) < 0.05
    return True


def fuzz(count: int) -> int:
    """Ask every fact of so many generated equations; how many of them could be read."""
    read = 0

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(equations())
    def ask(text: str) -> None:
        nonlocal read
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read += all_facts(text)

    ask()
    return read


def test_no_generated_equation_makes_a_fact_raise() -> None:
    """The same with 10 000 equations found none that raises."""
    assert fuzz(150) > 75


@pytest.mark.parametrize("text", NAMED)
def test_facts_of_equations_that_once_failed(text: str) -> None:
    assert all_facts(text)


@pytest.mark.parametrize("text", NAMED)
def test_the_page_opens_with_each_of_them_and_says_its_facts(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = opened(model=CUSTOM_MODEL_LABEL, equation=text, samples=50)
    app.session_state["says"] = True
    app.run()
    assert not app.exception
    assert shown(app).scenario.model == text
    said = [entry.value for entry in app.markdown]
    assert any(words.startswith(("The noise is", "There is no noise")) for words in said)
    assert not [record for record in caplog.records if "left out" in record.message]


@pytest.mark.parametrize(
    "error",
    [ArithmeticError, OverflowError, ValueError, IndexError, RuntimeError, np.linalg.LinAlgError],
)
def test_a_fact_that_raises_is_left_out_of_the_page_and_logged(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error("a fact")

    text = f"dx = (x - x**3)*dt + {error.__name__}*dW"  # no other test has cached it
    for place in (
        "figures.board.stationary_density",
        "figures.board.exact_laws",
        "app.components.equation_facts.fixed_points",
        "app.components.equation_facts.description.noise",
    ):
        monkeypatch.setattr(f"sde_lab.{place}", fail)
    with caplog.at_level(logging.WARNING):
        app = opened(model=CUSTOM_MODEL_LABEL, equation=text, samples=50)
        app.session_state["says"] = True
        app.run()
    assert not app.exception
    assert shown(app).kept == 50
    assert not any("noise is" in entry.value for entry in app.markdown)
    left_out = " ".join(record.message for record in caplog.records)
    for name in ("stationary density", "exact law", "fixed points", "noise"):
        assert f"left out: {name}" in left_out


def test_a_fact_that_fails_in_another_way_is_not_hidden() -> None:
    with pytest.raises(TypeError):
        fact_or_none(lambda: len(3), "length", "dx = dW")  # type: ignore[arg-type]
    assert fact_or_none(lambda: 3, "three", "dx = dW") == 3


U, R, A = "unattainable", "regular", "attracting"


@pytest.mark.parametrize(
    ("text", "low", "high", "exists"),
    [
        # by hand: exponents of s and m at each end (Karlin and Taylor 1981, §15.6)
        ("dx = -x*dt + dW", U, U, True),
        ("dx = -x*dt + 1e-8*dW", U, U, True),
        ("dx = -x*exp(x**2)*dt + dW", U, U, True),
        ("dx = (0.126 - x)*dt + 0.5*sqrt(x)*dW", U, U, True),
        ("dx = (0.125 - x)*dt + 0.5*sqrt(x)*dW", U, U, True),  # 2κθ = σ²
        ("dx = (0.1249 - x)*dt + 0.5*sqrt(x)*dW", R, U, False),
        ("dx = (1 - x)*dt + 0.5*sqrt(x)*dW; x(0) = 0", U, U, True),
        ("dx = (x - x**3)*dt + 0.5*dW", U, U, True),
        ("dx = x*(1-x)*dt + 1.2*x*dW", U, U, True),  # 2r > σ²
        ("dx = x*(1-x)*dt + 1.5*x*dW", A, U, False),
        ("dx = -x*dt + (1-x**2)*dW; x(0)=0", U, U, True),
        ("dx = -sin(x)*dt + cos(x)*dW; x(0)=0", U, U, True),
        ("dx = (1/(x-1) - (x-1))*dt + 0.5*dW; x(0)=2", U, U, True),
        ("dx = (1+x**2)*dW", U, U, True),
        ("dx = -x/(1+x**2)*dt + dW", U, U, True),  # m ~ 1/x²
        ("dx = -0.5*x/(1+x**2)*dt + dW", U, U, False),  # m ~ 1/x
        ("dx = dW", U, U, False),
        ("dx = x*dt + dW", A, A, False),
        ("dx = x**2*dt + dW", U, A, False),
        ("dx = x*(1-x)*dt + sigma*dW", A, U, False),
        ("dx = (1-x**2)*dW; x(0)=0", A, A, False),
        ("dx = sin(x)*cos(x)**3*dt + cos(x)**2*dW; x(0)=0", A, A, False),
        ("dx = -(a+x*b**2)*(1-x**2)*dt + b*(1-x**2)*dW; x(0)=0; a=.5", A, U, False),
        ("dx = -(a+x*b**2)*(1-x**2)*dt + b*(1-x**2)*dW; x(0)=0; a=-.01", U, A, False),
        ("dx = -(a+x*b**2)*(1-x**2)*dt + b*(1-x**2)*dW; x(0)=0; a=0", U, U, False),
        ("dx = sqrt(x*(1-x))*dW; x(0)=.3", A, A, False),
        ("dx = dt/(x-1)**2 - x*dt + dW; x(0)=0", U, A, False),
    ],
)
def test_ends_are_classified_and_a_density_claimed_only_where_both_pass(
    text: str, low: str, high: str, exists: bool
) -> None:
    scenario = lab.Scenario(model=text)
    interval = state_interval(scenario)
    assert interval is not None
    kinds = interval.low.description, interval.high.description
    if "-0.5*x/" not in text:  # of the logarithmic case only that nothing is claimed
        assert kinds[0].startswith(low)
        assert kinds[1].startswith(high)
    assert interval.positive_recurrent == exists
    assert (stationary_density(scenario) is not None) == exists


@pytest.mark.parametrize(
    "text",
    [
        "dx = x*(1-x)*dt + .5*x*dW; x(0)=0",  # stays at 0
        "dx = -x*dt",
        "dx = sin(x)*dt + dW",
        "dx = (sin(x) - .1)*dt + dW",
        "dx = -x*dt + cos(t)*dW",
    ],
)
def test_no_density_where_paths_stay_or_wander(text: str) -> None:
    assert stationary_density(lab.Scenario(model=text)) is None


def test_the_density_beside_a_pole_is_that_of_theory() -> None:
    found = stationary_density(lab.Scenario(model="dx = (1/(x-1) - (x-1))*dt + dW; x(0) = 2"))
    assert found is not None
    y = found.values - 1.0
    expected = 4.0 / math.sqrt(math.pi) * y**2 * np.exp(-(y**2))  # p ∝ y² exp(−y²), y > 0
    np.testing.assert_allclose(found.density, expected, atol=1e-4 * expected.max())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dx = -(x-1)**3*dt + dW", [(1.0, True, True)]),
        ("dx = (x-1)**2*dt + dW", [(1.0, None, True)]),
        ("dx = -(x-2)*(x-5)**2*dt + dW", [(2.0, True, True), (5.0, None, True)]),
        ("dx = -x*dt + t*dW", [(0.0, True, True)]),
        ("dx = -1e-7*x*dt + dW", [(0.0, True, True)]),
        ("dx = dW", [(1.0, None, False)]),
        ("dx = max(x,0)*dt + dW; x(0) = -2", [(-2.0, None, False)]),
        ("dx = x*exp(-x**2)*dt + dW", [(0.0, False, True)]),
        ("dx = -sign(x-2)*dt + dW", [(2.0, True, True)]),
        ("dx = -(x-2)/abs(x-2)*dt + dW", []),
    ],
)
def test_fixed_points_of_one_state(text: str, expected: list[Any]) -> None:
    found = fixed_points(lab.Scenario(model=text))
    assert [(point.stable, point.isolated) for point in found] == [e[1:] for e in expected]
    np.testing.assert_allclose([p.state[0] for p in found], [e[0] for e in expected], atol=1e-9)


def test_of_many_fixed_points_those_nearest_to_the_start_are_listed() -> None:
    scenario = lab.Scenario(model="dx = sin(x)*dt + dW; x(0) = 0.5")
    found = fixed_points(scenario)
    expected = math.pi * np.arange(-5, 7)  # the twelve nearest to 0.5
    np.testing.assert_allclose([point.state[0] for point in found], expected, atol=1e-9)
    assert [point.stable for point in found] == [bool(k % 2) for k in range(-5, 7)]
    assert "and more; these are the nearest to the initial value" in fixed_points_sentence(scenario)
    twelve = "*".join(f"(x - {k})" for k in range(MAX_POINTS))
    exactly = lab.Scenario(model=f"dx = {twelve}*dt + dW; x(0) = 0.5")
    assert len(fixed_points(exactly, MAX_POINTS + 1)) == MAX_POINTS
    assert "and more" not in fixed_points_sentence(exactly)


def test_a_drift_with_thousands_of_zeros_is_evaluated_for_those_that_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluated = 0

    def counted(scenario: lab.Scenario) -> Any:
        f = drift(scenario)

        def count(x: torch.Tensor) -> torch.Tensor:
            nonlocal evaluated
            evaluated += 1
            return f(x)

        return count

    monkeypatch.setattr("sde_lab.theory.fixed_points.drift", counted)
    scenario = lab.Scenario(model="dx = sin(x**2)*dt + dW; x(0) = 1e3")
    assert len(fixed_points(scenario)) == MAX_POINTS
    assert evaluated < 100 * MAX_POINTS  # about 60 bisections for each


def test_an_isolated_double_zero_is_no_line_and_a_line_is_one() -> None:
    (double,) = fixed_points(lab.Scenario(model="dx = x**2*dt + dW; dy = -y*dt + dW"))
    assert double.isolated
    np.testing.assert_allclose(double.state, (0.0, 0.0), atol=1e-6)
    line = fixed_points(lab.Scenario(model="dx = (x - y)*dt; dy = (x - y)*dt"))
    assert line
    assert not any(point.isolated for point in line)
    assert "line or plane" in fixed_points_sentence(
        lab.Scenario(model="dx = (x - y)*dt; dy = (x - y)*dt")
    )


def test_time_in_the_noise_alone_leaves_the_fixed_points() -> None:
    assert "= 0 (stable)" in fixed_points_sentence(lab.Scenario(model="dx = -x*dt + t*dW"))
    assert "The drift depends on time" in fixed_points_sentence(
        lab.Scenario(model="dx = -x*t*dt + dW")
    )


@pytest.mark.parametrize(
    ("text", "words", "never"),
    [
        ("dx = -x*dt", "There is no noise", "diagonal"),
        ("dx = -x*dt + 0*dW", "There is no noise", "diagonal"),
        ("dx = x*dW; dy = -y*dt", "one noise drives x alone", "all"),
        ("dx = x*dW; dy = y*dW", "one noise drives all states", "alone"),
        ("dx = x*dW; dy = y*dW; dz = -z*dt", "one noise drives x and y", "all"),
        ("dx = x*dW1; dy = y*dW2", "each state has its own noise", "shared"),
        ("dx = x*dW1 + dW2", "a state has several noises", "shared"),
        ("dx = y*dW1; dy = x*dW2", "its coefficients depend on other states", "several"),
        ("dx = x*dW1 + dW2; dy = x*dW1", "a noise drives several states", "own"),
    ],
)
def test_the_noise_is_called_what_it_is(text: str, words: str, never: str) -> None:
    model = lab.parse_sde(text)
    assert words in description.noise(model)
    assert never not in description.noise(model)
    if "no noise" in words:
        assert "noise" not in model.description.replace("without noise", "")


def test_nothing_is_said_of_commuting_where_no_point_told() -> None:
    model = lab.parse_sde("dx = sqrt(-1 - x**2)*dW1 + x*dW2")
    assert description.commutes(model) is None
    assert "commute" not in description.noise(model)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_commuting_does_not_depend_on_units(scale: float) -> None:
    assert description.commutes(lab.parse_sde(f"dx = {scale}*x*dW1 + {scale}*x*dW2")) is True
    assert description.commutes(lab.parse_sde(f"dx = {scale}*x*dW1 + {scale}*dW2")) is False


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_roots_are_exact_for_every_normal_number(dtype: torch.dtype) -> None:
    tiny = torch.finfo(dtype).tiny
    x = torch.tensor([tiny, 1e-30, 1e-13, 2.0, 0.0, -1.0], dtype=dtype, requires_grad=True)
    value = safe_sqrt(x)
    expected = torch.tensor(np.sqrt(x.detach().double().clamp(min=0).numpy()), dtype=dtype)
    torch.testing.assert_close(value.detach(), expected, rtol=2e-7, atol=0.0)
    (slope,) = torch.autograd.grad(value.sum(), x)
    assert slope.isfinite().all()
    assert slope[4:].tolist() == [0.0, 0.0]
    torch.testing.assert_close(slope[1:4], 0.5 / expected[1:4], rtol=1e-6, atol=0.0)


def test_a_small_variance_keeps_its_spread_in_paths_and_law() -> None:
    text = "dx = sqrt(a)*dW; a = 1e-13 in [0, 1e-10]; x(0) = 0"
    scenario = lab.Scenario(model=text, samples=4000, steps=4, dtype="float64")
    exact = exact_laws(scenario)
    assert exact is not None
    np.testing.assert_allclose(exact.variance[-1, 0], 1e-13, rtol=1e-12)
    ends = lab.simulate(scenario).values[-1, :, 0].double()
    spread = float(ends.var())
    assert abs(spread / 1e-13 - 1.0) < 5.0 * math.sqrt(2.0 / 4000)


@pytest.mark.parametrize("unit", [1.0, 1e-10, 1e-20])
def test_an_axis_fits_its_curves_in_any_unit(unit: float) -> None:
    low, high = axis_range([np.array([-1.0, 1.0]) * unit], [])
    assert -2.0 * unit < low <= -unit
    assert unit <= high < 2.0 * unit
