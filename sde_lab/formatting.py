"""Memory sizes, durations and ratios as short readable text."""

from __future__ import annotations


def readable_bytes(count: float) -> str:
    """Format a number of bytes with two digits, such as ``84 GB`` or ``5.1 MB``."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= 0.95 * size:
            return f"{_short(count / size)} {unit}"
    return f"{_short(count / 1e3)} kB"


def readable_seconds(seconds: float) -> str:
    """Format a duration in seconds with two digits, such as ``3.0 h``, ``2.1 s`` or ``84 ms``."""
    for unit, size in (("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds >= 0.95 * size:
            return f"{_short(seconds / size)} {unit}"
    return f"{_short(1e3 * seconds)} ms"


def _short(value: float) -> str:
    """Format a number with two digits, or all those before the decimal point."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"


def readable_times(ratio: float) -> str:
    """Format a ratio rounded to two digits, such as ``1.4``, ``37`` or ``110``."""
    return f"{float(f'{ratio:.2g}'):,.0f}" if ratio >= 9.95 else f"{ratio:.1f}"
