"""Names with their indices, arguments and dots → one piece each, in ASCII."""

from __future__ import annotations

import re
from dataclasses import replace

from sde_lab.equations.errors import EquationError
from sde_lab.equations.identifiers import to_ascii
from sde_lab.equations.reading import vocabulary
from sde_lab.equations.reading.names import timeless
from sde_lab.equations.reading.runs import Runs
from sde_lab.equations.reading.scanner import Piece
from sde_lab.equations.reading.statements import depth_change

_MAX_RUN_CHARS = 60
_DELAYED = "delays are not possible: a state at an earlier time, {}, would need the whole past"


class Folder(Runs):
    """Fold the pieces of one part: afterwards each name is one piece, in ASCII."""

    _raised: tuple[str, str] | None = None

    def fold(self) -> list[Piece]:
        """Return the folded pieces.

        Raises:
            EquationError: where a name cannot be read, or is a state at another time.
        """
        while self._index < len(self._pieces):
            piece = self._pieces[self._index]
            if piece.kind == "name":
                self._run(piece)
            elif piece.kind == "command":
                self._command(piece)
            else:
                self._result.append(piece)
                self._index += 1
        return self._result

    def _command(self, piece: Piece) -> None:
        if piece.text in vocabulary.DOTS:
            self._index += 1
            symbol, timed = self._braced_symbol(piece)
            order = vocabulary.DOTS[piece.text]
            if self._is_noise_name(symbol):
                self._emit(replace(piece, kind="differential", text=symbol, order=1))
                return
            self._emit(replace(piece, kind="state", text=symbol, order=order, timed=timed))
        elif piece.text in vocabulary.ACCENTS:
            self._index += 1
            symbol, timed = self._braced_symbol(piece)
            accented = f"{symbol}_{vocabulary.ACCENTS[piece.text]}"
            self._emit(replace(piece, kind="name", text=accented, timed=timed))
        elif piece.text == "frac" and self._fraction_of_differentials(piece):
            return
        else:
            self._result.append(piece)
            self._index += 1

    def _braced_symbol(self, piece: Piece) -> tuple[str, bool]:
        braces = 0
        while self._is_sign(0, "{", "("):
            self._index += 1
            braces += 1
        head = self._peek()
        if head is None or head.kind != "name":
            raise EquationError(piece.location, piece.text, f"behind \\{piece.text} a name works")
        self._index += 1
        symbol, timed = self._symbol(head.text)
        while braces and self._is_sign(0, "}", ")"):
            self._index += 1
            braces -= 1
        if self._is_sign(0, "_") or self._at_time():
            symbol, timed = self._symbol(symbol)
        return symbol, timed

    def _fraction_of_differentials(self, piece: Piece) -> bool:
        r"""Read ``\frac{dx}{dt}``, ``\frac{d^2 x}{dt^2}`` and ``\frac{d}{dt} x``."""
        text = "".join(part.text for part in self._pieces[self._index + 1 : self._index + 24])
        match = re.match(
            r"\{(?:d|partial|\\partial)(?:\^\{?2\}?)?(?P<inside>[^{}]*(?:\{[^{}]*\}[^{}]*)*)\}"
            r"\{(?:d|partial)t(?:\^\{?(?P<two>2)\}?)?\}",
            text,
        )
        if match is None:
            return False
        order = 2 if match["two"] else 1
        self._index += 2
        self._skip_d()
        if match["inside"]:
            symbol, timed = self._braced_symbol(piece)
            self._skip_group()
        else:
            self._skip_to_close()
            self._skip_group()
            symbol, timed = self._braced_symbol(piece)
        if self._at_time():
            self._index += 3
            timed = True
        kind = "differential" if self._is_noise_name(symbol) else "state"
        self._emit(replace(piece, kind=kind, text=symbol, order=order, timed=timed))  # type: ignore[arg-type]
        return True

    def _skip_d(self) -> None:
        """Skip d or d^2 at the head of a numerator; of a run such as dX only the d."""
        head = self._peek()
        assert head is not None
        if head.text in ("d", "partial"):
            self._index += 1
            if self._is_sign(0, "^", "**"):
                self._index += 1
                braced = self._is_sign(0, "{")
                self._index += 3 if braced else 1
        else:
            self._pieces = list(self._pieces)
            self._pieces[self._index] = replace(head, text=head.text[1:])

    def _skip_to_close(self) -> None:
        while not self._is_sign(0, "}") and self._peek() is not None:
            self._index += 1
        self._index += 1

    def _skip_group(self) -> None:
        while not self._is_sign(0, "{") and self._peek() is not None:
            self._index += 1
        self._skip_to_close_group()

    def _skip_to_close_group(self) -> None:
        depth = 0
        while (piece := self._peek()) is not None:
            depth += depth_change(piece)
            self._index += 1
            if depth == 0:
                return

    def _emit(self, piece: Piece) -> None:
        self._result.append(piece)

    def _run(self, piece: Piece) -> None:
        """Fold a run of letters; it may hold several factors, of which the last has the index."""
        self._index += 1
        if len(piece.text) > _MAX_RUN_CHARS:
            hint = f"letters without a space or sign between, at most {_MAX_RUN_CHARS}, work"
            raise EquationError(piece.location, piece.text[:_MAX_RUN_CHARS], hint)
        if piece.text == "d" and self._lone_d(piece):
            return
        if self._is_word(piece):
            self._emit(piece)
            return
        runs = [piece.text] if piece.whole else self.split(piece.text)
        if len(runs) == 1 and not piece.whole and self._is_coefficient_and_state(piece.text):
            runs = list(piece.text)
        if len(runs) > 1 and not self._names.latex:
            factors = [run for run in runs if not run.startswith("d")]
            if len(factors) > 1:
                self._names.products.setdefault("·".join(factors))
        offset = 0
        for place, run in enumerate(runs):
            start = piece.text.find(run, offset)
            location = piece.location
            if start > 0:
                location = replace(location, column=location.column + start)
                offset = start + len(run)
            part = replace(piece, location=location, spaced=piece.spaced and place == 0)
            self._one(part, run, last=place == len(runs) - 1)

    def _is_word(self, piece: Piece) -> bool:
        """Return True for a function, or a word of a condition, which has no index."""
        if piece.text in self._names.states or piece.text in self._names.functions:
            return False
        if piece.text in ("if", "else", "otherwise", "and", "or", "not", "ito", "in"):
            return True
        if piece.text not in vocabulary.FUNCTION_NAMES:
            return piece.text in vocabulary.MODULES and self._is_other(0, ".")
        if piece.text in vocabulary.SHORT_FUNCTIONS:
            return self._is_sign(0, "(", "{")
        return not self._has_letter_below(piece, 0)

    def _has_letter_below(self, piece: Piece, offset: int) -> bool:
        r"""Return True for a name such as ``\mathrm{log}_{S}``, which is no function."""
        below = self._peek(offset + 2)
        is_braced = self._is_sign(offset, "_") and self._is_sign(offset + 1, "{")
        return piece.whole and is_braced and below is not None and below.kind == "name"

    def _is_other(self, offset: int, text: str) -> bool:
        piece = self._peek(offset)
        return piece is not None and piece.kind == "other" and piece.text == text

    def _lone_d(self, piece: Piece) -> bool:
        """Read d and what it stands before: d t, d W_t, d log S, d/dt x, d^2x/dt^2."""
        following = self._peek()
        if following is None:
            return False
        if self._is_sign(0, "/", "^", "**"):
            over = self._is_sign(0, "/")
            return self._operator_of_time(piece) if over else self._second_order(piece)
        is_log = following.kind == "name" and following.text in ("log", "ln")
        if self._is_sign(0, "(") or (is_log and not self._has_letter_below(following, 1)):
            return self._log_differential(piece)
        if following.kind == "command" and following.text in vocabulary.ACCENTS:
            self._index += 1
            symbol, timed = self._braced_symbol(following)
            text = f"{symbol}_{following.text}"
            self._emit(replace(piece, kind="differential", text=text, timed=timed))
            return True
        if following.kind != "name" or not self._belongs_to_d(piece, following):
            return False
        self._index += 1
        self._one(replace(piece, whole=False), f"d{following.text}", last=True)
        return True

    def _belongs_to_d(self, piece: Piece, following: Piece) -> bool:
        """Return True if a name behind a d that stands alone makes a differential with it."""
        at_start = not self._result or self._result[-1].text == "{"
        is_moving = following.text == "t" or self._is_noise_name(to_ascii(following.text))
        return is_moving or piece.whole or at_start or not following.spaced

    def _operator_of_time(self, piece: Piece) -> bool:
        """Read d/dt x."""
        over = self._peek(1)
        if over is None or over.kind != "name" or over.text != "dt":
            return False
        self._index += 2
        symbol, timed = self._braced_symbol(piece)
        self._emit(replace(piece, kind="state", text=symbol, order=1, timed=timed))
        return True

    def _second_order(self, piece: Piece) -> bool:
        texts = "".join(part.text for part in self._pieces[self._index : self._index + 3])
        if not re.match(r"\^2|\*\*2|\^\{2", texts):
            return False
        self._index += 4 if texts.startswith("^{") else 2
        symbol, timed = self._braced_symbol(piece)
        texts = "".join(part.text for part in self._pieces[self._index : self._index + 6])
        match = re.match(r"/dt(\^|\*\*)(2|\{2\})", texts) or re.match(r"/dt2", texts)
        if match is None:
            raise EquationError(piece.location, "d^2", "d^2x/dt^2 works")
        steps = 0
        length = 0
        while length < len(match[0]):
            length += len(self._pieces[self._index + steps].text)
            steps += 1
        self._index += steps
        self._emit(replace(piece, kind="state", text=symbol, order=2, timed=timed))
        return True

    def _log_differential(self, piece: Piece) -> bool:
        """Read d log S, d(ln S_t): the logarithm is a state of its own."""
        start = self._index
        bracket = self._is_sign(0, "(")
        self._index += bracket
        head = self._peek()
        if head is None or head.text not in ("log", "ln"):
            self._index = start
            return False
        self._index += 1
        symbol, timed = self._braced_symbol(piece)
        while self._is_sign(0, ")"):
            self._index += 1
        self._emit(replace(piece, kind="differential", text=f"log_{symbol}", timed=timed))
        return True

    def _one(self, piece: Piece, run: str, *, last: bool) -> None:
        """Fold one name, with what belongs to it if it is the last of its run."""
        if run.isdigit():
            self._emit(replace(piece, kind="number", text=run))
            return
        if not self._is_differential(run) or piece.whole:
            symbol, timed = self._symbol(run, last=last)
            primes = self._primes() if last else 0
            if primes and not timed and self._at_time():
                self._index += 3
            elif primes and self._is_derivative_of_function():
                self._emit(replace(piece, kind="name", text=f"{symbol}_prime"))
                return
            if primes:
                self._emit(replace(piece, kind="state", text=symbol, order=primes, timed=timed))
            else:
                self._emit(replace(piece, kind="name", text=symbol, timed=timed))
            return
        double = re.fullmatch(r"d2([A-Za-z]\w*)", run)
        rest = double[1] if double else run[1:]
        if rest == "t":
            self._emit(replace(piece, kind="differential", text="t"))
            return
        symbol, timed = self._symbol(rest, last=last)
        order = self._over_dt()
        if order:
            kind = "differential" if self._is_noise_name(symbol) else "state"
            self._emit(replace(piece, kind=kind, text=symbol, order=order, timed=timed))  # type: ignore[arg-type]
        else:
            self._emit(replace(piece, kind="differential", text=symbol, timed=timed))

    def _over_dt(self) -> int:
        """Skip /dt or /dt2 behind a differential; return the order, 0 if it is not there."""
        over = self._peek(1)
        if not self._is_sign(0, "/") or over is None or over.kind != "name":
            return 0
        if over.text in ("dt", "dt2"):
            self._index += 2
            return 1 if over.text == "dt" else 2
        after = self._peek(2)
        if over.text == "d" and after is not None and after.text == "t":
            self._index += 3
            return 1
        return 0

    def _is_derivative_of_function(self) -> bool:
        """Return True for V'(x), which is no derivative by time."""
        inside = self._peek(1)
        return self._is_sign(0, "(") and (inside is None or inside.text != "0")

    def _primes(self) -> int:
        count = 0
        while self._is_sign(0, "'"):
            self._index += 1
            count += 1
        return count

    def raised_symbol(self) -> tuple[str, tuple[str, str] | None]:
        """Return the name that begins here, and (base, index) if its index is raised."""
        head = self._peek()
        assert head is not None
        self._index += 1
        name, _ = self._symbol(head.text, raised=True)
        return name, self._raised

    def _symbol(self, run: str, *, last: bool = True, raised: bool = False) -> tuple[str, bool]:
        """Return the name of a run with its indices, and whether it was a function of time."""
        base = to_ascii(run)
        plain = timeless(base, self._names) if base not in self._names.states else base
        timed = plain != base
        indices: list[str] = []
        while last:
            if self._is_sign(0, "_"):
                indices += self._group_index()
            elif self._is_sign(0, "^") and self._is_index_above(plain, raised=raised):
                self._index += 1
                above = [text for text in self._group() if text not in "()"]
                self._raised = (plain, "".join(above))
                indices += above
            elif self._at_time():
                self._index += 3
                timed = True
            elif (index := self._array_index(plain)) is not None:
                indices.append(index)
            else:
                break
        kept = [index for index in indices if index not in ("t", "-", "+", ",")]
        timed = timed or len(kept) < len([index for index in indices if index != ","])
        if not kept:
            return plain, timed
        joined = "_".join(kept)
        return to_ascii(f"{plain}_{joined}"), timed

    def _group_index(self) -> list[str]:
        self._index += 1
        start = self._peek()
        group = self._group()
        text = "".join(group)
        if start is not None and re.search(r"t-[A-Za-z0-9(]|t\+[A-Za-z0-9]|n\+1|i\+1|k\+1", text):
            hint = _DELAYED.format(f"X_{{{text}}}")
            if "+" in text:
                hint = "this is a step of a scheme: write the equation itself, dX = … dt + … dW"
            raise EquationError(start.location, text, hint)
        return [part for part in group if part not in ("(", ")", "{", "}", "^")]

    def _group(self) -> list[str]:
        """Return the texts of a group in braces, or of the one piece that stands here."""
        piece = self._peek()
        if piece is None:
            return []
        if not self._is_sign(0, "{"):
            self._index += 1
            if self._is_sign(-1, "("):
                texts = []
                while (inside := self._peek()) is not None and not self._is_sign(0, ")"):
                    texts.append(inside.text)
                    self._index += 1
                self._index += 1
                return texts
            if (
                piece.kind == "name"
                and self._names.latex
                and not piece.whole
                and piece.text.isascii()
            ):
                return self._first_letter(piece)
            return [piece.text]
        texts = []
        depth = 0
        while (inside := self._peek()) is not None:
            depth += depth_change(inside) if inside.text in "{}" else 0
            self._index += 1
            if depth == 0:
                break
            if inside.text not in "{}":
                texts.append(to_ascii(inside.text) if inside.kind == "name" else inside.text)
        return texts

    def _first_letter(self, piece: Piece) -> list[str]:
        """Return the first letter of a run; the rest is a factor, since no brace holds it."""
        if len(piece.text) > 1 and not piece.text.isdigit():
            rest = replace(
                piece,
                text=piece.text[1:],
                span=(piece.span[0] + 1, piece.span[1]),
                location=replace(piece.location, column=piece.location.column + 1),
                spaced=False,
            )
            self._pieces = [*self._pieces[: self._index], rest, *self._pieces[self._index :]]
        return [piece.text[0]]

    def _is_index_above(self, base: str, *, raised: bool) -> bool:
        """Return True if what is raised here is an index and no power."""
        start = self._index
        self._index += 1
        bracketed = self._is_sign(0, "(") or (self._is_sign(0, "{") and self._is_sign(1, "("))
        group = [text for text in self._group() if text not in "()"]
        self._index = start
        text = "".join(group)
        if not re.fullmatch(r"[A-Za-z]+|[0-9]|[A-Za-z][0-9]", text):
            return False
        if raised or re.fullmatch(r"[WBZ]_?\w?|xi|eta|zeta", base):
            return text != "2" or self._names.first_raised
        return (base, text) in self._names.raised and (bracketed or text.isalpha() or True)

    def _at_time(self) -> bool:
        inside = self._peek(1)
        return (
            self._is_sign(0, "(", "[")
            and inside is not None
            and inside.kind == "name"
            and inside.text == "t"
            and self._is_sign(2, ")", "]")
        )

    def _array_index(self, plain: str) -> str | None:
        """Skip and return the index of an array, such as [1] or [1,2], right behind a name."""
        if not self._is_sign(0, "["):
            return None
        opening = self._peek()
        assert opening is not None
        texts = "".join(part.text for part in self._pieces[self._index : self._index + 5])
        match = re.match(r"\[(?::,)?(\d)(?:,(\d))?\]", texts)
        if match is None or opening.spaced:
            return None
        if plain in self._names.states:
            hint = f"{plain} is a number: it has no components"
            raise EquationError(opening.location, "[", hint)
        while not self._is_sign(0, "]"):
            self._index += 1
        self._index += 1
        return match[1] + (match[2] or "")
