"""Typed equations: what they mean, that they equal the built-in models, what is told of them."""

from __future__ import annotations

import ast
import math
import os
import pickle
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sde_lab as lab
from sde_lab import export
from sde_lab.equations import EquationModel, description
from sde_lab.equations.examples import EXAMPLES
from sde_lab.summaries.chunked_run import simulate_summary

ROOT = Path(__file__).parents[2]
BUILT_IN = {
    "ornstein_uhlenbeck": "dX = kappa*(theta - X)*dt + sigma*dW",
    "brownian_motion": "dX = mu*dt + sigma*dW",
    "geometric_brownian_motion": "dX = mu*X*dt + sigma*X*dW",
    "cox_ingersoll_ross": "dX = kappa*(theta - max(X, 0))*dt + sigma*sqrt(max(X, 0))*dW",
    "double_well": "dX = X*(a - b*X*X)*dt + sigma*dW",
    "logistic_growth": "dX = r*X*(1 - X/K)*dt + sigma*X*dW",
    "damped_oscillator": "dx = v*dt\ndv = -(omega**2*x + gamma*v)*dt + sigma*dW",
    "lotka_volterra": "dx = x*(alpha - beta*y)*dt + σ₁*x*dW1; dy = y*(delta*x - γ)*dt + σ₂*y*dW2",
    "heston": "dS = mu*S*dt + sqrt(max(V, 0))*S*dW1\n"
    "dV = kappa*(theta - max(V, 0))*dt + xi*sqrt(max(V, 0))*dW2\ncorr(dW1, dW2) = rho",
}


def twins(name: str, scheme: str = "euler") -> tuple[lab.Scenario, lab.Scenario]:
    """The built-in scenario and the typed one, at the same numbers."""
    common = {"samples": 60, "steps": 40, "dtype": "float64", "scheme": scheme}
    own = lab.Scenario(model=name, **common)
    typed = lab.Scenario(model=BUILT_IN[name], parameters=own.parameters, x0=own.initial, **common)
    return own, typed


def cases() -> list[tuple[str, str]]:
    return [
        (name, scheme.name)
        for name, model in lab.MODELS.items()
        for scheme in lab.SCHEMES.values()
        if scheme.supports(model)
    ]


@pytest.mark.parametrize(("name", "scheme"), cases())
def test_built_in_models_as_text_give_the_same_paths_and_derivatives(
    name: str, scheme: str
) -> None:
    own, typed = twins(name, scheme)
    assert typed.model_spec.noise_type == own.model_spec.noise_type
    first, second = lab.simulate(own), lab.simulate(typed)
    torch.testing.assert_close(second.values, first.values, rtol=1e-12, atol=1e-13)
    expected, found = lab.jacobian(first), lab.jacobian(second)
    starts = len(own.initial)
    for place, column in enumerate(expected.names):
        same = found.names[place] if place < starts else column
        torch.testing.assert_close(found.wrt(same), expected.wrt(column), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", ["ornstein_uhlenbeck", "brownian_motion", "damped_oscillator"])
def test_linear_drift_with_additive_noise_gets_its_exact_laws(name: str) -> None:
    own, typed = twins(name)
    expected, found = lab.exact_laws(own), lab.exact_laws(typed)
    assert expected is not None
    assert found is not None
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.variance, expected.variance, rtol=1e-8, atol=1e-12)
    starts = [parameter.name for parameter in own.model_spec.initial]
    for column, law in expected.sensitivities.items():
        same = (
            typed.model_spec.jacobian_columns[starts.index(column)] if column in starts else column
        )
        twin = found.sensitivities[same]
        np.testing.assert_allclose(twin.mean, law.mean, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(twin.variance, law.variance, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize(("a", "known"), [(-1.0, None), (0.0, {"x0"}), (0.5, {"x0", "a"})])
def test_a_law_is_left_out_where_it_has_no_finite_value(a: float, known: set | None) -> None:
    text = "dx = -x*dt + sqrt(a)*dW; a = 0 in [-1, 1]"
    found = lab.exact_laws(lab.Scenario(model=text, parameters={"a": a}))
    assert (None if found is None else set(found.sensitivities)) == known


@pytest.mark.parametrize(
    "drift", ["step(x)", "sign(x)", "x**2", "sin(x)", "t*x", "abs(x)", "max(x, 0)"]
)
def test_no_exact_law_is_claimed_where_the_drift_is_not_linear(drift: str) -> None:
    assert lab.exact_laws(lab.Scenario(model=f"dx = {drift}*dt + dW")) is None


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
@pytest.mark.parametrize("engine", ["reverse", "forward", "batched", "loop"])
def test_other_engines_agree_on_a_typed_equation(engine: str) -> None:
    text = "dx = (a*cos(2*pi*t) - sqrt(abs(x))*y)*dt + σ*x*dW1\ndy = -y**3*dt + x*dW2 + dW1"
    paths = lab.simulate(lab.Scenario(model=text, samples=3, steps=8, dtype="float64"))
    expected = lab.jacobian(paths).values
    torch.testing.assert_close(lab.jacobian(paths, engine).values, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.title)
def test_the_gallery_runs_and_stays_finite(example: object) -> None:
    text = example.text
    model = lab.parse_sde(text)
    scenario = lab.Scenario(model=text, horizon=model.horizon, steps=400, samples=100)
    summary = simulate_summary(scenario)
    assert summary.exploded == 0
    assert set(summary.sensitivities) == set(model.jacobian_columns)
    for parameter in (*model.initial, *model.parameters):
        assert parameter.low <= parameter.default <= parameter.high
        for value in (parameter.default, parameter.high):
            steps = (value - parameter.low) / parameter.step
            assert math.isclose(steps, round(steps), abs_tol=1e-6), parameter.name
    for parameter in model.parameters:
        assert parameter.latex in model.equation
    assert example.source


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.title)
def test_corrections_are_half_g_times_its_derivative(example: object) -> None:
    model = lab.parse_sde(example.text)
    torch.manual_seed(1)
    size = len(model.components)
    x = torch.rand(20, size, dtype=torch.float64) * 0.5 + 0.2
    p = {k.name: torch.tensor([[k.default]], dtype=torch.float64) for k in model.parameters}

    def matrix(row: torch.Tensor) -> torch.Tensor:
        g = model.diffusion(torch.tensor(0.0), row[None], p)
        if model.noise_type == "diagonal":
            return torch.diag_embed(g.expand(1, size))[0]
        return g.expand(1, size, model.brownian_size)[0]

    g = torch.stack([matrix(row) for row in x])
    slopes = torch.stack([torch.autograd.functional.jacobian(matrix, row) for row in x])
    expected = 0.5 * torch.einsum("rjk,rikj->ri", g, slopes)
    found = model.correction(torch.tensor(0.0), x, p).expand_as(x)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


NUMBERS = st.sampled_from(["1", "2", "0.5", "3.25", ".1", "1e-3", "pi"])
EXPRESSIONS = st.recursive(
    NUMBERS | st.sampled_from(["x", "y", "t", "a", "b"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" + ", " - ", "*", "/"]), inner).map("".join),
        inner.map(lambda s: f"({s})"),
        inner.map(lambda s: f"-{s}"),
        st.tuples(inner, st.sampled_from(["2", "3", "-1", "0.5", "1.5", "x", "-a"])).map(
            lambda t: f"({t[0]})**{t[1]}"
        ),
        st.tuples(
            st.sampled_from(["sqrt", "exp", "log", "sin", "cos", "atan", "tanh", "abs"]), inner
        ).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(st.sampled_from(["max", "min"]), inner, inner).map(
            lambda t: f"{t[0]}({t[1]}, {t[2]})"
        ),
    ),
    max_leaves=10,
)
_INDEPENDENT = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide,
    ast.Pow: np.power, "sqrt": np.sqrt, "exp": np.exp, "log": np.log, "sin": np.sin, "cos": np.cos,
    "atan": np.arctan, "tanh": np.tanh, "abs": np.abs, "max": np.maximum, "min": np.minimum,
}  # fmt: skip


def independent(node: ast.expr, values: dict[str, float]) -> np.ndarray:
    """The value by Python's own grammar and numpy."""
    if isinstance(node, ast.Constant):
        return np.float64(node.value)
    if isinstance(node, ast.Name):
        return np.float64(values[node.id])
    if isinstance(node, ast.UnaryOp):
        return -independent(node.operand, values)
    if isinstance(node, ast.BinOp):
        operation = _INDEPENDENT[type(node.op)]
        return operation(independent(node.left, values), independent(node.right, values))
    assert isinstance(node, ast.Call)
    return _INDEPENDENT[node.func.id](*(independent(arg, values) for arg in node.args))


@settings(max_examples=600)
@given(EXPRESSIONS, st.lists(st.floats(-3, 3), min_size=5, max_size=5))
def test_expressions_mean_what_python_and_numpy_say(text: str, numbers: list[float]) -> None:
    values = dict(zip("xytab", [round(number, 3) for number in numbers], strict=True))
    try:
        model = lab.parse_sde(f"dx = ({text})*dt + x*y*dW; dy = a*b*dW1")
    except lab.EquationError:
        return  # a constant without a value, or too large
    x = torch.tensor([[values["x"], values["y"]]], dtype=torch.float64)
    p = {name: torch.tensor([[values[name]]], dtype=torch.float64) for name in "ab"}
    found = model.drift(torch.tensor(values["t"], dtype=torch.float64), x, p)[0, 0]
    with np.errstate(all="ignore"):
        tree = ast.parse(text, mode="eval").body
        expected = independent(tree, values | {"pi": math.pi})
    if not np.isfinite(expected) or abs(expected) > 1e100:
        return  # explosions are counted; where they begin may differ by a rounding
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=2e-6)


@pytest.mark.parametrize(
    ("text", "kind", "channels"),
    [
        ("dx = -x*dt + x*dW", "diagonal", 1),
        ("dx = -x*dt", "diagonal", 1),
        ("dx = x*dW2; dy = y*dW1", "diagonal", 2),
        ("dx = y*dW1; dy = x*dW2", "general", 2),
        ("dx = x*dW; dy = y*dW", "scalar", 1),
        ("dx = dW; dy = 2*dW", "additive", 1),
        ("dx = dW1 + dW2", "additive", 2),
        ("dx = dW1; dy = dW2; corr(dW1, dW2) = 0.5", "additive", 2),
        ("dx = x*dW1; dy = y*dW2; corr(dW1, dW2) = 0.5", "general", 2),
        ("dx = dW1; dy = dW2; corr(dW1, dW2) = 0", "diagonal", 2),
        ("dx = t*dW; dy = dt", "additive", 1),
    ],
)
def test_noise_structure(text: str, kind: str, channels: int) -> None:
    model = lab.parse_sde(text)
    assert (model.noise_type, model.brownian_size) == (kind, channels)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dx = x*dW1 + 2*x*dW2; dy = dt", True),
        ("dx = y*dW1; dy = x*dW2", False),
        ("dx = dW1; dy = x*dW2", False),
        ("dx = x*dW1; dy = y*dW2; corr(dW1, dW2) = rho", True),
    ],
)
def test_commuting_noise_is_told_from_other(text: str, expected: bool) -> None:
    model = lab.parse_sde(text)
    assert isinstance(model, EquationModel)
    assert description.commutes(model) == expected


@pytest.mark.parametrize(
    ("text", "rho"), [("corr(dW1, dW2) = 0.6", 0.6), ("corr(dA, dW2) = -0.6", None)]
)
def test_correlated_noises_are_correlated_so(text: str, rho: float | None) -> None:
    full = f"dx = dW1; dy = 2*dW2; {text}"
    if rho is None:
        with pytest.raises(lab.EquationError):
            lab.parse_sde(full)
        return
    paths = lab.simulate(lab.Scenario(model=full, x0=[0, 0], samples=20_000, steps=1))
    found = np.corrcoef(paths.values[-1].T.numpy())[0, 1]
    assert abs(found - rho) < 5 * (1 - rho**2) / math.sqrt(20_000)


def test_three_correlations_give_their_covariance() -> None:
    text = (
        "dx = dW1; dy = dW2; dz = dW3; corr(dW1, dW2) = 0.5; corr(dW2, dW3) = a; corr(dW1, dW3)= .2"
    )
    model = lab.parse_sde(text)
    p = {"a": torch.tensor([[-0.3]], dtype=torch.float64)}
    g = model.diffusion(torch.tensor(0.0), torch.zeros(1, 3, dtype=torch.float64), p)[0]
    expected = [[1.0, 0.5, 0.2], [0.5, 1.0, -0.3], [0.2, -0.3, 1.0]]
    np.testing.assert_allclose(g @ g.T, expected, atol=1e-14)


def test_the_circle_the_word_and_the_correction_mean_the_same() -> None:
    circled = lab.Scenario(model="dx = -x*dt + σ*x ∘ dW", steps=400, samples=50, dtype="float64")
    word = circled.replace(model="dx = -x*dt + sigma*x*dW\nstratonovich")
    ito = circled.replace(model="dx = (-x + sigma**2*x/2)*dt + sigma*x*dW")
    ends = [lab.simulate(s).values[-1] for s in (circled, word, ito)]
    torch.testing.assert_close(ends[0], ends[1])
    torch.testing.assert_close(ends[0], ends[2], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("scheme", ["milstein_grad_free", "srk"])
def test_scalar_noise_in_two_dimensions_reaches_the_exact_solution(scheme: str) -> None:
    text = "dx = a*x*dt + s*x*dW; dy = b*y*dt - 2*s*y*dW; a = .1; b = .2; s = .5"
    scenario = lab.Scenario(model=text, scheme=scheme, steps=400, samples=200, dtype="float64")
    paths = lab.simulate(scenario)
    w = paths.noise.increments.sum(0) * scenario.step**0.5
    exact = torch.cat([(0.1 - 0.125 + 0.5 * w).exp(), (0.2 - 0.5 - w).exp()], dim=1)
    error = (paths.values[-1] - exact).abs().mean() / exact.mean()
    assert float(error) < 0.01


def test_milstein_is_refused_where_the_solver_would_solve_another_equation() -> None:
    text = "dx = -x*dt + x*dW; dy = -y*dt + x*dW"
    with pytest.raises(lab.ScenarioError, match="milstein_grad_free"):
        lab.Scenario(model=text, scheme="milstein")


def test_settings_make_the_knobs() -> None:
    model = lab.parse_sde(
        "dx = kappa*(theta - x)*dt + sigma*dW # a remark\n"
        "kappa = 2 in [0, 4]; theta in [-1, 5]\nx(0) = 3 in [0, 10]; t in [0, 7]\nsigma = 40"
    )
    kappa, theta, sigma = model.parameters
    assert (kappa.default, kappa.low, kappa.high) == (2.0, 0.0, 4.0)
    assert (theta.low, theta.high) == (-1.0, 5.0)
    assert theta.low <= theta.default <= theta.high
    assert sigma.default == 40.0
    assert sigma.low < 40.0 < sigma.high
    assert (model.initial[0].default, model.initial[0].high) == (3.0, 10.0)
    assert model.horizon == 7.0
    assert [parameter.symbol for parameter in model.parameters] == ["κ", "θ", "σ"]


@pytest.mark.parametrize("value", ["1e-6", "0.00371", "-7", "1234567", "0", "1e9"])
@pytest.mark.parametrize("around", ["", " in [-1e10, 1e10]"])
def test_any_value_lies_on_its_slider(value: str, around: str) -> None:
    (parameter,) = lab.parse_sde(f"dx = a*dt + dW; a = {value}{around}").parameters
    assert parameter.low <= parameter.default == float(value) <= parameter.high
    assert 0.0 < parameter.step < parameter.high - parameter.low


def test_greek_letters_and_their_names_are_one_symbol() -> None:
    one = lab.parse_sde("dx = κ*(θ - x)*dt + σ_1*dW")
    other = lab.parse_sde("dx = kappa*(theta - x)*dt + sigma1*dW")
    assert one.jacobian_columns == other.jacobian_columns == ("x0", "kappa", "theta", "sigma1")
    assert one.equation == other.equation
    assert one.equation.startswith(r"dx = \kappa \left(\theta - x\right)\,dt + \sigma_{1}\,dW")


def test_equal_texts_are_equal_scenarios_which_travel_everywhere() -> None:
    text = "dx = -x*dt +   sigma*dW"
    one = lab.Scenario(model=f"  {text}  \r\n\n", parameters={"sigma": 0.3})
    other = lab.Scenario(model=text, parameters={"sigma": 0.3})
    assert one == other
    assert hash(one) == hash(other)
    assert one.model_spec is other.model_spec
    assert lab.Scenario.from_dict(one.to_dict()) == one
    assert pickle.loads(pickle.dumps(one)) == one
    assert one.replace(model=f"{text}\n").parameters == one.parameters
    assert one.replace(model="dx = sigma*dW").parameters == {"sigma": 0.5}


def test_a_common_subexpression_is_computed_once() -> None:
    model = lab.parse_sde("dx = (sin(a*x) + sin(a*x)**2 + a*x)*dt + dW")
    assert len(model._drift._steps) == 5  # a·x, sin, its square, two sums


def test_explosions_are_counted_and_not_raised() -> None:
    for text in (
        "dx = x**3*dt + dW; x(0) = 2",
        "dx = -x*dt + sqrt(x)*dW",
        "dx = dt/max(x, 0) + dW",
        "dx = log(x)*dt + dW",
    ):
        summary = simulate_summary(lab.Scenario(model=text, horizon=4.0, steps=200, samples=200))
        assert summary.exploded > 0, text
        assert summary.kept + summary.exploded == 200


def test_derivatives_stay_finite_where_a_root_meets_zero() -> None:
    model = lab.parse_sde("dx = sqrt(x)*dt + max(x, 0)**g*dW; g = 0.3")
    x = torch.zeros(3, 1, dtype=torch.float64, requires_grad=True)
    g = torch.full((1, 1), 0.3, dtype=torch.float64, requires_grad=True)
    both = model.drift(torch.tensor(0.0), x, {"g": g}) + model.diffusion(
        torch.tensor(0.0), x, {"g": g}
    )
    assert both.abs().max() == 0.0
    gradients = torch.autograd.grad(both.sum(), [x, g])
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


def test_what_sympy_tells() -> None:
    model = lab.parse_sde("dx = kappa*(theta - x)*dt + sigma*sqrt(max(x, 0))*dW")
    assert isinstance(model, EquationModel)
    assert description.correction(model) == (
        r"c_{x} = \frac{\sigma^{2} \operatorname{step}{\left(x \right)}}{4}"
    )
    assert "diagonal" in description.noise(model)


def test_many_threads_read_one_text_and_many() -> None:
    texts = [f"dx = -a{i}*x*dt + sqrt(abs(x))*dW" for i in range(8)] * 3
    failures: list[Exception] = []

    def work(text: str) -> None:
        try:
            lab.simulate(lab.Scenario(model=text, samples=20, steps=10, scheme="heun"))
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_mistake_points_at_its_column() -> None:
    text = "dx = kappa*(theta - x]*dt + sigma*dW"
    with pytest.raises(lab.EquationError) as caught:
        lab.parse_sde(text)
    error = caught.value
    assert (error.line, error.column) == (1, 22)
    line, caret = error.with_caret(text).split("\n")
    assert line[caret.index("^")] == "]"
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert (again.line, again.column) == (1, 22)


HOSTILE_REMARK = "dx = -κ*x*dt + σ*dW # \"\"\"; import os #''' </script><b> ../../etc"


def test_a_typed_scenario_is_exported_like_any_other() -> None:
    scenario = lab.Scenario(model=HOSTILE_REMARK, samples=200, steps=20, seed=3)
    summary = simulate_summary(scenario)
    frame = export.summary_table(summary, lab.exact_laws(scenario, times=summary.times))
    assert export.read_scenario(export.to_parquet(frame, scenario)) == scenario
    assert re.fullmatch(r"own[0-9a-f]{8}-20x200-seed3\.csv", export.filename(scenario, "csv"))
    other = scenario.replace(model="dx = dW")
    assert export.filename(other, "csv") != export.filename(scenario, "csv")
    page = export.to_html([], scenario).decode()
    assert page.count("</script>") == export.to_html([], other).decode().count("</script>")
    printed = subprocess.run(
        [sys.executable, "-c", export.summary_script(scenario)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"{float(summary.states[0].mean[-1]):.6g}" in printed
    assert "dx_dkappa" in printed
    assert "exact" in printed
