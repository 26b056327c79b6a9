"""Walking many rows at once gives each row the path and the derivatives it has alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
import torch

import sde_lab as lab
from sde_lab.sensitivity.tangents import STEPS_PER_SOLVE, TangentBatch, propagate_tangents
from sde_lab.solver.brownian import BrownianIncrements
from sde_lab.solver.simulate import brownian_increments

PAIRS = [
    (name, scheme)
    for name, scheme in product(lab.MODELS, lab.SCHEMES)
    if lab.SCHEMES[scheme].supports(lab.MODELS[name])
]
TOLERANCE = 1e-10


def scenarios(name: str, scheme: str, steps: int = STEPS_PER_SOLVE + 5) -> list[lab.Scenario]:
    """Two scenarios that differ in everything that rows of one batch may differ in."""
    model = lab.MODELS[name]
    return [
        lab.Scenario(
            model=name,
            scheme=scheme,
            parameters={k.name: k.default + at * (k.high - k.default) for k in model.parameters},
            x0=[k.default + at * (k.high - k.default) for k in model.initial],
            horizon=model.horizon * at,
            steps=steps,
            samples=7,
            seed=6,
            dtype="float64",
        )
        for at in (0.1, 0.2)
    ]


def batch_of(points: list[lab.Scenario]) -> TangentBatch:
    one, samples = points[0], points[0].samples
    noise = brownian_increments(one)

    def column(numbers: list[float]) -> torch.Tensor:
        return torch.tensor(numbers, dtype=torch.float64).repeat_interleave(samples).unsqueeze(1)

    def tiled(table: torch.Tensor | None, first: int, last: int) -> torch.Tensor | None:
        return None if table is None else table[first:last].repeat(1, len(points), 1)

    def steps(first: int, last: int) -> BrownianIncrements:
        increments = tiled(noise.increments, first, last)
        assert increments is not None
        return BrownianIncrements(increments, tiled(noise.levy_areas, first, last))

    starts = torch.tensor([p.initial for p in points], dtype=torch.float64)
    return TangentBatch(
        one.model_spec,
        one.scheme_spec,
        starts.repeat_interleave(samples, 0),
        {name: column([p.parameters[name] for p in points]) for name in one.parameters},
        column([p.step for p in points]),
        one.steps,
        steps,
    )


@pytest.mark.parametrize(("name", "scheme"), PAIRS)
def test_each_row_is_what_it_is_alone(name: str, scheme: str) -> None:
    """Against simulate and replay at every step, to rounding of sums in another order."""
    points = scenarios(name, scheme)
    states, tangents = [], []

    def arrive(step: int, x: torch.Tensor, j: torch.Tensor) -> None:
        assert step == len(states)
        states.append(x.clone())
        tangents.append(j.clone())

    columns = points[0].model_spec.jacobian_columns
    assert list(propagate_tangents(batch_of(points), columns, arrive)) == [
        STEPS_PER_SOLVE,
        STEPS_PER_SOLVE + 5,
    ]
    found, derivatives = torch.stack(states), torch.stack(tangents)
    for place, point in enumerate(points):
        rows = slice(7 * place, 7 * place + 7)
        paths = lab.simulate(point)
        assert bool(paths.values.isfinite().all())
        torch.testing.assert_close(found[:, rows], paths.values, rtol=TOLERANCE, atol=TOLERANCE)
        expected = lab.jacobian(paths).values.permute(0, 2, 3, 1)
        scale = expected.abs().amax(dim=(0, 3), keepdim=True).clamp(min=1.0)
        gap = ((derivatives[..., rows] - expected) / scale).abs().max()
        assert float(gap) < TOLERANCE


@pytest.mark.parametrize("columns", [(), ("v0",), ("rho", "s0"), ("kappa",)])
def test_only_what_is_asked_for_is_differentiated(columns: tuple[str, ...]) -> None:
    points = scenarios("heston", "heun", steps=STEPS_PER_SOLVE - 1)
    last: dict[str, torch.Tensor] = {}

    def arrive(step: int, x: torch.Tensor, j: torch.Tensor) -> None:
        last.update(x=x.clone(), j=j.clone())

    assert list(propagate_tangents(batch_of(points), columns, arrive)) == [STEPS_PER_SOLVE - 1]
    assert last["j"].shape == (2, len(columns), 14)
    for place, point in enumerate(points):
        rows = slice(7 * place, 7 * place + 7)
        jacobian = lab.jacobian(lab.simulate(point))
        for p, name in enumerate(columns):
            expected = jacobian.wrt(name)[-1].T
            torch.testing.assert_close(last["j"][:, p, rows], expected, rtol=1e-9, atol=1e-9)


def test_the_caller_may_pause_and_its_gradient_mode_is_its_own() -> None:
    with torch.no_grad():
        steps = propagate_tangents(batch_of(scenarios("heston", "heun")), ("rho",), lambda *_: None)
        assert next(steps) == STEPS_PER_SOLVE
        assert not torch.is_grad_enabled()
    assert next(steps) == STEPS_PER_SOLVE + 5
    assert torch.is_grad_enabled()


class Pushed(type(lab.MODELS["brownian_motion"])):
    """A drift that reads the clock: dX = (mu + t) dt + σ dW."""

    time_dependent = True

    def drift(self, t, x, p):
        return p["mu"] + t


def test_every_row_has_its_own_clock() -> None:
    """By hand: Euler adds mu + kΔ at step k, Δ being that of the row."""
    points = scenarios("brownian_motion", "euler", steps=40)
    batch = replace(batch_of(points), model=Pushed())
    last: dict[str, torch.Tensor] = {}
    list(propagate_tangents(batch, (), lambda step, x, j: last.update(x=x)))
    for place, point in enumerate(points):
        plain = lab.simulate(point).values[-1]
        extra = sum(k * point.step * point.step for k in range(40))
        rows = slice(7 * place, 7 * place + 7)
        torch.testing.assert_close(last["x"][rows], plain + extra, rtol=1e-12, atol=1e-12)
