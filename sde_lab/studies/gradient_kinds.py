"""Three gradients from one Jacobian: of one path at one time, of the mean, and summed over time.

Each is a weighted sum Σ v · ∂X/∂x₀ of the same derivatives. The weights v, of the shape (T, N, D)
of the paths, are what ``torch.autograd.grad`` takes as ``grad_outputs`` (a vector-Jacobian
product), so which gradient one gets is a choice of v.
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
from sde_lab.summaries.estimators import moments


@dataclass(frozen=True)
class GradientKind:
    """One choice of the weights v.

    Attributes:
        name: short name for people.
        formula: the gradient as LaTeX.
        grad_outputs: function from paths (T, N, D) to weights of the same shape. Its source is
            shown on a page, without a docstring.
        meaning: the question that the gradient answers.
    """

    name: str
    formula: str
    grad_outputs: Callable[[Tensor], Tensor]
    meaning: str


@dataclass(frozen=True)
class GradientComparison:
    """The three gradients of the first component with respect to its own initial value.

    Attributes:
        times: in the model's unit, (T,).
        each: ∂X_t/∂x₀ of the first S samples, (T, S), S ≤ :data:`MAX_DISPLAY_SAMPLES`.
        mean: its mean over all samples, (T,).
        mean_error: standard error of the mean, (T,); NaN for too few effective samples.
        sums: sum over time of each of the first S samples, (S,).
        from_autograd: by ``autograd.grad``, in the order of :data:`KINDS`: the first sample at the
            last time, the mean at the last time, and the first sample summed over time.
        from_jacobian: the same three numbers from the Jacobian.
    """

    times: Tensor
    each: Tensor
    mean: Tensor
    mean_error: Tensor
    sums: Tensor
    from_autograd: tuple[float, ...]
    from_jacobian: tuple[float, ...]


MAX_DISPLAY_SAMPLES = 30
"""Samples whose gradients are returned one by one, at most."""


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
        "how one path responds at one time",
    ),
    GradientKind(
        "mean over the paths",
        r"\frac1N \sum_n \frac{\partial X_T^{(n)}}{\partial x_0}",
        mean_over_samples,
        "how the expectation responds",
    ),
    GradientKind(
        "sum over time",
        r"\sum_k \frac{\partial X_{t_k}^{(1)}}{\partial x_0}",
        sum_over_time,
        "the gradient of a loss that sums over all times",
    ),
)
"""The three kinds, in the order of the numbers in :class:`GradientComparison`."""


def compare_gradients(scenario: Scenario) -> GradientComparison:
    """Compute the three gradients from one Jacobian, and by three backward passes, in float64.

    Raises:
        ScenarioError: if the Jacobian does not fit the memory budget.
    """
    setup = torchsde_setup(scenario.replace(dtype="float64"))
    each = METHODS["replay"](setup)[:, :, 0, 0]
    sums, estimate = each.sum(dim=0), moments(each.numpy())
    mean = torch.from_numpy(estimate.mean)
    return GradientComparison(
        times=setup.ts * scenario.step,
        each=each[:, :MAX_DISPLAY_SAMPLES],
        mean=mean,
        mean_error=torch.from_numpy(estimate.mean_error),
        sums=sums[:MAX_DISPLAY_SAMPLES],
        from_autograd=_gradients_by_autograd(setup),
        from_jacobian=(float(each[-1, 0]), float(mean[-1]), float(sums[0])),
    )


def _gradients_by_autograd(s: TorchsdeSetup) -> tuple[float, ...]:
    """Compute each kind by one backward pass with its weights.

    Every sample has an initial value of its own, a leaf (N, D); a path depends on its own leaf
    alone, so the sum over the leaves is the derivative with respect to their common value.
    """
    x0 = s.x0.repeat(s.samples, 1).requires_grad_()
    paths = sdeint(s.sde, x0, s.ts, bm=s.bm, **s.solver)
    gradients = []
    for kind in KINDS:
        weights = kind.grad_outputs(paths)
        (gradient,) = torch.autograd.grad(paths, x0, weights, retain_graph=True)
        gradients.append(float(gradient[:, 0].sum()))
    return tuple(gradients)
