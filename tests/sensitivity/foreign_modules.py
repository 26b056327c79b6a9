"""Modules in the styles in which people write them, one line each in MODULES.

Each builder returns a fresh module in float64 with fixed weights; ``size`` states, ``channels`` of
noise, and the parameters to differentiate by stand beside it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize

DOUBLE = torch.float64


@dataclass(frozen=True)
class Style:
    """A module with what it needs to be solved.

    Attributes:
        make: builder of the module.
        wrt: parameters and buffers to differentiate by.
        size: number of states.
        channels: number of Brownian motions.
        scheme: name of a scheme.
        refused: None, or a pattern of the error that names the reason.
        start: lowest initial value.
    """

    make: Callable[[], Any]
    wrt: tuple[str, ...] = ()
    size: int = 2
    channels: int = 2
    scheme: str = "euler"
    refused: str | None = None
    start: float = -0.5


def seeded(module: nn.Module) -> nn.Module:
    """Fill all parameters with fixed numbers, in float64."""
    stream = torch.Generator().manual_seed(7)
    module = module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=stream))
    return module


class Base(nn.Module):
    """A drift and a diffusion given as functions of (module, t, y), with submodules by name."""

    def __init__(
        self,
        f: Callable[[Any, Any, Tensor], Tensor],
        g: Callable[[Any, Any, Tensor], Tensor] | None = None,
        noise_type: str = "diagonal",
        sde_type: str = "ito",
        **parts: Any,
    ) -> None:
        super().__init__()
        self.noise_type, self.sde_type = noise_type, sde_type
        self._f, self._g = f, g or (lambda m, t, y: torch.full_like(y, 0.2))
        for name, part in parts.items():
            if isinstance(part, Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def f(self, t: Any, y: Tensor) -> Tensor:
        return self._f(self, t, y)

    def g(self, t: Any, y: Tensor) -> Tensor:
        return self._g(self, t, y)


def number(value: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(value, dtype=DOUBLE))


def matrix(rows: int, columns: int) -> nn.Parameter:
    stream = torch.Generator().manual_seed(rows * 10 + columns)
    return nn.Parameter(0.5 * torch.randn(rows, columns, generator=stream, dtype=DOUBLE))


def network(*layers: nn.Module) -> nn.Module:
    return seeded(nn.Sequential(*layers))


class WithTime(nn.Module):
    """A network of the state and the time as an input column."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 4), nn.Softplus(), nn.Linear(4, 2))

    def forward(self, t: Any, y: Tensor) -> Tensor:
        return self.net(torch.cat([y, torch.as_tensor(t).expand(len(y), 1)], dim=1))


class Gated(nn.Module):
    """A submodule in which a recurrent cell is the drift."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(2, 2)

    def forward(self, y: Tensor) -> Tensor:
        return self.cell(y, y) - y


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])

    def forward(self, y: Tensor) -> Tensor:
        for block in self.blocks:
            y = y + 0.1 * torch.tanh(block(y))
        return y


class Attention(nn.Module):
    """Attention between the components of a row."""

    def __init__(self) -> None:
        super().__init__()
        self.key = nn.Linear(1, 3)

    def forward(self, y: Tensor) -> Tensor:
        key = self.key(y.unsqueeze(-1))
        return (torch.softmax(key @ key.transpose(1, 2), dim=-1) @ y.unsqueeze(-1)).squeeze(-1) - y


class Convolution(nn.Module):
    """Diffusion on a ring of cells by a circular convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular")

    def forward(self, y: Tensor) -> Tensor:
        return self.conv(y.unsqueeze(1)).squeeze(1)


class Cube(torch.autograd.Function):
    """A custom function whose backward is made of torch operations."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return y**3

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return 3.0 * grad * ctx.saved_tensors[0] ** 2


class Symmetric(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + x.t()


class Plain:
    """An object that is no module."""

    noise_type, sde_type = "diagonal", "ito"

    def f(self, t: Any, y: Tensor) -> Tensor:
        return torch.sin(y)

    def g(self, t: Any, y: Tensor) -> Tensor:
        return 0.3 * torch.cos(y)


class Joint(nn.Module):
    """Drift and diffusion by one method, from one network."""

    noise_type, sde_type = "diagonal", "ito"

    def __init__(self) -> None:
        super().__init__()
        self.net = seeded(nn.Linear(2, 4))

    def f_and_g(self, t: Any, y: Tensor) -> tuple[Tensor, Tensor]:
        f, g = self.net(torch.tanh(y)).chunk(2, dim=1)
        return f, functional.softplus(g)


class Products(nn.Module):
    """The diffusion only as a product with the noise."""

    noise_type, sde_type = "general", "stratonovich"

    def __init__(self) -> None:
        super().__init__()
        self.mixing = matrix(2, 3)

    def f(self, t: Any, y: Tensor) -> Tensor:
        return -y

    def g_prod(self, t: Any, y: Tensor, v: Tensor) -> Tensor:
        return torch.cos(y) * (v @ self.mixing.t())


class JointProducts(Products):
    """Drift and product by one method."""

    f = property()  # type: ignore[assignment]
    g_prod = property()  # type: ignore[assignment]

    def f_and_g_prod(self, t: Any, y: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return -y, torch.cos(y) * (v @ self.mixing.t())


def energy(m: Any, t: Any, y: Tensor) -> Tensor:
    """−∇U by autograd inside the drift."""
    with torch.enable_grad():
        y = y if y.requires_grad else y.requires_grad_()
        u = (m.k * y**2).sum() + torch.cos(y).sum()
        (force,) = torch.autograd.grad(u, y, create_graph=True)
    return -force


def by_rows(m: Any, t: Any, y: Tensor) -> Tensor:
    """Row by row in Python."""
    return torch.stack([-m.k * torch.sin(row) for row in y])


def by_items(m: Any, t: Any, y: Tensor) -> Tensor:
    """Written to a new tensor entry by entry."""
    out = torch.empty_like(y)
    out[:, 0] = y[:, 1]
    out[:, 1] = -m.k * torch.sin(y[:, 0])
    return out


def lotka(m: Any, t: Any, y: Tensor) -> Tensor:
    prey, predator = y.unbind(1)
    return torch.stack([m.k * prey - prey * predator, prey * predator - predator], dim=1)


def switching(m: Any, t: Any, y: Tensor) -> Tensor:
    return -m.k * y if t < 0.15 else m.k * torch.cos(y)


def iterated(m: Any, t: Any, y: Tensor) -> Tensor:
    """A fixed point by some iterations."""
    z = y
    for _ in range(4):
        z = torch.tanh(m.k * z + y)
    return z


def cholesky(m: Any, t: Any, y: Tensor) -> Tensor:
    factor = torch.linalg.cholesky(m.root @ m.root.t() + torch.eye(2, dtype=y.dtype))
    return factor.expand(len(y), 2, 2)


def solved(m: Any, t: Any, y: Tensor) -> Tensor:
    return torch.linalg.solve(m.a.t() @ m.a + torch.eye(2, dtype=y.dtype), y.t()).t()


def exponential(m: Any, t: Any, y: Tensor) -> Tensor:
    return y @ torch.linalg.matrix_exp(m.a) - y


def interpolated(m: Any, t: Any, y: Tensor) -> Tensor:
    """A table of values between which is interpolated."""
    place = (y.clamp(-0.99, 0.99) + 1.0) * 2.0
    low = place.detach().floor().long()
    return torch.lerp(m.table[low], m.table[low + 1], place - low)


def einsum_noise(m: Any, t: Any, y: Tensor) -> Tensor:
    return torch.einsum("ijk,bk->bij", m.tensor, torch.cos(y))


def noisy(m: Any, t: Any, y: Tensor) -> Tensor:
    return -y + torch.randn_like(y)


def counted(m: Any, t: Any, y: Tensor) -> Tensor:
    """A module that remembers how often it was called."""
    m.calls += 1
    return -y * float(m.calls)


def twice() -> nn.Module:
    """One submodule under two names."""
    first = seeded(nn.Linear(2, 2))
    return Base(lambda m, t, y: m.a(torch.tanh(m.b(y))), a=first, b=first)


def tied() -> nn.Module:
    """Two submodules that share a weight."""
    first, second = seeded(nn.Linear(2, 2)), seeded(nn.Linear(2, 2))
    second.weight = first.weight
    return Base(lambda m, t, y: m.a(torch.tanh(m.b(y))), a=first, b=second)


def frozen() -> nn.Module:
    net = network(nn.Linear(2, 2), nn.Tanh())
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    return Base(lambda m, t, y: m.net(y), net=net)


def scripted() -> Any:
    return Base(lambda m, t, y: -m.k * y, k=number(1.2))


def hooked() -> nn.Module:
    net = network(nn.Linear(2, 2))
    net.register_forward_hook(lambda module, given, out: torch.tanh(out))
    return Base(lambda m, t, y: m.net(y), net=net)


def weight_normed() -> nn.Module:
    net = seeded(parametrizations.weight_norm(nn.Linear(2, 2).double()))
    return Base(lambda m, t, y: m.net(y), net=net)


def parametrized() -> nn.Module:
    net = nn.Linear(2, 2).double()
    parametrize.register_parametrization(net, "weight", Symmetric())
    return Base(lambda m, t, y: m.net(y), net=seeded(net))


def conditioned() -> nn.Module:
    """A context of each sample's own, kept as a buffer."""
    context = torch.linspace(0.0, 1.0, 6, dtype=DOUBLE).view(3, 2)
    return Base(lambda m, t, y: m.k * m.context - y, k=number(0.7), context=context)


def normalised(kind: type[nn.Module]) -> Callable[[], nn.Module]:
    return lambda: Base(lambda m, t, y: m.norm(y) - y, norm=seeded(kind(2)))


K = {"k": 1.3}


def simple(f: Any, g: Any = None, noise: str = "diagonal", reading: str = "ito") -> Any:
    return lambda: Base(f, g, noise, reading, k=number(1.3))


def net(*layers: Any) -> Any:
    return lambda: Base(lambda m, t, y: m.net(y), net=network(*(make() for make in layers)))


linear = functools.partial(nn.Linear, 2, 2)
MODULES: dict[str, Style] = {
    "no module": Style(Plain),
    "a scalar": Style(simple(lambda m, t, y: -m.k * y), ("k",)),
    "sine": Style(simple(lambda m, t, y: torch.sin(m.k * y)), ("k",)),
    "time in the drift": Style(simple(lambda m, t, y: torch.cos(m.k * t) - y), ("k",)),
    "math of the time": Style(simple(lambda m, t, y: m.k * math.cos(float(t)) - y), ("k",)),
    "a switch in time": Style(simple(switching), ("k",)),
    "a switch in space": Style(simple(lambda m, t, y: torch.where(y > 0, -m.k * y, y)), ("k",)),
    "masks": Style(simple(lambda m, t, y: -m.k * y * (y.abs() < 0.4)), ("k",)),
    "clamp": Style(simple(lambda m, t, y: -m.k * y.clamp(min=0.0)), ("k",)),
    "power of a parameter": Style(simple(lambda m, t, y: -((y.abs() + 1.0) ** m.k)), ("k",)),
    "entry by entry": Style(simple(by_items), ("k",)),
    "row by row": Style(simple(by_rows), ("k",)),
    "unbind and stack": Style(simple(lotka), ("k",), start=0.5),
    "a fixed point": Style(simple(iterated), ("k",)),
    "gradient of an energy": Style(simple(energy), ("k",)),
    "custom function": Style(simple(lambda m, t, y: -m.k * Cube.apply(y)), ("k",)),
    "matrix drift": Style(lambda: Base(lambda m, t, y: y @ m.a, a=matrix(2, 2)), ("a",)),
    "solve": Style(lambda: Base(solved, a=matrix(2, 2)), ("a",)),
    "matrix exponential": Style(lambda: Base(exponential, a=matrix(2, 2)), ("a",)),
    "table": Style(lambda: Base(interpolated, table=torch.arange(5.0).double().cos()), ("table",)),
    "buffer": Style(lambda: Base(lambda m, t, y: m.c - y, c=torch.ones(2).double()), ("c",)),
    "multilayer perceptron": Style(
        net(linear, nn.Tanh, linear), ("net.0.weight", "net.0.bias", "net.2.weight")
    ),
    "ReLU": Style(net(linear, nn.ReLU, linear), ("net.0.weight",)),
    "GELU": Style(net(linear, nn.GELU, linear), ("net.2.bias",)),
    "ELU": Style(net(linear, nn.ELU, linear), ("net.2.weight",)),
    "eight hidden": Style(
        net(lambda: nn.Linear(2, 8), nn.SiLU, lambda: nn.Linear(8, 2)), ("net.0.weight",)
    ),
    "time as an input": Style(
        lambda: Base(lambda m, t, y: m.net(t, y), net=seeded(WithTime())), ("net.net.0.weight",)
    ),
    "module list": Style(
        lambda: Base(lambda m, t, y: m.net(y) - 2 * y, net=seeded(Residual())),
        ("net.blocks.1.weight",),
    ),
    "recurrent cell": Style(
        lambda: Base(lambda m, t, y: m.net(y), net=seeded(Gated())), ("net.cell.weight_hh",)
    ),
    "attention within a row": Style(
        lambda: Base(lambda m, t, y: m.net(y), net=seeded(Attention())), ("net.key.weight",)
    ),
    "convolution": Style(
        lambda: Base(lambda m, t, y: m.net(y) - y, net=seeded(Convolution())),
        ("net.conv.weight",),
        size=4,
        channels=4,
    ),
    "layer norm": Style(normalised(nn.LayerNorm), ("norm.weight",)),
    "shared submodule": Style(twice, ("a.weight",)),
    "shared weights": Style(tied, ("a.weight", "b.bias")),
    "frozen weights": Style(frozen, ("net.0.weight",)),
    "forward hook": Style(hooked, ("net.0.weight",)),
    "weight norm": Style(weight_normed, ("net.parametrizations.weight.original1", "net.bias")),
    "parametrization": Style(parametrized, ("net.parametrizations.weight.original",)),
    "a context for each sample": Style(conditioned, ("k",)),
    "f_and_g": Style(Joint, ("net.weight",)),
    "g_prod": Style(Products, ("mixing",), channels=3, scheme="heun"),
    "f_and_g_prod": Style(JointProducts, ("mixing",), channels=3, scheme="midpoint"),
    "scalar noise": Style(
        simple(lambda m, t, y: -y, lambda m, t, y: (m.k * torch.cos(y)).unsqueeze(-1), "scalar"),
        ("k",),
        channels=1,
        scheme="srk",
    ),
    "additive noise": Style(
        lambda: Base(lambda m, t, y: -y, cholesky, "additive", root=matrix(2, 2)), ("root",)
    ),
    "general noise": Style(
        lambda: Base(
            lambda m, t, y: -y,
            einsum_noise,
            "general",
            tensor=nn.Parameter(torch.linspace(-0.5, 0.5, 12, dtype=DOUBLE).view(2, 3, 2)),
        ),
        ("tensor",),
        channels=3,
    ),
    "Milstein": Style(
        simple(lambda m, t, y: -y, lambda m, t, y: m.k * torch.sin(y)), ("k",), scheme="milstein"
    ),
    "no gradient Milstein": Style(
        simple(lambda m, t, y: -y, lambda m, t, y: m.k * torch.sin(y)),
        ("k",),
        scheme="milstein_grad_free",
    ),
    "Stratonovich": Style(
        simple(lambda m, t, y: -y, lambda m, t, y: m.k * y, reading="stratonovich"),
        ("k",),
        scheme="euler_heun",
    ),
    "batch norm": Style(
        normalised(nn.BatchNorm1d), ("norm.weight",), refused="influence each other"
    ),
    "dropout": Style(
        net(linear, nn.Dropout), ("net.0.weight",), refused="when the same step is repeated"
    ),
    "noise of its own": Style(simple(noisy), refused="when the same step is repeated"),
    "memory": Style(lambda: Base(counted, calls=0), refused="when the same step is repeated"),
    "mean field": Style(
        simple(lambda m, t, y: y.mean(0, keepdim=True) - m.k * y),
        ("k",),
        refused="influence each other",
    ),
    "in place": Style(simple(lambda m, t, y: y.mul_(-1.0)), refused=r"y\.clone"),
    "detached": Style(simple(lambda m, t, y: -m.k.detach() * y), ("k",), refused="depends on k"),
    "numbers": Style(simple(lambda m, t, y: -m.k.item() * y), ("k",), refused="depends on k"),
    "no gradient": Style(simple(torch.no_grad()(lambda m, t, y: -m.k * y)), refused="depends on y"),
    "sparse derivative": Style(
        simple(lambda m, t, y: torch.bucketize(y, m.k.view(1)).to(y)), ("k",)
    ),
    "a list of numbers": Style(
        simple(lambda m, t, y: y.new_tensor([[-v for v in row] for row in y.tolist()])),
        refused="depends on y",
    ),
    "wrong shape": Style(simple(lambda m, t, y: y.sum(1)), refused="shape must be"),
    "no tensor": Style(simple(lambda m, t, y: 0.0), refused="must return a tensor"),
}
