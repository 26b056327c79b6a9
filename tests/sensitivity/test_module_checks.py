"""Derivatives that autograd cannot know are refused by name; kinks and idle names pass."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

import sde_lab as lab

DOUBLE = torch.float64
TS = [0.0, 0.1, 0.2, 0.3, 0.4]


class Decay(nn.Module):
    """dy = −k y dt + 0.2 dW, with a parameter that nothing uses."""

    noise_type, sde_type = "diagonal", "ito"

    def __init__(self) -> None:
        super().__init__()
        self.k = nn.Parameter(torch.tensor(1.3, dtype=DOUBLE))
        self.idle = nn.Parameter(torch.tensor(2.0, dtype=DOUBLE))

    def f(self, t: Any, y: Tensor) -> Tensor:
        return -self.k * y

    def g(self, t: Any, y: Tensor) -> Tensor:
        return torch.full_like(y, 0.2)


class Product(torch.autograd.Function):
    """k · y, with a backward pass that has no derivative itself."""

    @staticmethod
    def forward(ctx: Any, k: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(k, y)
        return k * y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        k, y = ctx.saved_tensors
        return (grad * y).sum(), grad * k


class Table(Product):
    """The same by numbers: nobody told torch, so that the second derivative is silently 0."""

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        k, y = ctx.saved_tensors
        return (grad.detach() * y.detach()).sum(), grad.detach() * k.detach()


class Forgetful(Product):
    """The same, without a derivative by k."""

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor]:
        k, _ = ctx.saved_tensors
        return None, grad * k


def energy_gradient(y: Tensor, k: Tensor, keep: bool) -> Tensor:
    with torch.enable_grad():
        y = y if keep else y.detach().requires_grad_()
        return torch.autograd.grad((0.5 * k * y**2).sum(), y, create_graph=keep)[0]


CUT = {
    "once differentiable": (Product.apply, "wrt", "once_differentiable"),
    "backward by values": (Table.apply, "wrt", "backward in torch operations"),
    "no derivative by k": (Forgetful.apply, "wrt", "sde.f depends on k"),
    "detached parameter": (lambda k, y: k.detach() * y, "wrt", "sde.f depends on k"),
    "a number": (lambda k, y: k.item() * y, "wrt", "sde.f depends on k"),
    "numpy": (
        lambda k, y: torch.from_numpy(float(k.detach()) * y.detach().numpy()) + 0.0 * k,
        "sde.f",
        "depends on y",
    ),
    "detached state": (lambda k, y: k * y.detach(), "sde.f", "depends on y"),
    "autograd.grad on a detached state": (
        lambda k, y: energy_gradient(y, k, keep=False),
        "sde.f",
        "create_graph=True",
    ),
}


@pytest.mark.parametrize("name", CUT)
def test_a_path_that_autograd_does_not_see_is_refused(name: str) -> None:
    drift, field, hint = CUT[name]

    class Cut(Decay):
        def f(self, t: Any, y: Tensor) -> Tensor:
            return -drift(self.k, y)

    y0 = torch.linspace(0.5, 1.5, 3, dtype=DOUBLE).unsqueeze(1)
    with pytest.raises(lab.ScenarioError, match=hint) as caught:
        lab.sdeint_jacobian(Cut(), y0, TS, wrt=("k", "idle"))
    assert caught.value.field == field


def test_a_diffusion_by_numbers_is_refused_as_well() -> None:
    class Cut(Decay):
        def g(self, t: Any, y: Tensor) -> Tensor:
            return torch.ones_like(y) * float(self.k.detach())

    with pytest.raises(lab.ScenarioError, match=r"sde\.g depends on k"):
        lab.sdeint_jacobian(Cut(), torch.ones(3, 1, dtype=DOUBLE), TS, wrt="k")


@pytest.mark.parametrize("once", [False, True])
def test_milstein_needs_a_second_derivative_of_the_diffusion(once: bool) -> None:
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return 2.0 * grad.detach() * ctx.saved_tensors[0].detach()

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, y: Tensor) -> Tensor:
            ctx.save_for_backward(y)
            return y**2

    Square.backward = staticmethod(once_differentiable(backward) if once else backward)

    class Cut(Decay):
        def g(self, t: Any, y: Tensor) -> Tensor:
            return Square.apply(y)

    y0 = torch.ones(3, 1, dtype=DOUBLE)
    lab.sdeint_jacobian(Cut(), y0, TS)
    with pytest.raises(lab.ScenarioError, match=r"derivative of sde\.g"):
        lab.sdeint_jacobian(Cut(), y0, TS, "milstein")


@pytest.mark.parametrize("in_a_list", [False, True])
def test_a_parameter_kept_beside_the_module_is_refused(in_a_list: bool) -> None:
    class Kept(Decay):
        def __init__(self) -> None:
            super().__init__()
            self.kept = [self.k] if in_a_list else [2.0 * self.k]

        def f(self, t: Any, y: Tensor) -> Tensor:
            return -self.kept[0] * y

    sde, y0 = Kept(), torch.ones(3, 1, dtype=DOUBLE)
    for _ in range(2):  # the graph of what is kept survives
        with pytest.raises(lab.ScenarioError, match="keeps beside its parameters") as caught:
            lab.sdeint_jacobian(sde, y0, TS, wrt="k")
        assert caught.value.field == "wrt"
    _, jacobian = lab.sdeint_jacobian(sde, y0, TS)
    assert float(jacobian[1, 0, 0, 0]) == pytest.approx(1.0 - 0.1 * float(sde.kept[0].detach()))


PASSING = {
    "idle": lambda k, y: y,
    "jump": lambda k, y: (y > k).to(y.dtype) - y,
    "whole number": lambda k, y: round(float(k.detach())) * y,
    "kink at the start": lambda k, y: torch.relu(y - 0.5) - torch.relu(k - 1.3) * y,
    "energy": lambda k, y: energy_gradient(y, k, keep=True),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_has_no_derivative_or_another_way_to_it_passes(name: str) -> None:
    class Passing(Decay):
        def f(self, t: Any, y: Tensor) -> Tensor:
            return -PASSING[name](self.k, y)

    y0 = torch.linspace(0.5, 1.5, 3, dtype=DOUBLE).unsqueeze(1)
    _, jacobian = lab.sdeint_jacobian(Passing(), y0, TS, wrt=("k", "idle"))
    assert not bool(jacobian[..., 2].any())
    if name != "energy":
        assert not bool(jacobian[..., 1].any())
    else:
        power = (1.0 - 0.13) ** torch.arange(5, dtype=DOUBLE)
        torch.testing.assert_close(jacobian[:, 1, 0, 0], power, rtol=0, atol=1e-14)


def pairs(y: Tensor) -> Tensor:
    """Two particles per system, as neighbouring rows."""
    return y.view(-1, 2, 1).flip(1).reshape(-1, 1) - y


INTERACTIONS = {
    "pairs": pairs,
    "pairs of halves": lambda y: y.roll(len(y) // 2, 0) - y,
    "a leader": lambda y: y[:1] - y,
    "the last leads": lambda y: y[-1:] - y,
    "mean": lambda y: y.mean(0, keepdim=True) - y,
    "mean without a graph": lambda y: y.detach().mean(0, keepdim=True) - y,
    "rank": lambda y: y.argsort(0).argsort(0).to(y) - y,
    "normalised": lambda y: (y - y.mean()) / (1.0 + y.std()),
    "close ones": lambda y: -torch.tanh((y - y.t()) * 5.0).sum(1, keepdim=True),
}


@pytest.mark.parametrize("samples", [4, 16])
@pytest.mark.parametrize("name", INTERACTIONS)
def test_rows_that_interact_are_refused(name: str, samples: int) -> None:
    class Interacting(Decay):
        def f(self, t: Any, y: Tensor) -> Tensor:
            return INTERACTIONS[name](y)

    y0 = torch.linspace(-1.0, 1.0, samples, dtype=DOUBLE).unsqueeze(1)
    with pytest.raises(lab.ScenarioError, match="influence each other"):
        lab.sdeint_jacobian(Interacting(), y0, TS)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_separate_rows_pass_in_any_precision_and_size(dtype: torch.dtype) -> None:
    """Entries of very different size, and one row that overflows."""

    class Stiff(Decay):
        def f(self, t: Any, y: Tensor) -> Tensor:
            return torch.stack([-8.0 * y[:, 0] + 1e-6 * y[:, 1], 1e4 * torch.sin(y[:, 0])], dim=1)

    y0 = torch.randn(50, 2, generator=torch.Generator().manual_seed(1), dtype=dtype)
    y0[7] = torch.finfo(dtype).max
    ys, jacobian = lab.sdeint_jacobian(Stiff(), y0, TS)
    assert bool(jacobian[:, :7].isfinite().all())
    assert not bool(ys[-1, 7].isfinite().all())


def test_a_drift_that_changes_its_state_is_refused() -> None:
    class InPlace(Decay):
        def f(self, t: Any, y: Tensor) -> Tensor:
            return y.clamp_(min=0.0)

    with pytest.raises(lab.ScenarioError, match=r"y\.clone"):
        lab.sdeint_jacobian(InPlace(), torch.ones(3, 1, dtype=DOUBLE), TS)


def test_modules_that_assert_their_shapes_are_taken_step_by_step() -> None:
    class Strict(Decay):
        def f(self, t: Any, y: Tensor) -> Tensor:
            assert y.shape == (3, 1), "made for three samples"
            assert torch.as_tensor(t).dim() == 0, "one time"
            return super().f(t, y)

    y0 = torch.ones(3, 1, dtype=DOUBLE)
    _, jacobian = lab.sdeint_jacobian(Strict(), y0, TS)
    power = (1.0 - 0.13) ** torch.arange(5, dtype=DOUBLE)
    torch.testing.assert_close(jacobian[:, 1, 0, 0], power, rtol=0, atol=1e-14)


COMPILED = "This backward function was compiled with non-empty donated buffers which requires …"
"""First words of torch 2.15 where a submodule was compiled by torch.compile."""


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (NotImplementedError("nobody wrote this"), "differentiated: NotImpl.*: nobody wrote this"),
        (RuntimeError(COMPILED), r"set_stance\(\"force_eager\"\)"),
    ],
)
def test_a_failure_of_the_derivative_is_told_from_one_of_the_solution(
    error: Exception, hint: str
) -> None:
    class NoBackward(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, y: Tensor) -> Tensor:
            return 2.0 * y

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            raise error

    class Broken(Decay):
        def f(self, t: Any, y: Tensor) -> Tensor:
            return NoBackward.apply(y)

    with pytest.raises(lab.ScenarioError, match=hint):
        lab.sdeint_jacobian(Broken(), torch.ones(3, 1, dtype=DOUBLE), TS)
