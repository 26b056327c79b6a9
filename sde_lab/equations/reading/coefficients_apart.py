"""Drift and diffusion given apart, as strings, lists, matrices or functions."""

from __future__ import annotations

import re
from dataclasses import replace

from sde_lab.equations.errors import SourceLocation
from sde_lab.equations.expression_tree import ZERO, Node
from sde_lab.equations.reading.cursor import NOISE
from sde_lab.equations.reading.definitions import (
    Definitions,
    closes_at_end,
    split_commas,
)
from sde_lab.equations.reading.equations import (
    Increment,
)
from sde_lab.equations.reading.scanner import Piece

_PAIRS = (
    ("drift", "diffusion"), ("f", "g"), ("F", "G"), ("a", "b"), ("A", "B"), ("mu", "sigma"),
    ("b", "sigma"), ("f", "sigma"), ("a", "sigma"), ("deterministic", "stochastic"),
    ("mu_func", "sigma_func"), ("drift", "noise"), ("drift", "volatility"), ("drift", "sigma"),
    ("f", "noise"), ("drift_coeff", "diff_coeff"), ("drift_fn", "diffusion_fn"), ("F", "g"),
    ("f", "G"), ("DriftRate", "DiffusionRate"),
)  # fmt: skip
"""Names under which drift and diffusion are given apart."""
_STATE_GUESSES = ("x", "X", "y", "Y", "u", "U", "S", "r", "z", "q", "v", "V", "N", "p")
_TIME_ARGUMENTS = frozenset(["t", "p", "args", "params", "self", "par", "parms", "theta_"])


class CoefficientsApart(Definitions):
    """Read drift and diffusion where no equation joins them."""

    def _coefficients_apart(self) -> None:
        constants = self._constants()
        given = [p for p in _PAIRS if all(n in self._sources or n in constants for n in p)]
        given.sort(key=lambda pair: -sum(bool(self._sources.get(n, ((), None))[0]) for n in pair))
        pair = given[0] if given else None
        drift_only = next((p for p in _PAIRS if p[0] in self._sources), None)
        if pair is None and (drift_only is None or drift_only[0] not in ("drift", "f")):
            return
        drift, diffusion = pair or (drift_only[0], "")  # type: ignore[index]
        rows = self._components(drift)
        noise = self._matrix(diffusion, len(rows)) if diffusion else []
        states = self._states_of(drift, diffusion, len(rows))
        location = self._place(drift)
        self._names.states.update(states)
        labels = (
            ["W"]
            if not noise or len(noise[0]) == 1
            else [f"W{k + 1}" for k in range(len(noise[0]))]
        )
        for index, (state, row) in enumerate(zip(states, rows, strict=True)):
            item = Increment(state, location, drift=row)
            for label, entry in zip(labels, noise[index] if noise else [], strict=False):
                if entry.value != 0.0:
                    item.noises[label] = entry
                    item.bare.add(NOISE + label)
            self._add(item)
        self._names.remark(
            f"{drift} is the drift{f', {diffusion} the diffusion' if diffusion else ''}"
        )

    def _constants(self) -> set[str]:
        return {part.left[0].text for part in self._parts if part.relation == 1 and part.left}

    def _source(self, name: str) -> list[Piece]:
        if name in self._sources:
            return self._fold(self._sources[name][1].right)
        part = next(p for p in self._parts if p.relation == 1 and p.left[0].text == name)
        return self._fold(part.right)

    def _place(self, name: str) -> SourceLocation:
        return self._source(name)[0].location

    def _components(self, name: str) -> list[Node]:
        return [self._parse(part) for part in self._entries(self._source(name))]

    def _entries(self, pieces: list[Piece]) -> list[list[Piece]]:
        pieces = _without_calls(pieces)
        if pieces and pieces[0].text in ("[", "(", "{") and closes_at_end(pieces):
            inner = split_commas(pieces[1:-1])
            if len(inner) > 1 or pieces[0].text == "[":
                return inner
        return [pieces]

    def _matrix(self, name: str, size: int) -> list[list[Node]]:
        """Return the rows of the diffusion; a list of as many entries as states is diagonal."""
        pieces = self._source(name)
        by_column = self._by_column(pieces, size)
        if by_column is not None:
            return by_column
        entries = self._entries(pieces)
        rows = [self._entries(entry) for entry in entries]
        if size == 1:
            return [[self._parse(entry) for row in rows for entry in row]]
        if len(entries) != size:
            raise self._error(pieces[0], f"{size} rows, one for each state, work")
        if all(len(row) == 1 for row in rows) and not _is_nested(entries):
            nodes = [self._parse(row[0]) for row in rows]
            self._names.remark(f"{name} is the diagonal of the diffusion: a noise for each state")
            return [[node if i == k else ZERO for k in range(size)] for i, node in enumerate(nodes)]
        return [[self._parse(entry) for entry in row] for row in rows]

    def _by_column(self, pieces: list[Piece], size: int) -> list[list[Node]] | None:
        """Read matrix(c(…), rows, columns) of R, which fills column by column."""
        if len(pieces) < 4 or pieces[0].text != "matrix" or pieces[1].text != "(":
            return None
        first = split_commas(pieces[2:-1])[0]
        entries = [self._parse(entry) for entry in self._entries(first)]
        if len(entries) % size:
            raise self._error(pieces[0], f"{size} rows, one for each state, work")
        return [entries[row::size] for row in range(size)]

    def _states_of(self, drift: str, diffusion: str, size: int) -> list[str]:
        arguments = self._sources[drift][0] if drift in self._sources else ()
        wanted = [name for name in arguments if name not in _TIME_ARGUMENTS]
        pieces = self._source(drift) + (self._source(diffusion) if diffusion else [])
        used = [piece.text for piece in pieces if piece.kind == "name"]
        if size == 1:
            free = [name for name in _STATE_GUESSES if name in used]
            return [wanted[0] if wanted else free[0] if free else "x"]
        if len(wanted) == size:
            return wanted
        for base in wanted[:1] or ("x", "X", "y", "u"):
            found = sorted({name for name in used if re.fullmatch(rf"{base}\d", name)})
            if found:
                start = int(found[0][len(base) :] == "0")
                return [f"{base}{k + 1 - start}" for k in range(size)]
        return self._unpacked(size) or self._guessed(set(used), size)

    def _guessed(self, used: set[str], size: int) -> list[str]:
        guesses = ["x", "v"] if "v" in used and size == 2 else ["x", "y", "z"]
        if size <= len(guesses) and set(guesses[:size]) & used:
            return guesses[:size]
        return [f"x{k + 1}" for k in range(size)]

    def _unpacked(self, size: int) -> list[str]:
        """Return the names of ``x, v = y``."""
        for part in self._parts:
            names = [piece.text for piece in part.left if piece.kind == "name"]
            if len(names) == size > 1 and len(part.left) == 2 * size - 1 and len(part.right) == 1:
                return names
        return []


def _is_nested(entries: list[list[Piece]]) -> bool:
    return any(entry and entry[0].text == "[" for entry in entries)


def _without_calls(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces without np.array( … ), c( … ) or Matrix([ … ]) around them."""
    while len(pieces) > 2 and pieces[0].kind == "name":
        start = 3 if pieces[1].text == "." else 1
        called = pieces[start - 1].text
        if start >= len(pieces) or pieces[start].text != "(" or not closes_at_end(pieces[start:]):
            break
        if called not in (
            "array",
            "asarray",
            "c",
            "Matrix",
            "diag",
            "stack",
            "cat",
            "vector",
            "list",
        ):
            break
        inner = pieces[start + 1 : -1]
        single = bool(inner) and inner[0].text == "[" and closes_at_end(inner)
        opening = replace(pieces[start], text="[")
        closing = replace(pieces[-1], text="]")
        pieces = inner if single else [opening, *inner, closing]
    return pieces
