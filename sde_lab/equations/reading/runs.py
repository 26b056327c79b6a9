"""Runs of letters → factors: μSdt is mu times S times dt."""

from __future__ import annotations

import re

from sde_lab.equations.identifiers import GREEK, LETTERS, SUBSCRIPTS, to_ascii
from sde_lab.equations.reading import vocabulary
from sde_lab.equations.reading.names import Names, timeless
from sde_lab.equations.reading.scanner import Piece

_GREEK = "".join(LETTERS)
_GLUED = re.compile(
    r"(.*?[A-Za-z0-9_)" + _GREEK + r"])(d(?:t|[WBZ][A-Za-z]?[0-9]*(?:_?t)?(?:_[A-Za-z0-9]+)?))"
)
_AFTER_TIME = re.compile(r"(.+?_t)(d.+)")


class Runs:
    """The pieces of one part, and how its runs of letters are divided."""

    def __init__(self, pieces: list[Piece], names: Names) -> None:
        self._pieces = pieces
        self._names = names
        self._index = 0
        self._result: list[Piece] = []

    def _peek(self, offset: int = 0) -> Piece | None:
        place = self._index + offset
        return self._pieces[place] if place < len(self._pieces) else None

    def _is_sign(self, offset: int, *texts: str) -> bool:
        piece = self._peek(offset)
        return piece is not None and piece.kind == "sign" and piece.text in texts

    def _is_differential(self, run: str) -> bool:
        if run == "dt":
            return True
        if run[0] != "d" or run == "d" or run in self._names.defined or run in GREEK:
            return False
        rest = run[1:]
        if rest[0] == "2" and len(rest) > 1:
            return timeless(to_ascii(rest[1:]), self._names) in self._names.states
        return rest[0].isalpha() and self._may_move(rest)

    def _may_move(self, rest: str) -> bool:
        """Return True for the name behind a d of a state, a noise or a jump process."""
        name = timeless(to_ascii(rest), self._names)
        base = re.sub(r"_.*|\d+$", "", name)
        is_indexed = self._is_sign(0, "_", "[", "^") and any(
            state.startswith(f"{name}_") or state.rstrip("0123456789") == name
            for state in self._names.states
        )
        return (
            name in self._names.states
            or is_indexed
            or self._is_noise_name(name)
            or (base in vocabulary.JUMPS and len(base) == 1)
            or (len(rest) == 1 and rest.isupper())
        )

    def _is_noise_name(self, name: str) -> bool:
        base = re.sub(r"_.*|[0-9]+$", "", name)
        if name in self._names.states:
            return False
        if base in vocabulary.NOISE_NAMES:
            return True
        return re.fullmatch(r"[WBZ][A-Za-z]?\d*t?", name) is not None

    def split(self, run: str) -> list[str]:
        """Return the factors of a run of letters."""
        if len(run) == 1 or self._is_kept(run):
            return [run]
        before_time = _AFTER_TIME.fullmatch(run)
        if before_time:
            return [*self.split(before_time[1]), *self.split(before_time[2])]
        if self._is_differential(run):
            return [run]
        glued = _GLUED.fullmatch(run)
        if glued:
            return [*self.split(glued[1]), glued[2]]
        pieces = self._split_greek(run)
        if len(pieces) > 1:
            return [factor for piece in pieces for factor in self.split(piece)]
        return self._split_latex(run) if self._names.latex else self._split_letters(run)

    def _split_letters(self, run: str) -> list[str]:
        timed = re.fullmatch(r"([A-Za-z]+?)([A-Za-z]\d*(?:_?t))", run)
        if timed and timeless(timed[2], self._names) in self._names.states:
            return [*self.split(timed[1]), timed[2]]
        if run.isalpha() and run.isascii() and self._are_factors(list(run)):
            return list(run)
        return [run]

    def _is_kept(self, run: str) -> bool:
        names = self._names
        plain = to_ascii(run)
        return (
            plain in names.states
            or timeless(plain, names) in names.states
            or run in names.defined
            or run in vocabulary.FUNCTION_NAMES
            or plain in GREEK
            or run in ("dt", "pi")
        )

    def _split_greek(self, run: str) -> list[str]:
        """Cut before each Greek letter, and behind it where a state or a known name follows."""
        parts = re.findall(
            rf"[{_GREEK}](?:_?[0-9{''.join(SUBSCRIPTS)}]+|_[A-Za-z]\w*)?|[^{_GREEK}]+", run
        )
        if len(parts) == 1:
            return parts
        result = [parts[0]]
        for part in parts[1:]:
            joined = result[-1] == "Δ" or (
                result[-1][0] in LETTERS
                and part[0] not in LETTERS
                and not result[-1][-1].isdigit()
                and not self._is_known(part)
                and not (len(part) == 1 and part.isupper())
            )
            if joined:
                result[-1] += part
            else:
                result.append(part.lstrip("_"))
        return result

    def _is_known(self, run: str) -> bool:
        plain = timeless(to_ascii(run), self._names)
        head = run.partition("_")[0]
        return (
            plain in self._names.states
            or head in self._names.states
            or run in self._names.alone
            or self._is_differential(run)
            or (len(run) > 1 and any(letter in self._names.states for letter in run))
        )

    def _split_latex(self, run: str) -> list[str]:
        match = re.fullmatch(r"([A-Za-z]+)([0-9]*)", run)
        if match is None or run.isdigit():
            return [run]
        letters, digits = list(match[1]), match[2]
        inside = set(letters)
        known = self._names.states | self._names.alone
        if len(letters) > 2 and not inside & self._names.states and not inside <= known:
            return [run]
        cut = match[1].find("d")
        if 0 < cut < len(letters) - 1 and self._is_differential(match[1][cut:]):
            return [*letters[:cut], match[1][cut:] + digits]
        letters[-1] += digits
        return letters

    def _are_factors(self, letters: list[str]) -> bool:
        names = self._names
        if not any(letter in names.states for letter in letters):
            return False
        known = names.states | names.alone | {"t"}
        if all(letter in known for letter in letters):
            return True
        missing = {letter for letter in letters if letter in names.states} - names.alone
        return bool(missing) and len(letters) == 2

    def _is_coefficient_and_state(self, run: str) -> bool:
        """Return True for rx, unless the state stands beside it, as in kx*x."""
        if len(run) != 2 or run[1] not in self._names.states or run[0] in self._names.states:
            return False
        if self._is_kept(run) or self._is_differential(run) or not run.isascii():
            return False
        following = [self._peek(offset) for offset in (0, 1)]
        return not any(piece is not None and piece.text == run[1] for piece in following)
