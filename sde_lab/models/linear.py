"""Exact Gaussian laws of linear SDEs with additive noise, and of their derivatives.

dY = (AY + a) dt + B dW is Gaussian. Its derivative by a parameter solves a linear SDE driven by the
same noise, d∂Y = (A ∂Y + ∂A Y + ∂a) dt + ∂B dW, so the pair (Y, ∂Y) is Gaussian as well.

Source: matrix exponential for the covariance: Van Loan (1978), Computing integrals involving the
matrix exponential.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm

from sde_lab.models.exact import Array, Exact
from sde_lab.models.laws import Gaussian


@dataclass(frozen=True)
class Linear:
    """dY = (AY + a) dt + B dW from Y₀ = start: shapes (n, n), (n,), (n, m), (n,).

    The same fields with derivatives in them describe how the equation depends on a parameter.
    """

    matrix: Array
    shift: Array
    noise: Array
    start: Array

    @property
    def size(self) -> int:
        """Number of components."""
        return len(self.start)


def linear_laws(times: Array, sde: Linear, variations: Mapping[str, Linear]) -> Exact:
    """Laws of Y and of its derivative by each named variation, at times (T,) starting at 0."""
    mean, variance = _moments(times, sde)
    laws = {}
    for name, variation in variations.items():
        both = _joint(sde, variation)
        joint_mean, joint_variance = _moments(times, both)
        laws[name] = Gaussian(joint_mean[:, sde.size :], joint_variance[:, sde.size :])
    return Exact(state=Gaussian(mean, variance), sensitivities=laws)


def _joint(sde: Linear, variation: Linear) -> Linear:
    """The linear SDE of (Y, ∂Y)."""
    nothing = np.zeros_like(sde.matrix)
    return Linear(
        matrix=np.block([[sde.matrix, nothing], [variation.matrix, sde.matrix]]),
        shift=np.concatenate([sde.shift, variation.shift]),
        noise=np.concatenate([sde.noise, variation.noise]),
        start=np.concatenate([sde.start, variation.start]),
    )


def _moments(times: Array, sde: Linear) -> tuple[Array, Array]:
    """Mean and variance of each component, (T, n) each."""
    size = sde.size
    mean, covariance = np.append(sde.start, 1.0), np.zeros((size, size))
    means, variances = [sde.start], [np.zeros(size)]
    steps: dict[float, tuple[Array, Array]] = {}
    for step in np.diff(times):
        key = float(f"{step:.12g}")
        if key not in steps:
            steps[key] = _one_step(sde, key)
        flow, added = steps[key]
        mean = flow @ mean
        part = flow[:size, :size]
        covariance = part @ covariance @ part.T + added
        means.append(mean[:size])
        variances.append(np.diag(covariance).clip(min=0.0))
    return np.array(means), np.array(variances)


def _one_step(sde: Linear, step: float) -> tuple[Array, Array]:
    """Over one step: the flow of (Y, 1), (n + 1, n + 1), and the covariance it adds, (n, n)."""
    size = sde.size
    extended = np.zeros((size + 1, size + 1))
    extended[:size, :size], extended[:size, size] = sde.matrix, sde.shift
    block = np.zeros((2 * size, 2 * size))
    block[:size, :size], block[size:, size:] = -sde.matrix, sde.matrix.T
    block[:size, size:] = sde.noise @ sde.noise.T
    whole = expm(block * step)
    added = whole[size:, size:].T @ whole[:size, size:]
    return expm(extended * step), 0.5 * (added + added.T)
