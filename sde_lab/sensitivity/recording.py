"""A decorator that gives the methods of the Jacobian a graph, whatever mode their caller is in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from torch import Tensor

from sde_lab.solver.autograd_mode import autograd_mode
from sde_lab.solver.simulate import Paths


def records_graph(method: Callable[[Paths], Tensor]) -> Callable[[Paths], Tensor]:
    """Run a method with autograd recording and on tensors that it accepts; detach the result.

    Without it every method fails inside ``torch.no_grad()`` or ``torch.inference_mode()``, and on
    paths that were simulated there.
    """

    @wraps(method)
    def run(paths: Paths) -> Tensor:
        with autograd_mode(recording=True):
            return method(paths.outside_inference()).detach()

    return run
