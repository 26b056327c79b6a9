"""Text → pieces: numbers, runs of letters, signs and LaTeX commands, each with its location.

Nothing is refused here but what no text may hold: a piece that is no part of a formula may belong
to the words around it, and is refused by the parser where it stands inside one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from sde_lab.equations.errors import EquationError, SourceLocation
from sde_lab.equations.identifiers import GREEK, LETTERS, SUBSCRIPTS
from sde_lab.equations.lexer import require_length
from sde_lab.equations.reading import vocabulary
from sde_lab.equations.reading.characters import scanner_characters

Kind = Literal[
    "number", "name", "sign", "command", "quote", "break", "other", "end", "differential", "state"
]
_GREEK = "".join(LETTERS)
_TOKEN = re.compile(
    r"(?P<space>[ ]+)"
    r"|(?P<break>\n|;|\\\\(?:\[[^\]\n]{0,12}\])?|\\cr\b)"
    r"|(?P<comment>#[^\n]*|(?<!\\)%[^\n]*|(?:(?<=\s)|^)//[^\n]*)"
    r"|(?P<fence>```\w*)"
    r"|(?P<command>\\(?:[A-Za-z]+\*?|.))"
    r"|(?P<number>(?:[0-9]+\.(?![*/^+-])[0-9]*|[0-9]+|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    rf"|(?P<name>[A-Za-z{_GREEK}](?:[A-Za-z0-9{_GREEK}{''.join(SUBSCRIPTS)}]|_(?=[A-Za-z0-9{_GREEK}]))*)"
    r"|(?P<sign>\*\*|<=|>=|!=|==|:=|->|<-(?=\s)|&&|\.[*/^+=-]|[-+*/^()=,\[\]{}∘<>~|√_&∈?:±])"
    r"|(?P<quote>\"\"\"|'''|\"|')"
    r"|(?P<other>.)",
    re.DOTALL,
)
_LATEX_RUN = re.compile(r"[A-Za-z]+")
_GROUP = re.compile(r"\s*\{([^{}]*)\}")
_SYMBOL = re.compile(r"\s*\{\s*(\\[A-Za-z]+|[A-Za-z])\s*\}")


@dataclass(frozen=True)
class Piece:
    r"""A piece of a text.

    Attributes:
        kind: what it is; "differential" is dx, with the name of x as text.
        text: a name in ASCII, a sign, or the number as written.
        location: where it begins in the original text.
        span: where it stands in the text of the scanner, [start, end).
        spaced: True if a space stands before it.
        whole: True for letters that belong together, such as those of ``\mathrm{rate}``.
        order: of the derivative by time, for a state.
        timed: True if it was written as a function of time.
    """

    kind: Kind
    text: str
    location: SourceLocation
    span: tuple[int, int]
    spaced: bool = False
    whole: bool = False
    order: int = 0
    timed: bool = False


@dataclass(frozen=True)
class Scan:
    """The pieces of a text.

    Attributes:
        latex: True if LaTeX commands occur: neighbouring letters are factors then.
    """

    pieces: list[Piece]
    text: str
    latex: bool

    def written(self, start: int, end: int) -> str:
        """Return what was written there, on one line."""
        return " ".join(self.text[start:end].split())


def scan(text: str) -> Scan:
    """Return the pieces of a text.

    Raises:
        EquationError: at a character that no text may hold.
    """
    require_length(text)
    source = scanner_characters(text)
    latex = re.search(r"\\[a-zA-Z,]|[_^]\{", text) is not None
    scanner = _Scanner(source.text, source.locations, latex=latex)
    return Scan(scanner.run(), source.text, latex)


class _Scanner:
    def __init__(self, text: str, locations: tuple[SourceLocation, ...], *, latex: bool) -> None:
        self._text = text
        self._locations = locations
        self._latex = latex
        self._pieces: list[Piece] = []
        self._environments: list[str] = []
        self._quoted = ""
        self._spaced = False
        self._position = 0

    def run(self) -> list[Piece]:
        while self._position < len(self._text):
            match = _TOKEN.match(self._text, self._position)
            assert match is not None
            self._position = match.end()
            kind = str(match.lastgroup)
            if kind in ("space", "comment", "fence"):
                self._spaced = True
                continue
            self._take(kind, match)
            self._spaced = kind == "break"
        return self._pieces

    def _take(self, kind: str, match: re.Match[str]) -> None:
        written = match[0]
        if kind == "command":
            self._command(written[1:], match)
        elif kind == "break":
            inside = self._environments and written.startswith("\\")
            self._add("command" if inside else "break", "row" if inside else written[:1], match)
        elif kind == "quote":
            self._quote(written, match)
        elif kind == "number":
            self._number(written, match)
        elif kind == "name":
            self._name(written, match)
        elif kind == "sign" and len(written) == 2 and written[0] == ".":
            self._add("sign", written[1], match)
        elif written == "&" and not self._environments and self._is_alignment(match):
            return
        else:
            equal = written == "==" and "[t]" in self._text
            self._add(kind, "=" if equal else {"&&": "and"}.get(written, written), match)

    def _is_alignment(self, match: re.Match[str]) -> bool:
        """Return True for the & of an alignment, as in &=."""
        return self._latex or self._text[match.end() : match.end() + 1] in "=~"

    def _add(
        self, kind: str, text: str, match: re.Match[str], start: int = 0, *, whole: bool = False
    ) -> None:
        begin = match.start() + start
        end = begin + len(text) if start else match.end()
        location = self._locations[begin]
        self._pieces.append(
            Piece(kind, text, location, (begin, end), self._spaced, whole)  # type: ignore[arg-type]
        )
        self._spaced = False

    def _quote(self, written: str, match: re.Match[str]) -> None:
        """Add a prime, directly behind a letter or bracket, or a quotation mark."""
        before = self._text[match.start() - 1 : match.start()]
        if written == "'" and self._quoted != "'" and (before.isalnum() or before in "')}"):
            self._add("sign", "'", match)
            return
        self._quoted = "" if self._quoted else written
        self._add("quote", written, match)

    def _number(self, written: str, match: re.Match[str]) -> None:
        following = self._text[match.end() : match.end() + 2]
        if re.match(
            r"_[0-9]|[xob][0-9]|[ij](?![A-Za-z_])|[eE](?![\^*A-Za-z_({ ])|e\*(?!\*)", following
        ):
            hint = "a number is written in decimal digits, such as 0.5 or 1e-3"
            raise EquationError(self._locations[match.end()], following[:1], hint)
        self._add("number", written, match)

    def _name(self, written: str, match: re.Match[str]) -> None:
        if not self._latex or written in vocabulary.FUNCTION_NAMES or written in GREEK:
            self._add("name", written, match)
            return
        # In LaTeX an underscore binds the next sign only: k_BT is k_B T.
        position = match.start()
        end = match.end()
        run = re.compile(rf"[A-Za-z]+[0-9]*|[{_GREEK}][{''.join(SUBSCRIPTS)}0-9]*|[0-9]+|_").match
        found = run(self._text, position, end)
        assert found is not None
        self._position = found.end()
        self._add("name", found[0], found)

    def _command(self, name: str, match: re.Match[str]) -> None:
        """Add what a LaTeX command stands for."""
        if name in vocabulary.SPACING or not name.strip() or name in "[]()":
            self._space(name, match)
        elif name in vocabulary.SIGNS:
            self._add("sign", vocabulary.SIGNS[name], match)
        elif name in vocabulary.NAMES:
            self._add("name", vocabulary.NAMES[name], match, whole=True)
        elif name in vocabulary.FUNCTION_NAMES and name != "int":
            self._add("name", name, match, whole=True)
        elif not self._with_group(name, match):
            self._add("command", {"tfrac": "frac", "dfrac": "frac"}.get(name, name), match)

    def _space(self, name: str, match: re.Match[str]) -> None:
        if name in ("quad", "qquad"):
            self._add("command", "quad", match)
        self._spaced = True
        if name in ("left", "right") and self._text[self._position : self._position + 1] == ".":
            self._position += 1

    def _with_group(self, name: str, match: re.Match[str]) -> bool:
        """Add what a command with a group in braces stands for; return False for any other."""
        if name in ("begin", "end"):
            self._environment(name, match)
        elif name in vocabulary.TEXT_COMMANDS:
            self._words()
        elif name in vocabulary.TRANSPARENT:
            self._transparent(name, match)
        elif name in vocabulary.DROPPED_WITH_GROUP:
            group = _GROUP.match(self._text, self._position)
            self._position = group.end() if group else self._position
        else:
            return False
        return True

    def _environment(self, name: str, match: re.Match[str]) -> None:
        group = _GROUP.match(self._text, self._position)
        if group is None:
            return
        self._position = group.end()
        kind = group[1].strip().rstrip("*")
        if kind in vocabulary.ENVIRONMENTS_KEPT and self._is_system(name):
            self._add("break", "\n", match)
            return
        if kind in vocabulary.ENVIRONMENTS_KEPT or kind.endswith("matrix"):
            shape = "matrix" if kind.endswith("matrix") else "cases"
            if name == "begin":
                self._environments.append(shape)
                self._add("command", shape, match)
            elif self._environments:
                self._environments.pop()
                self._add("command", f"end{shape}", match)
        else:
            argument = re.compile(r"\{[lcr|\s\d]*\}").match(self._text, self._position)
            if kind in ("array", "aligned", "alignat") and argument:
                self._position = argument.end()
            self._add("break", "\n", match)

    def _is_system(self, name: str) -> bool:
        """Return True for a brace around several equations, False for the cases of a function."""
        if name == "end":
            return not self._environments
        end = self._text.find("\\end{", self._position)
        inside = self._text[self._position : end if end >= 0 else None]
        return re.search(r"(?<![<>!:=])=(?!=)", inside) is not None

    def _words(self) -> None:
        r"""Add what ``\mathrm{…}`` or ``\text{…}`` holds: a name, or words, one after another."""
        group = re.compile(r"\s*(?:\{([^{}]*)\}|(\w))").match(self._text, self._position)
        if group is None:
            return
        self._position = group.end()
        inside = group[1] if group[1] is not None else group[2]
        begin = group.start(1) if group[1] is not None else group.start(2)
        for word in re.finditer(r"[A-Za-z][A-Za-z0-9]*|[0-9.]+|<=|>=|\S", inside):
            kind = "number" if word[0][0].isdigit() else "name" if word[0][0].isalpha() else "sign"
            span = (begin + word.start(), begin + word.end())
            location = self._locations[span[0]]
            spaced = self._spaced or word.start() > 0
            self._pieces.append(Piece(kind, word[0], location, span, spaced, whole=True))  # type: ignore[arg-type]
            self._spaced = False

    def _transparent(self, name: str, match: re.Match[str]) -> None:
        """Leave out a command that changes the look; a letter in braces loses them."""
        one = re.compile(r"\s*(?:\{\s*([1IE])\s*\}|([1IE])(?![A-Za-z0-9]))").match(
            self._text, self._position
        )
        if one is not None and name in ("mathbb", "mathbf", "mathsf"):
            letter = one[1] or one[2]
            if name == "mathbb" or letter == "1":
                self._position = one.end()
                self._add("command", "mean" if letter == "E" else "indicator", match)
                return
        symbol = _SYMBOL.match(self._text, self._position)
        if symbol is not None:
            self._position = symbol.end()
            text = symbol[1]
            if text.startswith("\\"):
                self._command(text[1:], match)
            else:
                self._add("name", text, match)
