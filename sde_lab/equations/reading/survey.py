"""Parts of a text → what its names mean, before any formula is parsed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from sde_lab.equations.identifiers import GREEK, to_ascii
from sde_lab.equations.reading import vocabulary
from sde_lab.equations.reading.folding import Folder
from sde_lab.equations.reading.names import Names, timeless
from sde_lab.equations.reading.scanner import Piece
from sde_lab.equations.reading.statements import Part

_DIFFERENTIAL_END = re.compile(
    r"d(?:t|[WBZ][A-Za-z]?[0-9₀-₉]*(?:_?t)?(?:_\w+)?|[wbz](?:_?t)?|[ξηβζω])$"
)

_BEFORE_STATE = ("^", "**", "{", "}", "2", "(", "log", "ln", "/")
"""What may stand between d and the state of a second derivative or a logarithm."""


def survey(parts: Iterable[Part], *, latex: bool) -> Names:
    """Return what the names of a text mean, before its formulas are parsed."""
    names = Names(latex)
    listed = list(parts)
    for part in listed:
        leads = part.pieces[0].text == "@" and len(part.pieces) > 1
        first = part.pieces[leads].text.lower()
        if part.relation is None and first in ("wiener", "brownians", "brownian"):
            names.white |= {piece.text for piece in part.pieces[1:] if piece.kind == "name"}
    for part in listed:
        for piece in part.pieces:
            if piece.kind == "name":
                names.alone.add(piece.text)
                names.counts[piece.text] = names.counts.get(piece.text, 0) + 1
    names.glued_time = any(re.fullmatch(r"d[WBZ]\d*t", run) for run in names.alone) or any(
        re.search(r"d[WBZ]\d*t$", run) for run in names.alone
    )
    for part in listed:
        texts = "".join(piece.text for piece in part.pieces)
        if re.search(r"([WBZ]|xi|ξ|eta|η)(_\{?t\}?|\(t\))?\^\{?\(?1", texts):
            names.first_raised = True
        if part.relation is not None:
            _survey_left(part, names)
    return names


def _survey_left(part: Part, names: Names) -> None:
    """Enter the states and other names that a left side defines."""
    left = part.left
    moves = any(_is_differential_run(piece.text) for piece in part.right if piece.kind == "name")
    for index, piece in enumerate(left):
        following = left[index + 1] if index + 1 < len(left) else None
        if piece.kind == "command" and piece.text in vocabulary.DOTS:
            _enter_symbol(left, index + 1, names)
        elif (
            piece.kind == "sign" and piece.text == "'" and index and left[index - 1].kind == "name"
        ):
            names.states.add(timeless(to_ascii(left[index - 1].text), names))
        elif piece.kind != "name":
            continue
        elif piece.text == "d" and following is not None:
            _enter_after_d(left, index + 1, names)
        elif (
            piece.text.startswith("d")
            and piece.text[1:2].isalpha()
            and piece.text not in GREEK
            and not piece.whole
            and (moves or _over_time(left, index))
            and piece.text not in ("dt", "drift", "diffusion")
            and not re.fullmatch(r"d[WB]\w*", piece.text)
            and not _are_two(left)
        ):
            _enter_symbol(left, index, names, skip=1)
        elif (
            index == 0
            and (len(left) == 1 or left[1].kind == "sign")
            and not re.fullmatch(r"d[WBZwbz]\w*", piece.text)
        ):
            names.defined.add(piece.text)


def _is_of_function(left: list[Piece], index: int) -> bool:
    """Return True if the prime at an index belongs to a function of a state, as in V'(x)."""
    behind = [piece.text for piece in left[index + 1 : index + 3]]
    return len(behind) == 2 and behind[0] == "(" and behind[1] not in ("t", "0")


def _are_two(left: list[Piece]) -> bool:
    """Return True for a product of two differentials, whose mean is a correlation."""
    count = sum(re.match(r"d[A-Zwbz]", piece.text) is not None for piece in left)
    return count > 1 and not any(piece.text == "/" for piece in left)


def _is_differential_run(run: str) -> bool:
    return run == "d" or _DIFFERENTIAL_END.search(run) is not None or run in ("dw", "db", "dz")


def _over_time(left: list[Piece], index: int) -> bool:
    texts = [piece.text for piece in left[index:]]
    return any(text in ("dt", "dt2") or text == "d" for text in texts)


def _enter_after_d(left: list[Piece], index: int, names: Names) -> None:
    """Enter the state behind a d that stands alone; d^2 x has a power between."""
    is_log = False
    while index < len(left) and left[index].text in _BEFORE_STATE:
        if left[index].text == "log" and index + 1 < len(left) and left[index + 1].text == "_":
            break
        is_log = is_log or left[index].text in ("log", "ln")
        index += 1
    if (
        index < len(left)
        and left[index].kind == "name"
        and left[index].text not in ("t", "d", "dt")
    ):
        _enter_symbol(left, index, names, prefix="log_" if is_log else "")


def _enter_symbol(
    left: list[Piece], index: int, names: Names, skip: int = 0, prefix: str = ""
) -> None:
    while index < len(left) and left[index].text == "{":
        index += 1
    if index >= len(left) or left[index].kind != "name":
        return
    is_call = index + 1 == len(left) or left[index + 1].text != "_"
    if skip == 0 and is_call and left[index].text in vocabulary.FUNCTION_NAMES:
        return
    cut = replace(left[index], text=left[index].text[skip:])
    double = re.fullmatch(r"2([A-Za-z]\w*)", cut.text)
    if double:
        cut = replace(cut, text=double[1])
    pieces = [cut, *left[index + 1 :]]
    reader = Folder(pieces, names)
    base, raised = reader.raised_symbol()
    names.states.add(prefix + base)
    if raised:
        names.raised.add(raised)
