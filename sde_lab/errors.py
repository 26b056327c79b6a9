"""The error that invalid input raises: it names the field, the value and what would be valid."""

from __future__ import annotations


class ScenarioError(ValueError):
    """A field of a scenario, or an argument, has an invalid value.

    The message names the field, the value it was given and what would be valid instead.

    Attributes:
        field: dotted name of the field, such as ``"steps"`` or ``"parameters.kappa"``.
        value: the value, unchanged.
        hint: why it is invalid, and what would be valid.
    """

    def __init__(self, field: str, value: object, hint: str) -> None:
        self.field = _short_line(field)
        self.value = value
        self.hint = hint
        super().__init__(f"{self.field} = {short_repr(value)}: {hint}")

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[str, object, str]]:
        return type(self), (self.field, self.value, self.hint)


def _short_line(name: str, max_chars: int = 60) -> str:
    """Return a name as one short printable line: names of parameters may come from a link."""
    safe = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name[:max_chars])
    return safe if len(name) <= max_chars else safe + "…"


def short_repr(value: object, max_chars: int = 60) -> str:
    """Return ``repr(value)``, shortened: a value in a link may be a megabyte long."""
    try:
        text = repr(value[:max_chars]) if isinstance(value, str) else repr(value)
    except ValueError:  # Python does not convert integers of more than 4300 digits to text
        return f"{type(value).__name__} too long to show"
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"
