"""The pieces of one formula, one after another, and what its names mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sde_lab.equations.errors import EquationError
from sde_lab.equations.expression_parser import NodeBuilder
from sde_lab.equations.expression_tree import Node
from sde_lab.equations.reading.names import Names
from sde_lab.equations.reading.scanner import Piece

NOISE = "W:"
"""Begins the name of a noise in a tree: no text can hold it."""
CLOSERS = {"(": ")", "[": "]", "{": "}"}
WORDS = frozenset(["if", "else", "otherwise", "and", "or", "not", "in"])


@dataclass(frozen=True)
class Definition:
    """A function or an abbreviation that the text defines.

    Attributes:
        arguments: names of the arguments, () for an abbreviation.
        body: its value.
    """

    arguments: tuple[str, ...]
    body: Node


@dataclass
class Meaning:
    """What names mean in one formula.

    Attributes:
        names: those of the whole text.
        definitions: functions and abbreviations by name.
        is_white_noise: True for a name, and whether it is a function of time, of white noise.
        written: gives what stands between two places of the text.
    """

    names: Names
    definitions: Mapping[str, Definition]
    is_white_noise: Callable[[str, bool], bool]
    written: Callable[[int, int], str]


def substitute(node: Node, values: Mapping[str, Node]) -> Node:
    """Return the tree with names replaced by trees."""
    if not node.depends_on(frozenset(values)):
        return node
    if node.op == "name":
        return values[node.text]
    operands = tuple(substitute(part, values) for part in node.operands)
    return Node(node.op, operands, location=node.location)


class Cursor:
    """Base of the parser: the next piece, nodes within the limits, and errors at a piece."""

    def __init__(self, pieces: list[Piece], end: Piece, meaning: Meaning) -> None:
        self._pieces = [*pieces, end]
        self._position = 0
        self._meaning = meaning
        self._builder = NodeBuilder()
        self._bars = 0
        self._truths: set[Node] = set()

    @property
    def piece(self) -> Piece:
        """The next piece."""
        return self._pieces[self._position]

    def ahead(self, offset: int = 1) -> Piece:
        """Return a piece further on."""
        return self._pieces[min(self._position + offset, len(self._pieces) - 1)]

    def advance(self) -> Piece:
        """Consume the next piece and return it."""
        piece = self.piece
        self._position = min(self._position + 1, len(self._pieces) - 1)
        return piece

    def remaining(self) -> list[Piece]:
        """Return the pieces from here to the end."""
        return self._pieces[self._position : -1]

    def accept(self, *texts: str) -> bool:
        """Consume the next piece if it is one of these signs, words or commands."""
        matches = self.piece.kind in ("sign", "command", "name") and self.piece.text in texts
        if matches:
            self.advance()
        return matches

    def error(self, hint: str, piece: Piece | None = None) -> EquationError:
        """Return an error at a piece, by default the next."""
        at = self.piece if piece is None else piece
        if at.kind == "end":
            return EquationError(at.location, "", f"the formula ends here: {hint}")
        written = self._meaning.written(*at.span)[:20] or at.text
        return EquationError(at.location, written, f"{written} cannot stand here: {hint}")

    def expect(self, text: str, hint: str) -> None:
        """Consume the next piece, which must be this one.

        Raises:
            EquationError: with the hint, if it is another.
        """
        if not self.accept(text):
            raise self.error(hint)

    def _node(self, op: str, parts: tuple[Node, ...], piece: Piece) -> Node:
        return self._builder.node(op, parts, piece.location, self._meaning.written(*piece.span))

    def _number(self, text: str, piece: Piece) -> Node:
        return Node("number", text=text, location=piece.location)

    def _deeper(self, piece: Piece) -> None:
        self._builder.push_depth(piece.location, self._meaning.written(*piece.span))

    def expression(self) -> Node:
        """Parse a value, which may depend on a condition."""
        raise NotImplementedError

    def sum(self) -> Node:
        """Parse a sum."""
        raise NotImplementedError

    def _signed(self) -> Node:
        raise NotImplementedError

    def _power(self) -> Node:
        raise NotImplementedError

    def _exponent(self, sign: Piece) -> Node:
        raise NotImplementedError

    def _bracket(self) -> Node:
        raise NotImplementedError

    def _argument(self, command: Piece) -> Node:
        raise NotImplementedError

    def _begins_factor(self) -> bool:
        raise NotImplementedError
