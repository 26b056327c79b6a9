"""Control of autograd's recording and inference modes, whatever the caller has set.

A library user may call from inside ``torch.no_grad()`` or ``torch.inference_mode()``, as evaluation
code often does. Derivatives need a graph, and a tensor created in inference mode can never be part
of one, even later. So this package creates all tensors outside inference mode, and copies tensors
of the caller that were created inside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def autograd_mode(*, recording: bool) -> Iterator[None]:
    """Leave inference mode and set autograd's recording within a ``with`` block.

    Both modes belong to the thread, so that other sessions are not affected.

    Args:
        recording: whether operations inside are recorded for a backward pass.
    """
    # The order matters: leaving inference mode switches recording on.
    with torch.inference_mode(mode=False), torch.set_grad_enabled(recording):
        yield


def outside_inference(tensor: Tensor) -> Tensor:
    """Return the tensor itself, or a copy if it was created in inference mode.

    The copy is created in the mode that holds now, so that autograd accepts it.
    """
    return tensor.clone() if tensor.is_inference() else tensor
