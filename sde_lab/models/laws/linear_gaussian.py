"""Exact Gaussian laws of linear SDEs with additive noise, and of their derivatives.

dY = (AY + a) dt + B dW is Gaussian. Its derivative by a parameter solves a linear SDE driven by the
same noise, d∂Y = (A ∂Y + ∂A Y + ∂a) dt + ∂B dW, so the pair (Y, ∂Y) is Gaussian as well.

Source: the integrals and their doubling: Van Loan (1978), Computing integrals involving the matrix
exponential.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import expm

from sde_lab.models.laws.base import Array, ExactLaws, LawInputs
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


Map = tuple[Array, Array]
"""Flow of (Y, 1) over some time, (n + 1, n + 1), and the covariance that it adds, (n, n)."""
STEP_ORDER = {
    "euler": 1,
    "milstein": 1,
    "milstein_grad_free": 1,
    "euler_heun": 1,
    "heun": 2,
    "midpoint": 2,
}
"""Scheme → number of terms of e^{AΔ} that its step has where drift is linear and noise additive."""


def gaussian_laws(
    grid: LawInputs, sde: LinearSDE, variations: Mapping[str, LinearSDE]
) -> ExactLaws:
    """Return the Gaussian laws of Y and of its derivative by each variation.

    Args:
        grid: times, and the scheme with its step. The law at a time does not depend, beyond
            rounding, on the other times.
        sde: the equation.
        variations: derivative of the equation's fields by each parameter, by name.
    """
    laws = _laws(grid.times, np.diff(grid.times, prepend=0.0), sde, variations, _one_step)
    order = STEP_ORDER.get(grid.scheme)
    if order is None:
        return laws

    def steps(equation: LinearSDE, count: float) -> Map:
        return _repeated(_scheme_step(equation, grid.step, order), round(count))

    counts = np.diff(grid.counts, prepend=0).astype(np.float64)
    scheme = _laws(grid.times, counts, sde, variations, steps)
    return replace(laws, scheme=scheme, schemes=(grid.scheme,))


def _laws(
    times: Array,
    spans: Array,
    sde: LinearSDE,
    variations: Mapping[str, LinearSDE],
    advance: Callable[[LinearSDE, float], Map],
) -> ExactLaws:
    """Return the laws at ``times``, by a map over each of the spans (T,) that lead to them."""
    laws = {}
    for name, variation in variations.items():
        both = _joint(sde, variation)
        joint_mean, joint_variance = _moments(spans, both, advance)
        laws[name] = Gaussian(joint_mean[:, sde.size :], joint_variance[:, sde.size :])
    return ExactLaws(times, Gaussian(*_moments(spans, sde, advance)), laws)


def _scheme_step(sde: LinearSDE, step: float, order: int) -> Map:
    """Return one step of a scheme: Σ_{i ≤ order} (AΔ)ⁱ/i!, and its noise to one order less.

    Euler's is (I + AΔ)Y + aΔ + B ΔW. Heun's and the midpoint rule evaluate the drift a second time,
    after a step that has the noise too: (I + AΔ + A²Δ²/2)Y + … + (I + AΔ/2) B ΔW. The pair (Y, ∂Y)
    takes the same step, since a scheme and its derivative are both the scheme of the pair.
    """
    size = sde.size
    generator = np.zeros((size + 1, size + 1))
    generator[:size, :size], generator[:size, size] = sde.matrix * step, sde.shift * step
    flow, noise = np.eye(size + 1) + generator, sde.noise
    if order == 2:
        flow = flow + 0.5 * generator @ generator
        noise = noise + 0.5 * step * sde.matrix @ noise
    return flow, step * noise @ noise.T


def _repeated(one: Map, count: int) -> Map:
    """Return the map of ``count`` steps, by doubling."""
    size = len(one[1])
    whole: Map = (np.eye(size + 1), np.zeros((size, size)))
    while count:
        if count % 2:
            whole = _followed_by(whole, one)
        one, count = _followed_by(one, one), count // 2
    return whole


def _followed_by(first: Map, then: Map) -> Map:
    part = then[0][: len(then[1]), : len(then[1])]
    return then[0] @ first[0], part @ first[1] @ part.T + then[1]


def _joint(sde: LinearSDE, variation: LinearSDE) -> LinearSDE:
    """Return the linear SDE of the pair (Y, ∂Y), of 2n components."""
    zero = np.zeros_like(sde.matrix)
    return LinearSDE(
        matrix=np.block([[sde.matrix, zero], [variation.matrix, sde.matrix]]),
        shift=np.concatenate([sde.shift, variation.shift]),
        noise=np.concatenate([sde.noise, variation.noise]),
        start=np.concatenate([sde.start, variation.start]),
    )


def _moments(
    spans: Array, sde: LinearSDE, advance: Callable[[LinearSDE, float], Map]
) -> tuple[Array, Array]:
    """Return mean and variance of each component after each of the spans, (T, n) each."""
    size = sde.size
    # The mean is extended by a constant 1, so that the shift is one more column of the flow.
    mean, covariance = np.append(sde.start, 1.0), np.zeros((size, size))
    means, variances = [], []
    steps: dict[float, Map] = {}
    with np.errstate(over="ignore", invalid="ignore"):  # an unstable equation may overflow
        for step in spans:
            key = float(f"{step:.12g}")  # equal steps that differ by rounding share one exponential
            if key not in steps:
                steps[key] = advance(sde, key)
            flow, added = steps[key]
            mean = flow @ mean
            part = flow[:size, :size]
            covariance = part @ covariance @ part.T + added
            means.append(mean[:size])
            variances.append(np.diag(covariance).clip(min=0.0))
    return np.array(means), np.array(variances)


def _one_step(sde: LinearSDE, step: float) -> Map:
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
        flow, added = _followed_by((flow, added), (flow, added))
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
