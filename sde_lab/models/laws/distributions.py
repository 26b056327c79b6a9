"""Distributions: Gaussian and log-normal, their derivatives, noncentral χ², and moments only."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import special

from sde_lab.models.laws.base import Array, Law


def _require_level(q: float) -> None:
    if not 0.0 < q < 1.0:
        raise ValueError(f"q = {q}: must lie strictly between 0 and 1")


MIN_STD = 1e-100
"""Standard deviation up to which a distribution counts as a point mass, without a density."""


@dataclass(frozen=True)
class Gaussian(Law):
    """N(mean, variance); variance 0 is a point mass."""

    mean: Array
    variance: Array

    @property
    def kurtosis(self) -> Array:
        return np.full_like(self.variance, 3.0)

    def quantile(self, q: float) -> Array:
        _require_level(q)
        return np.asarray(self.mean + np.sqrt(self.variance) * special.ndtri(q))

    def density(self, values: Array, time: int, component: int = 0) -> Array | None:
        std = np.sqrt(self.variance[time, component])
        if not std > MIN_STD:
            return None
        return np.asarray(_normal_pdf((values - self.mean[time, component]) / std) / std)


@dataclass(frozen=True)
class MomentsOnly(Law):
    """A distribution of which only the mean, and perhaps the variance, is known."""

    mean: Array
    variance: Array

    @classmethod
    def of_mean(cls, mean: Array) -> MomentsOnly:
        """Return a law of which only the mean (T, D) is known: its variance is NaN."""
        return cls(mean, np.full_like(mean, np.nan))

    def quantile(self, q: float) -> None:
        _require_level(q)

    def density(self, values: Array, time: int, component: int = 0) -> None:
        return None


@dataclass(frozen=True)
class LogNormal(Law):
    """The distribution of scale · exp(log_mean + log_std · Z), Z standard normal; scale ≥ 0."""

    scale: Array
    log_mean: Array
    log_std: Array
    mean: Array = field(init=False)
    variance: Array = field(init=False)

    def __post_init__(self) -> None:
        mean = self.scale * np.exp(self.log_mean + 0.5 * self.log_std**2)
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "variance", mean**2 * np.expm1(self.log_std**2))

    @property
    def kurtosis(self) -> Array:
        with np.errstate(over="ignore"):
            w = np.exp(self.log_std**2)
            kurtosis = w**4 + 2.0 * w**3 + 3.0 * w**2 - 3.0
        return np.broadcast_to(kurtosis, self.variance.shape)

    def quantile(self, q: float) -> Array:
        _require_level(q)
        return np.asarray(self.scale * np.exp(self.log_mean + self.log_std * special.ndtri(q)))

    def density(self, values: Array, time: int, component: int = 0) -> Array | None:
        scale, log_std = self.scale[time, component], self.log_std[time, component]
        if not (scale > 0 and log_std > MIN_STD):
            return None
        density = np.zeros_like(values, dtype=np.float64)
        positive = values > 0
        z = (np.log(values[positive] / scale) - self.log_mean[time, component]) / log_std
        density[positive] = _normal_pdf(z) / (log_std * values[positive])
        return density


@dataclass(frozen=True)
class LogNormalSlope(Law):
    """The distribution of scale · exp(log_mean + log_std · Z) · (Z − log_std); scale, log_std ≥ 0.

    With s = log_std, this is the derivative by s of a log-normal variable of mean one, times a
    scale. As a function of the standard normal Z it decreases to its minimum at Z = s − 1/s and
    increases from there, so that a level below zero is attained twice, and the distribution
    function there is the probability of an interval of Z.
    """

    scale: Array
    log_mean: Array
    log_std: Array
    mean: Array = field(init=False)
    variance: Array = field(init=False)

    def __post_init__(self) -> None:
        square = self.scale**2 * np.exp(2.0 * (self.log_mean + self.log_std**2))
        object.__setattr__(self, "mean", np.zeros_like(square))
        object.__setattr__(self, "variance", square * (1.0 + self.log_std**2))

    def quantile(self, q: float) -> Array:
        _require_level(q)
        z = np.full_like(self.log_std, special.ndtri(q))
        # Above Z = log_std the function is positive and attains each level once. So it does for
        # every level if log_std is so small that the minimum lies 40 standard deviations out.
        twice = (z < self.log_std) & (self.log_std > MIN_LOG_STD)
        z[twice] = _upper_crossing(q, self.log_std[twice])
        shifted = z - self.log_std
        return np.asarray(self.scale * np.exp(self.log_mean + self.log_std * z) * shifted)

    def density(self, values: Array, time: int, component: int = 0) -> None:
        return None


MIN_LOG_STD = 0.02
"""Below, the minimum at log_std − 1/log_std < −49 has a probability that rounds to 0."""
BISECTION_STEPS = 64
"""Halvings of an interval at most 80 wide (standard normals), or of logarithms of states: to below
the rounding of a double."""


def _upper_crossing(q: float, log_std: Array) -> Array:
    """Return the larger z at which e^{sz}(z − s), s = log_std, is its q-quantile, if below zero.

    With d = s(s − z) both solutions have the same d·exp(−d): see :func:`_other_solution`.
    """
    low, high = np.maximum(log_std - 1.0 / log_std, -40.0), log_std.copy()
    for _ in range(BISECTION_STEPS):
        z = 0.5 * (low + high)
        other = log_std - _other_solution(log_std * (log_std - z)) / log_std
        less = special.ndtr(z) - special.ndtr(other) < q
        low, high = np.where(less, z, low), np.where(less, high, z)
    return np.asarray(0.5 * (low + high))


NEWTON_STEPS = 8
"""Steps of Newton's method: full double precision from a bound at most a few tenths too large."""


def _other_solution(d: Array) -> Array:
    """Return the b > 1 with b·exp(−b) = d·exp(−d), for 0 < d < 1.

    This is −W₋₁(−d·exp(−d)), Lambert's function. Near its branch point d = 1 scipy's has eight
    correct digits; the logarithm of one plus the distance to it keeps all. Newton's method
    decreases to the root of a convex function from an upper bound.

    Source of the bound: Chatzigeorgiou (2013), Bounds on the Lambert function.
    """
    d = np.maximum(d, 1e-300)
    distance = 1.0 - d
    # b − 1 − log b = d − 1 − log d = level
    level = -distance - np.where(d < 0.5, np.log(d), np.log1p(np.maximum(-distance, -0.5)))
    level = np.maximum(level, 0.0)
    excess = np.sqrt(2.0 * level) + level  # b − 1
    for _ in range(NEWTON_STEPS):
        slope = np.divide(1.0 + excess, excess, out=np.zeros_like(excess), where=excess > 0.0)
        excess = np.maximum(excess - (excess - np.log1p(excess) - level) * slope, 0.0)
    return np.asarray(1.0 + excess)


def _normal_pdf(z: Array) -> Array:
    """Return the standard normal density, of any shape; z is clipped where squares overflow."""
    z = np.clip(z, -40.0, 40.0)
    return np.asarray(np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))


MAX_SERIES_DEGREES = 1e8
"""Degrees of freedom plus noncentrality above which χ′² is approximated by its first moments: there
scipy's quantiles and densities lose digits, and from about 1e10 on they are NaN."""
MIN_CHI_SQUARE = 1e-300
"""Lower end of the bracket of a positive quantile of χ′²; below, the quantile is zero."""


def _chi_square_quantile(q: float, degrees: float, noncentrality: Array) -> Array:
    """Return the q-quantile of χ′²(degrees, noncentrality), of the shape of ``noncentrality``."""
    from scipy import stats  # as long to import as all that is ours

    quantile = np.empty_like(noncentrality)
    large = degrees + noncentrality > MAX_SERIES_DEGREES
    quantile[large] = _cornish_fisher_quantile(q, degrees, noncentrality[large])
    with np.errstate(all="ignore"):  # where scipy fails, bisection follows below
        quantile[~large] = stats.ncx2.ppf(q, degrees, noncentrality[~large])
    failed = ~np.isfinite(quantile)
    quantile[failed] = _bracketed_quantile(q, degrees, noncentrality[failed])
    return quantile


def _cornish_fisher_quantile(q: float, degrees: float, noncentrality: Array) -> Array:
    """Return a quantile of χ′² by its skewness and kurtosis, exact to their third power.

    Source: Cornish and Fisher (1938); Johnson, Kotz and Balakrishnan (1995), §29.4 (moments).
    """
    z, half = special.ndtri(q), degrees + 2.0 * noncentrality  # half of the variance
    skewness = np.sqrt(8.0) * (degrees + 3.0 * noncentrality) / half**1.5
    excess = 12.0 * (degrees + 4.0 * noncentrality) / half**2
    corrected = z + skewness * (z**2 - 1.0) / 6.0 + excess * (z**3 - 3.0 * z) / 24.0
    corrected -= skewness**2 * (2.0 * z**3 - 5.0 * z) / 36.0
    return np.asarray(degrees + noncentrality + np.sqrt(2.0 * half) * corrected)


def _chi_square_density(x: Array, degrees: float, noncentrality: float) -> Array:
    """Return the density of χ′²(degrees, noncentrality) at x, of the shape of x.

    By Edgeworth's series where scipy's series fails.
    """
    if not degrees + noncentrality > MAX_SERIES_DEGREES:
        from scipy import stats

        return np.asarray(stats.ncx2.pdf(x, degrees, noncentrality))
    half = degrees + 2.0 * noncentrality  # half of the variance
    skewness = np.sqrt(8.0) * (degrees + 3.0 * noncentrality) / half**1.5
    z = np.clip((x - degrees - noncentrality) / np.sqrt(2.0 * half), -40.0, 40.0)
    factor = 1.0 + skewness * (z**3 - 3.0 * z) / 6.0
    return np.asarray(_normal_pdf(z) * np.maximum(factor, 0.0) / np.sqrt(2.0 * half))


def _bracketed_quantile(q: float, degrees: float, noncentrality: Array) -> Array:
    """Return a quantile of χ′² as the root of its distribution function, by bisection of its log.

    scipy's search fails where, with few degrees of freedom, nearly all probability below q is close
    to zero.
    """
    from scipy import stats

    top = degrees + noncentrality + 40.0 * np.sqrt(2.0 * degrees + 4.0 * noncentrality) + 200.0
    low, high = np.full_like(noncentrality, np.log(MIN_CHI_SQUARE)), np.log(top)
    for _ in range(BISECTION_STEPS):
        middle = 0.5 * (low + high)
        less = stats.ncx2.cdf(np.exp(middle), degrees, noncentrality) < q
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    at_zero = stats.ncx2.cdf(MIN_CHI_SQUARE, degrees, noncentrality) >= q
    return np.where(at_zero, 0.0, np.exp(0.5 * (low + high)))


MAX_DEGREES = 1e10
"""Degrees of freedom above which χ′² is Gaussian to 1e-5 of its standard deviation."""


@dataclass(frozen=True)
class NoncentralChiSquare(Law):
    """The distribution of scale · χ′²(degrees, noncentrality): that of the square-root process.

    Source: Cox, Ingersoll and Ross (1985).

    Attributes:
        scale: (T, 1); 0 at time 0, where the distribution is a point mass at ``start``.
        degrees: degrees of freedom 4κθ/σ².
        noncentrality: (T, 1).
        start: initial value.
        mean: (T, 1)
        variance: (T, 1)
    """

    scale: Array
    degrees: float
    noncentrality: Array
    start: float
    mean: Array = field(init=False)
    variance: Array = field(init=False)

    def __post_init__(self) -> None:
        scaled = self.scale * (self.degrees + self.noncentrality)
        mean = np.where(self.scale > 0, scaled, self.start)
        variance = self.scale**2 * (2 * self.degrees + 4 * self.noncentrality)
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "variance", variance)

    @property
    def kurtosis(self) -> Array:
        half = self.degrees + 2.0 * self.noncentrality  # half of the variance of χ′²
        return np.asarray(3.0 + 12.0 * (half + 2.0 * self.noncentrality) / half**2)

    @classmethod
    def of_cir_process(cls, t: Array, kappa: float, theta: float, sigma: float, x0: float) -> Law:
        """Return the law at times t (T, 1) of dX = κ(θ − X) dt + σ√X dW, X₀ = x0.

        Gaussian without noise and for very many degrees of freedom. Moments only for κθ = 0: there
        the law has an atom at zero.
        """
        decay = np.exp(-kappa * t)
        span = -np.expm1(-kappa * t) / kappa if kappa > 0 else t  # ∫₀ᵗ e^{−κs} ds
        scale = 0.25 * sigma**2 * span
        mean = x0 * decay + kappa * theta * span
        variance = 2 * scale * (kappa * theta * span + 2 * x0 * decay)
        if sigma**2 == 0 or 4 * kappa * theta > MAX_DEGREES * sigma**2:
            return Gaussian(mean, variance)
        degrees = 4 * kappa * theta / sigma**2
        if degrees == 0:
            return MomentsOnly(mean, variance)
        noncentrality = np.divide(x0 * decay, scale, out=np.zeros_like(t), where=scale > 0)
        return cls(scale, degrees, noncentrality, x0)

    def quantile(self, q: float) -> Array:
        _require_level(q)
        quantile = np.full_like(self.scale, self.start)
        random = self.scale > 0
        quantile[random] = self.scale[random] * _chi_square_quantile(
            q, self.degrees, self.noncentrality[random]
        )
        return quantile

    def density(self, values: Array, time: int, component: int = 0) -> Array | None:
        scale = self.scale[time, component]
        if not scale > 0:
            return None
        density = np.zeros_like(values, dtype=np.float64)
        positive = values > 0
        noncentrality = self.noncentrality[time, component]
        density[positive] = (
            _chi_square_density(values[positive] / scale, self.degrees, noncentrality) / scale
        )
        return density
