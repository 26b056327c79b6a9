"""Parts of a text → statements: what each of them says, and what was understood by it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sde_lab.equations.errors import EquationError, SourceLocation
from sde_lab.equations.expression_tree import ONE, ZERO, Node, mul, number
from sde_lab.equations.reading import vocabulary
from sde_lab.equations.reading.equations import (
    WHITE,
    Increment,
    increment,
    moving_names,
    resolve,
    solve,
    tidy,
)
from sde_lab.equations.reading.formula import NOISE, Definition, Formula, Meaning, substitute
from sde_lab.equations.reading.names import Folder, Names, survey
from sde_lab.equations.reading.scanner import Piece, Scan
from sde_lab.equations.reading.statements import (
    Part,
    depth_change,
    is_relation,
    parts_of,
    top_level,
)

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
_STARTS = re.compile(r"(?:[xyuXYUzZ]_?0|x_?init|X_?init|y_?init|init|x_?start|initial)")


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


class Reader:
    """Read the parts of a text, each for itself, then what they define together.

    Attributes:
        increments: of the states, in order.
        correlations: of noises.
        settings: values and ranges.
        horizon: end of time, with the place where it stands.
        stratonovich: place of that word, or None.
        remarks: what was decided, in sentences.
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

    @property
    def names(self) -> Names:
        """What the names of the text mean."""
        return self._names

    def read(self) -> None:
        """Read the text.

        Raises:
            EquationError: where it cannot be read.
        """
        later: list[tuple[Part, list[Piece]]] = []
        for part in self._parts:
            self._sort(part, later)
        for part, left in self._equations:
            self._equation(part, left)
        if not self.increments:
            self._coefficients_apart()
        for part, left in later:
            self._setting(part, left)
        self._add_diagonals()
        self._second_orders()
        resolve(self.increments)
        self._scale_white_noise()
        for item in self.increments:
            item.drift = tidy(item.drift)
            item.noises = {label: tidy(node) for label, node in item.noises.items()}
        self._finish_starts()

    # What a part is

    def _sort(self, part: Part, later: list[tuple[Part, list[Piece]]]) -> None:
        """Enter a part where it belongs; values come later, when it is known what is used."""
        self._find_interpretation(part)
        if part.relation is None:
            self._without_relation(part, later)
            return
        left = self._fold(part.left)
        if not left or not part.right:
            if left and part.alone and len(left) < 5:
                raise self._error(part.pieces[part.relation or 0], "a right side works behind =")
            self._leave_out(part)
        elif left[0].text == "corr" and left[0].kind == "name":
            self._named_correlation(part, left)
        elif self._is_mean_of_noise(left):
            self._mean_of_noise(part, left)
        elif any(piece.kind in ("differential", "state") for piece in left):
            self._moving(part, left, later)
        else:
            self._naming(part, left, later)

    def _moving(self, part: Part, left: list[Piece], later: list[tuple[Part, list[Piece]]]) -> None:
        """Enter an equation, a correlation, or the initial value of a velocity."""
        states = self._names.states
        labels = [p.text for p in left if p.kind == "differential" and p.text not in (*states, "t")]
        moves = [
            p for p in left if p.kind == "state" or (p.text in states and p.kind == "differential")
        ]
        if len(labels) == 2 and not moves:
            self._correlation(part, (labels[0], labels[1]))
        elif len(labels) == 1 and not moves and len(left) == 1:
            self._check_new_state(left[0])
            self._leave_out(part)
        elif not moves:
            self._leave_out(part)
        elif left[-1].text == ")" and left[-2].text == "0" and left[-3].text == "(":
            later.append((part, left))
        else:
            self._equations.append((part, self._without_words(part, left)))

    def _check_new_state(self, piece: Piece) -> None:
        hint = "names that begin with dW or dB are noises, dt is time: another state works"
        raise self._error(piece, hint)

    def _naming(self, part: Part, left: list[Piece], later: list[tuple[Part, list[Piece]]]) -> None:
        """Enter a function, an abbreviation, a value, or an initial value."""
        left = self._without_lead(left)
        head = left[0] if left else None
        if head is None or head.kind != "name":
            self._tuple_or_nothing(part, left, later)
            return
        text = head.text
        if len(left) == 1 and text.startswith("diffusion_of_"):
            self._diagonals[text.removeprefix("diffusion_of_")] = part
            return
        if text in ("pi", "inf", "nan", "t") and len(left) == 1 and text != "t":
            raise self._error(head, "this is no parameter: another name works")
        if sum(map(depth_change, left)):
            raise self._error(left[-1], "a closing ) works before =")
        if text in ("Corr", "rho_") or (len(left) > 1 and text in ("E", "Cov", "cov")):
            labels = self._labels(left[1:])
            if len(labels) == 2:
                self._correlation(part, (labels[0], labels[1]))
            else:
                self._leave_out(part)
            return
        if len(left) == 1:
            if self._is_constant(part):
                later.append((part, left))
            else:
                self._define(text, (), part)
            return
        arguments = self._argument_names(left)
        is_start = len(left) == 4 and left[2].text in ("0",)
        if is_start or (left[1].text == "(" and "=" in [p.text for p in part.right]):
            later.append((part, left))
        elif arguments is not None:
            self._define(text, arguments, part)
        else:
            if text in self._names.states and left[1].text == "(":
                hint = f"{text}(0) is the initial value"
                raise EquationError(left[2].location, left[2].text, hint)
            self._tuple_or_nothing(part, left, later)

    def _tuple_or_nothing(
        self, part: Part, left: list[Piece], later: list[tuple[Part, list[Piece]]]
    ) -> None:
        names = [piece for piece in left if piece.kind == "name"]
        commas = [piece for piece in left if piece.text == ","]
        inside = [piece for piece in left if piece.text not in "()[]"]
        if names and len(names) == len(commas) + 1 and len(inside) == len(names) + len(commas):
            values = _split_commas(_unwrapped(part.right))
            if len(values) == len(names) > 1:
                for name, value in zip(names, values, strict=True):
                    inner = Part([name, part.pieces[part.relation or 0], *value], 1)
                    self._sort(inner, later)
                return
        self._leave_out(part)

    def _without_lead(self, left: list[Piece]) -> list[Piece]:
        """Return the left side without words before the name that it gives a value."""
        start = 0
        for index, piece in enumerate(left[:-1]):
            following = left[index + 1]
            if (
                piece.kind == "other"
                or piece.text in (":", ">")
                or (piece.kind == "name" and following.kind == "name" and following.spaced)
            ):
                start = index + 1
        return left[start:]

    def _without_words(self, part: Part, left: list[Piece]) -> list[Piece]:
        """Return the left side of an equation without words, such as a label, before it."""
        start = 0
        for index, piece in enumerate(left[:-1]):
            if (
                piece.kind == "other"
                or piece.text in (":", ">", "?", ",")
                or (piece.kind == "name" and self._is_prose(piece, part))
            ):
                start = index + 1
        if start:
            self._left_out.append(self._scan.written(left[0].span[0], left[start].span[0]))
        rest = left[start:]
        if not any(piece.kind in ("differential", "state") for piece in rest):
            return left
        return rest

    def _is_prose(self, piece: Piece, part: Part) -> bool:
        text = piece.text
        if text in vocabulary.GREEK_COMMANDS or not text.isalpha() or len(text) < 3:
            return False
        used = [p for p in self._all_pieces() if p.kind == "name" and p.text == text]
        return len(used) <= sum(p.text == text for p in part.left)

    def _all_pieces(self) -> Iterator[Piece]:
        for part in self._parts:
            yield from part.pieces

    def _find_interpretation(self, part: Part) -> None:
        for piece in part.pieces:
            word = piece.text.lower() if piece.kind == "name" else ""
            if word.startswith("stratonovi"):
                self.stratonovich = piece.location
            elif word == "ito" and part.relation is None:
                self.ito = piece.location

    def _leave_out(self, part: Part) -> None:
        written = self._scan.written(part.pieces[0].span[0], part.pieces[-1].span[1])
        if written.lower() not in ("stratonovich", "ito") and re.search(r"\w", written):
            self._left_out.append(written)

    # Parts without a relation

    def _without_relation(self, part: Part, later: list[tuple[Part, list[Piece]]]) -> None:
        inner = _unwrapped(part.pieces)
        if any(map(is_relation, part.pieces)):
            if inner is not part.pieces:
                self._sort(Part(inner, top_level(inner, is_relation)), later)
                return
            self._refuse_open_bracket(part)
        pieces = self._fold(part.pieces)
        self._refuse_by_name(pieces)
        place = top_level(pieces, lambda piece: piece.text in ("in", "∈"))
        if place is not None and place and pieces[place - 1].kind == "name":
            if part.alone and place + 1 == len(pieces):
                raise EquationError(self._end(pieces).location, "", "a range [low, high] works")
            self._range(pieces[place - 1], pieces[place + 1 :])
            return
        if self._time_interval(pieces):
            return
        moving = [piece for piece in pieces if piece.kind in ("differential", "state")]
        operators = [p for p in pieces if p.kind == "sign" and p.text in ("+", "*", "∘", "/")]
        if moving and operators:
            raise self._error(moving[0], "= works between the two sides of an equation")
        head = pieces[0] if pieces else None
        if head is not None and self._names.white & {piece.text for piece in pieces}:
            return
        if (
            part.alone
            and head is not None
            and head.kind == "name"
            and ((len(pieces) < 3 and self._names.count(head.text) > 1) or head.text == "corr")
        ):
            hint = f"{head.text} = 1 or {head.text} in [0, 5] works"
            if head.text == "corr":
                hint = "corr(dW1, dW2) = rho works"
            raise EquationError(self._end(pieces).location, "", hint)
        self._leave_out(part)

    def _refuse_open_bracket(self, part: Part) -> None:
        """Refuse a bracket that hides the "=" of a line because nothing closes it."""
        open_at: list[Piece] = []
        for piece in part.pieces:
            change = depth_change(piece)
            if change > 0:
                open_at.append(piece)
            elif change < 0 and open_at:
                open_at.pop()
        if open_at:
            raise self._error(open_at[0], "nothing closes this bracket")

    def _refuse_by_name(self, pieces: list[Piece]) -> None:
        for index, piece in enumerate(pieces):
            if piece.text in ("->", "reset", "threshold") and piece.kind in ("sign", "name"):
                hint = "resets and thresholds are not possible: the paths are continuous"
                if piece.text == "->" and not any(
                    p.text in self._names.states for p in pieces[:index]
                ):
                    continue
                raise self._error(piece, hint)

    def _time_interval(self, pieces: list[Piece]) -> bool:
        """Read 0 <= t <= T or t >= 0."""
        texts = [piece.text for piece in pieces]
        if "t" not in texts or not any(text in ("<", "<=", ">=", ">") for text in texts):
            return False
        if texts[:4] in (["0", "<=", "t", "<="], ["0", "<", "t", "<"], ["0", "<=", "t", "<"]):
            self._set_horizon(pieces[4:])
        return True

    def _set_horizon(self, pieces: list[Piece]) -> None:
        if len(pieces) == 1 and pieces[0].kind == "name":
            self._horizon_name = pieces[0].text
            return
        value = self._value(pieces)
        if value is not None:
            self.horizon = (value, pieces[0].location)

    def _range(self, name: Piece, pieces: list[Piece]) -> None:
        """Read name in [low, high]."""
        bounds = self._bounds(pieces)
        if name.text == "t":
            if bounds is not None and len(bounds) == 2:
                start = self._value(bounds[0])
                if start != 0.0:
                    raise self._error(name, "time starts at 0: t in [0, 10] works")
                self._set_horizon(bounds[1])
            return
        if bounds is None:
            return
        low, high = (self._value(bound) for bound in bounds)
        if low is None or high is None:
            return
        self.settings.append(Setting(name.text, None, low, high, name.location))

    def _bounds(self, pieces: list[Piece]) -> list[list[Piece]] | None:
        if len(pieces) < 4 or pieces[0].text not in "[(" or pieces[-1].text not in "])":
            return None
        bounds = _split_commas(pieces[1:-1])
        return bounds if len(bounds) == 2 else None

    # Formulas

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
        if rest.kind == "end" or self._is_unit(formula, rest):
            return node
        if rest.kind == "number":
            raise formula.error("put an operator such as * before it")
        if rest.text in (")", "]", "}") and rest.kind == "sign":
            raise formula.error("no bracket is open here")
        if rest.kind == "other" and rest.text == ".":
            raise formula.error(
                "a point only stands inside a number such as 0.5; attributes do not exist here"
            )
        raise formula.error("an operator such as + or *, or the end of the line, works here")

    def _is_unit(self, formula: Formula, rest: Piece) -> bool:
        """Return True if a colon and a unit follow, or the brackets of a condition."""
        if rest.text not in (":", ".", "'") and rest.text not in ("[", "("):
            return False
        tail = []
        while formula.piece.kind != "end":
            tail.append(formula.advance())
        texts = [piece.text for piece in tail]
        if rest.text == ":":
            allowed = all(
                piece.kind in ("name", "number")
                or piece.text in ("*", "/", "**", "^", "(", ")", "-")
                for piece in tail[1:]
            )
            return allowed and not any(p.kind in ("differential", "state") for p in tail[1:])
        return len(texts) == 1 and rest.text == "."

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
        return base == "eta" and not timed and self._only_noise(base)

    def _only_noise(self, base: str) -> bool:
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

    def _is_constant(self, part: Part) -> bool:
        place = top_level(
            part.right, lambda piece: piece.text in ("in", "∈") and piece.kind != "number"
        )
        right = part.right if place is None else part.right[:place]
        if place is not None:
            return True
        return bool(right) and self._value(right) is not None

    # Definitions

    def _argument_names(self, left: list[Piece]) -> tuple[str, ...] | None:
        """Return the arguments of ``f(x, t)``, () of ``F(t)``, or None for anything else."""
        if left[1].text not in ("(", "[") or left[-1].text not in (")", "]"):
            return None
        inside = left[2:-1]
        names = [piece.text for piece in inside if piece.text != ","]
        shape = all(p.kind == "name" for p in inside[::2]) and all(
            p.text == "," for p in inside[1::2]
        )
        return tuple(names) if shape and names else None

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

    # Equations

    def _equation(self, part: Part, left: list[Piece]) -> None:
        rate = any(piece.kind == "state" for piece in left)
        right = self._fold(part.right)
        self._refuse_right(right)
        start = next(p for p in left if p.kind in ("differential", "state"))
        node = self._parse(right, rate=rate)
        if not rate:
            white = {
                name: Node("name", text=WHITE + name.removeprefix(NOISE))
                for name in node.names
                if name.startswith(NOISE) and self._is_white_label(name, right)
            }
            node = substitute(node, white)
        side = self._parse(left, rate=rate)
        name, value = solve(side, node, start.location)
        found = increment(name, value, start.location)
        self._logarithm(found)
        if name.endswith("''"):
            self._make_second_order(found)
        else:
            self._add(found)

    def _add(self, found: Increment) -> None:
        if any(item.state == found.state for item in self.increments):
            hint = f"d{found.state} has an equation already"
            raise EquationError(found.location, f"d{found.state}", hint)
        self.increments.append(found)

    def _is_white_label(self, name: str, right: list[Piece]) -> bool:
        label = name.removeprefix(NOISE)
        return any(piece.kind == "name" and piece.text == label for piece in right) or any(
            piece.kind == "differential" and piece.order and piece.text == label for piece in right
        )

    def _refuse_right(self, right: list[Piece]) -> None:
        self._refuse_by_name(right)
        for piece in right:
            if piece.kind != "differential" or piece.text in (*self._names.states, "t"):
                continue
            base = re.sub(r"_.*|[0-9]+$", "", piece.text)
            if base in vocabulary.JUMPS:
                written = self._scan.written(*piece.span)
                hint = (
                    f"{written} is {vocabulary.JUMPS[base]}: jumps are not possible, and"
                    f" d{base} stands in no equation; Brownian motions are dW, dB or dZ"
                )
                raise EquationError(piece.location, written, hint)
            if piece.text.upper().endswith("_H") and base == "B":
                written = self._scan.written(*piece.span)
                hint = "fractional Brownian motion is not possible; dW is Brownian motion"
                raise EquationError(piece.location, written, hint)
            known = base in vocabulary.NOISE_NAMES or re.fullmatch(r"[WBZ][a-zA-Z]?", base)
            if not known:
                hint = f"d{piece.text} stands in no equation; noises are dW, dB or dZ"
                raise self._error(piece, hint)

    def _logarithm(self, found: Increment) -> None:
        """For the state log_S: read S on the right as exp(log_S)."""
        if not found.state.startswith("log_"):
            return
        inner = found.state.removeprefix("log_")
        if inner in self._names.states and any(i.state == inner for i in self.increments):
            return
        self._names.remark(f"the state is log_{inner}, the logarithm of {inner}")
        value = {inner: Node("exp", (Node("name", text=found.state),))}
        found.drift = substitute(found.drift, value)
        found.noises = {label: substitute(c, value) for label, c in found.noises.items()}

    def _make_second_order(self, found: Increment) -> None:
        """Enter x'' = … as two equations, for x and its velocity."""
        state = found.state
        used = {piece.text for piece in self._all_pieces()} | self._names.states
        free = [name for name in ("v", f"v_{state}", f"{state}_dot") if name not in used]
        velocity = free[0]
        self._names.remark(f"{velocity} is the velocity, d{state}/dt: two equations of first order")
        self._velocities[state] = velocity
        first = Increment(state, found.location, drift=Node("name", text=velocity))
        self._add(first)
        found.state = velocity
        self._add(found)

    def _second_orders(self) -> None:
        """Replace derivatives of second-order states by their velocities."""
        values = {
            f"{state}'": Node("name", text=velocity) for state, velocity in self._velocities.items()
        }
        for item in self.increments:
            item.drift = substitute(item.drift, values)
            item.noises = {label: substitute(c, values) for label, c in item.noises.items()}
            for name in [name for name in item.others if name in values]:
                factor = item.others.pop(name)
                item.drift = _sum(item.drift, mul(factor, values[name]))
            left_over = moving_names(item.drift)
            if left_over:
                hint = "a derivative stands inside a function: write the equations one by one"
                raise EquationError(item.location, "", hint)

    @property
    def _velocities(self) -> dict[str, str]:
        return self.__dict__.setdefault("_velocity_names", {})  # type: ignore[no-any-return]

    def _add_diagonals(self) -> None:
        for name, part in self._diagonals.items():
            state = name
            item = next((i for i in self.increments if i.state == state), None)
            if item is None:
                raise self._error(part.pieces[0], f"{state} has no equation")
            index = [i.state for i in self.increments].index(state)
            label = "W" if len(self._diagonals) == 1 else f"W{index + 1}"
            item.noises[label] = self._parse(self._fold(part.right))
            item.bare.add(NOISE + label)

    # Drift and diffusion apart

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
        if pieces and pieces[0].text in ("[", "(", "{") and _closes_at_end(pieces):
            inner = _split_commas(pieces[1:-1])
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
        first = _split_commas(pieces[2:-1])[0]
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
        bases = wanted[:1] or [name for name in ("x", "X", "y", "u")]
        for base in bases:
            found = sorted({name for name in used if re.fullmatch(rf"{base}\d", name)})
            if len(found) == size:
                return found
            if found:
                start = 0 if f"{base}0" in found else 1
                return [f"{base}{k + start}" for k in range(size)]
        unpacked = self._unpacked(size)
        if unpacked:
            return unpacked
        guesses = ["x", "v"] if "v" in used and size == 2 else ["x", "y", "z"]
        if size <= len(guesses) and set(guesses[:size]) & set(used):
            return guesses[:size]
        return [f"x{k + 1}" for k in range(size)]

    def _unpacked(self, size: int) -> list[str]:
        """Return the names of ``x, v = y``."""
        for part in self._parts:
            names = [piece.text for piece in part.left if piece.kind == "name"]
            if len(names) == size > 1 and len(part.left) == 2 * size - 1 and len(part.right) == 1:
                return names
        return []

    def refuse_without_differentials(self) -> None:
        """Refuse dx = −x, where no equation was found.

        Raises:
            EquationError: at its right side.
        """
        for name, (arguments, part) in self._sources.items():
            if re.fullmatch(r"d[A-Za-z]\w?", name) and not arguments:
                hint = "this term has neither dt nor a noise: multiply it by dt or dW"
                raise EquationError(part.right[0].location, "", hint)

    # Noises

    def _is_mean_of_noise(self, left: list[Piece]) -> bool:
        head = left[0]
        if head.text in ("⟨", "mean") or (
            head.text == "E" and len(left) > 1 and left[1].text in ("[", "(", "{")
        ):
            return True
        return head.text == "d" and len(left) > 1 and left[1].text in ("⟨", "[")

    def _labels(self, pieces: list[Piece]) -> list[str]:
        """Return the labels of the noises that stand in the pieces."""
        return [
            piece.text
            for piece in pieces
            if piece.kind in ("differential", "name", "state")
            and (piece.kind == "differential" or self._folds_to_noise(piece.text))
            and piece.text not in ("t", "dt", "d", "E")
        ]

    def _folds_to_noise(self, name: str) -> bool:
        base = re.sub(r"_.*|[0-9]+$", "", name)
        return (
            base in vocabulary.NOISE_NAMES or re.fullmatch(r"[WBZ][A-Za-z]?\d*", name) is not None
        )

    def _mean_of_noise(self, part: Part, left: list[Piece]) -> None:
        """Read ⟨ξ(t) ξ(s)⟩ = 2D δ(t − s), d⟨W1, W2⟩ = ρ dt or E[dW1 dW2] = ρ dt."""
        labels = self._labels(left)
        if not labels:
            marks = ("t", "s", "u", "E", "tau", "d")
            labels = [p.text for p in left if p.kind == "name" and p.text not in marks]
        right = self._fold(part.right)
        if len(labels) < 2:
            if labels:
                self._intensity.setdefault(labels[0], None)
            self._leave_out(part)
            return
        dirac = next(
            (k for k, p in enumerate(right[:-1]) if p.text == "delta" and right[k + 1].text == "("),
            None,
        )
        first, last = labels[0], labels[1]
        if dirac is not None:
            factors = [p for p in right[:dirac] if not re.match(r"delta", p.text)]
            value = self._parse(factors) if factors else ONE
            base = re.sub(r"_.*|[0-9]+$", "", first)
            same = first == last or bool(re.search(r"_?[ij]+$", first))
            if same:
                self._intensity[base if first != last else first] = value
            elif value.value != 0.0:
                self.correlations.append(Correlation((first, last), value, part.pieces[0].location))
            return
        if first != last:
            self._correlation(part, (first, last))
        else:
            self._leave_out(part)

    def _named_correlation(self, part: Part, left: list[Piece]) -> None:
        """Read corr(dW1, dW2) = rho, the form of the plain grammar."""
        shape = [piece.text for piece in (left[1], left[3], left[-1])] if len(left) == 6 else []
        if shape != ["(", ",", ")"]:
            raise self._error(left[-1], "corr(dW1, dW2) = rho works")
        for piece in (left[2], left[4]):
            if piece.kind != "differential" or piece.text in (*self._names.states, "t"):
                raise self._error(piece, "a noise such as dW1 works here")
        value = self._parse(self._fold(part.right))
        pair = (left[2].text, left[4].text)
        self.correlations.append(Correlation(pair, value, left[0].location))

    def _correlation(self, part: Part, labels: tuple[str, str]) -> None:
        right = self._fold(part.right)
        location = part.pieces[0].location
        if right and right[-1].text in ("t", "dt") and len(right) > 1:
            right = right[:-1]
        if len(right) == 1 and right[0].text in ("t", "dt") and right[0].kind != "number":
            return
        value = self._parse(right)
        if value.value == 0.0:
            return
        if value.op != "name" and value.value is None:
            raise EquationError(value.location, "", "a number or the name of one parameter works")
        if value.value is not None and not -1.0 < value.value < 1.0:
            raise EquationError(value.location, "", "a correlation lies between -1 and 1")
        self.correlations.append(Correlation(labels, value, location))

    def _scale_white_noise(self) -> None:
        """Multiply by the root of the intensity where ⟨ξ(t) ξ(s)⟩ is more than δ(t − s)."""
        for item in self.increments:
            for label, coefficient in item.noises.items():
                base = re.sub(r"_.*|[0-9]+$", "", label)
                value = self._intensity.get(label, self._intensity.get(base))
                if value is None or value == ONE:
                    continue
                root = Node("sqrt", (value,), location=item.location)
                item.noises[label] = mul(coefficient, root)
                self._names.remark(
                    f"{label} has the intensity that its correlation says: its root is a factor"
                )

    # Values

    def _setting(self, part: Part, left: list[Piece]) -> None:
        right = part.right
        place = top_level(right, lambda piece: piece.text in ("in", "∈") and piece.kind != "number")
        bounds = None
        if place is not None:
            bounds = self._bounds(right[place + 1 :])
            if bounds is None:
                at = right[place + 1] if place + 1 < len(right) else right[place]
                raise self._error(at, "a range [low, high] works")
            right = right[:place]
        low = high = None
        if bounds is not None:
            low, high = (self._required(bound) for bound in bounds)
        name = left[0].text
        location = left[0].location
        value = self._value(right)
        if name == "t":
            if value is None:
                self._range(left[0], right)
                return
            raise self._error(left[0], "time starts at 0: t in [0, 10] works")
        if value is None:
            self._start_by_name(part, left)
            return
        if low is not None and high is not None:
            self._check_range(location, value, low, high)
        setting = Setting(name, value, low, high, location)
        if left[0].kind == "state":
            velocity = self._velocities.get(name)
            if velocity:
                self.starts[velocity] = setting
            return
        if len(left) > 1:
            self._start(setting, left)
        else:
            self.settings.append(setting)

    def _check_range(self, location: SourceLocation, value: float, low: float, high: float) -> None:
        if not low < high:
            raise EquationError(location, "", f"the range [{low:g}, {high:g}] is empty")
        if not low <= value <= high:
            raise EquationError(location, "", f"{value:g} lies outside [{low:g}, {high:g}]")

    def _required(self, pieces: list[Piece]) -> float:
        value = self._value(pieces)
        if value is None:
            raise self._error(pieces[0], "a number works here")
        return value

    def _start(self, setting: Setting, left: list[Piece]) -> None:
        if [piece.text for piece in left[1:]] != ["(", "0", ")"]:
            raise self._error(left[1], f"{left[0].text}(0) is the initial value")
        if setting.name not in {item.state for item in self.increments}:
            hint = f"{setting.name} stands in no equation; an equation needs dt or dW"
            raise EquationError(setting.location, setting.name, hint)
        self.starts[setting.name] = setting

    def _start_by_name(self, part: Part, left: list[Piece]) -> None:
        """Leave out a start that is no number, such as X_0 = x; the slider gives it."""
        right = self._fold(part.right)
        if right and right[0].text in ("[", "("):
            values = [self._value(entry) for entry in _split_commas(_unwrapped(right))]
            if all(value is not None for value in values):
                self._vector_start = [value for value in values if value is not None]
                return
        if left[-1].text == ")" or self._is_start_name(left[0].text):
            self._leave_out(part)
            return
        self._value_error(part)

    def _value_error(self, part: Part) -> None:
        self._parse(self._fold(part.right))
        self._leave_out(part)

    def _is_start_name(self, name: str) -> bool:
        return any(name in (f"{s}0", f"{s}_0") for s in self._names.states)

    def _finish_starts(self) -> None:
        """Sort values into starts, the horizon and parameters; give vectors to the states."""
        states = [item.state for item in self.increments]
        by_start = {name: s for s in states for name in (f"{s}0", f"{s}_0", f"{s}_init")}
        kept: list[Setting] = []
        used = self._used_names()
        for setting in self.settings:
            name = setting.name
            if name in used:
                kept.append(setting)
            elif name in by_start:
                self.starts.setdefault(by_start[name], setting)
            elif name == self._horizon_name or name in (
                "T",
                "t_end",
                "tmax",
                "T_max",
                "tend",
                "t_max",
            ):
                if setting.value is not None and setting.value > 0:
                    self.horizon = self.horizon or (setting.value, setting.location)
            elif _STARTS.fullmatch(name) and len(states) == 1 and setting.value is not None:
                self.starts.setdefault(states[0], setting)
            else:
                self._unused(setting, used)
        self.settings = kept
        if len(self._vector_start) == len(states):
            for state, value in zip(states, self._vector_start, strict=True):
                place = SourceLocation(1, 1)
                self.starts.setdefault(state, Setting(state, value, None, None, place))

    def _unused(self, setting: Setting, used: set[str]) -> None:
        """Leave out a value that no equation uses; one that looks misspelt is refused."""
        name = setting.name
        similar = difflib.get_close_matches(name, sorted(used), 1, 0.75) if len(name) > 3 else []
        if similar:
            hint = f"{name} stands in no equation; did you mean {similar[0]}?"
            raise EquationError(setting.location, name, hint)
        shown = name if setting.value is None else f"{name} = {setting.value:g}"
        self._left_out.append(f"{shown}, which no equation uses")

    def _used_names(self) -> set[str]:
        used: set[str] = set()
        for item in self.increments:
            used |= item.drift.names
            for coefficient in item.noises.values():
                used |= coefficient.names
        for correlation in self.correlations:
            used |= correlation.value.names
        return used

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was decided, and what was left out."""
        unused = [
            self._scan.written(part.pieces[0].span[0], part.pieces[-1].span[1])
            for name, (_, part) in self._sources.items()
            if name not in self._bodies
        ]
        left_out = [
            text if len(text) < 40 else f"{text[:38]}…"
            for text in (*self._left_out, *unused)
            if text
        ]
        said = list(self._names.remarks)
        if self._names.products:
            said.insert(0, f"read as products: {', '.join(self._names.products)}")
        if left_out:
            said.append(f"left out: {'; '.join(left_out[:4])}{'; …' if len(left_out) > 4 else ''}")
        return tuple(said)


class _Lazy(Mapping[str, Definition]):
    """The definitions of a text, each parsed when it is first needed."""

    def __init__(self, reader: Reader) -> None:
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


def _sum(first: Node, last: Node) -> Node:
    return last if first == ZERO else Node("add", (first, last), location=first.location)


def _split_commas(pieces: list[Piece]) -> list[list[Piece]]:
    parts: list[list[Piece]] = [[]]
    depth = 0
    for piece in pieces:
        depth += depth_change(piece)
        if piece.text == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(piece)
    return [part for part in parts if part]


def _closes_at_end(pieces: list[Piece]) -> bool:
    depth = 0
    for index, piece in enumerate(pieces):
        depth += depth_change(piece)
        if depth == 0:
            return index == len(pieces) - 1
    return False


def _unwrapped(pieces: list[Piece]) -> list[Piece]:
    return pieces[1:-1] if pieces and pieces[0].text in "([{" and _closes_at_end(pieces) else pieces


def _is_nested(entries: list[list[Piece]]) -> bool:
    return any(entry and entry[0].text == "[" for entry in entries)


def _without_calls(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces without np.array( … ), c( … ) or Matrix([ … ]) around them."""
    while len(pieces) > 2 and pieces[0].kind == "name":
        start = 3 if pieces[1].text == "." else 1
        called = pieces[start - 1].text
        if start >= len(pieces) or pieces[start].text != "(" or not _closes_at_end(pieces[start:]):
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
        single = bool(inner) and inner[0].text == "[" and _closes_at_end(inner)
        opening = replace(pieces[start], text="[")
        closing = replace(pieces[-1], text="]")
        pieces = inner if single else [opening, *inner, closing]
    return pieces
