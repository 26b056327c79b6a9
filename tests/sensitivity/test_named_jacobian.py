"""Derivatives by parameters of any shape, found by name, against autograd through torchsde."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise
from typing import Any

import pytest
import torch
import torchsde
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

import sde_lab as lab

DOUBLE = torch.float64
TS = [0.0, 0.1, 0.3, 0.4]


class Neural(nn.Module):
    """dy = net(y) dt + y Lᵀ dW with a matrix, a network and a scalar."""

    noise_type, sde_type = "general", "ito"

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        stream = torch.Generator().manual_seed(3)
        self.net = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, 2)).double()
        for parameter in self.net.parameters():
            with torch.no_grad():
                parameter.copy_(torch.randn(parameter.shape, generator=stream))
        self.mixing = nn.Parameter(torch.randn(2, 3, generator=stream, dtype=DOUBLE))
        self.scale = nn.Parameter(torch.tensor(0.3, dtype=DOUBLE))

    def f(self, t: Any, y: Tensor) -> Tensor:
        return self.net(y)

    def g(self, t: Any, y: Tensor) -> Tensor:
        return self.scale * torch.cos(y).unsqueeze(-1) * self.mixing


WRT = ("net.0.weight", "net.2.bias", "mixing", "scale")


def start(samples: int = 3) -> Tensor:
    return torch.linspace(-1.0, 1.0, 2 * samples, dtype=DOUBLE).view(samples, 2)


def motion(samples: int = 3) -> Any:
    return torchsde.BrownianInterval(t0=0.0, t1=0.4, size=(samples, 3), dtype=DOUBLE, entropy=2)


@pytest.mark.parametrize("chunk", [1, 30, 2**14])
def test_each_name_has_its_shape_and_the_derivatives_of_autograd(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr("sde_lab.sensitivity.module_replay.MAX_CHUNK_NUMBERS", chunk)
    sde, y0 = Neural(), start().requires_grad_()
    ys, jacobian = lab.sdeint_jacobian(sde, y0, TS, "euler", motion(), WRT)
    states, bm = [y0], motion()
    for a, b in pairwise(TS):
        here = torch.tensor([a, b], dtype=DOUBLE)
        states.append(torchsde.sdeint(sde, states[-1], here, bm=bm, method="euler", dt=1.0)[1])
    expected = torch.stack(states)
    torch.testing.assert_close(ys, expected.detach(), rtol=0, atol=1e-13)
    assert jacobian["y0"].shape == (4, 3, 2, 2)
    assert jacobian["net.0.weight"].shape == (4, 3, 2, 4, 2)
    assert jacobian["mixing"].shape == (4, 3, 2, 2, 3)
    assert jacobian["scale"].shape == (4, 3, 2)
    leaves = [sde.get_parameter(name) for name in WRT]
    for k, n, d in [(1, 0, 0), (3, 2, 1), (2, 1, 0)]:
        by_start, *found = torch.autograd.grad(
            expected[k, n, d], [y0, *leaves], retain_graph=True, materialize_grads=True
        )
        torch.testing.assert_close(jacobian["y0"][k, n, d], by_start[n], rtol=0, atol=1e-13)
        for name, wanted in zip(WRT, found, strict=True):
            torch.testing.assert_close(jacobian[name][k, n, d], wanted, rtol=0, atol=1e-13)


def test_columns_have_names_and_the_rest_is_a_plain_tensor() -> None:
    _, jacobian = lab.sdeint_jacobian(Neural(), start(), TS, wrt=("mixing", "scale"))
    assert jacobian.columns == (
        "y0[0]", "y0[1]", *(f"mixing[{i}, {j}]" for i in range(2) for j in range(3)), "scale",
    )  # fmt: skip
    column = jacobian.columns.index("mixing[1, 2]")
    assert torch.equal(jacobian[..., column], jacobian["mixing"][..., 1, 2])
    assert type(jacobian[0]) is type(2.0 * jacobian) is type(jacobian["y0"]) is Tensor
    with pytest.raises(lab.ScenarioError, match="must be one of y0, mixing, scale"):
        jacobian["mix"]
    for other in (pickle.loads(pickle.dumps(jacobian)), copy.deepcopy(jacobian)):
        assert torch.equal(other["mixing"], jacobian["mixing"])


def test_a_wide_network_fits_or_it_is_said_what_would(monkeypatch: pytest.MonkeyPatch) -> None:
    sde = Neural(width=50)
    names = [f"net.{name}" for name, _ in sde.net.named_parameters()]
    _, jacobian = lab.sdeint_jacobian(sde, start(20), TS, wrt=names)
    assert jacobian.shape == (4, 20, 2, 2 + 252)
    # Beside the 64 MB of a block 150 kB: a column takes 4 times × 2 states × 8 bytes a sample.
    monkeypatch.setenv("SDE_LAB_MEMORY_GB", str(0.064 + 150e-6))
    with pytest.raises(lab.ScenarioError, match=r"254 columns .* 9 samples or 109 entr") as caught:
        lab.sdeint_jacobian(sde, start(20), TS, wrt=names)
    assert caught.value.field == "wrt"
    lab.sdeint_jacobian(sde, start(9), TS, wrt=names)


class Counting(Neural):
    """A module that takes one step of three samples at a time."""

    def f(self, t: Any, y: Tensor) -> Tensor:
        assert len(y) == 3
        return super().f(t, y)


GRIDS = {"each time": {"ts": TS}, "own steps": {"ts": [0.0, 0.13, 0.4], "dt": 0.03}}


@pytest.mark.parametrize("kind", [Neural, Counting])
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("rows", [1, 7, 2**18])
def test_the_mean_and_the_product_are_those_of_the_jacobian(
    monkeypatch: pytest.MonkeyPatch, kind: type[Neural], grid: str, rows: int
) -> None:
    arguments = {"sde": kind(), "y0": start(), **GRIDS[grid], "bm": motion(), "wrt": WRT}
    ys, jacobian = lab.sdeint_jacobian(**arguments)
    monkeypatch.setattr("sde_lab.sensitivity.sdeint_jacobian.BLOCK_ROWS", rows)
    monkeypatch.setattr("sde_lab.sensitivity.vjp.BLOCK_ROWS", rows)
    same, mean = lab.mean_jacobian(**arguments)
    assert torch.equal(ys, same)
    torch.testing.assert_close(mean, jacobian.mean(1), rtol=0, atol=1e-14)
    assert mean["mixing"].shape == (len(ys), 2, 2, 3)
    again, product = lab.vjp(**arguments)
    assert torch.equal(ys, again)
    v = torch.randn(ys.shape, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)
    found = product(v)
    assert list(found) == ["y0", *WRT]
    torch.testing.assert_close(
        found["y0"], torch.einsum("tnd,tndp->np", v, jacobian["y0"]), rtol=0, atol=1e-13
    )
    for name in WRT:
        wanted = torch.tensordot(v, jacobian[name], 3)
        torch.testing.assert_close(found[name], wanted, rtol=0, atol=1e-13)


def test_the_product_fits_a_parameter() -> None:
    """The gradient of a loss at all times, without the Jacobian."""
    sde, data = Neural(), torch.linspace(0.0, 1.0, 8, dtype=DOUBLE).view(4, 1, 2)
    before = float(sde.scale.detach())
    losses = []
    for _ in range(3):
        ys, product = lab.vjp(sde, start(), TS, bm=motion(), wrt="scale")
        losses.append(float(((ys - data) ** 2).sum()))
        with torch.no_grad():
            sde.scale -= 0.02 * product(2.0 * (ys - data))["scale"]
    assert losses[2] < losses[1] < losses[0]
    assert float(sde.scale.detach()) != before
    with pytest.raises(lab.ScenarioError, match=r"\(4, 3, 2\)") as caught:
        product(ys[0])
    assert caught.value.field == "cotangent"


def test_a_backward_pass_without_a_derivative_is_enough_for_the_product() -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, k: Tensor, y: Tensor) -> Tensor:
            ctx.save_for_backward(k, y)
            return k * y**2

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
            k, y = ctx.saved_tensors
            return (grad * y**2).sum(), 2.0 * grad * k * y

    class Wrapped(Neural):
        def f(self, t: Any, y: Tensor) -> Tensor:
            return Square.apply(self.scale, y)

    class Plain(Neural):
        def f(self, t: Any, y: Tensor) -> Tensor:
            return self.scale * y**2

    found = []
    for kind in (Wrapped, Plain):
        ys, product = lab.vjp(kind(), start(), TS, bm=motion(), wrt="scale")
        found.append(product(torch.ones_like(ys)))
    for name in ("y0", "scale"):
        torch.testing.assert_close(found[0][name], found[1][name], rtol=0, atol=1e-13)


def test_the_mean_fits_where_the_jacobian_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    sde, ts = Neural(), torch.linspace(0.0, 1.0, 41, dtype=DOUBLE)
    monkeypatch.setenv("SDE_LAB_MEMORY_GB", str(0.064 + 300e-6))
    with pytest.raises(lab.ScenarioError, match="the budget is"):
        lab.sdeint_jacobian(sde, start(30), ts, wrt=WRT)
    _, mean = lab.mean_jacobian(sde, start(30), ts, wrt=WRT)
    assert mean["net.0.weight"].shape == (41, 2, 4, 2)
