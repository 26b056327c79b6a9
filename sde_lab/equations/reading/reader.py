"""Parts of a text → statements: what each of them says, and what was understood by it."""

from __future__ import annotations

import re

from sde_lab.equations.errors import EquationError
from sde_lab.equations.expression_tree import ZERO, Node, mul
from sde_lab.equations.reading import vocabulary
from sde_lab.equations.reading.coefficients_apart import CoefficientsApart
from sde_lab.equations.reading.cursor import NOISE, substitute
from sde_lab.equations.reading.definitions import (
    split_commas,
    unwrapped,
)
from sde_lab.equations.reading.equations import (
    WHITE,
    Increment,
    increment,
    moving_names,
    resolve,
    solve,
    tidy,
)
from sde_lab.equations.reading.formula import command_hint
from sde_lab.equations.reading.noises import Noises
from sde_lab.equations.reading.scanner import Piece
from sde_lab.equations.reading.statements import (
    Part,
    depth_change,
    is_relation,
    top_level,
)
from sde_lab.equations.reading.values import Values


class Reader(Values, Noises, CoefficientsApart):
    """Read the parts of a text, each for itself, then what they define together."""

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
        elif len(left) == 1:
            self._one_name(part, head, later)
        elif sum(map(depth_change, left)):
            raise self._error(left[-1], "a closing ) works before =")
        elif head.text in ("Corr", "E", "Cov", "cov"):
            labels = self._labels(left[1:])
            if len(labels) == 2:
                self._correlation(part, (labels[0], labels[1]))
            else:
                self._leave_out(part)
        else:
            self._with_bracket(part, left, later)

    def _one_name(self, part: Part, head: Piece, later: list[tuple[Part, list[Piece]]]) -> None:
        """Enter a = …, a value or an abbreviation, or a part of a diagonal diffusion."""
        if head.text in ("pi", "inf", "nan"):
            raise self._error(head, "this is no parameter: another name works")
        if head.text.startswith("diffusion_of_"):
            self._diagonals[head.text.removeprefix("diffusion_of_")] = part
        elif self._is_constant(part):
            later.append((part, [head]))
        else:
            self._define(head.text, (), part)

    def _with_bracket(
        self, part: Part, left: list[Piece], later: list[tuple[Part, list[Piece]]]
    ) -> None:
        """Enter x(0) = … or f(x, t) = …."""
        text = left[0].text
        arguments = self._argument_names(left)
        is_start = [piece.text for piece in left[1:]] == ["(", "0", ")"]
        if is_start or (left[1].text == "(" and "=" in [p.text for p in part.right]):
            later.append((part, left))
        elif arguments is not None:
            self._define(text, arguments, part)
        elif text in self._names.states and left[1].text == "(":
            hint = f"{text}(0) is the initial value"
            raise EquationError(left[2].location, left[2].text, hint)
        else:
            self._tuple_or_nothing(part, left, later)

    def _tuple_or_nothing(
        self, part: Part, left: list[Piece], later: list[tuple[Part, list[Piece]]]
    ) -> None:
        names = [piece for piece in left if piece.kind == "name"]
        commas = [piece for piece in left if piece.text == ","]
        inside = [piece for piece in left if piece.text not in "()[]"]
        if names and len(names) == len(commas) + 1 and len(inside) == len(names) + len(commas):
            values = split_commas(unwrapped(part.right))
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

    def _find_interpretation(self, part: Part) -> None:
        for piece in part.pieces:
            word = piece.text.lower() if piece.kind == "name" else ""
            if word.startswith("stratonovi"):
                self.stratonovich = piece.location
            elif word == "ito" and part.relation is None:
                self.ito = piece.location

    def _without_relation(self, part: Part, later: list[tuple[Part, list[Piece]]]) -> None:
        inner = unwrapped(part.pieces)
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

    def refuse_without_differentials(self) -> None:
        """Refuse dx = −x, where no equation was found.

        Raises:
            EquationError: at its right side.
        """
        for piece in self._all_pieces():
            if piece.kind == "command" and piece.text in ("partial", "int", "sum", "nabla"):
                raise self._error(piece, command_hint(piece.text))
        for name, (arguments, part) in self._sources.items():
            if re.fullmatch(r"d[A-Za-z]\w?", name) and not arguments:
                hint = "this term has neither dt nor a noise: multiply it by dt or dW"
                raise EquationError(part.right[0].location, "", hint)

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


def _sum(first: Node, last: Node) -> Node:
    return last if first == ZERO else Node("add", (first, last), location=first.location)
