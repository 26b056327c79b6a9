"""Formulas of a text, with the functions and abbreviations that it defines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sde_lab.equations.errors import EquationError, SourceLocation
from sde_lab.equations.expression_tree import Node, number
from sde_lab.equations.reading import vocabulary
from sde_lab.equations.reading.cursor import Definition, Meaning, substitute
from sde_lab.equations.reading.equations import (
    Increment,
)
from sde_lab.equations.reading.folding import Folder
from sde_lab.equations.reading.formula import Formula, value_hint
from sde_lab.equations.reading.names import Names
from sde_lab.equations.reading.scanner import Piece, Scan
from sde_lab.equations.reading.statements import (
    Part,
    depth_change,
    parts_of,
)
from sde_lab.equations.reading.survey import survey


@dataclass(frozen=True)
class Setting:
    """A value or a range of a name."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    location: SourceLocation


@dataclass(frozen=True)
class Correlation:
    """The correlation of two noises, by their labels."""

    labels: tuple[str, str]
    value: Node
    location: SourceLocation


class Definitions:
    """What is gathered of a text, and how its formulas are parsed.

    Attributes:
        increments: of the states, in order.
        correlations: of noises.
        settings: values and ranges of parameters.
        starts: initial values and their ranges, by state.
        horizon: end of time, with the place where it stands.
        stratonovich: place of that word, or None.
        ito: place of that word, or None.
    """

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._parts = parts_of(scan)
        self._names: Names = survey(self._parts, latex=scan.latex)
        self.increments: list[Increment] = []
        self.correlations: list[Correlation] = []
        self.settings: list[Setting] = []
        self.starts: dict[str, Setting] = {}
        self.horizon: tuple[float, SourceLocation] | None = None
        self.stratonovich: SourceLocation | None = None
        self.ito: SourceLocation | None = None
        self._intensity: dict[str, Node | None] = {}
        self._sources: dict[str, tuple[tuple[str, ...], Part]] = {}
        self._bodies: dict[str, Definition] = {}
        self._open: list[str] = []
        self._left_out: list[str] = []
        self._horizon_name = ""
        self._vector_start: list[float] = []
        self._equations: list[tuple[Part, list[Piece]]] = []
        self._diagonals: dict[str, Part] = {}
        self._velocities: dict[str, str] = {}

    @property
    def names(self) -> Names:
        """What the names of the text mean."""
        return self._names

    def _all_pieces(self) -> Iterator[Piece]:
        for part in self._parts:
            yield from part.pieces

    def _leave_out(self, part: Part) -> None:
        written = self._scan.written(part.pieces[0].span[0], part.pieces[-1].span[1])
        if re.search(r"[=<>~]", written):  # words around a formula need no mention
            self._left_out.append(written)

    def _fold(self, pieces: list[Piece]) -> list[Piece]:
        return Folder(pieces, self._names).fold()

    def _end(self, pieces: list[Piece]) -> Piece:
        last = pieces[-1]
        length = max(1, last.span[1] - last.span[0])
        location = replace(last.location, column=last.location.column + length)
        return Piece("end", "", location, (last.span[1], last.span[1]))

    def _error(self, piece: Piece, hint: str) -> EquationError:
        written = self._scan.written(*piece.span)[:20] or piece.text
        return EquationError(piece.location, written, f"{written} cannot stand here: {hint}")

    def _formula(self, pieces: list[Piece], *, rate: bool, definitions: bool = True) -> Formula:
        meaning = Meaning(
            self._names,
            _Lazy(self) if definitions else {},
            self._white_noise if rate else self._timed_noise,
            self._scan.written,
        )
        return Formula(pieces, self._end(pieces), meaning)

    def _parse(self, pieces: list[Piece], *, rate: bool = False, definitions: bool = True) -> Node:
        """Parse a whole formula; what may stand behind it, as a unit, is left out."""
        if not pieces:
            raise EquationError(SourceLocation(1, 1), "", "a formula works here")
        formula = self._formula(pieces, rate=rate, definitions=definitions)
        node = formula.expression()
        rest = formula.piece
        if rest.kind == "end" or _is_unit(formula.remaining()):
            return node
        raise formula.error(_hint_behind(rest))

    def _white_noise(self, name: str, timed: bool) -> bool:
        """Return True if a name is white noise, in an equation of rates."""
        if name in self._names.states or name in self._sources or name in self._names.defined:
            return False
        if name in self._names.white:
            return True
        base = re.sub(r"_.*|[0-9]+$", "", name)
        if base in self._intensity or name in self._intensity:
            return True
        if base in ("xi", "noise"):
            return True
        if base in vocabulary.WHITE_NOISES and timed:
            return True
        return base == "eta" and not timed and self._only_noise()

    def _only_noise(self) -> bool:
        """Return True if η is all that can be the noise of the text, and is given no value."""
        return not any(
            piece.kind == "name" and re.fullmatch(r"(xi|ξ).*|d[WBZ].*|.*ξ.*", piece.text)
            for piece in self._all_pieces()
        ) and any(piece.text in ("noise", "white", "Langevin") for piece in self._all_pieces())

    def _timed_noise(self, name: str, timed: bool) -> bool:
        """Return True if a name is white noise in an equation of differentials: as ξ(t) only."""
        return timed and self._white_noise(name, timed)

    def _value(self, pieces: list[Piece]) -> float | None:
        """Return the number that pieces give, with units, or None."""
        try:
            node = self._parse(self._fold(pieces), definitions=False)
        except EquationError:
            return None
        if node.value is None and node.names <= frozenset(vocabulary.UNITS):
            units = {name: number(vocabulary.UNITS[name]) for name in node.names}
            node = substitute(node, units)
        return node.value

    def _define(self, name: str, arguments: tuple[str, ...], part: Part) -> None:
        if name in self._sources:
            raise self._error(part.pieces[0], f"{name} is defined already")
        self._sources[name] = (arguments, part)

    def definition(self, name: str) -> Definition:
        """Return a definition of the text, parsed when it is first needed.

        Raises:
            EquationError: if it cannot be read or refers to itself.
        """
        if name in self._bodies:
            return self._bodies[name]
        arguments, part = self._sources[name]
        if name in self._open:
            raise self._error(part.pieces[0], f"{name} is defined by itself")
        self._open.append(name)
        body = self._parse(self._fold(part.right), rate=True)
        self._open.pop()
        self._bodies[name] = Definition(arguments, body)
        return self._bodies[name]

    def is_defined(self, name: str) -> bool:
        """Return True for a name that the text defines as a function or abbreviation."""
        return name in self._sources and name not in self._names.states

    def _add(self, found: Increment) -> None:
        if any(item.state == found.state for item in self.increments):
            hint = f"d{found.state} has an equation already"
            raise EquationError(found.location, f"d{found.state}", hint)
        self.increments.append(found)


class _Lazy(Mapping[str, Definition]):
    """The definitions of a text, each parsed when it is first needed."""

    def __init__(self, reader: Definitions) -> None:
        self._reader = reader

    def __getitem__(self, name: str) -> Definition:
        if not self._reader.is_defined(name):
            raise KeyError(name)
        return self._reader.definition(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._reader.is_defined(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _is_unit(tail: list[Piece]) -> bool:
    """Return True if a colon and a unit follow, or the point of a sentence."""
    if [piece.text for piece in tail] == ["."]:
        return True
    signs = ("*", "/", "**", "^", "(", ")", "-")
    return tail[0].text == ":" and all(
        piece.kind in ("name", "number") or piece.text in signs for piece in tail[1:]
    )


def _hint_behind(rest: Piece) -> str:
    """Return what would work in place of a piece behind a whole formula."""
    if rest.kind == "number":
        return "put an operator such as * before it"
    if rest.kind == "sign" and rest.text in (")", "]", "}"):
        return "no bracket is open here"
    if rest.kind == "other":
        return value_hint(rest)
    return "an operator such as + or *, or the end of the line, works here"


def split_commas(pieces: list[Piece]) -> list[list[Piece]]:
    """Return the parts between commas outside all brackets."""
    parts: list[list[Piece]] = [[]]
    depth = 0
    for piece in pieces:
        depth += depth_change(piece)
        if piece.text == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(piece)
    return [part for part in parts if part]


def closes_at_end(pieces: list[Piece]) -> bool:
    """Return True if the bracket that opens the pieces is closed by the last."""
    depth = 0
    for index, piece in enumerate(pieces):
        depth += depth_change(piece)
        if depth == 0:
            return index == len(pieces) - 1
    return False


def unwrapped(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces without a bracket around all of them."""
    return pieces[1:-1] if pieces and pieces[0].text in "([{" and closes_at_end(pieces) else pieces
