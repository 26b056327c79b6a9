"""Nine methods for ∂X_t/∂x₀ with PyTorch and torchsde, as a user would write them.

A page shows this source and the benchmark runs it, so there are no docstrings in between. Each
function takes a :class:`TorchsdeSetup` and returns the derivative of every state with respect to
the initial state, (T, N, D, D): time, sample, component of the state, component of the initial
state. The first, :func:`summed`, returns only their sum, (D,).
"""

from __future__ import annotations

from typing import Any

import torch
from torchsde import sdeint

from sde_lab.sensitivity.engines import simulate
from sde_lab.sensitivity.jacobian import jacobian
from sde_lab.studies.benchmark.torchsde_setup import TorchsdeSetup


def summed(s: TorchsdeSetup) -> torch.Tensor:
    x0 = s.x0.clone().requires_grad_()
    X = sdeint(s.sde, x0.expand(s.samples, -1), s.ts, bm=s.bm, **s.solver)
    (total,) = torch.autograd.grad(outputs=X, inputs=x0, grad_outputs=torch.ones_like(X))
    return total  # (D,): the sum over times, samples and components


def loop(s: TorchsdeSetup) -> torch.Tensor:
    x0 = s.x0.repeat(s.samples, 1).requires_grad_()  # a leaf for every sample
    X = sdeint(s.sde, x0, s.ts, bm=s.bm, **s.solver)
    times, samples, size = X.shape
    J = X.new_empty(times, samples, size, size)
    for k in range(times):
        for d in range(size):
            (J[k, :, d],) = torch.autograd.grad(X[k, :, d].sum(), x0, retain_graph=True)
    return J


def jacrev(s: TorchsdeSetup) -> torch.Tensor:
    def sample(t: torch.Tensor, N: int, x0: torch.Tensor) -> torch.Tensor:
        return sdeint(s.sde, x0.expand(N, -1), t, bm=s.bm, **s.solver)

    return torch.func.jacrev(sample, argnums=2)(s.ts, s.samples, s.x0)


def jacrev_chunked(s: TorchsdeSetup) -> torch.Tensor:
    def sample(t: torch.Tensor, N: int, x0: torch.Tensor) -> torch.Tensor:
        return sdeint(s.sde, x0.expand(N, -1), t, bm=s.bm, **s.solver)

    return torch.func.jacrev(sample, argnums=2, chunk_size=64)(s.ts, s.samples, s.x0)


def batched(s: TorchsdeSetup) -> torch.Tensor:
    x0 = s.x0.repeat(s.samples, 1).requires_grad_()  # a leaf for every sample
    X = sdeint(s.sde, x0, s.ts, bm=s.bm, **s.solver)
    times, samples, size = X.shape
    each = torch.eye(times * size, dtype=X.dtype, device=X.device)
    each = each.view(-1, times, 1, size).expand(-1, -1, samples, -1)
    (J,) = torch.autograd.grad(X, x0, grad_outputs=each, is_grads_batched=True)
    return J.view(times, size, samples, size).transpose(1, 2)


def jacfwd(s: TorchsdeSetup) -> torch.Tensor:
    def sample(t: torch.Tensor, N: int, x0: torch.Tensor) -> torch.Tensor:
        return sdeint(s.sde, x0.expand(N, -1), t, bm=s.bm, **s.solver)

    return torch.func.jacfwd(sample, argnums=2)(s.ts, s.samples, s.x0)


def derivative(h: Any, x: torch.Tensor) -> torch.Tensor:
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        y = h(x) + 0 * x.sum(1, keepdim=True)
    columns = [torch.autograd.grad(c.sum(), x, retain_graph=True)[0] for c in y.unbind(1)]
    return torch.stack(columns, 1)  # ∂h_i/∂x_j of every row: (N, i, j)


class FirstVariation:
    """dX = f dt + g dW and dJ = (∂f/∂x) J dt + (∂g/∂x) J dW as one SDE of size D + D²."""

    def __init__(self, sde: Any, size: int) -> None:
        self.sde, self.size, self.sde_type = sde, size, sde.sde_type
        self.noise_type = "additive" if sde.noise_type == "additive" else "general"

    def f(self, t: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        x, J = z[:, : self.size], z[:, self.size :].unflatten(1, (self.size, self.size))
        slope = derivative(lambda x: self.sde.f(t, x), x)
        return torch.cat([self.sde.f(t, x), (slope @ J).flatten(1)], 1)

    def g(self, t: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        x, J = z[:, : self.size], z[:, self.size :].unflatten(1, (self.size, self.size))
        g = self.matrix(t, x)
        slope = derivative(lambda x: self.matrix(t, x).flatten(1), x)
        slope = slope.unflatten(1, g.shape[1:])
        return torch.cat([g, torch.einsum("nimk,nkj->nijm", slope, J).flatten(1, 2)], 1)

    def matrix(self, t: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        g = self.sde.g(t, x)
        return g.diag_embed() if g.dim() == 2 else g


def first_variation(s: TorchsdeSetup) -> torch.Tensor:
    size = len(s.x0)
    z0 = torch.cat([s.x0, torch.eye(size).to(s.x0).flatten()])
    z = sdeint(FirstVariation(s.sde, size), z0.repeat(s.samples, 1), s.ts, bm=s.bm, **s.solver)
    return z[:, :, size:].unflatten(2, (size, size))


def replay(s: TorchsdeSetup) -> torch.Tensor:
    paths = simulate(s.scenario, s.noise, engine="torchsde")
    return jacobian(paths).values[..., : len(s.x0)]  # the other columns: by each parameter


def compiled(s: TorchsdeSetup) -> torch.Tensor:
    paths = simulate(s.scenario, s.noise, engine="compiled")
    return jacobian(paths, engine="compiled").values[..., : len(s.x0)]
