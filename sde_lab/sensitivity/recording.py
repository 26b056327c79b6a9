"""Give the methods of the Jacobian the graph that they need, whatever their caller switched off."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from torch import Tensor

from sde_lab.solver.autograd_mode import autograd_mode
from sde_lab.solver.simulate import Paths


def records_graph(method: Callable[[Paths], Tensor]) -> Callable[[Paths], Tensor]:
    """Run a method with autograd recording, on tensors that it accepts; return no graph.

    Without it every method fails inside ``torch.no_grad()`` or ``torch.inference_mode()``, and on
    paths that come from there.
    """

    @wraps(method)
    def run(paths: Paths) -> Tensor:
        with autograd_mode(recording=True):
            return method(paths.outside_inference()).detach()

    return run
