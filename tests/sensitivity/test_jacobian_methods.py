"""Five ways to differentiate agree with each other, and with differences of the paths."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

import sde_lab as lab
from sde_lab.solver.simulate import initial_state, parameter_tensors, solve

PAIRS = [
    (name, scheme)
    for name, scheme in product(lab.MODELS, lab.SCHEMES)
    if lab.SCHEMES[scheme].supports(lab.MODELS[name])
]
JACFWD = "ignore:`torch.jit.script` is deprecated:FutureWarning"
"""torch 2.15 compiles its own forward formulas so on first use of jacfwd."""


def scenario(name: str, scheme: str, *, steps: int = 12, samples: int = 6) -> lab.Scenario:
    """A scenario off the defaults, some of which are zero and would hide a derivative."""
    model = lab.MODELS[name]
    return lab.Scenario(
        model=name,
        scheme=scheme,
        parameters={k.name: k.default + 0.1 * (k.high - k.default) for k in model.parameters},
        x0=[k.default + 0.1 * (k.high - k.default) for k in model.initial],
        horizon=model.horizon / 4.0,
        steps=steps,
        samples=samples,
        seed=6,
        dtype="float64",
    )


def assert_same(found: Tensor, expected: Tensor, tolerance: float = 1e-10) -> None:
    """Equal relative to the largest entry of each derivative."""
    scale = expected.abs().amax(dim=(0, 1), keepdim=True).clamp(min=1.0)
    assert found.shape == expected.shape
    assert float(((found - expected) / scale).abs().max()) < tolerance


@pytest.mark.parametrize(("name", "scheme"), PAIRS)
def test_replay_equals_reverse_mode(name: str, scheme: str) -> None:
    paths = lab.simulate(scenario(name, scheme))
    assert bool(paths.values.isfinite().all())
    found = lab.jacobian(paths)
    model = lab.MODELS[name]
    assert found.names == (
        *(parameter.name for parameter in model.initial),
        *(parameter.name for parameter in model.parameters),
    )
    assert_same(found.values, lab.jacobian(paths, "reverse").values)


@pytest.mark.parametrize(("name", "scheme"), PAIRS)
def test_replay_equals_differences_of_the_paths(name: str, scheme: str) -> None:
    """Central differences on the same noise; error ½h²·third derivative + rounding/h ≈ 1e-9."""
    at = scenario(name, scheme)
    jacobian = lab.jacobian(lab.simulate(at))
    size = len(at.initial)
    for column, parameter in enumerate((*at.model_spec.initial, *at.model_spec.parameters)):

        def moved(by: float, column: int = column, knob_name: str = parameter.name) -> Tensor:
            if column < size:
                x0 = [value + by * (i == column) for i, value in enumerate(at.initial)]
                return lab.simulate(at.replace(x0=x0)).values
            value = at.parameters[knob_name] + by
            return lab.simulate(at.replace(parameters={knob_name: value})).values

        h = 1e-5
        difference = (moved(h) - moved(-h)) / (2.0 * h)
        found = jacobian.wrt(parameter.name)
        assert float((found - difference).abs().max()) < 1e-6 * max(1.0, float(found.abs().max()))


@pytest.mark.filterwarnings(JACFWD)
@pytest.mark.parametrize("engine", ["forward", "batched", "loop"])
@pytest.mark.parametrize("name", lab.MODELS)
@pytest.mark.parametrize("scheme", ["euler", "milstein_grad_free", "srk", "heun"])
def test_the_other_engines_agree(engine: str, name: str, scheme: str) -> None:
    if not lab.SCHEMES[scheme].supports(lab.MODELS[name]):
        with pytest.raises(lab.ScenarioError, match=f"scheme = '{scheme}'"):
            scenario(name, scheme)
        return
    paths = lab.simulate(scenario(name, scheme, steps=5, samples=3))
    assert_same(lab.jacobian(paths, engine).values, lab.jacobian(paths).values)


@pytest.mark.parametrize("engine", ["batched", "loop"])
def test_backward_engines_pass_through_milstein(engine: str) -> None:
    paths = lab.simulate(scenario("logistic_growth", "milstein", steps=5, samples=3))
    assert_same(lab.jacobian(paths, engine).values, lab.jacobian(paths).values)


def test_forward_mode_inside_milstein_is_refused_by_name() -> None:
    paths = lab.simulate(scenario("geometric_brownian_motion", "milstein"))
    with pytest.raises(lab.ScenarioError, match="milstein_grad_free works") as caught:
        lab.jacobian(paths, "forward")
    assert caught.value.field == "engine"
    assert "milstein" in str(caught.value)


@pytest.mark.parametrize("engine", ["", "jacrev", "Replay"])
def test_an_unknown_engine_is_refused(engine: str) -> None:
    paths = lab.simulate(lab.Scenario(steps=2, samples=2))
    with pytest.raises(lab.ScenarioError, match=r"engine = .* replay, .*reverse"):
        lab.jacobian(paths, engine)


@pytest.mark.parametrize("rows", [1, 2, 7, 12, 13, 50])
@pytest.mark.parametrize("name", ["ornstein_uhlenbeck", "lotka_volterra", "heston"])
def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch, rows: int, name: str) -> None:
    paths = lab.simulate(scenario(name, "heun", steps=9, samples=6))
    whole = lab.jacobian(paths).values
    monkeypatch.setattr("sde_lab.sensitivity.replay.BLOCK_ROWS", rows)
    assert torch.equal(lab.jacobian(paths).values, whole)


@pytest.mark.parametrize("engine", ["reverse", "batched"])
def test_nor_do_chunks_of_the_comparison(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    paths = lab.simulate(scenario("lotka_volterra", "euler", steps=5, samples=3))
    whole = lab.jacobian(paths, engine).values
    for module in ("backward", "torch_func"):
        monkeypatch.setattr(f"sde_lab.sensitivity.{module}.MAX_COTANGENT_NUMBERS", 100)
    assert_same(lab.jacobian(paths, engine).values, whole, 1e-14)


@pytest.mark.parametrize("name", lab.MODELS)
def test_float32_stays_close_to_float64(name: str) -> None:
    double = scenario(name, "euler", steps=50)
    exact = lab.jacobian(lab.simulate(double)).values
    found = lab.jacobian(lab.simulate(double.replace(dtype="float32"))).values
    assert found.dtype == torch.float32
    assert_same(found.double(), exact, 1e-4)


def test_the_start_of_the_jacobian_is_the_identity() -> None:
    for name, model in lab.MODELS.items():
        jacobian = lab.jacobian(lab.simulate(scenario(name, "euler", steps=1)))
        size = len(model.components)
        assert torch.equal(
            jacobian.values[0],
            torch.eye(size, len(model.jacobian_columns), dtype=torch.float64).expand(6, -1, -1),
        )


def test_euler_on_ornstein_uhlenbeck_in_closed_form() -> None:
    """∂X_k/∂x₀ = q^k and ∂X_k/∂θ = 1 − q^k with q = 1 − κΔ; ∂X/∂σ is the noise alone over σ."""
    at = scenario("ornstein_uhlenbeck", "euler", steps=40)
    paths = lab.simulate(at)
    jacobian = lab.jacobian(paths)
    q = 1.0 - at.parameters["kappa"] * at.step
    power = q ** torch.arange(41, dtype=torch.float64)
    exact = {"x0": power, "theta": 1.0 - power}
    for name, curve in exact.items():
        for sample in range(6):
            torch.testing.assert_close(jacobian.wrt(name)[:, sample, 0], curve, rtol=0, atol=1e-13)
    theta, sigma = at.parameters["theta"], at.parameters["sigma"]
    mean = theta + (at.initial[0] - theta) * power
    torch.testing.assert_close(
        jacobian.wrt("sigma")[..., 0],
        (paths.values[..., 0] - mean[:, None]) / sigma,
        rtol=0,
        atol=1e-13,
    )


@pytest.mark.parametrize("name", ["ornstein_uhlenbeck", "lotka_volterra"])
def test_the_trap_is_the_sum_of_the_jacobian(name: str) -> None:
    """``autograd.grad(X, x0, ones_like(X))``: one number for all times and samples."""
    at = scenario(name, "euler")
    paths = lab.simulate(at)
    start = torch.tensor([at.initial], dtype=torch.float64, requires_grad=True)
    values = solve(at, start.expand(at.samples, -1), parameter_tensors(at), paths.noise)
    (total,) = torch.autograd.grad(values, start, torch.ones_like(values))
    columns = lab.jacobian(paths).values[..., : len(at.initial)]
    torch.testing.assert_close(columns.sum(dim=(0, 1, 2)), total[0], rtol=1e-12, atol=1e-12)
    assert total.numel() == len(at.initial)
    assert initial_state(at).shape == (at.samples, len(at.initial))


def test_a_huge_but_finite_parameter_gives_a_jacobian_or_a_refusal() -> None:
    """float32 ends at 3.4e38: what simulate takes, jacobian must take."""
    paths = lab.simulate(lab.Scenario(parameters={"theta": 3e38}, steps=4, samples=2))
    assert lab.jacobian(paths).values.shape == (5, 2, 1, 4)
