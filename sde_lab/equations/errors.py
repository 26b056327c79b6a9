"""Errors of typed equations, with line and column."""

from __future__ import annotations

from dataclasses import dataclass

from sde_lab.errors import ScenarioError


@dataclass(frozen=True, order=True)
class SourceLocation:
    """Position in a text: line and column, both counted from 1."""

    line: int
    column: int


class EquationError(ScenarioError):
    """The text of an SDE is not valid.

    Attributes:
        line: line of the error, counted from 1.
        column: column in that line, counted from 1.
        value: the text there.
        hint: why it is not valid, and what would be.
    """

    def __init__(self, location: SourceLocation, value: str, hint: str) -> None:
        super().__init__("model", value, hint)
        self.line, self.column = location.line, location.column

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.hint}"

    def __reduce__(self) -> tuple[type[EquationError], tuple[SourceLocation, str, str]]:  # type: ignore[override]
        return type(self), (SourceLocation(self.line, self.column), str(self.value), self.hint)

    def with_caret(self, text: str, width: int = 28) -> str:
        """Return the line of the text around the error, and a caret below its column."""
        lines = text.split("\n")
        line = lines[self.line - 1] if self.line <= len(lines) else ""
        start = max(0, min(self.column - 1 - width // 2, len(line) - width))
        return f"{line[start : start + width]}\n{' ' * (self.column - 1 - start)}^"
