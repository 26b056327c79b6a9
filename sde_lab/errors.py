"""The one error a person can cause: a field that cannot work, and what would."""

from __future__ import annotations


class ScenarioError(ValueError):
    """A field of a scenario cannot work.

    The message names the field, the value it was given and what would work instead.

    Attributes:
        field: dotted name of the field, such as ``"steps"`` or ``"parameters.kappa"``.
        value: what was given, as it was given.
        hint: what would work.
    """

    def __init__(self, field: str, value: object, hint: str) -> None:
        self.field = _line(field)
        self.value = value
        self.hint = hint
        super().__init__(f"{self.field} = {short_repr(value)}: {hint}")

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[str, object, str]]:
        return type(self), (self.field, self.value, self.hint)


def _line(name: str, longest: int = 60) -> str:
    """A name in one line: those of parameters arrive from outside too."""
    safe = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name[:longest])
    return safe if len(name) <= longest else safe + "…"


def short_repr(value: object, longest: int = 60) -> str:
    """The value as text, shortened: what arrives in a link may be a megabyte."""
    try:
        text = repr(value[:longest]) if isinstance(value, str) else repr(value)
    except ValueError:  # Python writes out no whole number of more than 4300 digits
        return f"{type(value).__name__} too long to show"
    return text if len(text) <= longest else text[: longest - 1] + "…"
