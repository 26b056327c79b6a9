"""The laws that occur: Gaussian and functions of it, noncentral χ², and moments only."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import special, stats

from sde_lab.models.laws.base import Array, Law


def _require_level(q: float) -> None:
    if not 0.0 < q < 1.0:
        raise ValueError(f"q = {q}: must lie strictly between 0 and 1")


NARROW = 1e-100
"""A spread that is taken for none: a point mass has no density."""


@dataclass(frozen=True)
class Gaussian(Law):
    """N(mean, variance); variance 0 is a point mass."""

    mean: Array
    variance: Array

    def quantile(self, q: float) -> Array:
        _require_level(q)
        return np.asarray(self.mean + np.sqrt(self.variance) * special.ndtri(q))

    def density(self, values: Array, time: int, component: int = 0) -> Array | None:
        spread = np.sqrt(self.variance[time, component])
        if not spread > NARROW:
            return None
        return np.asarray(_normal_pdf((values - self.mean[time, component]) / spread) / spread)


@dataclass(frozen=True)
class MomentsOnly(Law):
    """A law of which the mean, and perhaps the variance, is known."""

    mean: Array
    variance: Array

    @classmethod
    def of_mean(cls, mean: Array) -> MomentsOnly:
        """Only the mean is known."""
        return cls(mean, np.full_like(mean, np.nan))

    def quantile(self, q: float) -> None:
        _require_level(q)

    def density(self, values: Array, time: int, component: int = 0) -> None:
        return None


@dataclass(frozen=True)
class LogNormal(Law):
    """scale · exp(centre + spread · Z), Z standard normal; scale ≥ 0."""

    scale: Array
    centre: Array
    spread: Array
    mean: Array = field(init=False)
    variance: Array = field(init=False)

    def __post_init__(self) -> None:
        mean = self.scale * np.exp(self.centre + 0.5 * self.spread**2)
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "variance", mean**2 * np.expm1(self.spread**2))

    def quantile(self, q: float) -> Array:
        _require_level(q)
        return np.asarray(self.scale * np.exp(self.centre + self.spread * special.ndtri(q)))

    def density(self, values: Array, time: int, component: int = 0) -> Array | None:
        scale, spread = self.scale[time, component], self.spread[time, component]
        if not (scale > 0 and spread > NARROW):
            return None
        found = np.zeros_like(values, dtype=np.float64)
        inside = values > 0
        z = (np.log(values[inside] / scale) - self.centre[time, component]) / spread
        found[inside] = _normal_pdf(z) / (spread * values[inside])
        return found


@dataclass(frozen=True)
class LogNormalSlope(Law):
    """scale · exp(centre + spread · Z) · (Z − spread), Z standard normal; scale, spread ≥ 0.

    The derivative of a log-normal of mean one by its spread, times a scale. As a function of Z it
    falls to its minimum at spread − 1/spread and rises from there, so a level below zero is met
    twice, and the probability of less is that of an interval of Z.
    """

    scale: Array
    centre: Array
    spread: Array
    mean: Array = field(init=False)
    variance: Array = field(init=False)

    def __post_init__(self) -> None:
        square = self.scale**2 * np.exp(2.0 * (self.centre + self.spread**2))
        object.__setattr__(self, "mean", np.zeros_like(square))
        object.__setattr__(self, "variance", square * (1.0 + self.spread**2))

    def quantile(self, q: float) -> Array:
        _require_level(q)
        z = np.full_like(self.spread, special.ndtri(q))
        # Beyond Z = spread the function is positive and meets each level once. So it does for every
        # level of a spread so small that its minimum lies 40 standard deviations out.
        twice = (z < self.spread) & (self.spread > SMALLEST_SPREAD)
        z[twice] = _upper_crossing(q, self.spread[twice])
        shifted = z - self.spread
        return np.asarray(self.scale * np.exp(self.centre + self.spread * z) * shifted)

    def density(self, values: Array, time: int, component: int = 0) -> None:
        return None


SMALLEST_SPREAD = 0.02
"""Below, the minimum at spread − 1/spread < −49 has no probability that a double could tell."""
BISECTIONS = 64
"""Halvings of an interval of normals at most 80 wide: to below the rounding of a double."""


def _upper_crossing(q: float, spread: Array) -> Array:
    """Return the larger z at which e^{sz}(z − s) is its q-quantile, where that is below zero.

    With d = s(s − z) both crossings have the same d·exp(−d): see :func:`_other_solution`.
    """
    low, high = np.maximum(spread - 1.0 / spread, -40.0), spread.copy()
    for _ in range(BISECTIONS):
        z = 0.5 * (low + high)
        other = spread - _other_solution(spread * (spread - z)) / spread
        less = special.ndtr(z) - special.ndtr(other) < q
        low, high = np.where(less, z, low), np.where(less, high, z)
    return np.asarray(0.5 * (low + high))


NEWTON_STEPS = 8
"""Enough for a double, from a bound that is at most a few tenths too large."""


def _other_solution(d: Array) -> Array:
    """Return the b > 1 with b·exp(−b) = d·exp(−d), for 0 < d < 1.

    This is −W₋₁(−d·exp(−d)), Lambert's function. Next to its branch point d = 1 scipy's has eight
    digits; here logarithms of one plus a distance to it keep all. Newton's method falls to the root
    of a convex function from an upper bound.

    Source of the bound: Chatzigeorgiou (2013), Bounds on the Lambert function.
    """
    d = np.maximum(d, 1e-300)
    distance = 1.0 - d
    # b − 1 − log b = d − 1 − log d = level
    level = -distance - np.where(d < 0.5, np.log(d), np.log1p(np.maximum(-distance, -0.5)))
    level = np.maximum(level, 0.0)
    beyond = np.sqrt(2.0 * level) + level
    for _ in range(NEWTON_STEPS):
        slope = np.divide(1.0 + beyond, beyond, out=np.zeros_like(beyond), where=beyond > 0.0)
        beyond = np.maximum(beyond - (beyond - np.log1p(beyond) - level) * slope, 0.0)
    return np.asarray(1.0 + beyond)


def _normal_pdf(z: Array) -> Array:
    """The standard normal density; zero beyond forty, where squares could overflow."""
    z = np.clip(z, -40.0, 40.0)
    return np.asarray(np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))


MAX_SERIES_DEGREES = 1e8
"""Degrees plus shift beyond which χ′² is taken by its first moments: there scipy's quantiles and
densities lose digits, and from about 1e10 on they are NaN."""
SMALLEST_RATIO = 1e-300
"""Where a bracket of a positive quantile begins; below, it is zero."""


def _chi_square_quantile(q: float, degrees: float, shift: Array) -> Array:
    """Return the q-quantile of χ′²(degrees, shift), of the shape of ``shift``."""
    found = np.empty_like(shift)
    large = degrees + shift > MAX_SERIES_DEGREES
    found[large] = _cornish_fisher_quantile(q, degrees, shift[large])
    with np.errstate(all="ignore"):  # what fails in there is found again below
        found[~large] = stats.ncx2.ppf(q, degrees, shift[~large])
    lost = ~np.isfinite(found)
    found[lost] = _bracketed_quantile(q, degrees, shift[lost])
    return found


def _cornish_fisher_quantile(q: float, degrees: float, shift: Array) -> Array:
    """Return a quantile of χ′² by its skewness and kurtosis, exact to their third power.

    Source: Cornish and Fisher (1938); Johnson, Kotz and Balakrishnan (1995), §29.4 (moments).
    """
    z, half = special.ndtri(q), degrees + 2.0 * shift
    skewness = np.sqrt(8.0) * (degrees + 3.0 * shift) / half**1.5
    excess = 12.0 * (degrees + 4.0 * shift) / half**2
    bent = z + skewness * (z**2 - 1.0) / 6.0 + excess * (z**3 - 3.0 * z) / 24.0
    bent -= skewness**2 * (2.0 * z**3 - 5.0 * z) / 36.0
    return np.asarray(degrees + shift + np.sqrt(2.0 * half) * bent)


def _chi_square_density(ratio: Array, degrees: float, shift: float) -> Array:
    """Return the density of χ′²(degrees, shift); by Edgeworth's series where scipy's fails."""
    if not degrees + shift > MAX_SERIES_DEGREES:
        return np.asarray(stats.ncx2.pdf(ratio, degrees, shift))
    half = degrees + 2.0 * shift
    skewness = np.sqrt(8.0) * (degrees + 3.0 * shift) / half**1.5
    z = np.clip((ratio - degrees - shift) / np.sqrt(2.0 * half), -40.0, 40.0)
    bent = 1.0 + skewness * (z**3 - 3.0 * z) / 6.0
    return np.asarray(_normal_pdf(z) * np.maximum(bent, 0.0) / np.sqrt(2.0 * half))


def _bracketed_quantile(q: float, degrees: float, shift: Array) -> Array:
    """Return a quantile of χ′² as the root of its distribution function, by bisection of its log.

    scipy's search gives up where few degrees leave nearly all that is below q close to zero.
    """
    top = degrees + shift + 40.0 * np.sqrt(2.0 * degrees + 4.0 * shift) + 200.0
    low, high = np.full_like(shift, np.log(SMALLEST_RATIO)), np.log(top)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        less = stats.ncx2.cdf(np.exp(middle), degrees, shift) < q
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    at_zero = stats.ncx2.cdf(SMALLEST_RATIO, degrees, shift) >= q
    return np.where(at_zero, 0.0, np.exp(0.5 * (low + high)))


MAX_DEGREES = 1e10
"""Degrees of freedom beyond which a χ′² is Gaussian to a hundred-thousandth of its spread."""


@dataclass(frozen=True)
class NoncentralChiSquare(Law):
    """scale · χ′²(degrees, shift), the law of the square-root process.

    Source: Cox, Ingersoll and Ross (1985).
    """

    scale: Array
    degrees: float
    shift: Array
    start: float
    mean: Array = field(init=False)
    variance: Array = field(init=False)

    def __post_init__(self) -> None:
        mean = np.where(self.scale > 0, self.scale * (self.degrees + self.shift), self.start)
        variance = self.scale**2 * (2 * self.degrees + 4 * self.shift)
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "variance", variance)

    @classmethod
    def of_cir_process(cls, t: Array, kappa: float, theta: float, sigma: float, x0: float) -> Law:
        """The law at times t (T, 1) of dX = κ(θ − X) dt + σ√X dW, X₀ = x0."""
        decay = np.exp(-kappa * t)
        span = -np.expm1(-kappa * t) / kappa if kappa > 0 else t
        scale = 0.25 * sigma**2 * span
        mean = x0 * decay + kappa * theta * span
        variance = 2 * scale * (kappa * theta * span + 2 * x0 * decay)
        if sigma**2 == 0 or 4 * kappa * theta > MAX_DEGREES * sigma**2:
            return Gaussian(mean, variance)
        degrees = 4 * kappa * theta / sigma**2
        if degrees == 0:
            return MomentsOnly(mean, variance)
        shift = np.divide(x0 * decay, scale, out=np.zeros_like(t), where=scale > 0)
        return cls(scale, degrees, shift, x0)

    def quantile(self, q: float) -> Array:
        _require_level(q)
        found = np.full_like(self.scale, self.start)
        late = self.scale > 0
        found[late] = self.scale[late] * _chi_square_quantile(q, self.degrees, self.shift[late])
        return found

    def density(self, values: Array, time: int, component: int = 0) -> Array | None:
        scale = self.scale[time, component]
        if not scale > 0:
            return None
        found = np.zeros_like(values, dtype=np.float64)
        inside = values > 0
        shift = self.shift[time, component]
        found[inside] = _chi_square_density(values[inside] / scale, self.degrees, shift) / scale
        return found
