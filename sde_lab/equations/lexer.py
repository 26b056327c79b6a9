"""Text → tokens with their locations; a character that is not allowed raises EquationError."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from sde_lab.equations.errors import EquationError, SourceLocation
from sde_lab.equations.identifiers import LETTERS, SUBSCRIPTS, to_ascii

MAX_TEXT_CHARS = 4000
"""Largest length of a text, in characters."""
MAX_NUMBER = 1e12
"""Largest size of a number."""
_MAX_NAME_CHARS = 24
_MAX_NUMBER_CHARS = 24

Kind = Literal["number", "name", "sign", "end"]

_GREEK = "".join(LETTERS)
_BELOW = "".join(SUBSCRIPTS)
_TOKEN = re.compile(
    r"(?P<space>[ \t\u00a0]+)"
    r"|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    rf"|(?P<name>[A-Za-z{_GREEK}][A-Za-z0-9_{_GREEK}{_BELOW}]*)"
    r"|(?P<sign>\*\*|[-+*/^()=,\[\]∘−·×])"
)
_SAME = {"^": "**", "−": "-", "·": "*", "×": "*"}
_HINTS = {
    ".": "a point only stands inside a number such as 0.5; attributes do not exist here",
    "_": "a name begins with a letter",
    "²": "write **2",
    "³": "write **3",
    "½": "write 1/2",
    "∞": "a range ends at numbers",
    "√": "write sqrt(…)",
    "{": "use ( )",
    "}": "use ( )",
    "ô": "write ito",
    ":": "write = or in",
}


@dataclass(frozen=True)
class Token:
    """A piece of text: a number, a plain name, a sign, or the end of a statement."""

    kind: Kind
    text: str
    location: SourceLocation
    written: str


def statements(text: str) -> list[list[Token]]:
    """Return the statements of a text, each ended by an "end" token; ``#`` begins a comment.

    Raises:
        EquationError: at the first character that is not allowed.
    """
    require_length(text)
    token_lists = []
    for number, line in enumerate(text.split("\n"), start=1):
        for character, column in zip(line, range(1, len(line) + 1), strict=True):
            if not character.isprintable() and character not in "\t\u00a0":
                raise _refused(character, SourceLocation(number, column))
        code = line.partition("#")[0]
        start = 0
        for part in code.split(";"):
            tokens = _tokens(part, number, start)
            if len(tokens) > 1:
                token_lists.append(tokens)
            start += len(part) + 1
    return token_lists


def require_length(text: str) -> None:
    """Raise EquationError if a text is too long."""
    if len(text) > MAX_TEXT_CHARS:
        head = text[:MAX_TEXT_CHARS]
        location = SourceLocation(head.count("\n") + 1, MAX_TEXT_CHARS - head.rfind("\n"))
        raise EquationError(
            location,
            text[MAX_TEXT_CHARS : MAX_TEXT_CHARS + 8],
            f"at most {MAX_TEXT_CHARS} characters work",
        )


def _tokens(part: str, line: int, start: int) -> list[Token]:
    tokens: list[Token] = []
    position = 0
    while position < len(part):
        location = SourceLocation(line, start + position + 1)
        match = _TOKEN.match(part, position)
        if match is None:
            raise _refused(part[position], location)
        if match.lastgroup != "space":
            tokens.append(_token(match, location))
        position = match.end()
    return [*tokens, Token("end", "", SourceLocation(line, start + len(part.rstrip()) + 1), "")]


def _token(match: re.Match[str], location: SourceLocation) -> Token:
    written = match[0]
    if match.lastgroup == "sign":
        return Token("sign", _SAME.get(written, written), location, written)
    if match.lastgroup == "name":
        name = to_ascii(written)
        if len(written) > _MAX_NAME_CHARS or len(name) > 2 * _MAX_NAME_CHARS:
            hint = f"a name of at most {_MAX_NAME_CHARS} characters works"
            raise EquationError(location, written[:_MAX_NAME_CHARS], hint)
        if "__" in name or name.endswith("_"):
            raise EquationError(
                location, written, "a name holds single _ between letters and digits"
            )
        return Token("name", name, location, written)
    if len(written) > _MAX_NUMBER_CHARS or float(written) > MAX_NUMBER:
        hint = f"a number of at most {_MAX_NUMBER_CHARS} digits, up to {MAX_NUMBER:g}, works"
        raise EquationError(location, written[:_MAX_NUMBER_CHARS], hint)
    following = match.string[match.end() : match.end() + 1]
    if following.isalpha() or following == "_":
        location = SourceLocation(location.line, location.column + len(written))
        raise EquationError(location, following, f"put * between {written} and what follows")
    return Token("number", written, location, written)


def _refused(character: str, location: SourceLocation) -> EquationError:
    """Return an error that names the character: many look like another one."""
    if character in _HINTS:
        hint = _HINTS[character]
    elif character.isascii() and character.isprintable():
        hint = "only numbers, names and + - * / ** ( ) work here"
    else:
        called = unicodedata.name(character, f"U+{ord(character):04X}").lower()
        hint = f"this is {called}; only Latin and Greek letters and + - * / ** ( ) work here"
    quoted = repr(character) if not character.isprintable() else character
    return EquationError(location, character, f"{quoted} cannot be read: {hint}")
