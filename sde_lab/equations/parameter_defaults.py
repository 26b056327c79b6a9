"""Symbols → parameters: default value, range and step where the text does not give them."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Decimal

from sde_lab.equations import identifiers
from sde_lab.equations.statement_parser import SettingStatement
from sde_lab.models.base import Parameter

_USUAL = {
    "sigma": (0.5, 0.0, 2.0), "xi": (0.4, 0.0, 2.0), "theta": (1.0, -3.0, 3.0),
    "mu": (0.1, -2.0, 2.0), "rho": (0.0, -0.95, 0.95), "kappa": (1.0, 0.0, 5.0),
    "omega": (2.0, 0.0, 6.0),
}  # fmt: skip
"""Default, low and high of symbols that mean the same in most textbooks."""
_OTHER = (1.0, 0.0, 3.0)
"""The same of any other parameter."""
_INITIAL = (1.0, -3.0, 3.0)
"""The same of an initial value."""
CORRELATION = (0.0, -0.95, 0.95)
"""The same of a correlation."""
MAX_CORRELATION = 0.999
"""Largest size of a correlation: at 1 the derivative by it is infinite."""


def make_parameter(name: str, given: SettingStatement | None, *, correlation: bool) -> Parameter:
    """Return a parameter with its slider.

    Args:
        name: ASCII name.
        given: value and range in the text, if any.
        correlation: True if it is the correlation of two noises.
    """
    base = name.rstrip("0123456789").rstrip("_")
    usual = CORRELATION if correlation else _USUAL.get(base, _OTHER)
    symbol = identifiers.to_unicode(name)
    meaning = name if symbol[0] not in name else "parameter"
    bound = MAX_CORRELATION if correlation else math.inf
    return _parameter(name, symbol, identifiers.to_latex(name), meaning, usual, given, bound)


def make_initial_value(name: str, state: str, given: SettingStatement | None) -> Parameter:
    """Return the initial value ``name`` of a state, with its slider; ``given`` as above."""
    plain = len(state) == 1 or state in identifiers.GREEK
    symbol = f"{identifiers.to_unicode(state)}₀" if plain else f"{identifiers.to_unicode(state)}(0)"
    latex = f"{identifiers.to_latex(state)}_0" if plain else f"{identifiers.to_latex(state)}(0)"
    return _parameter(name, symbol, latex, "initial value", _INITIAL, given, math.inf)


def _parameter(
    name: str,
    symbol: str,
    latex: str,
    meaning: str,
    usual: tuple[float, float, float],
    given: SettingStatement | None,
    bound: float,
) -> Parameter:
    default, low, high = usual if given is None else _resolve_range(usual, given)
    low, high = max(low, -bound), min(high, bound)
    default = min(max(default, low), high)
    step = _step(low, default, high)
    return Parameter(name, symbol, latex, default, low, high, step, meaning, -bound, bound)


def _resolve_range(
    usual: tuple[float, float, float], given: SettingStatement
) -> tuple[float, float, float]:
    """Return default, low and high: those given, and the rest consistent with them."""
    default, low, high = usual
    if given.low is not None and given.high is not None:
        low, high = given.low, given.high
        if given.value is None and not low <= default <= high:
            default = low + (high - low) / 2
    if given.value is not None:
        default = given.value
        if given.low is None and not low <= default <= high:
            reach = 10.0 ** math.ceil(math.log10(abs(default)))
            low, high = (0.0, reach) if default > 0 else (-reach, reach)
        elif given.low is None and 0.0 < abs(default) < 0.02 * (high - low):
            reach = 10.0 ** math.ceil(math.log10(abs(default)) + 0.3)
            low, high = (-reach if low < 0 else 0.0), reach
    return default, low, high


def _step(low: float, default: float, high: float) -> float:
    """Return a slider step that reaches low, default and high.

    The coarsest of 1, 2, 5 times a power of ten that is at most a fiftieth of the range.
    """
    span = high - low
    power = math.floor(math.log10(span / 50))
    marks = [Decimal(repr(value)) - Decimal(repr(low)) for value in (default, high)]
    for exponent in range(power, power - 5, -1):
        for factor in (5, 2, 1):
            step = Decimal(factor).scaleb(exponent)
            if step * 50 > Decimal(span) * Decimal("1.0000001"):
                continue
            if all(mark % step == 0 for mark in marks):
                return float(step)
    return float(Decimal(span / 100).quantize(Decimal(1).scaleb(power - 1), ROUND_HALF_EVEN))
