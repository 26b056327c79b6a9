"""Facts about an equation are extra: one that fails is left out and logged, the page stays."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

Fact = TypeVar("Fact")
_log = logging.getLogger(__name__)
UNEXPECTED = (ArithmeticError, ValueError, IndexError, RuntimeError)
"""Exceptions of numerical libraries: LinAlgError of numpy and scipy is a ValueError, OverflowError
an ArithmeticError, and torch as well as scipy's root finders raise RuntimeError."""


def fact_or_none(fact: Callable[[], Fact], name: str, equation: str) -> Fact | None:
    """Return the fact, or None where computing it raised one of ``UNEXPECTED``.

    An equation arrives as any text, so no list of cases is complete; paths are shown without the
    fact rather than not at all. The log keeps the traceback, since each such failure is a fault.
    """
    try:
        return fact()
    except UNEXPECTED:
        _log.warning("left out: %s of %.200r", name, equation, exc_info=True)
        return None
