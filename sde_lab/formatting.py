"""Sizes as people say them."""

from __future__ import annotations


def readable_bytes(count: float) -> str:
    """Such as ``84 GB`` or ``5.1 MB``."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= 0.95 * size:
            return f"{_short(count / size)} {unit}"
    return f"{_short(count / 1e3)} kB"


def readable_seconds(seconds: float) -> str:
    """Such as ``3 h``, ``2.1 s`` or ``84 ms``."""
    for unit, size in (("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds >= 0.95 * size:
            return f"{_short(seconds / size)} {unit}"
    return f"{_short(1e3 * seconds)} ms"


def _short(value: float) -> str:
    """Two digits, or all before the point."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"


def readable_times(ratio: float) -> str:
    """Such as ``1.4``, ``37`` or ``110``: two digits."""
    return f"{float(f'{ratio:.2g}'):,.0f}" if ratio >= 9.95 else f"{ratio:.1f}"
