"""Every browser session is a thread: eight at once give, bit for bit, what one gives."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import torch
from torch import Tensor

import sde_lab as lab

THREADS = 8
ROUNDS = 3
DIFFERENT = [
    lab.Scenario(model="ornstein_uhlenbeck", steps=40, samples=300),
    lab.Scenario(model="ornstein_uhlenbeck", steps=80, samples=300, scheme="srk"),
    lab.Scenario(model="lotka_volterra", steps=30, samples=200, scheme="milstein"),
    lab.Scenario(model="heston", steps=30, samples=200, scheme="heun"),
    lab.Scenario(model="double_well", steps=30, samples=200, scheme="midpoint", dtype="float64"),
    lab.Scenario(model="damped_oscillator", steps=30, samples=200, scheme="srk"),
    lab.Scenario(model="cox_ingersoll_ross", steps=30, samples=200, scheme="milstein_grad_free"),
    lab.Scenario(model="geometric_brownian_motion", steps=30, samples=200, scheme="euler_heun"),
]


def run(scenario: lab.Scenario, engine: str = "replay") -> tuple[Tensor, Tensor, np.ndarray]:
    paths = lab.simulate(scenario)
    jacobian = lab.jacobian(paths, engine)
    mean = lab.summarise(paths, jacobian).sensitivities[jacobian.names[-1]][0].mean
    return paths.values, jacobian.values, mean


def together(jobs: list[Callable[[], object]], rounds: int = ROUNDS) -> list[list[object]]:
    """Each job in a thread of its own, several times over, all starting at once."""
    barrier = Barrier(len(jobs))

    def repeat(job: Callable[[], object]) -> list[object]:
        found = []
        for _ in range(rounds):
            barrier.wait(60)
            found.append(job())
        return found

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(repeat, jobs))


def assert_bitwise(found: tuple[Tensor, Tensor, np.ndarray], alone: tuple) -> None:
    assert torch.equal(found[0], alone[0])
    assert torch.equal(found[1], alone[1])
    assert np.array_equal(found[2], alone[2])


@pytest.mark.parametrize("scenarios", [DIFFERENT, DIFFERENT[:1] * THREADS], ids=["own", "same"])
def test_eight_threads_give_the_numbers_of_one(scenarios: list[lab.Scenario]) -> None:
    alone = [run(scenario) for scenario in scenarios]
    rounds = together([lambda s=scenario: run(s) for scenario in scenarios])
    for expected, found in zip(alone, rounds, strict=True):
        for one in found:
            assert_bitwise(one, expected)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
def test_forward_mode_stays_right_beside_the_other_engines() -> None:
    """Forward-mode levels belong to the process: a lock lets one in, and hurts no one else."""
    scenario = lab.Scenario(steps=10, samples=20, dtype="float64")
    engines = ["forward", "replay", "reverse", "batched"] * 2
    alone = {engine: run(scenario, engine) for engine in set(engines)}
    rounds = together([lambda e=engine: run(scenario, e) for engine in engines])
    for engine, found in zip(engines, rounds, strict=True):
        for one in found:
            assert_bitwise(one, alone[engine])


class Pull(torch.nn.Module):
    noise_type, sde_type = "diagonal", "ito"

    def __init__(self) -> None:
        super().__init__()
        self.rate = torch.nn.Parameter(torch.tensor(0.7, dtype=torch.float64))

    def f(self, t: Tensor, y: Tensor) -> Tensor:
        return -self.rate * y

    def g(self, t: Tensor, y: Tensor) -> Tensor:
        return 0.3 * torch.ones_like(y)


def test_one_module_may_be_shared_between_threads() -> None:
    """Its parameters are replaced during the replay: each thread must see its own replacement."""
    sde, y0 = Pull(), torch.ones(5, 1, dtype=torch.float64)

    def job() -> Tensor:
        return lab.sdeint_jacobian(sde, y0, torch.linspace(0.0, 1.0, 30), wrt="rate")[1][..., 0]

    alone = job()
    for found in together([job] * THREADS, rounds=20):
        for one in found:
            assert torch.equal(one, alone)
    assert sde.rate.grad is None
    assert float(sde.rate.detach()) == 0.7
    assert isinstance(sde.rate, torch.nn.Parameter)
