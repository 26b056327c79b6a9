"""What a caller may have switched off or on around this package: autograd, for one thread.

A library user may call from inside ``torch.no_grad()`` or ``torch.inference_mode()``, as evaluation
code often does. Derivatives need a graph, and a tensor made in inference mode can never be part of
one, even later. So whatever is made here is made outside inference mode, and what comes from a
caller is copied where it was not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def autograd_mode(*, recording: bool) -> Iterator[None]:
    """Leave inference mode, and record a graph or not, until the end of the block.

    The modes belong to the thread: other sessions do not notice.

    Args:
        recording: whether operations inside are recorded for a backward pass.
    """
    # In this order: to leave inference mode switches recording on.
    with torch.inference_mode(mode=False), torch.set_grad_enabled(recording):
        yield


def outside_inference(tensor: Tensor) -> Tensor:
    """Return the tensor, or a copy that autograd accepts of one made in inference mode."""
    return tensor.clone() if tensor.is_inference() else tensor
