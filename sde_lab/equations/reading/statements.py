"""Pieces of a text → parts with one relation each, without the words around them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sde_lab.equations.errors import EquationError
from sde_lab.equations.reading import vocabulary
from sde_lab.equations.reading.programs import without_code
from sde_lab.equations.reading.scanner import Piece, Scan

OPENING, CLOSING = frozenset("([{⟨"), frozenset(")]}⟩")
_OPENING_COMMANDS = frozenset(["cases", "matrix"])
_CLOSING_COMMANDS = frozenset(["endcases", "endmatrix"])
RELATIONS = frozenset(["=", ":=", "~", "<-"])
_OPERATORS = frozenset(["+", "-", "*", "/", "**", "^", "∘", "±"])


@dataclass(frozen=True)
class Part:
    """A part of a text that states one thing, such as an equation, or words.

    Attributes:
        pieces: its pieces.
        relation: index of its "=", or None if it has none.
        alone: True if it is a whole line, without words around it.
    """

    pieces: list[Piece]
    relation: int | None
    alone: bool = False

    @property
    def left(self) -> list[Piece]:
        """The pieces before the relation."""
        return self.pieces[: self.relation]

    @property
    def right(self) -> list[Piece]:
        """The pieces behind the relation."""
        return [] if self.relation is None else self.pieces[self.relation + 1 :]


def depth_change(piece: Piece) -> int:
    """Return 1 for an opening bracket, −1 for a closing one, else 0."""
    if piece.kind == "sign":
        return (piece.text in OPENING) - (piece.text in CLOSING)
    if piece.kind == "command":
        return (piece.text in _OPENING_COMMANDS) - (piece.text in _CLOSING_COMMANDS)
    return 0


def is_relation(piece: Piece) -> bool:
    """Return True for "=" and what other languages write for it."""
    return piece.kind == "sign" and piece.text in RELATIONS


def parts_of(scan: Scan) -> list[Part]:
    """Return the parts of a text."""
    parts = []
    pieces = _without_bullets(_without_quotes(_without_empty_lines(scan.pieces)))
    pieces = _without_asides(pieces)
    for line in _lines(_without_containers(without_code(pieces))):
        separated = list(_separated(line, scan))
        for part in separated:
            trimmed = _without_number(part, scan)
            if trimmed:
                alone = len(separated) == 1
                parts.append(Part(trimmed, top_level(trimmed, is_relation), alone))
    return parts


def top_level(pieces: list[Piece], wanted: object) -> int | None:
    """Return the index of the first piece outside all brackets for which ``wanted`` is true."""
    depth = 0
    for index, piece in enumerate(pieces):
        depth = max(0, depth + depth_change(piece))
        if depth == 0 and wanted(piece):  # type: ignore[operator]
            return index
    return None


def _without_empty_lines(pieces: list[Piece]) -> list[Piece]:
    return [
        piece
        for index, piece in enumerate(pieces)
        if piece.kind != "break"
        or piece.text == ";"
        or index == 0
        or pieces[index - 1].kind != "break"
    ]


def _without_bullets(pieces: list[Piece]) -> list[Piece]:
    """Leave out the - or * of a list, where a space and the left side of an equation follow."""
    result: list[Piece] = []
    for index, piece in enumerate(pieces):
        starts = index == 0 or (pieces[index - 1].kind == "break" and pieces[index - 1].text != ";")
        if starts and piece.kind == "sign" and piece.text in ("-", "*"):
            line = _next_line(pieces, index)
            place = top_level(line, is_relation)
            if place is not None and len(line) > 1 and line[1].spaced and line[1].kind == "name":
                continue
        result.append(piece)
    return result


def _without_asides(pieces: list[Piece]) -> list[Piece]:
    """Set apart a bracket of words on the interpretation, as in (Stratonovich)."""
    result: list[Piece] = []
    index = 0
    while index < len(pieces):
        piece = pieces[index]
        end = index + 1
        while piece.text == "(" and end < len(pieces) and pieces[end].kind in ("name", "other"):
            end += 1
        inside = pieces[index + 1 : end]
        said = any(word.text.lower().startswith(("stratonovi", "ito")) for word in inside)
        if said and end < len(pieces) and pieces[end].text == ")":
            stop = Piece("break", "\n", piece.location, piece.span)
            result += [stop, *inside, stop]
            index = end + 1
        else:
            result.append(piece)
            index += 1
    return result


def _without_quotes(pieces: list[Piece]) -> list[Piece]:
    """Leave out quotation marks; what they hold stands alone if it has a relation of its own."""
    result: list[Piece] = []
    index = 0
    while index < len(pieces):
        piece = pieces[index]
        if piece.kind != "quote":
            result.append(piece)
            index += 1
            continue
        end = next(
            (k for k in range(index + 1, len(pieces)) if pieces[k].kind == "quote"), len(pieces)
        )
        inside = pieces[index + 1 : end]
        if not _encloses_whole(pieces, index, end):
            result.append(piece)
            index += 1
            continue
        if any(map(is_relation, inside)):
            stop = Piece("break", "\n", piece.location, piece.span)
            result = [*_before_assignment(result), stop, *inside, stop]
        else:
            result += inside
        index = end + 1
    return result


def _encloses_whole(pieces: list[Piece], start: int, end: int) -> bool:
    """Return True if quotation marks enclose a whole statement, or a whole right side or entry."""
    before = pieces[start - 1] if start else None
    after = pieces[end + 1] if end + 1 < len(pieces) else None
    opens = (
        before is None or before.kind == "break" or before.text in ("=", "<-", "(", "[", "{", ",")
    )
    closes = after is None or after.kind == "break" or after.text in (")", "]", "}", ",", ":")
    return opens and closes


def _before_assignment(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces without a name and "=" at their end."""
    if len(pieces) > 1 and is_relation(pieces[-1]):
        return pieces[:-2]
    return pieces


def _without_containers(pieces: list[Piece]) -> list[Piece]:
    """Open calls such as ``setModel(drift = …, diffusion = …)``: their arguments are statements."""
    result: list[Piece] = []
    open_at: list[bool] = []
    for index, piece in enumerate(pieces):
        change = depth_change(piece)
        if change > 0:
            named = index + 2 < len(pieces) and pieces[index + 1].kind == "name"
            is_container = (
                piece.text == "("
                and named
                and pieces[index + 2].text in ("=",)
                and bool(result)
                and result[-1].kind == "name"
            )
            open_at.append(is_container)
            if is_container:
                result.pop()
                continue
        elif change < 0 and open_at:
            if open_at.pop():
                result.append(Piece("break", "\n", piece.location, piece.span))
                continue
        elif piece.text == "," and open_at and open_at[-1]:
            result.append(Piece("break", "\n", piece.location, piece.span))
            continue
        result.append(piece)
    return result


def _lines(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Yield the pieces between breaks; a line that cannot end goes on in the next."""
    current: list[Piece] = []
    depth = 0
    for index, piece in enumerate(pieces):
        if piece.kind != "break":
            depth = max(0, depth + depth_change(piece))
            current.append(piece)
        elif piece.text == ";" and depth and not _has_relation_before_break(pieces, index + 1):
            current.append(Piece("sign", ",", piece.location, piece.span))
        elif piece.text == ";" or not _goes_on(current, pieces, index, depth):
            if current:
                yield current
            current, depth = [], 0
    if current:
        yield current


def _next_line(pieces: list[Piece], index: int) -> list[Piece]:
    """Return the pieces of the next line that is not empty."""
    while index < len(pieces) and pieces[index].kind == "break":
        index += 1
    end = index
    while end < len(pieces) and pieces[end].kind != "break":
        end += 1
    return pieces[index:end]


def _has_relation_before_break(pieces: list[Piece], index: int) -> bool:
    return any(map(is_relation, _next_line(pieces, index)))


def _goes_on(current: list[Piece], pieces: list[Piece], index: int, depth: int) -> bool:
    """Return True if a line that ends here continues in the next one."""
    following = _next_line(pieces, index + 1)
    if not current or not following:
        return False
    following = [piece for piece in following if piece.text != "quad"] or following
    last, first = current[-1], following[0]
    begins_with_relation = is_relation(first) and not any(map(is_relation, current))
    if begins_with_relation or (last.kind == "sign" and last.text in ("=", "~")):
        return True
    if any(map(is_relation, following)):
        return False
    if depth > 0 or (last.kind == "sign" and last.text in _OPERATORS):
        return True
    opens = first.kind == "sign" and first.text in _OPERATORS
    return opens and any(map(is_relation, current))


def _separated(line: list[Piece], scan: Scan) -> Iterator[list[Piece]]:
    """Yield the parts of a line: between commas, words, colons and the ends of sentences."""
    if _is_tuple_assignment(line):
        yield line
        return
    current: list[Piece] = []
    depth = 0
    for index, piece in enumerate(line):
        depth = max(0, depth + depth_change(piece))
        if depth == 0 and piece.text == ",":
            _refuse_decimal_comma(line, index)
        if depth == 0 and _separates(line, index, scan):
            if current:
                yield current
            current = []
        elif piece.kind != "command" or piece.text != "quad" or depth:
            current.append(piece)
    if current:
        yield current


def _refuse_decimal_comma(line: list[Piece], index: int) -> None:
    if not 0 < index < len(line) - 1:
        return
    before, after = line[index - 1], line[index + 1]
    if before.kind == after.kind == "number" and not after.spaced and not line[index].spaced:
        written = f"{before.text},{after.text}"
        hint = f"{written} cannot be read: a decimal point works, {before.text}.{after.text}"
        raise EquationError(before.location, written, hint)


def _is_tuple_assignment(line: list[Piece]) -> bool:
    """Return True for ``a, b = 1, 2`` and ``x, v = y``."""
    relations = [index for index, piece in enumerate(line) if is_relation(piece)]
    if len(relations) != 1:
        return False
    left, right = line[: relations[0]], line[relations[0] + 1 :]
    names = left[::2]
    count = sum(piece.text == "," for piece in right)
    unpacks = len(right) == 1 and right[0].kind == "name"
    return (
        len(left) > 1
        and all(piece.kind == "name" for piece in names)
        and all(piece.text == "," for piece in left[1::2])
        and (unpacks or count == len(names) - 1)
        and not any(depth_change(piece) for piece in right)
    )


def _separates(line: list[Piece], index: int, scan: Scan) -> bool:
    """Return True for a comma, colon, point or word that ends one part of a line."""
    piece, before, rest = line[index], line[:index], line[index + 1 :]
    if piece.kind == "name":
        return _is_separating_word(piece, before, rest)
    if piece.kind == "command":
        operator = bool(rest) and rest[0].kind == "sign" and rest[0].text in _OPERATORS
        return piece.text == "quad" and not operator
    if piece.text == ":":
        has_choice = any(earlier.text == "?" for earlier in before)
        behind = any(map(is_relation, rest))
        return behind and not has_choice and not any(map(is_relation, before))
    if piece.kind == "other" and piece.text == ".":
        following = scan.text[piece.span[1] : piece.span[1] + 1]
        return not following.strip() or following in "\"'$"
    return piece.text == "," or (piece.kind == "other" and piece.text == "$")


def _is_separating_word(piece: Piece, before: list[Piece], rest: list[Piece]) -> bool:
    word = piece.text.lower()
    is_call = word == "where" and bool(rest) and rest[0].text == "(" and not rest[0].spaced
    if is_call or word not in vocabulary.STOP_WORDS:
        return False
    return word != "and" or any(map(is_relation, rest)) or not _is_condition(before)


def _is_condition(pieces: list[Piece]) -> bool:
    """Return True if a comparison stands in the pieces: "and" joins two then."""
    return any(piece.text in ("<", ">", "<=", ">=", "if") for piece in pieces)


_LABEL = re.compile(r"[\[(]?\s*(?:[A-Z]\.?)?\d+(?:\.\d+)*[a-z]?\s*[\])]\.?")


def _without_number(pieces: list[Piece], scan: Scan) -> list[Piece]:
    """Leave out the number of an equation, such as (2.3), before or behind it."""
    while (
        pieces and pieces[0].kind in ("command", "other") and pieces[0].text in ("quad", ">", "•")
    ):
        pieces = pieces[1:]
    if not pieces:
        return pieces
    begin, end = pieces[0].span[0], pieces[-1].span[1]
    lead = _LABEL.match(scan.text, begin, end)
    if lead is not None and lead.end() < end:
        rest = [piece for piece in pieces if piece.span[0] >= lead.end()]
        if rest and rest[0].kind == "name":
            pieces = rest
    return _without_trailing_number(pieces, scan)


def _without_trailing_number(pieces: list[Piece], scan: Scan) -> list[Piece]:
    for index in range(len(pieces) - 1, 0, -1):
        piece = pieces[index]
        if piece.text not in ("(", "["):
            continue
        begin = piece.span[0]
        wide = scan.text[max(0, begin - 2) : begin] == "  "
        behind = pieces[index - 1].kind == "name" and re.match(
            r"d[A-Z]|dt|t$", pieces[index - 1].text
        )
        is_label = wide or (behind and piece.text == "(")
        if _LABEL.fullmatch(scan.text, begin, pieces[-1].span[1]) and is_label:
            return pieces[:index]
        return pieces
    return pieces
