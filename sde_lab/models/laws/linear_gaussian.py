"""Exact Gaussian laws of linear SDEs with additive noise, and of their derivatives.

dY = (AY + a) dt + B dW is Gaussian. Its derivative by a parameter solves a linear SDE driven by the
same noise, d∂Y = (A ∂Y + ∂A Y + ∂a) dt + ∂B dW, so the pair (Y, ∂Y) is Gaussian as well.

Source: the integrals and their doubling: Van Loan (1978), Computing integrals involving the matrix
exponential.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm

from sde_lab.models.laws.base import Array, ExactLaws
from sde_lab.models.laws.distributions import Gaussian

GAUSS_NODES, GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(12)
"""Gauss–Legendre on [−1, 1], exact to degree 23: the error for e^{2s}, s ≤ 1, is below 1e-16."""
TAYLOR_TERMS = 20
"""Terms of the Taylor series of e^{As}: the remainder at ‖A‖s ≤ 1 is below 1/20! = 4e-19."""


@dataclass(frozen=True)
class LinearSDE:
    """The linear SDE dY = (AY + a) dt + B dW from Y₀ = start.

    The same fields holding ∂A, ∂a, ∂B and ∂start are the variation of an equation by a parameter.

    Attributes:
        matrix: A, (n, n).
        shift: a, (n,).
        noise: B, (n, m).
        start: (n,)
    """

    matrix: Array
    shift: Array
    noise: Array
    start: Array

    @property
    def size(self) -> int:
        """Number of components."""
        return len(self.start)


def gaussian_laws(times: Array, sde: LinearSDE, variations: Mapping[str, LinearSDE]) -> ExactLaws:
    """Return the Gaussian laws of Y and of its derivative by each variation.

    Args:
        times: non-decreasing, ≥ 0, (T,). The law at a time does not depend, beyond rounding, on the
            other times.
        sde: the equation.
        variations: derivative of the equation's fields by each parameter, by name.
    """
    mean, variance = _moments(times, sde)
    laws = {}
    for name, variation in variations.items():
        both = _joint(sde, variation)
        joint_mean, joint_variance = _moments(times, both)
        laws[name] = Gaussian(joint_mean[:, sde.size :], joint_variance[:, sde.size :])
    return ExactLaws(times, Gaussian(mean, variance), laws)


def _joint(sde: LinearSDE, variation: LinearSDE) -> LinearSDE:
    """Return the linear SDE of the pair (Y, ∂Y), of 2n components."""
    zero = np.zeros_like(sde.matrix)
    return LinearSDE(
        matrix=np.block([[sde.matrix, zero], [variation.matrix, sde.matrix]]),
        shift=np.concatenate([sde.shift, variation.shift]),
        noise=np.concatenate([sde.noise, variation.noise]),
        start=np.concatenate([sde.start, variation.start]),
    )


def _moments(times: Array, sde: LinearSDE) -> tuple[Array, Array]:
    """Return mean and variance of each component, (T, n) each."""
    size = sde.size
    # The mean is extended by a constant 1, so that the shift is one more column of the flow.
    mean, covariance = np.append(sde.start, 1.0), np.zeros((size, size))
    means, variances = [], []
    steps: dict[float, tuple[Array, Array]] = {}
    with np.errstate(over="ignore", invalid="ignore"):  # an unstable equation may overflow
        for step in np.diff(times, prepend=0.0):
            key = float(f"{step:.12g}")  # equal steps that differ by rounding share one exponential
            if key not in steps:
                steps[key] = _one_step(sde, key)
            flow, added = steps[key]
            mean = flow @ mean
            part = flow[:size, :size]
            covariance = part @ covariance @ part.T + added
            means.append(mean[:size])
            variances.append(np.diag(covariance).clip(min=0.0))
    return np.array(means), np.array(variances)


def _one_step(sde: LinearSDE, step: float) -> tuple[Array, Array]:
    """Return the flow of (Y, 1) over one step, (n + 1, n + 1), and the covariance it adds, (n, n).

    The step is halved until ‖A‖h ≤ 1, and doubled back: Φ(2h) = Φ(h)², Q(2h) = Q(h) + Φ(h) Q(h)
    Φ(h)ᵀ. All terms are positive semidefinite, so that nothing cancels however long or stiff the
    step is. By one exponential of the block matrix of A and −A, as in Van Loan, the covariance
    would be a difference of numbers as large as e^{‖A‖h}: no correct digit beyond ‖A‖h ≈ 36.
    """
    size = sde.size
    extended = np.zeros((size + 1, size + 1))
    extended[:size, :size], extended[:size, size] = sde.matrix, sde.shift
    norm = min(float(np.linalg.norm(sde.matrix, 1)) * step, sys.float_info.max)  # ‖A‖h
    halvings = max(0, math.ceil(math.log2(norm))) if norm > 0.0 else 0
    short = step * 0.5**halvings
    flow, added = expm(extended * short), _short_covariance(sde, short)
    for _ in range(halvings):
        part = flow[:size, :size]
        added = added + part @ added @ part.T
        flow = flow @ flow
    return flow, 0.5 * (added + added.T)


def _short_covariance(sde: LinearSDE, step: float) -> Array:
    """Return Q = ∫₀ʰ e^{As} B Bᵀ e^{Aᵀs} ds of a step with ‖A‖h ≤ 1, (n, n).

    By Gauss–Legendre, of a Taylor series of e^{As}B: both exact to rounding on so short a step. A
    sum of squares keeps the relative precision of small entries, such as the h³/3 of a position
    beside the h of its velocity.
    """
    times = 0.5 * step * (GAUSS_NODES + 1.0)
    term = np.broadcast_to(sde.noise, (len(times), *sde.noise.shape))
    propagated = term  # e^{As}B at each node, (nodes, n, m)
    for order in range(1, TAYLOR_TERMS):
        term = sde.matrix @ term * (times / order)[:, None, None]
        propagated = propagated + term
    weights = 0.5 * step * GAUSS_WEIGHTS
    return np.asarray(np.einsum("k,kij,klj->il", weights, propagated, propagated))
