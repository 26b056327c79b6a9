"""Which gradient is wanted: for each time and sample, the mean over samples, or a sum over time.

All three are sums of the same Jacobian, each with its own weights: its ``grad_outputs``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torchsde import sdeint

from sde_lab.scenario import Scenario
from sde_lab.studies.benchmark.registry import METHODS
from sde_lab.studies.benchmark.torchsde_setup import TorchsdeSetup, torchsde_setup


@dataclass(frozen=True)
class GradientKind:
    """One gradient that one may want.

    Attributes:
        name: as it stands in the table.
        formula: LaTeX.
        grad_outputs: gives the weights, (T, N, D), for paths of that shape.
        meaning: what it answers.
    """

    name: str
    formula: str
    grad_outputs: Callable[[Tensor], Tensor]
    meaning: str


@dataclass(frozen=True)
class GradientComparison:
    """The three gradients of the first component by its own start.

    Attributes:
        times: (T,)
        each: of a few samples at every time, (T, S).
        mean: the mean over all samples at every time, (T,).
        mean_error: its standard error, (T,).
        sums: the sum over time of each of those samples, (S,).
        from_autograd: the same three numbers by ``autograd.grad``: of the first sample at the last
            time, of the mean at the last time, and the sum over time of the first sample.
        from_jacobian: those three from the Jacobian.
    """

    times: Tensor
    each: Tensor
    mean: Tensor
    mean_error: Tensor
    sums: Tensor
    from_autograd: tuple[float, ...]
    from_jacobian: tuple[float, ...]


SHOWN = 30
"""Samples on show."""


def one_path_one_time(X: Tensor) -> Tensor:
    v = torch.zeros_like(X)
    v[-1, 0, 0] = 1.0
    return v


def mean_over_samples(X: Tensor) -> Tensor:
    v = torch.zeros_like(X)
    v[-1, :, 0] = 1.0 / X.shape[1]
    return v


def sum_over_time(X: Tensor) -> Tensor:
    v = torch.zeros_like(X)
    v[:, 0, 0] = 1.0
    return v


KINDS = (
    GradientKind(
        "for this path, at this time",
        r"\frac{\partial X_T^{(1)}}{\partial x_0}",
        one_path_one_time,
        "how one path answers at one time",
    ),
    GradientKind(
        "mean over the paths",
        r"\frac1N \sum_n \frac{\partial X_T^{(n)}}{\partial x_0}",
        mean_over_samples,
        "how the expectation answers",
    ),
    GradientKind(
        "sum over time",
        r"\sum_k \frac{\partial X_{t_k}^{(1)}}{\partial x_0}",
        sum_over_time,
        "what a loss feels that adds up all times",
    ),
)
"""In the order of the numbers in :class:`Wanted`."""


def compare_gradients(scenario: Scenario) -> GradientComparison:
    """The three gradients, from one Jacobian and from three backward passes, in float64.

    Raises:
        ScenarioError: if the Jacobian does not fit the memory budget.
    """
    setup = torchsde_setup(scenario.replace(dtype="float64"))
    each = METHODS["replay"](setup)[:, :, 0, 0]
    samples = each.shape[1]
    mean, sums = each.mean(dim=1), each.sum(dim=0)
    spread = each.std(dim=1) if samples > 1 else torch.full_like(mean, torch.nan)
    return GradientComparison(
        times=setup.ts * scenario.step,
        each=each[:, :SHOWN],
        mean=mean,
        mean_error=spread / samples**0.5,
        sums=sums[:SHOWN],
        from_autograd=_backward(setup),
        from_jacobian=(float(each[-1, 0]), float(mean[-1]), float(sums[0])),
    )


def _backward(s: TorchsdeSetup) -> tuple[float, ...]:
    """One backward pass for each kind, with its weights: its sum over the samples' starts."""
    x0 = s.x0.repeat(s.samples, 1).requires_grad_()
    path = sdeint(s.sde, x0, s.ts, bm=s.bm, **s.solver)
    found = []
    for kind in KINDS:
        weights = kind.grad_outputs(path)
        (gradient,) = torch.autograd.grad(path, x0, weights, retain_graph=True)
        found.append(float(gradient[:, 0].sum()))
    return tuple(found)
