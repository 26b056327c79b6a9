"""Names in a formula, and functions with and without brackets."""

from __future__ import annotations

from sde_lab.equations.errors import EquationError
from sde_lab.equations.expression_parser import MAX_OPERATIONS, RESERVED
from sde_lab.equations.expression_tree import Node
from sde_lab.equations.functions import ALIASES, FUNCTIONS
from sde_lab.equations.reading import vocabulary
from sde_lab.equations.reading.conditions import Conditions
from sde_lab.equations.reading.cursor import (
    CLOSERS,
    NOISE,
    WORDS,
    Definition,
    substitute,
)
from sde_lab.equations.reading.other_functions import OF_ONE, OF_SEVERAL
from sde_lab.equations.reading.scanner import Piece

_MAX_NAME_CHARS = 24
MEAN_HINT = "equations that depend on the mean of all paths (McKean–Vlasov) are not possible"
_MAX_SHORT_NAME = 2
"""Letters of a name that may be a function of the theory, such as f or mu, at most."""


class Calls(Conditions):
    """Parse what begins with a name."""

    def _name_atom(self) -> Node:
        piece = self.advance()
        if (
            self.piece.kind == "other"
            and self.piece.text == "."
            and piece.text in vocabulary.MODULES
        ):
            return self._of_module(piece)
        if self._is_function(piece):
            return self._call(piece)
        if piece.text in WORDS:
            raise self.error("a value works here", piece)
        definition = self._meaning.definitions.get(piece.text)
        return self._symbol(piece) if definition is None else self._defined(definition, piece)

    def _symbol(self, piece: Piece) -> Node:
        """Return white noise, the unit step, a state or a parameter."""
        name = piece.text
        if self._meaning.is_white_noise(name, piece.timed):
            self._skip_time()
            return Node("name", text=NOISE + name, location=piece.location)
        if name in ("H", "Theta") and self.piece.text == "(" and name not in self._known():
            self._meaning.names.remark(f"{name} is the unit step, 1 above 0")
            return self._node("step", tuple(self._arguments(piece)), piece)
        self._check_bracket(piece)
        return self._plain_name(piece)

    def _skip_time(self) -> None:
        """Skip another name of time behind white noise, as in ξ(τ)."""
        inside = self.ahead()
        is_name = inside.kind == "name" and inside.text not in self._meaning.names.states
        if self.piece.text == "(" and is_name and self.ahead(2).text == ")":
            for _ in range(3):
                self.advance()

    def _known(self) -> set[str]:
        """Return the names that the text itself gives a meaning."""
        return self._meaning.names.defined | self._meaning.names.states

    def _of_module(self, piece: Piece) -> Node:
        """Parse np.sin(x), math.pi or self.kappa: the module is left out."""
        self.advance()
        known = self.piece.kind == "name" and (
            self.piece.text in vocabulary.FUNCTION_NAMES or self.piece.text == "pi"
        )
        if not known and piece.text != "self":
            raise self.error("only functions of the list work")
        if self.piece.kind != "name":
            raise self.error("a name works here")
        return self._name_atom()

    def _is_function(self, piece: Piece) -> bool:
        name = piece.text
        if name not in vocabulary.FUNCTION_NAMES or name in self._meaning.names.states:
            return False
        if name in self._meaning.definitions or name in self._meaning.names.defined:
            return self.piece.text == "(" and name not in self._meaning.definitions
        return name not in vocabulary.SHORT_FUNCTIONS or self.piece.text in ("(", "{")

    def _plain_name(self, piece: Piece) -> Node:
        name = piece.text
        names = self._meaning.names
        if name in ("ito", "corr", "stratonovich", "in", "inf", "nan"):
            raise self.error("this is no parameter: another name works", piece)
        if len(name) > 2 * _MAX_NAME_CHARS:
            hint = f"a name of at most {_MAX_NAME_CHARS} characters works"
            raise EquationError(piece.location, name[:_MAX_NAME_CHARS], hint)
        if not name.replace("_", "").isalnum() or "__" in name or not name.isascii():
            raise self.error("letters, digits and single _ make a name", piece)
        if name == "e" and name not in names.defined and name not in names.states:
            if self.piece.text in ("^", "**"):
                return Node("name", text="e", location=piece.location)
            names.remark("e, without a power, is read as a parameter, called e1")
            return Node("name", text="e1", location=piece.location)
        if piece.timed and name not in names.states and not self._is_time(name):
            names.remark(f"{name}(t) is given by no equation: it is the parameter {name}")
        return Node("name", text=renamed(name), location=piece.location)

    def _is_time(self, name: str) -> bool:
        return name in ("t", "pi")

    def _check_bracket(self, piece: Piece) -> None:
        """Refuse a bracket behind a name where it is no product: f(x), x(0), x(t - 1)."""
        if self.piece.kind != "sign" or self.piece.text not in ("(", "["):
            return
        if piece.text == "E" and piece.text not in self._known():
            raise self.error(MEAN_HINT, piece)
        if self.piece.text == "[":
            if not self.piece.spaced and self.ahead(2).text == "]":
                raise self.error("an array index such as [1], or a bracket (…), works")
            return
        self._refuse_other_time(piece)
        names = self._meaning.names
        if piece.text in names.states or piece.text == "pi" or self.piece.spaced:
            return
        self._refuse_function(piece)
        end = self._closing()
        if end is not None and not piece.whole:
            product = self._meaning.written(piece.span[0], end.span[1])
            names.products.setdefault(product)

    def _refuse_other_time(self, piece: Piece) -> None:
        """Refuse a state at another time than t."""
        written = self._meaning.written(*piece.span)
        inside, behind = self.ahead(), self.ahead(2)
        is_state = piece.text in self._meaning.names.states
        hint = ""
        if inside.text == "t" and behind.text == "-" and is_state:
            hint = f"delays are not possible: {written}(t - …) would need the whole past"
        elif behind.text == ")" and is_state and inside.text == "0":
            hint = f"{written}(0) is the start: a parameter works in its place"
        elif inside.kind == "number" and behind.text == ")" and piece.text != "pi":
            hint = f"put * before (, if {written} times {inside.text} is meant"
        if hint:
            raise EquationError(piece.location, written, hint)

    def _refuse_function(self, piece: Piece) -> None:
        """Refuse the call of a function that neither the list has nor the text defines."""
        name, names = piece.text, self._meaning.names
        written = self._meaning.written(*piece.span)
        inside, behind = self.ahead(), self.ahead(2)
        base = name.rstrip("0123456789").partition("_")[0]
        letter = len(base) == 1 or base in vocabulary.GREEK_COMMANDS
        of_state = inside.kind == "name" and (inside.text in names.states or inside.text == "t")
        listed = ", ".join(FUNCTIONS)
        hint = ""
        if name in vocabulary.UNKNOWN_FUNCTIONS - set(vocabulary.GREEK_COMMANDS):
            hint = f"{written} is not a function here; those are {listed}"
        elif (
            (letter or "_" in name or len(name) <= _MAX_SHORT_NAME)
            and of_state
            and behind.text in (")", ",")
        ):
            hint = (
                f"{written}(…) is a function that the text does not define: add a line"
                f" {written}({inside.text}) = …, or write {written}*({inside.text})"
            )
        elif not letter and not self._stands_alone(name):
            hint = f"{written} is not a function: put * before ( or use one of {listed}"
        if hint:
            raise EquationError(piece.location, written, hint)

    def _stands_alone(self, name: str) -> bool:
        return name in self._meaning.names.defined or any(
            piece.kind == "name" and piece.text == name and following.text != "("
            for piece, following in zip(self._pieces, self._pieces[1:], strict=False)
        )

    def _closing(self) -> Piece | None:
        """Return the piece that closes the bracket that is next."""
        depth = 0
        for piece in self._pieces[self._position :]:
            if piece.kind == "sign":
                depth += (piece.text == "(") - (piece.text == ")")
            if depth == 0:
                return piece
        return None

    def _defined(self, definition: Definition, piece: Piece) -> Node:
        if self.piece.text != "(" or self.piece.kind != "sign":
            if definition.arguments and set(definition.arguments) - (
                self._meaning.names.states | {"t"}
            ):
                count = ", ".join(definition.arguments)
                raise self.error(f"{piece.text}({count}) works", piece)
            return definition.body
        if not definition.arguments:
            return definition.body
        values = self._arguments(piece)
        if len(values) != len(definition.arguments):
            count = ", ".join(definition.arguments)
            raise EquationError(piece.location, piece.text, f"{piece.text}({count}) works")
        body = substitute(definition.body, dict(zip(definition.arguments, values, strict=True)))
        if body.size > MAX_OPERATIONS:
            hint = f"with what it refers to, {body.size} operations: {MAX_OPERATIONS} work"
            raise EquationError(piece.location, piece.text, hint)
        return body

    def _arguments(self, piece: Piece) -> list[Node]:
        opening = self.advance()
        self._deeper(opening)
        if opening.text == "{" and self._is_bracket_in_braces():
            values = self._arguments(piece)
            self._builder.pop_depth()
            self.expect("}", "a closing } works")
            return values
        bars, self._bars = self._bars, 0
        values = [self.expression()]
        while self.accept(","):
            values.append(self.expression())
        self._bars = bars
        self._builder.pop_depth()
        if not self.accept(CLOSERS[opening.text]):
            raise self.error(f"{piece.text}{opening.text}… needs {CLOSERS[opening.text]}")
        return values

    def _is_bracket_in_braces(self) -> bool:
        r"""Return True in ``\max{\left(a, b\right)}``, where the braces hold one bracket."""
        end = self._closing() if self.piece.text == "(" else None
        return end is not None and self._pieces[self._pieces.index(end) + 1].text == "}"

    def _call(self, piece: Piece) -> Node:
        name = vocabulary.FUNCTION_NAMES[piece.text]
        index: Node | None = None
        if piece.text == "sqrt" and self.piece.text == "[" and self._meaning.names.latex:
            index = self._bracket()
        if name == "log" and self.piece.text == "_":
            self.advance()
            index = self._argument(piece)
        sign, power = self.piece, None
        if self.piece.kind == "sign" and self.piece.text in ("^", "**"):
            self.advance()
            power = self._exponent(sign)
            if power.value == -1.0 and name in ("sin", "cos", "tan", "sinh"):
                name, power = f"a{name}", None
        if self.piece.kind == "sign" and self.piece.text in CLOSERS:
            values = self._arguments(piece)
        else:
            values = [self._open_argument(piece)]
        node = self._function(name, values, piece)
        if index is not None:
            node = self._indexed(name, values[0], index, piece)
        return node if power is None else self._node("pow", (node, power), sign)

    def _indexed(self, name: str, value: Node, index: Node, piece: Piece) -> Node:
        """Return a root or logarithm with an index, such as a third root."""
        if name == "sqrt":
            inverse = self._node("div", (self._one(piece), index), piece)
            return self._node("pow", (value, inverse), piece)
        logs = (self._node("log", (part,), piece) for part in (value, index))
        return self._node("div", tuple(logs), piece)

    def _open_argument(self, piece: Piece) -> Node:
        """Parse the argument of a function without a bracket: the factors that follow."""
        name = piece.text
        if name not in vocabulary.BRACKETLESS or not (
            self._begins_factor() or self.piece.kind == "number" or self.piece.text in ("-", "+")
        ):
            at = self._meaning.written(*piece.span)
            raise EquationError(piece.location, at, f"{at} is a function: write {at}(…)")
        start = self.piece
        self._deeper(piece)
        node = self._signed()
        single = self._position
        while True:
            following = self.piece
            number_first = start.kind == "number" or start.text == "pi"
            if following.text == "*" and number_first and self.ahead().kind == "name":
                if self._ends_argument(self.ahead()):
                    break
                self.advance()
                node = self._node("mul", (node, self._power()), following)
            elif self._begins_factor() and not self._ends_argument(following) and name != "sqrt":
                node = self._node("mul", (node, self._power()), following)
            else:
                break
        self._builder.pop_depth()
        last = self._pieces[self._position - 1]
        written = self._meaning.written(piece.span[0], last.span[1])
        if self._position > single:
            self._meaning.names.remark(f"{written}: the function covers all of it")
        return node

    def _ends_argument(self, piece: Piece) -> bool:
        """Return True for what begins a factor of its own behind a function without brackets."""
        if piece.kind in ("differential", "state", "command"):
            return True
        if piece.kind == "sign":
            return True
        if self._meaning.is_white_noise(piece.text, piece.timed):
            return True
        is_circle = piece.text in ("o", "O") and self.ahead().kind == "differential"
        return is_circle or piece.text in vocabulary.FUNCTION_NAMES

    def _function(self, name: str, values: list[Node], piece: Piece) -> Node:
        if name in FUNCTIONS:
            return self._listed(name, values, piece)
        return self._composed(name, values, piece)

    def _listed(self, name: str, values: list[Node], piece: Piece) -> Node:
        function = FUNCTIONS[ALIASES.get(name, name)]
        if name in ("max", "min") and len(values) > function.arity:
            node = values[0]
            for value in values[1:]:
                node = self._node(name, (node, value), piece)
            return node
        self._require_count(values, function.arity, piece)
        return self._node(name, tuple(values), piece)

    def _require_count(self, values: list[Node], count: int, piece: Piece) -> None:
        if len(values) != count:
            takes = "one argument" if count == 1 else f"{count} arguments"
            raise EquationError(piece.location, piece.text, f"{piece.text} takes {takes}")

    def _composed(self, name: str, values: list[Node], piece: Piece) -> Node:
        """Return a function that the list does not have, by those that it has."""

        def make(op: str, *parts: Node | str) -> Node:
            nodes = tuple(
                self._number(part, piece) if isinstance(part, str) else part for part in parts
            )
            return self._node(op, nodes, piece)

        if name == "ifelse":
            self._require_count(values, 3, piece)
            self._require_truth(values[0])
            return self._choose(values[0], values[1], values[2])
        if name in OF_ONE:
            self._require_count(values, 1, piece)
            return OF_ONE[name](make, values[0])
        count, function = OF_SEVERAL[name]
        self._require_count(values, count, piece)
        return function(make, *values)


def renamed(name: str) -> str:
    """Return a name that the plain grammar allows for a parameter: e becomes e1."""
    taken = RESERVED | frozenset(FUNCTIONS) | frozenset(ALIASES)
    return f"{name}1" if name in taken else name
