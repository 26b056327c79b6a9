"""The functions that an equation may use: all there are, with values that keep derivatives finite.

Each is its value for numbers; for tensors there is ``torch``. A function without a value at some
point (the root or the logarithm of a negative number) gives NaN there: such paths are counted as
diverged, like those of the built-in models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from sde_lab.models.base import safe_sqrt


@dataclass(frozen=True)
class Function:
    """One function of the list.

    Attributes:
        name: as it is typed.
        arity: number of arguments.
        scalar: its value for floats.
        torch: its value for tensors; those of two arguments take numbers as well.
    """

    name: str
    arity: int
    scalar: Callable[..., float]
    torch: Callable[..., Tensor]

    def __call__(self, *numbers: float) -> float:
        """Return the value for numbers.

        Raises:
            ArithmeticError, ValueError: where there is none.
        """
        return float(self.scalar(*numbers))


def _sqrt(x: Tensor) -> Tensor:
    """Return √x: at 0 with a finite derivative, below 0 NaN."""
    return torch.where(x < 0, math.nan, safe_sqrt(x))


def _sign(x: float) -> float:
    return (x > 0) - (x < 0)


def _step(x: Tensor) -> Tensor:
    return (x > 0).to(x.dtype)


def maximum(a: Tensor | float, b: Tensor | float) -> Tensor:
    """Return the larger of two values, at least one of which is a tensor."""
    if not isinstance(b, Tensor):
        a, b = b, a
    assert isinstance(b, Tensor)
    return torch.maximum(a, b) if isinstance(a, Tensor) else b.clamp(min=a)


def minimum(a: Tensor | float, b: Tensor | float) -> Tensor:
    """Return the smaller of two values, at least one of which is a tensor."""
    if not isinstance(b, Tensor):
        a, b = b, a
    assert isinstance(b, Tensor)
    return torch.minimum(a, b) if isinstance(a, Tensor) else b.clamp(max=a)


def power(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Return x to the power y, one of them a tensor, with finite derivatives at x = 0."""
    if not isinstance(y, Tensor):
        assert isinstance(x, Tensor)
        if y == 0.5:
            return _sqrt(x)
        if y == int(y):
            return x**y if y != -1 else 1.0 / x
    base = x if isinstance(x, Tensor) else torch.full_like(torch.as_tensor(y), x)
    zero = base == 0
    result = torch.where(zero, 1.0, base) ** y
    return torch.where(zero, torch.zeros_like(base) ** torch.as_tensor(y).detach(), result)


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        function.name: function
        for function in (
            Function("sqrt", 1, math.sqrt, _sqrt),
            Function("exp", 1, math.exp, torch.exp),
            Function("log", 1, math.log, torch.log),
            Function("sin", 1, math.sin, torch.sin),
            Function("cos", 1, math.cos, torch.cos),
            Function("tan", 1, math.tan, torch.tan),
            Function("atan", 1, math.atan, torch.atan),
            Function("sinh", 1, math.sinh, torch.sinh),
            Function("cosh", 1, math.cosh, torch.cosh),
            Function("tanh", 1, math.tanh, torch.tanh),
            Function("abs", 1, abs, torch.abs),
            Function("sign", 1, _sign, torch.sign),
            Function("step", 1, lambda x: float(x > 0), _step),
            Function("max", 2, max, maximum),
            Function("min", 2, min, minimum),
        )
    }
)
ALIASES = {"ln": "log", "arctan": "atan"}
