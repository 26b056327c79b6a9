"""Checks that the derivatives of a user's SDE are what they seem to be: one row's own, and all.

Reverse mode sums over the rows of a batch, and gives nothing at all where code leaves the graph
(``detach``, ``item``, numpy, a custom ``autograd.Function`` without a derivative). Neither raises;
both are found here, and refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sde_lab.errors import ScenarioError
from sde_lab.solver.step_time import Field

ONLY_TWICE = (
    "is not differentiated by row: that takes the derivative of the backward pass, which drift or"
    " diffusion does not have (a custom autograd.Function marked once_differentiable, or whose"
    " backward works outside of torch); write its backward in torch operations"
)


def random_cotangent(out: Tensor) -> Tensor:
    """Return weights of the entries of ``out``, the same at every call; 0 where it diverged."""
    stream = torch.Generator(device="cpu").manual_seed(0)
    weights = torch.randn(out.shape, generator=stream, dtype=torch.float64, device="cpu")
    return weights.to(out).masked_fill(~out.isfinite(), 0.0)


def require_own_derivatives(sde: object, a: Tensor, v: Tensor, by_state: Tensor) -> None:
    """Raise ScenarioError if the derivatives of some rows by the state hold those of others.

    The derivatives A came from cotangents that are the same in every row. If rows do not influence
    each other, a cotangent v that differs from row to row gives vᵀA, row by row; if they do, it
    gives another sum over the rows.

    Args:
        sde: the SDE, named in the error.
        a: A, (D, D, rows).
        v: a cotangent, (rows, D).
        by_state: its product with the derivative of all rows, (rows, D).
    """
    products = v.t().unsqueeze(1) * a
    known = products.isfinite().all(1).all(0) & by_state.isfinite().all(1)
    found, size = products.sum(0)[:, known].t(), products.abs().sum(0)[:, known].t()
    if not found.numel():
        return
    tolerance = torch.finfo(a.dtype).eps ** 0.5 * (size + size.mean())
    if bool(((found - by_state[known]).abs() > tolerance).any()):
        raise _interacting(sde)


def _interacting(sde: object) -> ScenarioError:
    return ScenarioError(
        "sde",
        type(sde).__name__,
        "rows of a batch must not influence each other, or the derivative of a row would hold"
        " those of others; components that interact work as columns of the state",
    )


def require_own_column(name: str, known: Tensor, found: Tensor, size: Tensor) -> None:
    """Raise ScenarioError if the derivatives of rows by a parameter do not add up to a known sum.

    The sum over rows, weighted by a cotangent, is one backward pass. The derivatives by row come
    from the derivative of a backward pass, and not every backward pass has one.

    Args:
        name: the parameter.
        known: vᵀ∂out/∂θ by one backward pass, for each entry of the parameter.
        found: the same sum over the derivatives by row.
        size: the sum over their absolute values.
    """
    both = found.isfinite() & known.isfinite()
    tolerance = torch.finfo(found.dtype).eps ** 0.5 * size + torch.finfo(found.dtype).tiny
    if bool(((found - known).abs() > tolerance)[both].any()):
        raise ScenarioError("wrt", name, ONLY_TWICE)


def require_separate_rows(
    sde: object, step: Callable[[Tensor], Tensor], x: Tensor, reached: Tensor
) -> None:
    """Raise ScenarioError if the states of some rows change when others do.

    The rows of each half of the batch take the states of their neighbours in turn; the halves are
    by the digits of the row's number in base 2, so that any two rows are apart in one of them.

    Args:
        sde: the SDE, named in the error.
        step: a step of all rows, (N, D) → (N, D).
        x: states before it, (N, D).
        reached: states after it, (N, D).
    """
    numbers, moved = torch.arange(len(x), device=x.device), x.roll(1, 0)
    for digit in range((len(x) - 1).bit_length()):
        half = (numbers >> digit) & 1 == 1
        for changed in (half, ~half):
            out = step(torch.where(changed.unsqueeze(1), moved, x))
            if not close(out[~changed], reached[~changed]):
                raise _interacting(sde)


def close(out: Tensor, reached: Tensor) -> bool:
    """Return True if states are equal to rounding, or diverged (Inf or NaN) in both."""
    diverged = ~(out.isfinite() | reached.isfinite())
    out, reached = out.masked_fill(diverged, 0.0), reached.masked_fill(diverged, 0.0)
    tight = torch.finfo(out.dtype).eps ** 0.75
    return torch.allclose(out, reached, rtol=tight, atol=tight)


def require_reached(
    field: Callable[[list[Tensor]], Field],
    where: str,
    names: Sequence[str],
    t: Tensor,
    x: Tensor,
    values: Sequence[Tensor],
) -> None:
    """Raise ScenarioError if drift or diffusion depends on something that its graph does not reach.

    What the graph does not reach has no derivative, not the derivative 0. A finite difference tells
    what is not used from what is used on a way that autograd does not see.

    Args:
        field: parameters → drift or diffusion with these parameters in place of its own.
        where: name of the drift or diffusion, for the error.
        names: the parameters.
        t: a time, ().
        x: states at that time, (N, D).
        values: the module's own parameters.
    """
    x = x.detach().requires_grad_()
    leaves = [value.detach().clone().requires_grad_() for value in values]
    out = field(leaves)(t, x)
    inputs = [x, *leaves]
    found: Sequence[Tensor | None] = [None] * len(inputs)
    if out.requires_grad:
        ones = torch.ones_like(out)
        _require_replaced(where, names, values, out, ones)
        found = torch.autograd.grad(out, inputs, ones, allow_unused=True)
    for index, gradient in enumerate(found):
        if gradient is None and _responds(field, t, x, leaves, index):
            name = names[index - 1] if index else "y"
            raise ScenarioError(
                "wrt" if index else where,
                name,
                f"{where} depends on {name}, but not by a way that autograd sees, so that its"
                " derivative is unknown, not zero; detach, item, numpy, new tensors made of"
                " values, autograd.grad without create_graph=True or a custom autograd.Function"
                " without that derivative cut it off",
            )


def _require_replaced(
    where: str, names: Sequence[str], values: Sequence[Tensor], out: Tensor, ones: Tensor
) -> None:
    """Raise ScenarioError if a value depends on a module's own parameter, which was replaced.

    It does where code kept a tensor that was made from the parameter, or the parameter itself in a
    list, outside the module's names: derivatives by the replacement miss that way.
    """
    own = {n: v for n, v in zip(names, values, strict=True) if v.requires_grad}
    if not own:
        return
    # The graph of a kept tensor belongs to the user: it must survive this.
    kept = torch.autograd.grad(out, list(own.values()), ones, allow_unused=True, retain_graph=True)
    for name, gradient in zip(own, kept, strict=True):
        if gradient is not None:
            raise ScenarioError(
                "wrt",
                name,
                f"{where} uses {name} by a tensor that the module keeps beside its parameters, made"
                " before the call or held in a list; use the parameter itself in the method",
            )


def _responds(
    field: Callable[[list[Tensor]], Field],
    t: Tensor,
    x: Tensor,
    leaves: Sequence[Tensor],
    index: int,
) -> bool:
    """Return True if a field changes smoothly with the states (index 0) or with a parameter.

    A jump or a kink changes one way only, and has no derivative that could be missing.
    """
    inputs = [x.detach(), *(leaf.detach() for leaf in leaves)]
    moved = inputs[index]
    step = torch.finfo(moved.dtype).eps ** (1.0 / 3.0)
    change = step * torch.where(moved == 0.0, torch.ones_like(moved), moved.abs())

    def evaluate(sign: float) -> Tensor:
        shifted = list(inputs)
        shifted[index] = moved + sign * change
        with torch.no_grad():
            return field(shifted[1:])(t, shifted[0]).double()

    below, here, above = evaluate(-1.0), evaluate(0.0), evaluate(1.0)
    first, second = here - below, above - here
    rounding = 16.0 * torch.finfo(x.dtype).eps * (below.abs() + here.abs() + above.abs())
    sizes = torch.minimum(first.abs(), second.abs())
    smooth = (second - first).abs() < 0.5 * sizes
    return bool((smooth & (sizes > rounding)).any())
