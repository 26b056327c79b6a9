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


@pytest.mark.parametrize("chunk", [1, 30, 2**19])
def test_each_name_has_its_shape_and_the_derivatives_of_autograd(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr("sde_lab.sensitivity.sdeint_jacobian.MAX_CHUNK_NUMBERS", chunk)
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
