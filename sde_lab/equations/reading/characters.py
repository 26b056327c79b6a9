"""Characters of papers and web pages → those of the scanner, each with its place in the text.

A formula copied from a PDF has mathematical italics, four kinds of minus, thin spaces and dots
above letters; each becomes what the scanner knows. Letters that only look like Latin ones (Cyrillic
а, full-width ｘ) are left as they are, and refused later where they stand in an equation.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from sde_lab.equations.errors import EquationError, SourceLocation
from sde_lab.equations.identifiers import GREEK

_SPACES = "\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f"
_DROPPED = "\u200b\u2060\u2061\u2062\u2063\ufeff\u00ad\ufe0e\ufe0f"
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni", strict=True))
_LOW_LETTERS = dict(zip("ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", "aehijklmnoprstuvx", strict=True))
_REPLACED = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "∞": "inf", "‒": "-", "﹣": "-",
    "·": "*", "⋅": "*", "∙": "*", "•": "*", "∗": "*", "⁎": "*", "×": "*", "✕": "*",
    "∕": "/", "÷": "/", "⁄": "/", "∣": "|", "│": "|",
    "°": "∘", "◦": "∘", "○": "∘",
    "½": "(1/2)", "⅓": "(1/3)", "⅔": "(2/3)", "¼": "(1/4)", "¾": "(3/4)", "⅛": "(1/8)",
    "ﬁ": "fi", "ﬂ": "fl", "ﬀ": "ff", "ﬃ": "ffi", "ﬄ": "ffl",
    "≤": "<=", "≥": ">=", "⩽": "<=", "⩾": ">=", "≠": "!=", "≔": ":=", "≡": "=", "∼": "~",
    "⟨": "<", "⟩": ">", "〈": "<", "〉": ">", "‹": "<", "›": ">",
    "′": "'", "″": "''", "‘": "'", "’": "'", "“": '"', "”": '"',
    "→": "->", "←": "<-", "↦": "->", "…": "...",
    "ℎ": "h", "𝟙": r"\mathbb{1}", "𝟏": r"\mathbb{1}",
    "∂": r"\partial ", "∫": r"\int ", "∑": r"\sum ", "𝔼": r"\mathbb{E}",
}  # fmt: skip
_DOTS = {"\u0307": r"\dot{", "\u0308": r"\ddot{", "\u0304": r"\bar{", "\u0302": r"\hat{",
         "\u0303": r"\tilde{"}  # fmt: skip
_MATHEMATICAL = range(0x1D400, 0x1D800)
_MATHEMATICA = re.compile(r"\\\[([A-Z][A-Za-z]+)\]")
_PIECES = re.compile(f"[{''.join(map(re.escape, _SUPERSCRIPTS))}]+|.", re.DOTALL)


@dataclass(frozen=True)
class SourceText:
    """A text in the characters of the scanner.

    Attributes:
        text: the characters; several may stand for one of the original.
        locations: where each of them stands in the original, and the end.
    """

    text: str
    locations: tuple[SourceLocation, ...]


def scanner_characters(text: str) -> SourceText:
    """Return the text in the characters of the scanner.

    Raises:
        EquationError: at a control character or one that turns the direction of writing.
    """
    text = _MATHEMATICA.sub(_from_mathematica, text.replace("Itô", "Ito"))
    characters: list[str] = []
    locations: list[SourceLocation] = []
    for number, line in enumerate(text.split("\n"), start=1):
        for match in _PIECES.finditer(line):
            location = SourceLocation(number, match.start() + 1)
            accent = _DOTS.get(match[0])
            if accent is not None and characters and characters[-1].isalpha():
                location = locations.pop()
                new = f"{accent}{characters.pop()}}}"
            else:
                new = _replacement(match[0], location)
            characters.extend(new)
            locations.extend([location] * len(new))
        characters.append("\n")
        locations.append(SourceLocation(number, len(line) + 1))
    return SourceText("".join(characters[:-1]), tuple(locations))


def _from_mathematica(match: re.Match[str]) -> str:
    r"""Return a letter for ``\[Sigma]``, as long as what it replaces, so that columns stay."""
    name = match[1]
    letter = "d" if name in ("DifferentialD", "DD") else GREEK.get(name.lower(), "")
    return letter.ljust(len(match[0]), "\u200b") if letter else match[0]


def _replacement(piece: str, location: SourceLocation) -> str:
    """Return what stands for a character, or for several raised ones."""
    if piece[0] in _SUPERSCRIPTS:
        return f"^{{{''.join(map(_SUPERSCRIPTS.__getitem__, piece))}}}"
    if piece in _SPACES:
        return " "
    if piece in _REPLACED:
        return _REPLACED[piece]
    if piece in _LOW_LETTERS:
        return f"_{_LOW_LETTERS[piece]}"
    return "" if piece in _DROPPED or piece in _DOTS else _letter(piece, location)


def _letter(piece: str, location: SourceLocation) -> str:
    """Return a mathematical letter as a plain one, and one with dots above as a derivative.

    Raises:
        EquationError: at a character that cannot be seen.
    """
    if not piece.isprintable():
        hint = f"{piece!r} cannot be read: it is no visible character; leave it out"
        raise EquationError(location, piece, hint)
    if ord(piece) in _MATHEMATICAL:
        return (
            unicodedata.normalize("NFKC", piece).replace("∂", r"\partial ").replace("∇", r"\nabla ")
        )
    parts = unicodedata.normalize("NFD", piece)
    if parts[0].isascii() and parts[1:] in ("\u0307", "\u0308"):
        return f"{_DOTS[parts[1]]}{parts[0]}}}"
    return piece
