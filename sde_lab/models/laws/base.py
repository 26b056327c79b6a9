"""Exact laws of states and sensitivities over time: the interface of every distribution."""

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
    """Arguments of an exact law.

    Attributes:
        times: non-decreasing real times ≥ 0, (T,).
        parameters: value of every parameter of the model, by name.
        initial: initial state, one number per component.
        step: length Δ of a solver step, for the discrete law of a scheme.
        scheme: name of the scheme whose discrete law is wanted.
    """

    times: Array
    parameters: Mapping[str, float]
    initial: tuple[float, ...]
    step: float
    scheme: str = "euler"

    @property
    def counts(self) -> NDArray[np.intp]:
        """Number of solver steps to each time, (T,)."""
        return np.rint(self.times / self.step).astype(np.intp)


class Law(ABC):
    """Marginal distributions of a state, or of a sensitivity, at each time.

    One distribution per time and state component; in units of the quantity.

    Attributes:
        mean: (time, state) = (T, D).
        variance: (T, D); NaN where it is not known.
    """

    mean: Array
    variance: Array

    @property
    def kurtosis(self) -> Array:
        """Fourth central moment over the squared variance, (T, D); NaN where it is not known."""
        return np.full_like(self.variance, np.nan)

    def standard_errors(self, count: int) -> tuple[Array, Array]:
        """Return the standard errors of mean and standard deviation of samples of the law.

        They hold where the samples themselves say too little to estimate an error. Even so they
        are stated only up to a kurtosis of ``count``: beyond, the estimates are so far from
        Gaussian that three of their standard errors are exceeded several times as often.

        Args:
            count: number N of samples.

        Returns:
            σ / √N and σ √((κ − (N − 3) / (N − 1)) / N) / 2, (T, D) each; NaN where κ, the
            kurtosis, is not known or exceeds N.
        """
        if count < 2:
            unknown = np.full_like(self.variance, np.nan)
            return unknown, unknown
        kurtosis = self.kurtosis
        known = np.where(kurtosis <= count, kurtosis, np.nan)
        std = np.where(np.isfinite(known), np.sqrt(np.maximum(self.variance, 0.0)), np.nan)
        excess = np.maximum(known - (count - 3) / (count - 1), 0.0)
        return std / np.sqrt(count), std * np.sqrt(excess / count) / 2.0

    @abstractmethod
    def quantile(self, q: float) -> Array | None:
        """Return the q-quantile, (T, D), or None if only moments are known.

        Args:
            q: level, strictly between 0 and 1.

        Raises:
            ValueError: unless 0 < q < 1.
        """

    @abstractmethod
    def density(self, values: Array, time: int, component: int = 0) -> Array | None:
        """Return the probability density of one component at one time.

        Args:
            values: where to evaluate it, of any shape.
            time: index of the time.
            component: index of the state component.

        Returns:
            The density, of the shape of ``values``; None where it is not known, and where the
            distribution is a point mass.
        """


@dataclass(frozen=True)
class ExactLaws:
    """Exact laws over time, of the state and of every sensitivity whose law is known.

    Attributes:
        times: real times, (T,).
        state: law of X, (T, D): mean, variance, quantile and density.
        sensitivities: law of ∂X/∂p by column name, (T, D); names without a known law are left out.
        scheme: the exact laws of the scheme's discrete solution, where they are known.
        schemes: names of the schemes that have the discrete law ``scheme``.
    """

    times: Array
    state: Law
    sensitivities: Mapping[str, Law]
    scheme: ExactLaws | None = None
    schemes: tuple[str, ...] = ()

    @property
    def mean(self) -> Array:
        """Mean of the state, (T, D)."""
        return self.state.mean

    @property
    def variance(self) -> Array:
        """Variance of the state, (T, D); NaN where it is not known."""
        return self.state.variance

    def quantile(self, q: float) -> Array | None:
        """Return the q-quantile of the state, (T, D), or None where only moments are known.

        Raises:
            ValueError: unless 0 < q < 1.
        """
        return self.state.quantile(q)


@dataclass(frozen=True)
class ExactPaths:
    """The exact solution on given Brownian paths, with every pathwise derivative.

    Attributes:
        values: states, (time, sample, state) = (T, N, D).
        jacobian: derivatives, (T, N, D, P), with columns as in ``Model.jacobian_columns``.
    """

    values: Tensor
    jacobian: Tensor
