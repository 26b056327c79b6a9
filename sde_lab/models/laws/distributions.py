"""The laws that occur: Gaussian and functions of it, noncentral χ², and moments only."""

from __future__ import annotations

from collections.abc import Callable
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
class GaussianTransform(Law):
    """A function of a standard normal, f(Z), given by its values on any grid of z.

    ``function`` maps z (n,) to (T, D, n). Quantiles are those of 4001 equally likely values.
    """

    mean: Array
    variance: Array
    function: Callable[[Array], Array]

    def quantile(self, q: float) -> Array:
        _require_level(q)
        likely = special.ndtri((np.arange(4001) + 0.5) / 4001)
        return np.asarray(np.quantile(self.function(likely), q, axis=-1))

    def density(self, values: Array, time: int, component: int = 0) -> None:
        return None


def _normal_pdf(z: Array) -> Array:
    """The standard normal density; zero beyond forty, where squares could overflow."""
    z = np.clip(z, -40.0, 40.0)
    return np.asarray(np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))


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
        found[late] = self.scale[late] * stats.ncx2.ppf(q, self.degrees, self.shift[late])
        return found

    def density(self, values: Array, time: int, component: int = 0) -> Array | None:
        scale = self.scale[time, component]
        if not scale > 0:
            return None
        found = np.zeros_like(values, dtype=np.float64)
        inside = values > 0
        shift = self.shift[time, component]
        found[inside] = stats.ncx2.pdf(values[inside] / scale, self.degrees, shift) / scale
        return found
