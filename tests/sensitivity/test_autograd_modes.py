"""Derivatives are the same whatever autograd mode they are asked for in, and carry no graph."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
import torchsde
from torch import Tensor, nn

import sde_lab as lab
from sde_lab.sensitivity.replay import step_jacobians

MODES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
}
JACFWD = "ignore:`torch.jit.script` is deprecated:FutureWarning"
"""torch 2.15 compiles its own forward formulas so on first use of jacfwd."""
TIME = "dx = -a*x*dt + (0.2 + 0.1*t)*x*dW"


def scenario(model: str, scheme: str) -> lab.Scenario:
    return lab.Scenario(
        model=model, scheme=scheme, steps=5, samples=3, horizon=0.5, dtype="float64"
    )


def assert_plain(table: Tensor) -> None:
    """No graph, and usable in one."""
    assert not table.requires_grad
    assert not table.is_inference()
    leaf = table.detach().requires_grad_()
    (leaf * leaf).sum().backward()


@pytest.mark.filterwarnings(JACFWD)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("engine", lab.JACOBIAN_METHODS)
@pytest.mark.parametrize(
    ("model", "scheme"),
    [(TIME, "srk"), ("lotka_volterra", "milstein_grad_free"), ("heston", "heun")],
)
def test_every_method_in_every_mode(mode: str, engine: str, model: str, scheme: str) -> None:
    at = scenario(model, scheme)
    outside = lab.simulate(at)
    expected = lab.jacobian(outside, engine).values
    with MODES[mode]():
        inside = lab.simulate(at)
        found = lab.jacobian(inside, engine).values
        from_outside = lab.jacobian(outside, engine).values
    assert torch.equal(inside.values, outside.values)
    few = 8.0 * torch.finfo(torch.float64).eps
    for table in (found, from_outside, lab.jacobian(inside, engine).values):
        if engine == "compiled":  # its last bit depends on where its buffers lie in memory
            torch.testing.assert_close(table, expected, rtol=few, atol=few)
        else:
            assert torch.equal(table, expected)
        assert_plain(table)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scheme", lab.SCHEMES)
def test_every_scheme_in_every_mode(mode: str, scheme: str) -> None:
    """Milstein takes derivatives inside the step, in a simulation too."""
    at = scenario("geometric_brownian_motion", scheme)
    paths = lab.simulate(at)
    expected, steps = lab.jacobian(paths).values, step_jacobians(paths)
    summary = lab.summarise(paths, lab.jacobian(paths))
    with MODES[mode]():
        inside = lab.simulate(at)
        assert torch.equal(inside.values, paths.values)
        assert torch.equal(lab.jacobian(inside).values, expected)
        assert torch.equal(step_jacobians(inside), steps)
        bands = lab.summarise(inside, lab.jacobian(inside)).sensitivities["sigma"][0]
    assert (bands.mean == summary.sensitivities["sigma"][0].mean).all()


def test_paths_made_of_inference_tensors_by_a_caller() -> None:
    paths = lab.simulate(scenario(TIME, "srk"))
    expected = lab.jacobian(paths).values
    with torch.inference_mode():
        areas = paths.noise.levy_areas
        assert areas is not None
        noise = lab.BrownianIncrements(paths.noise.increments.clone(), areas.clone())
        copied = lab.Paths(paths.scenario, paths.times.clone(), paths.values.clone(), noise)
        again = lab.simulate(paths.scenario, noise)
    assert copied.values.is_inference()
    for engine in ("replay", "reverse", "batched", "loop", "compiled"):
        assert torch.allclose(lab.jacobian(copied, engine).values, expected, rtol=1e-12)
    assert torch.equal(lab.jacobian(again).values, expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scheme", ["euler", "milstein", "srk"])
def test_a_sweep_in_every_mode(mode: str, scheme: str) -> None:
    base = scenario("geometric_brownian_motion", scheme).replace(samples=20)
    measures = ["mean", "std slope"]
    expected = lab.sweep(base, {"sigma": [0.2, 0.4]}, measures=measures, sensitivities=["sigma"])
    with MODES[mode]():
        found = lab.sweep(base, {"sigma": [0.2, 0.4]}, measures=measures, sensitivities=["sigma"])
    assert (found.value == expected.value).all()


class Foreign(nn.Module):
    """dy = −a y dt + (b + c t) y dW, of a parameter, a parameter and a buffer."""

    noise_type = "diagonal"

    def __init__(self, sde_type: str) -> None:
        super().__init__()
        self.sde_type = sde_type
        self.a = nn.Parameter(torch.tensor(0.7, dtype=torch.float64))
        self.b = nn.Parameter(torch.tensor(0.4, dtype=torch.float64))
        self.register_buffer("c", torch.tensor(0.2, dtype=torch.float64))

    def f(self, t: Tensor, y: Tensor) -> Tensor:
        return -self.a * y

    def g(self, t: Tensor, y: Tensor) -> Tensor:
        return (self.b + self.c * t) * y


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wrt", [None, ("a", "c")])
@pytest.mark.parametrize(
    ("scheme", "kind"), [("euler", "ito"), ("milstein", "ito"), ("srk", "ito"), ("heun", None)]
)
@pytest.mark.parametrize("ts", [[0.0, 0.5, 1.0, 1.5], [0.0, 0.1, 1.0, 1.5]])
def test_sdeint_jacobian_in_every_mode(
    mode: str, wrt: tuple[str, ...] | None, scheme: str, kind: str | None, ts: list[float]
) -> None:
    def solve() -> tuple[Tensor, Tensor]:
        sde = Foreign(kind or "stratonovich")
        y0 = torch.full((3, 2), 1.3, dtype=torch.float64)
        bm = torchsde.BrownianInterval(
            t0=0.0,
            t1=1.5,
            size=(3, 2),
            dtype=torch.float64,
            entropy=5,
            levy_area_approximation="space-time",
        )
        times = torch.tensor(ts, dtype=torch.float64)
        return lab.sdeint_jacobian(sde, y0, times, scheme, bm, wrt)

    expected = solve()
    with MODES[mode]():
        found = solve()
    for table, wanted in zip(found, expected, strict=True):
        assert torch.equal(table, wanted)
        assert_plain(table)
