"""Exact laws: what theory says of a state or a sensitivity at each time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LawInputs:
    """What an exact law depends on.

    Attributes:
        times: (T,) real times, starting at 0.
        parameters: every parameter of the model.
        initial: initial state, one number per component.
        step: length of a solver step, for the law of a scheme.
    """

    times: Array
    parameters: Mapping[str, float]
    initial: tuple[float, ...]
    step: float


class Law(ABC):
    """The law of one quantity per state component, at each time.

    Attributes:
        mean: (T, D)
        variance: (T, D); NaN where it is not known.
    """

    mean: Array
    variance: Array

    @abstractmethod
    def quantile(self, q: float) -> Array | None:
        """The q-quantile, (T, D), or None if only moments are known.

        Raises:
            ValueError: unless 0 < q < 1.
        """

    @abstractmethod
    def density(self, values: Array, time: int, component: int = 0) -> Array | None:
        """The density at ``values`` (any shape) and time index ``time``.

        None where it is not known, and where the law is a point mass.
        """


@dataclass(frozen=True)
class ModelLaws:
    """Exact laws of the state and of every sensitivity that has one.

    Attributes:
        state: law of X, (T, D).
        sensitivities: law of ∂X/∂p by column name, (T, D); names without a known law are left out.
        scheme: the same for the scheme's own discrete law, where it is known (see ``schemes``).
        schemes: names of the schemes that have the discrete law ``scheme``.
    """

    state: Law
    sensitivities: Mapping[str, Law]
    scheme: ModelLaws | None = None
    schemes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExactPaths:
    """The exact solution on given Brownian paths, with every pathwise derivative.

    Attributes:
        values: (T, N, D)
        jacobian: (T, N, D, P), columns as in ``Model.columns``.
    """

    values: Tensor
    jacobian: Tensor
