"""Runs of letters, with their indices and arguments → names, differentials and derivatives.

``X_t``, ``X(t)``, ``X_{t}``, ``X[t]`` and, beside ``dWt``, ``Xt`` are one state X. ``kx`` is k·x
where the text speaks of a state x. Which it is depends on the whole text, so that is surveyed first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sde_lab.equations.errors import EquationError
from sde_lab.equations.identifiers import GREEK, LETTERS, SUBSCRIPTS, to_ascii
from sde_lab.equations.reading import vocabulary
from sde_lab.equations.reading.scanner import Piece
from sde_lab.equations.reading.statements import Part, depth_change

_MAX_RUN_CHARS = 60
_GREEK = "".join(LETTERS)
_GLUED = re.compile(
    r"(.*?[A-Za-z0-9_)" + _GREEK + r"])(d(?:t|[WBZ][A-Za-z]?[0-9]*(?:_?t)?(?:_[A-Za-z0-9]+)?))"
)
_DIFFERENTIAL_END = re.compile(
    r"d(?:t|[WBZ][A-Za-z]?[0-9₀-₉]*(?:_?t)?(?:_\w+)?|[wbz](?:_?t)?|[ξηβζω])$"
)
_TIME_SUFFIX = re.compile(r"(.+?)_(?:t(?:_(\w+))?|(\w+?)_t)")
_AFTER_TIME = re.compile(r"(.+?_t)(d.+)")
_DELAYED = "delays are not possible: a state at an earlier time, {}, would need the whole past"


@dataclass
class Names:
    """What the names of a text mean.

    Attributes:
        latex: True if neighbouring letters are factors.
        states: names of the states.
        raised: pairs (base, index) of states written with a raised index, such as X^1.
        alone: runs that stand in the text by themselves.
        defined: names on the left of a relation, which are never split.
        glued_time: True if "t" behind a state's name is time, as in Xt beside dWt.
        first_raised: True if a noise has the raised index 1, so that 2 is no square.
        white: names that it declares as white noise.
        functions: names that the text defines as functions.
        remarks: what was decided, in sentences, in order.
        counts: how often each run occurs.
        products: what was read as products, though it may have been something else.
    """

    latex: bool
    states: set[str] = field(default_factory=set)
    raised: set[tuple[str, str]] = field(default_factory=set)
    alone: set[str] = field(default_factory=set)
    defined: set[str] = field(default_factory=set)
    glued_time: bool = False
    white: set[str] = field(default_factory=set)
    first_raised: bool = False
    functions: set[str] = field(default_factory=set)
    remarks: dict[str, None] = field(default_factory=dict)
    products: dict[str, None] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, run: str) -> int:
        """Return how often a run stands in the text by itself."""
        return self.counts.get(run, 0)

    def remark(self, sentence: str) -> None:
        """Note what was decided."""
        self.remarks.setdefault(sentence)


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
            names.states.add(_timeless(to_ascii(left[index - 1].text), names))
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
    while index < len(left) and left[index].text in (
        "^",
        "**",
        "{",
        "}",
        "2",
        "(",
        "log",
        "ln",
        "/",
    ):
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
    if skip == 0 and left[index].text in vocabulary.FUNCTION_NAMES:
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


def _timeless(name: str, names: Names) -> str:
    """Return the name without an index t for time."""
    match = _TIME_SUFFIX.fullmatch(name)
    if match:
        index = match[2] or match[3] or ""
        return to_ascii(f"{match[1]}_{index}") if index else match[1]
    if names.glued_time and len(name) > 1 and name.endswith("t"):
        return name[:-1]
    return name


class Folder:
    """Fold the pieces of one part: afterwards each name is one piece, in ASCII."""

    def __init__(self, pieces: list[Piece], names: Names) -> None:
        self._pieces = pieces
        self._names = names
        self._index = 0
        self._result: list[Piece] = []

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

    def _peek(self, offset: int = 0) -> Piece | None:
        place = self._index + offset
        return self._pieces[place] if place < len(self._pieces) else None

    def _is_sign(self, offset: int, *texts: str) -> bool:
        piece = self._peek(offset)
        return piece is not None and piece.kind == "sign" and piece.text in texts

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

    def _is_coefficient_and_state(self, run: str) -> bool:
        """Return True for rx, unless the state stands beside it, as in kx*x."""
        if len(run) != 2 or run[1] not in self._names.states or run[0] in self._names.states:
            return False
        if self._is_kept(run) or self._is_differential(run) or not run.isascii():
            return False
        following = [self._peek(offset) for offset in (0, 1)]
        return not any(piece is not None and piece.text == run[1] for piece in following)

    def _is_word(self, piece: Piece) -> bool:
        """Return True for a function, or a word of a condition, which has no index."""
        if piece.text in self._names.states or piece.text in self._names.functions:
            return False
        if piece.text in ("if", "else", "otherwise", "and", "or", "not", "ito", "in"):
            return True
        if piece.text not in vocabulary.FUNCTION_NAMES:
            return piece.text in vocabulary.MODULES and self._is_other(0, ".")
        if piece.text in vocabulary.SHORT_FUNCTIONS:
            return self._is_sign(0, "(")
        return True

    def _is_other(self, offset: int, text: str) -> bool:
        piece = self._peek(offset)
        return piece is not None and piece.kind == "other" and piece.text == text

    def _lone_d(self, piece: Piece) -> bool:
        """Read d and what it stands before: d t, d W_t, d log S, d/dt x, d^2x/dt^2."""
        following = self._peek()
        if following is None:
            return False
        if self._is_sign(0, "/"):
            return self._operator_of_time(piece)
        if self._is_sign(0, "^", "**"):
            return self._second_order(piece)
        if self._is_sign(0, "(") or (following.kind == "name" and following.text in ("log", "ln")):
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

    def _is_differential(self, run: str) -> bool:
        if run == "dt":
            return True
        if run[0] != "d" or run == "d" or run in self._names.defined or run in GREEK:
            return False
        rest = run[1:]
        if rest[0] == "2" and len(rest) > 1:
            return _timeless(to_ascii(rest[1:]), self._names) in self._names.states
        return rest[0].isalpha() and self._may_move(rest)

    def _may_move(self, rest: str) -> bool:
        """Return True for the name behind a d of a state, a noise or a jump process."""
        name = _timeless(to_ascii(rest), self._names)
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
        if timed and _timeless(timed[2], self._names) in self._names.states:
            return [*self.split(timed[1]), timed[2]]
        if run.isalpha() and run.isascii() and self._are_factors(list(run)):
            return list(run)
        return [run]

    def _is_kept(self, run: str) -> bool:
        names = self._names
        plain = to_ascii(run)
        return (
            plain in names.states
            or _timeless(plain, names) in names.states
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
            joined = (
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
        plain = _timeless(to_ascii(run), self._names)
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
        if len(letters) > 2 and not inside <= (self._names.states | self._names.alone):
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

    def raised_symbol(self) -> tuple[str, tuple[str, str] | None]:
        """Return the name that begins here, and (base, index) if its index is raised."""
        head = self._peek()
        assert head is not None
        self._index += 1
        name, _ = self._symbol(head.text, raised=True)
        return name, self._raised

    _raised: tuple[str, str] | None = None

    def _symbol(self, run: str, *, last: bool = True, raised: bool = False) -> tuple[str, bool]:
        """Return the name of a run with its indices, and whether it was a function of time."""
        base = to_ascii(run)
        plain = _timeless(base, self._names) if base not in self._names.states else base
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
        """Return the first letter of a run; the rest follows as a factor, since no brace holds it."""
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
