"""Measures of a sweep: statistics with their estimator, standard error and exact value."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sde_lab.errors import ScenarioError, short_repr
from sde_lab.models.laws.base import Law
from sde_lab.summaries.estimators import (
    Array,
    Moments,
    moments,
    proportion,
    quantile_error,
    quantiles,
    std_derivative,
)

Estimate = tuple[Array, Array]
"""Value and standard error, one of each per row of samples."""
Requirement = Literal["values", "extremes", "pair", "path"]
"""Input of a measure; see :attr:`Measure.requires`."""
STATE_INPUTS: tuple[Requirement, ...] = ("values", "extremes")
"""Inputs that a state has: measures of other inputs are not estimated for states."""
SENSITIVITY_INPUTS: tuple[Requirement, ...] = ("values", "pair")
"""Inputs that a sensitivity has."""
MEASURE_HINT = (
    "must be mean, std, std slope, a quantile such as q05 or q97.5, crosses 1.5, or a function"
)
FINGERPRINT_CHARS = 12
"""Hexadecimal digits of a function's fingerprint."""


class SampleStatistics:
    """Rows of samples (…, N), whose statistics several measures share: each is computed once."""

    def __init__(self, values: Array) -> None:
        self.values = values

    @cached_property
    def ordered(self) -> Array:
        """The samples sorted along the last axis, (…, N)."""
        return np.sort(self.values, axis=-1)

    @cached_property
    def moments(self) -> Moments:
        """Mean and standard deviation of each row, with their standard errors."""
        return moments(self.values)


class Measure(ABC):
    """One statistic. Leaf classes are frozen values that can be sent to another process.

    Attributes:
        requires: the input of the estimate: "values" of a state or of a sensitivity at a time;
            "extremes", the least and greatest value of a state up to a time; "pair", a sensitivity
            together with the state; or the whole "path".
    """

    requires: ClassVar[Requirement] = "values"

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in the result table, and in the ``measures`` argument of a sweep."""

    @property
    def fingerprint(self) -> str:
        """Text that differs for different measures, for the identity of a checkpoint."""
        return self.name

    @abstractmethod
    def estimate(self, sample: SampleStatistics) -> Estimate:
        """Return value and standard error of each row of samples (…, N), (…) each."""

    def exact(self, law: Law) -> Array | None:
        """Return the exact value under a law, (T, D), or None where it is not known."""
        return None

    def exact_error(self, law: Law, samples: int) -> Array | None:
        """Return the standard error of samples of a law, (T, D), or None where it is not known."""
        return None


@dataclass(frozen=True)
class Mean(Measure):
    """The mean."""

    name = "mean"

    def estimate(self, sample: SampleStatistics) -> Estimate:
        """Return the sample mean, and its standard error s / √N."""
        return sample.moments.mean, sample.moments.mean_error

    def exact(self, law: Law) -> Array:
        """Return the law's mean, (T, D)."""
        return law.mean

    def exact_error(self, law: Law, samples: int) -> Array:
        """Return the law's standard deviation over √N, (T, D), NaN where too few samples."""
        return law.standard_errors(samples)[0]


@dataclass(frozen=True)
class Std(Measure):
    """The standard deviation."""

    name = "std"

    def estimate(self, sample: SampleStatistics) -> Estimate:
        """Return the sample standard deviation, and its standard error from the fourth moment."""
        return sample.moments.std, sample.moments.std_error

    def exact(self, law: Law) -> Array:
        """Return the law's standard deviation, (T, D); rounding may leave a variance below 0."""
        return np.asarray(np.sqrt(np.maximum(law.variance, 0.0)))

    def exact_error(self, law: Law, samples: int) -> Array:
        """Return the standard error by the law's kurtosis, (T, D), NaN where too few samples."""
        return law.standard_errors(samples)[1]


@dataclass(frozen=True)
class Quantile(Measure):
    """The quantile of a level between 0 and 1."""

    level: float

    @property
    def name(self) -> str:
        """The level in percent, such as ``q05`` or ``q97.5``."""
        percent = f"{100.0 * self.level:.10g}"
        return f"q{percent.zfill(2) if '.' not in percent else percent}"

    def estimate(self, sample: SampleStatistics) -> Estimate:
        """Return the sample quantile, and its standard error from order statistics around it."""
        ordered = sample.ordered
        return quantiles(ordered, (self.level,))[..., 0], quantile_error(ordered, self.level)

    def exact(self, law: Law) -> Array | None:
        """Return the law's quantile, (T, D), or None where the law gives none."""
        return law.quantile(self.level)


@dataclass(frozen=True)
class StdSlope(Measure):
    """The derivative of the standard deviation, d std(X)/dp = Cov(X, ∂X/∂p) / std(X).

    p is what the sensitivity ∂X/∂p is taken with respect to.
    """

    name = "std slope"
    requires = "pair"

    def estimate(self, sample: SampleStatistics) -> Estimate:
        """Return the derivative with respect to a scale factor, which is std(X) itself.

        Of X·p at p = 1 the derivative of each sample is X, so this is :meth:`slope` of a pair of
        equal rows.
        """
        return self.slope(sample.values, sample.values)

    def slope(self, values: Array, derivatives: Array) -> Estimate:
        """Return the derivative for rows of states and sensitivities (…, N), and its error."""
        return std_derivative(values, derivatives)


@dataclass(frozen=True)
class Crossing(Measure):
    """The probability that the path has reached a level by a time, from its initial state.

    Only the steps of the solver count. A path may cross between two of them and return, so the
    estimate is too small by O(√Δ): finer steps see more crossings.
    """

    level: float
    requires = "extremes"

    @property
    def name(self) -> str:
        """The level after a word, such as ``crosses 1.5``."""
        return f"crosses {self.level:.10g}"

    def crossed(self, start: Array, low: Array, high: Array) -> NDArray[np.bool_]:
        """Tell which paths have crossed the level.

        Args:
            start: initial states, (D, P, 1).
            low: least states so far, (T, D, P, N).
            high: greatest states so far, (T, D, P, N).
        """
        return np.where(start < self.level, high >= self.level, low <= self.level)

    def estimate(self, sample: SampleStatistics) -> Estimate:
        """Return the proportion of samples that are true, and its binomial standard error."""
        return proportion(sample.values.astype(bool))


@dataclass(frozen=True)
class PathFunctional(Measure):
    """The expectation of a functional of the whole path, given as a function.

    Attributes:
        function: from times (steps + 1,) and states (steps + 1, N, D) to one number per sample,
            (N,).
    """

    function: Callable[[NDArray[np.float64], Array], Any]
    requires = "path"

    @property
    def name(self) -> str:
        """The function's name."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    @property
    def fingerprint(self) -> str:
        """The function's name and a hash of its code.

        Bytecode, names and constants are hashed, so a function that was edited under the same name
        is told apart. Its closure and the functions it calls are not followed.
        """
        code = getattr(self.function, "__code__", None)
        text = (
            repr(self.function)
            if code is None
            else f"{code.co_code!r} {code.co_names} "
            f"{[c for c in code.co_consts if isinstance(c, int | float | str | bytes)]}"
        )
        return f"{self.name} {hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_CHARS]}"

    def evaluate(self, times: NDArray[np.float64], values: Array) -> Array:
        """Evaluate the function on paths (steps + 1, N, D): one number per sample, (N,).

        Raises:
            ScenarioError: if the function returns another shape.
        """
        numbers = np.asarray(self.function(times, values), dtype=np.float64)
        if numbers.shape != (values.shape[1],):
            hint = f"gave {numbers.shape} for {values.shape[1]} samples; must give one number each"
            raise ScenarioError(f"measures.{self.name}", self.name, hint)
        return numbers

    def estimate(self, sample: SampleStatistics) -> Estimate:
        """Return the sample mean, and its standard error s / √N."""
        return sample.moments.mean, sample.moments.mean_error


def make_measures(given: object) -> tuple[Measure, ...]:
    """Build the measures of the ``measures`` argument of a sweep: names, or functions of paths.

    Raises:
        ScenarioError: for an unknown name, an empty list, and two measures of one name.
    """
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        raise ScenarioError("measures", given, f"must be a list; each {MEASURE_HINT}")
    measures = tuple(_make_measure(one) for one in given)
    names = [measure.name for measure in measures]
    for name in names:
        if names.count(name) > 1:
            raise ScenarioError("measures", name, "is asked for twice")
    return measures


def _make_measure(given: object) -> Measure:
    """Return the measure of a name such as ``q05``, or of a function of paths."""
    if isinstance(given, Measure):
        return given
    if isinstance(given, str):
        if named := [m for m in (Mean(), Std(), StdSlope()) if m.name == given]:
            return named[0]
        if match := re.fullmatch(r"q(\d{1,2}(?:\.\d{1,6})?)", given):
            level = float(match[1]) / 100.0
            if level > 0.0:
                return Quantile(level)
        if match := re.fullmatch(r"crosses ([-+]?[0-9.]+(?:e[-+]?\d+)?)", given):
            try:
                return Crossing(float(match[1]))
            except ValueError:
                pass
    elif callable(given):
        return PathFunctional(given)
    value = given if isinstance(given, str) else short_repr(given)
    raise ScenarioError("measures", value, MEASURE_HINT)
