"""Times, motions and states of different precision, and more steps than a narrow type counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torchsde
from torch import Tensor, nn

import sde_lab as lab

DOUBLE = torch.float64


class Seasonal:
    """dy = (cos 2πt − y) dt + 0.1 dW, by the calendar."""

    noise_type, sde_type = "diagonal", "ito"

    def f(self, t: Any, y: Tensor) -> Tensor:
        return torch.cos(2.0 * torch.pi * torch.as_tensor(t)) - y

    def g(self, t: Any, y: Tensor) -> Tensor:
        return torch.full_like(y, 0.1)


def motion(ts: Tensor, dtype: torch.dtype, channels: int = 1) -> Any:
    return torchsde.BrownianInterval(
        t0=float(ts[0]), t1=float(ts[-1]), size=(3, channels), dtype=dtype, entropy=5
    )


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize(
    "ts",
    [
        torch.linspace(2026.0, 2028.0, 49, dtype=DOUBLE),
        torch.tensor([2026.0, 2026.01, 2026.03, 2026.04, 2026.5], dtype=DOUBLE),
        1.8e9 + torch.linspace(0.0, 2.0, 41, dtype=DOUBLE),
    ],
    ids=["years", "uneven years", "Unix seconds"],
)
def test_a_float32_state_leaves_the_times_as_they_are(ts: Tensor, as_list: bool) -> None:
    noise = motion(ts, torch.float32)
    y0 = torch.zeros(3, 1, dtype=torch.float32)
    ys, jacobian = lab.sdeint_jacobian(Seasonal(), y0, ts.tolist() if as_list else ts, bm=noise)
    expected, exact = lab.sdeint_jacobian(Seasonal(), y0.double(), ts, bm=noise)
    assert ys.dtype == jacobian.dtype == torch.float32
    torch.testing.assert_close(ys.double(), expected, rtol=0, atol=2e-5)
    torch.testing.assert_close(jacobian.double(), exact, rtol=0, atol=2e-5)


class Network(nn.Module):
    """A float32 network that takes the time as an input column."""

    noise_type, sde_type = "diagonal", "ito"

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 1)

    def f(self, t: Any, y: Tensor) -> Tensor:
        return self.net(torch.cat([torch.as_tensor(t).expand(len(y), 1), y], dim=1))

    def g(self, t: Any, y: Tensor) -> Tensor:
        return torch.ones_like(y)


@pytest.mark.parametrize("ts", [[0.0, 0.1, 0.2, 0.5], torch.tensor([0.0, 0.1, 0.2, 0.5])])
def test_a_network_gets_the_time_in_a_precision_that_it_takes(ts: Any) -> None:
    sde = Network()
    ys, _ = lab.sdeint_jacobian(sde, torch.ones(3, 1), ts)
    assert ys.dtype == torch.float32


@pytest.mark.parametrize("state", [torch.float32, DOUBLE])
@pytest.mark.parametrize("noise", [torch.float32, DOUBLE])
def test_precisions_mix_as_in_torchsde(state: torch.dtype, noise: torch.dtype) -> None:
    ts = torch.linspace(0.0, 1.0, 6, dtype=DOUBLE)
    y0 = torch.ones(3, 1, dtype=state)
    ys, jacobian = lab.sdeint_jacobian(Seasonal(), y0, ts, bm=motion(ts, noise))
    expected = torchsde.sdeint(
        Seasonal(), y0, ts, bm=motion(ts, noise), method="euler", dt=0.2 + 1e-12
    )
    assert ys.dtype == jacobian.dtype == expected.dtype
    torch.testing.assert_close(ys, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_more_steps_than_the_type_of_the_state_counts(dtype: torch.dtype) -> None:
    ts = torch.linspace(0.0, 3.0, 3001, dtype=DOUBLE)
    ys, jacobian = lab.sdeint_jacobian(Seasonal(), torch.zeros(2, 1, dtype=dtype), ts)
    assert ys.dtype == dtype
    assert ys.shape == (3001, 2, 1)
    assert bool(jacobian.isfinite().all())


def test_the_default_motion_has_any_number_of_steps_and_repeats_by_its_seed() -> None:
    class Free(Seasonal):
        def f(self, t: Any, y: Tensor) -> Tensor:
            return torch.zeros_like(y)

        def g(self, t: Any, y: Tensor) -> Tensor:
            return torch.ones_like(y)

    def end() -> Tensor:
        np.random.seed(3)  # noqa: NPY002 - the generator that torchsde uses
        ts = torch.linspace(0.0, 2.0, 5001, dtype=DOUBLE)
        return lab.sdeint_jacobian(Free(), torch.zeros(200, 1, dtype=DOUBLE), ts)[0][-1]

    first = end()
    assert torch.equal(first, end())
    error = 2.0 * (2.0 / 200) ** 0.5
    assert abs(float(first.var()) - 2.0) < 4.5 * error


class Mixed(Seasonal):
    """Two states and three Brownian motions."""

    noise_type = "general"

    def g(self, t: Any, y: Tensor) -> Tensor:
        return torch.cos(y).unsqueeze(-1).expand(-1, -1, 3) * torch.as_tensor(t)


@pytest.mark.parametrize(
    "ts", [[0.0, 0.1, 0.2, 0.3], [0.0, 0.1, 0.15, 0.4]], ids=["even", "uneven"]
)
def test_noise_that_several_states_share_keeps_the_precision_of_the_state(ts: list[float]) -> None:
    noise = motion(torch.tensor(ts), torch.float32, channels=3)
    y0 = torch.zeros(3, 2)
    ys, jacobian = lab.sdeint_jacobian(Mixed(), y0, ts, bm=noise)
    expected, exact = lab.sdeint_jacobian(Mixed(), y0.double(), ts, bm=noise)
    assert ys.dtype == jacobian.dtype == torch.float32
    torch.testing.assert_close(ys.double(), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(jacobian.double(), exact, rtol=0, atol=1e-6)
