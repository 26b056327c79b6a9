"""What is looked at in each point: every measure with its estimate, its error and its truth."""

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
"""Value and standard error."""
Requirement = Literal["values", "extremes", "pair", "path"]
STATE_INPUTS: tuple[Requirement, ...] = ("values", "extremes")
SENSITIVITY_INPUTS: tuple[Requirement, ...] = ("values", "pair")
"""What measures of a state, and of a sensitivity, may read."""
HINT = "must be mean, std, std slope, a quantile such as q05 or q97.5, crosses 1.5, or a function"


class SampleStatistics:
    """Rows of samples (…, N), of which each statistic is computed once, when it is asked for."""

    def __init__(self, values: Array) -> None:
        self.values = values

    @cached_property
    def ordered(self) -> Array:
        """The same, sorted along the samples."""
        return np.sort(self.values, axis=-1)

    @cached_property
    def moments(self) -> Moments:
        """Mean and spread."""
        return moments(self.values)


class Measure(ABC):
    """One statistic. Leaf classes are frozen values that can be sent to another process.

    Attributes:
        requires: the values of a state or of a sensitivity at a time; the least and greatest value
            of a state up to a time; a sensitivity together with the state; or the whole path.
    """

    requires: ClassVar[Requirement] = "values"

    @property
    @abstractmethod
    def name(self) -> str:
        """As it stands in the table."""

    @property
    def fingerprint(self) -> str:
        """What tells it from any other measure."""
        return self.name

    @abstractmethod
    def estimate(self, sample: SampleStatistics) -> Estimate:
        """Value and standard error of each row of samples."""

    def exact(self, law: Law) -> Array | None:
        """What the law says, (T, D), or None if it does not."""
        return None


@dataclass(frozen=True)
class Mean(Measure):
    """The mean."""

    name = "mean"

    def estimate(self, sample: SampleStatistics) -> Estimate:
        """The mean, and its standard error from the sample's spread."""
        return sample.moments.mean, sample.moments.mean_error

    def exact(self, law: Law) -> Array:
        """The law's mean."""
        return law.mean


@dataclass(frozen=True)
class Std(Measure):
    """The standard deviation."""

    name = "std"

    def estimate(self, sample: SampleStatistics) -> Estimate:
        """The sample standard deviation, and its error from the fourth moment."""
        return sample.moments.std, sample.moments.std_error

    def exact(self, law: Law) -> Array:
        """The law's standard deviation."""
        return np.asarray(np.sqrt(np.maximum(law.variance, 0.0)))


@dataclass(frozen=True)
class Quantile(Measure):
    """The value below which a share ``level`` of the samples lies."""

    level: float

    @property
    def name(self) -> str:
        """Such as q05 or q97.5."""
        percent = f"{100.0 * self.level:.10g}"
        return f"q{percent.zfill(2) if '.' not in percent else percent}"

    def estimate(self, sample: SampleStatistics) -> Estimate:
        """The quantile, and its error from the order statistics around it."""
        ordered = sample.ordered
        return quantiles(ordered, (self.level,))[..., 0], quantile_error(ordered, self.level)

    def exact(self, law: Law) -> Array | None:
        """The law's quantile."""
        return law.quantile(self.level)


@dataclass(frozen=True)
class StdSlope(Measure):
    """The derivative of the standard deviation by what a sensitivity is by: Cov(X, ∂X/∂p) / std."""

    name = "std slope"
    requires = "pair"

    def estimate(self, sample: SampleStatistics) -> Estimate:
        """Of a state by itself: the slope by a factor, which is the standard deviation."""
        return self.slope(sample.values, sample.values)

    def slope(self, values: Array, derivatives: Array) -> Estimate:
        """The slope, and its standard error from what each sample adds to it."""
        return std_derivative(values, derivatives)


@dataclass(frozen=True)
class Crossing(Measure):
    """The probability of having reached a level, from the side where the path began.

    The path is looked at where the solver steps, so that a coarse grid sees fewer crossings.
    """

    level: float
    requires = "extremes"

    @property
    def name(self) -> str:
        """Such as ``crosses 1.5``."""
        return f"crosses {self.level:.10g}"

    def crossed(self, start: Array, low: Array, high: Array) -> NDArray[np.bool_]:
        """Which paths have crossed, given where they began and their extremes so far."""
        return np.where(start < self.level, high >= self.level, low <= self.level)

    def estimate(self, sample: SampleStatistics) -> Estimate:
        """The share of paths that crossed, of samples that are true or false."""
        return proportion(sample.values.astype(bool))


@dataclass(frozen=True)
class PathFunctional(Measure):
    """The mean over the samples of a number that a function reads off each path.

    Attributes:
        function: of (times (T,), values (T, N, D)), at all steps: one number per sample, (N,).
    """

    function: Callable[[NDArray[np.float64], Array], Any]
    requires = "path"

    @property
    def name(self) -> str:
        """The function's name."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    @property
    def fingerprint(self) -> str:
        """The function's name and what it does."""
        code = getattr(self.function, "__code__", None)
        text = (
            repr(self.function)
            if code is None
            else f"{code.co_code!r} {code.co_names} "
            f"{[c for c in code.co_consts if isinstance(c, int | float | str | bytes)]}"
        )
        return f"{self.name} {hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def numbers(self, times: NDArray[np.float64], values: Array) -> Array:
        """What the function reads off each path, (N,).

        Raises:
            ScenarioError: if it is not one number per sample.
        """
        found = np.asarray(self.function(times, values), dtype=np.float64)
        if found.shape != (values.shape[1],):
            hint = f"gave {found.shape} for {values.shape[1]} samples; must give one number each"
            raise ScenarioError(f"measures.{self.name}", self.name, hint)
        return found

    def estimate(self, sample: SampleStatistics) -> Estimate:
        """The mean, and its standard error from the spread."""
        return sample.moments.mean, sample.moments.mean_error


def make_measures(given: object) -> tuple[Measure, ...]:
    """The measures that were asked for.

    Raises:
        ScenarioError: for one that does not exist, for none, and for two of one name.
    """
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        raise ScenarioError("measures", given, f"must be a list; each {HINT}")
    found = tuple(_measure(one) for one in given)
    names = [measure.name for measure in found]
    for name in names:
        if names.count(name) > 1:
            raise ScenarioError("measures", name, "is asked for twice")
    return found


def _measure(given: object) -> Measure:
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
    raise ScenarioError("measures", given if isinstance(given, str) else short_repr(given), HINT)
