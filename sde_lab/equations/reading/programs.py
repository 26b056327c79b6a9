"""Functions of programs and their calls → relations: def, lambda, function … end, setModel(…)."""

from __future__ import annotations

import re
from dataclasses import replace

from sde_lab.equations.reading.scanner import Piece

_NOISE_FUNCTION = re.compile(r"(?i)(g|σ.*|sigma.*|.*noise.*|.*diffusion.*|.*_g|stoch.*)")


def without_code(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces with the definitions of functions as relations ``f(x, t) = …``."""
    for rewrite in (_integrals, _angles, _operators, _lambdas, _python, _julia):
        pieces = rewrite(pieces)
    return pieces


def _sign(text: str, like: Piece) -> Piece:
    return replace(like, kind="sign", text=text)


def _stop(like: Piece) -> Piece:
    return replace(like, kind="break", text="\n")


def _integrals(pieces: list[Piece]) -> list[Piece]:
    """Rewrite X_t = X_0 + ∫ a ds + ∫ b dW_s as dX = a dt + b dW."""
    result: list[Piece] = []
    start = 0
    for end in range(len(pieces) + 1):
        if end < len(pieces) and pieces[end].kind != "break":
            continue
        line = pieces[start:end]
        if any(piece.kind == "command" and piece.text == "int" for piece in line):
            line = _differentials(line)
        result += line
        result += pieces[end : end + 1]
        start = end + 1
    return result


def _differentials(line: list[Piece]) -> list[Piece]:
    relation = next((k for k, piece in enumerate(line) if piece.text == "="), None)
    first = next(k for k, piece in enumerate(line) if piece.text == "int")
    name = None if relation is None else _last_name(line[:relation])
    if relation is None or name is None or first < relation:
        return line
    result = [
        *line[:name],
        replace(line[name], text=f"d{line[name].text}"),
        *line[name + 1 : relation + 1],
    ]
    index = first
    while index < len(line):
        piece = line[index]
        if piece.kind == "command" and piece.text == "int":
            index = _behind_limits(line, index + 1)
            continue
        result.append(_at_t(piece))
        index += 1
    return result


def _last_name(left: list[Piece]) -> int | None:
    """Return the index of the state of X_t or X(t)."""
    for index in range(len(left) - 1, -1, -1):
        if left[index].kind == "name" and left[index].text != "t":
            return index
    return None


def _behind_limits(line: list[Piece], index: int) -> int:
    """Return the index behind the limits of an integral."""
    while index + 1 < len(line) and line[index].text in ("_", "^"):
        index += 1
        if line[index].text == "{":
            while index < len(line) and line[index].text != "}":
                index += 1
        index += 1
    return index


def _at_t(piece: Piece) -> Piece:
    """Return a piece of an integrand with t in place of the variable of integration."""
    if piece.kind != "name":
        return piece
    text = re.sub(r"^(d?)[su]$", r"\1t", piece.text)
    return replace(piece, text=re.sub(r"(_|[WB])[su]$", r"\1t", text))


def _angles(pieces: list[Piece]) -> list[Piece]:
    """Mark < and > that enclose, as in d<W1, W2> and <xi(t) xi(s)>."""
    result = list(pieces)
    for index, piece in enumerate(pieces):
        if piece.kind != "sign" or piece.text != "<":
            continue
        before = pieces[index - 1] if index else None
        opens = (
            before is None
            or before.kind in ("break", "other")
            or before.text in (",", "d", "quad", "where", "with", "and", "{", "$", "for")
        )
        if not opens:
            continue
        for end in range(index + 1, min(index + 40, len(pieces))):
            if pieces[end].kind == "break" or pieces[end].text in ("=", "<"):
                break
            if pieces[end].text == ">":
                result[index], result[end] = _sign("⟨", piece), _sign("⟩", pieces[end])
                break
    return result


def _operators(pieces: list[Piece]) -> list[Piece]:
    """Rewrite D(x) ~ … of ModelingToolkit.jl as dx/dt = …."""
    result: list[Piece] = []
    index = 0
    while index < len(pieces):
        head = pieces[index : index + 5]
        texts = [piece.text for piece in head]
        if texts[:2] == ["D", "("] and texts[3:] == [")", "~"] and head[2].kind == "name":
            state = replace(head[2], text=f"d{head[2].text}")
            over = replace(head[2], text="dt")
            result += [state, _sign("/", head[1]), over]
            index += 4
        else:
            result.append(pieces[index])
            index += 1
    return result


def _closing(pieces: list[Piece], opening: int) -> int | None:
    depth = 0
    for index in range(opening, len(pieces)):
        depth += (pieces[index].text == "(") - (pieces[index].text == ")")
        if depth == 0:
            return index
    return None


def _lambdas(pieces: list[Piece]) -> list[Piece]:
    """Rewrite ``f = lambda x, t: …``, ``f = @(t, x) …`` and ``f = (x, t) -> …`` as f(x, t) = …."""
    result: list[Piece] = []
    index = 0
    while index < len(pieces):
        piece = pieces[index]
        is_assignment = piece.text in ("=", "<-") and piece.kind == "sign" and bool(result)
        following = pieces[index + 1] if index + 1 < len(pieces) else None
        span: tuple[list[Piece], int] | None = None
        if is_assignment and following is not None and result[-1].kind == "name":
            if following.text == "lambda":
                colon = next(
                    (k for k in range(index + 2, len(pieces)) if pieces[k].text == ":"), None
                )
                if colon is not None and all(
                    p.kind == "name" or p.text == "," for p in pieces[index + 2 : colon]
                ):
                    span = pieces[index + 2 : colon], colon + 1
            elif following.text in ("@", "function") or following.text == "(":
                opening = index + 1 if following.text == "(" else index + 2
                end = _closing(pieces, opening) if opening < len(pieces) else None
                if end is not None:
                    arrow = end + 1 < len(pieces) and pieces[end + 1].text == "->"
                    if following.text != "(" or arrow:
                        span = pieces[opening + 1 : end], end + (2 if arrow else 1)
        if span is None:
            result.append(piece)
            index += 1
            continue
        arguments, index = span
        result += [_sign("(", piece), *arguments, _sign(")", piece), _sign("=", piece)]
    return result


def _python(pieces: list[Piece]) -> list[Piece]:
    """Rewrite ``def f(x, t): return …`` as f(x, t) = …, what stands between before it."""
    result: list[Piece] = []
    index = 0
    while index < len(pieces):
        piece = pieces[index]
        if piece.text != "def" or piece.kind != "name" or index + 2 >= len(pieces):
            result.append(piece)
            index += 1
            continue
        end = _closing(pieces, index + 2)
        back = _find(pieces, end or index, "return")
        if end is None or back is None:
            result.append(piece)
            index += 1
            continue
        colon = next((k for k in range(end, back) if pieces[k].text == ":"), end)
        body = pieces[colon + 1 : back]
        head = [
            p for p in pieces[index + 1 : end + 1] if p.text not in ("self",) or p.kind != "name"
        ]
        head = _clean_commas(head)
        result += [_stop(piece), *body, _stop(piece), *head, _sign("=", pieces[back])]
        index = back + 1
    return result


def _clean_commas(head: list[Piece]) -> list[Piece]:
    """Return the head of a function without a comma right behind its bracket."""
    return [
        piece
        for index, piece in enumerate(head)
        if not (piece.text == "," and index and head[index - 1].text == "(")
    ]


def _find(pieces: list[Piece], start: int, word: str) -> int | None:
    for index in range(start, len(pieces)):
        if pieces[index].kind == "name" and pieces[index].text == "def" and index > start:
            return None
        if pieces[index].kind == "name" and pieces[index].text == word:
            return index
    return None


def _julia(pieces: list[Piece]) -> list[Piece]:
    """Rewrite ``function f!(du, u, p, t) … end``: du[1] is a rate, or a diagonal of the noise."""
    result: list[Piece] = []
    index = 0
    while index < len(pieces):
        piece = pieces[index]
        if piece.text != "function":
            inline = _in_place(pieces, index)
            if inline is not None:
                rates, index = inline
                result += rates
                continue
            result.append(piece)
            index += 1
            continue
        opening = next(
            (k for k in range(index, min(index + 4, len(pieces))) if pieces[k].text == "("), None
        )
        end = _closing(pieces, opening) if opening is not None else None
        stop = next(
            (
                k
                for k in range(end or index, len(pieces))
                if pieces[k].kind == "name" and pieces[k].text == "end"
            ),
            None,
        )
        is_head = piece.kind == "name" and piece.text == "function" and index + 1 < len(pieces)
        if not is_head or opening is None or end is None or stop is None:
            result.append(piece)
            index += 1
            continue
        called = pieces[index + 1].text
        first = pieces[opening + 1].text
        noise = _NOISE_FUNCTION.fullmatch(called) is not None
        result += [_stop(piece), *_rates(pieces[end + 1 : stop], first, noise=noise), _stop(piece)]
        index = stop + 1
    return result


def _in_place(pieces: list[Piece], index: int) -> tuple[list[Piece], int] | None:
    """Read ``f(du, u, p, t) = (du .= …)``; return the rate, and the index behind it."""
    piece = pieces[index]
    if piece.kind != "name" or index + 2 >= len(pieces) or pieces[index + 1].text != "(":
        return None
    first = pieces[index + 2].text
    if not first.startswith("d") or first in ("dt", "d"):
        return None
    end = _closing(pieces, index + 1)
    if end is None or [p.text for p in pieces[end + 1 : end + 4]] != ["=", "(", first]:
        return None
    close = _closing(pieces, end + 2)
    if close is None:
        return None
    noise = _NOISE_FUNCTION.fullmatch(piece.text) is not None
    body = _rates(pieces[end + 3 : close], first, noise=noise)
    return [_stop(piece), *body, _stop(piece)], close + 1


def _rates(body: list[Piece], first: str, *, noise: bool) -> list[Piece]:
    result: list[Piece] = []
    index = 0
    while index < len(body):
        piece = body[index]
        result.append(piece)
        index += 1
        if piece.kind != "name" or piece.text != first or not first.startswith("d"):
            continue
        if noise:
            result[-1] = replace(piece, text=f"diffusion_of_{first[1:]}", whole=True)
        while index < len(body) and body[index].text != "=" and body[index].kind != "break":
            result.append(body[index])
            index += 1
        if not noise:
            result += [_sign("/", piece), replace(piece, text="dt")]
    return result
