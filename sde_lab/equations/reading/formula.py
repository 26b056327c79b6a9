"""Folded pieces → expression trees: products without a sign, LaTeX, conditions, other functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sde_lab.equations.errors import EquationError
from sde_lab.equations.expression_parser import MAX_OPERATIONS, RESERVED, NodeBuilder
from sde_lab.equations.expression_tree import Node
from sde_lab.equations.functions import ALIASES, FUNCTIONS
from sde_lab.equations.lexer import MAX_NUMBER
from sde_lab.equations.reading import vocabulary
from sde_lab.equations.reading.names import Names
from sde_lab.equations.reading.other_functions import OF_ONE, OF_SEVERAL
from sde_lab.equations.reading.scanner import Piece

_MAX_NAME_CHARS = 24
_MAX_NUMBER_CHARS = 24
_MAX_SHORT_NAME = 2
"""Letters of a name that may be a function of the theory, such as f or mu, at most."""
NOISE = "W:"
"""Begins the name of a noise in a tree: no text can hold it."""
CLOSERS = {"(": ")", "[": "]", "{": "}"}
_COMPARISONS = frozenset(["<", ">", "<=", ">="])
_WORDS = frozenset(["if", "else", "otherwise", "and", "or", "not", "in"])


@dataclass(frozen=True)
class Definition:
    """A function or an abbreviation that the text defines.

    Attributes:
        arguments: names of the arguments, () for an abbreviation.
        body: its value.
    """

    arguments: tuple[str, ...]
    body: Node


@dataclass
class Meaning:
    """What names mean in one formula.

    Attributes:
        names: those of the whole text.
        definitions: functions and abbreviations by name.
        is_white_noise: True for a name, and whether it is a function of time, of white noise.
        written: gives what stands between two places of the text.
    """

    names: Names
    definitions: Mapping[str, Definition]
    is_white_noise: Callable[[str, bool], bool]
    written: Callable[[int, int], str]


def substitute(node: Node, values: Mapping[str, Node]) -> Node:
    """Return the tree with names replaced by trees."""
    if not node.depends_on(frozenset(values)):
        return node
    if node.op == "name":
        return values[node.text]
    operands = tuple(substitute(part, values) for part in node.operands)
    return Node(node.op, operands, location=node.location)


class Formula:
    """Recursive-descent parser over the folded pieces of one formula."""

    def __init__(self, pieces: list[Piece], end: Piece, meaning: Meaning) -> None:
        self._pieces = [*pieces, end]
        self._position = 0
        self._meaning = meaning
        self._builder = NodeBuilder()
        self._bars = 0
        self._truths: set[Node] = set()

    # Pieces

    @property
    def piece(self) -> Piece:
        """The next piece."""
        return self._pieces[self._position]

    def ahead(self, offset: int = 1) -> Piece:
        """Return a piece further on."""
        return self._pieces[min(self._position + offset, len(self._pieces) - 1)]

    def advance(self) -> Piece:
        """Consume the next piece and return it."""
        piece = self.piece
        self._position = min(self._position + 1, len(self._pieces) - 1)
        return piece

    def accept(self, *texts: str) -> bool:
        """Consume the next piece if it is one of these signs, words or commands."""
        matches = self.piece.kind in ("sign", "command", "name") and self.piece.text in texts
        if matches:
            self.advance()
        return matches

    def error(self, hint: str, piece: Piece | None = None) -> EquationError:
        """Return an error at a piece, by default the next."""
        at = self.piece if piece is None else piece
        if at.kind == "end":
            return EquationError(at.location, "", f"the formula ends here: {hint}")
        written = self._meaning.written(*at.span)[:20] or at.text
        return EquationError(at.location, written, f"{written} cannot stand here: {hint}")

    def expect(self, text: str, hint: str) -> None:
        """Consume the next piece, which must be this one.

        Raises:
            EquationError: with the hint, if it is another.
        """
        if not self.accept(text):
            raise self.error(hint)

    def _node(self, op: str, parts: tuple[Node, ...], piece: Piece) -> Node:
        return self._builder.node(op, parts, piece.location, self._meaning.written(*piece.span))

    def _number(self, text: str, piece: Piece) -> Node:
        return Node("number", text=text, location=piece.location)

    def _deeper(self, piece: Piece) -> None:
        self._builder.push_depth(piece.location, self._meaning.written(*piece.span))

    # Conditions

    def expression(self) -> Node:
        """Parse a value, which may depend on a condition."""
        first = self._either()
        if self.accept("?"):
            self._require_truth(first)
            yes = self.expression()
            self.expect(":", "a choice is condition ? a : b")
            return self._choose(first, yes, self.expression())
        if self.piece.kind == "name" and self.piece.text == "if":
            self.advance()
            condition = self.condition()
            if not self.accept("else", "otherwise"):
                raise self.error("a choice is a if x > 0 else b")
            return self._choose(condition, first, self.expression())
        return first

    def condition(self) -> Node:
        """Parse a condition, such as 0 < x and x < 1: 1 where it holds, else 0."""
        node = self._either()
        self._require_truth(node)
        return node

    def _require_truth(self, node: Node) -> None:
        if node not in self._truths:
            raise EquationError(node.location, "", "a condition such as x > 0 works here")

    def _choose(self, condition: Node, yes: Node, no: Node) -> Node:
        at = self.piece
        chosen = self._weighted(condition, yes, at)
        rest = self._weighted(self._node("sub", (self._one(at), condition), at), no, at)
        if rest.value == 0.0 and rest.op == "number":
            return chosen
        if chosen.value == 0.0 and chosen.op == "number":
            return rest
        return self._node("add", (chosen, rest), at)

    def _one(self, piece: Piece) -> Node:
        return self._number("1", piece)

    def _weighted(self, weight: Node, node: Node, piece: Piece) -> Node:
        if node.value == 0.0:
            return self._number("0", piece)
        return weight if node.value == 1.0 else self._node("mul", (weight, node), piece)

    def _either(self) -> Node:
        node = self._both()
        while self.piece.text == "or" and self.piece.kind in ("name", "sign"):
            sign = self.advance()
            self._require_truth(node)
            node = self._truth(self._node("max", (node, self._both_truth()), sign))
        return node

    def _both(self) -> Node:
        node = self._not()
        while self.piece.text == "and" and self.piece.kind in ("name", "sign"):
            sign = self.advance()
            self._require_truth(node)
            other = self._not()
            self._require_truth(other)
            node = self._truth(self._node("mul", (node, other), sign))
        return node

    def _both_truth(self) -> Node:
        node = self._both()
        self._require_truth(node)
        return node

    def _not(self) -> Node:
        if self.piece.kind == "name" and self.piece.text == "not":
            sign = self.advance()
            node = self._comparison()
            self._require_truth(node)
            return self._truth(self._node("sub", (self._one(sign), node), sign))
        return self._comparison()

    def _comparison(self) -> Node:
        left = self.sum()
        result: Node | None = None
        while self.piece.kind == "sign" and self.piece.text in _COMPARISONS:
            sign = self.advance()
            right = self.sum()
            holds = self._compared(left, sign, right)
            result = holds if result is None else self._node("mul", (result, holds), sign)
            left = right
        return left if result is None else self._truth(result)

    def _compared(self, left: Node, sign: Piece, right: Node) -> Node:
        low, high = (left, right) if sign.text[0] == "<" else (right, left)
        if sign.text in ("<", ">"):
            return self._node("step", (self._difference(high, low, sign),), sign)
        reverse = self._node("step", (self._difference(low, high, sign),), sign)
        return self._node("sub", (self._one(sign), reverse), sign)

    def _difference(self, first: Node, last: Node, piece: Piece) -> Node:
        if last.value == 0.0:
            return first
        if first.value == 0.0:
            return self._node("neg", (last,), piece)
        return self._node("sub", (first, last), piece)

    def _truth(self, node: Node) -> Node:
        self._truths.add(node)
        return node

    # Sums, products, powers

    def sum(self) -> Node:
        """Parse a sum."""
        node = self._product()
        while self.piece.kind == "sign" and self.piece.text in ("+", "-"):
            sign = self.advance()
            op = "add" if sign.text == "+" else "sub"
            node = self._node(op, (node, self._product()), sign)
        return node

    def _product(self) -> Node:
        node = self._signed()
        while True:
            sign = self.piece
            if sign.kind == "sign" and sign.text in ("*", "∘"):
                self.advance()
                if sign.text == "∘":
                    node = self._circled(node, sign)
                else:
                    node = self._node("mul", (node, self._signed()), sign)
            elif sign.kind == "sign" and sign.text == "/":
                self.advance()
                node = self._node("div", (node, self._denominator(node)), sign)
            elif self._is_circle_letter():
                self.advance()
                node = self._circled(node, sign)
            elif self._begins_factor():
                self._require_no_words(sign)
                node = self._node("mul", (node, self._power()), sign)
            else:
                return node

    def _require_no_words(self, piece: Piece) -> None:
        """Refuse two words side by side: a product of words that stand nowhere else is prose."""
        before = self._pieces[self._position - 1]
        if before.kind == "name" and piece.kind == "name" and piece.spaced:
            for word in (before, piece):
                if self._is_unknown_word(word):
                    written = self._meaning.written(*word.span)
                    raise self.error(
                        f"{written} is a word; put * before it if it is a factor", word
                    )

    def _is_unknown_word(self, piece: Piece) -> bool:
        name = piece.text
        known = (
            name in self._meaning.names.defined
            or name in self._meaning.names.states
            or name in vocabulary.GREEK_COMMANDS
            or name in vocabulary.FUNCTION_NAMES
            or name in self._meaning.definitions
            or self._meaning.is_white_noise(name, piece.timed)
        )
        if known or len(name) < 2 or not name.isalpha() or not name.islower() or piece.whole:
            return False
        return self._meaning.names.count(name) < 2 and (len(name) > 2 or name in ("os", "is", "or"))

    def _is_circle_letter(self) -> bool:
        """Return True for a letter o that stands before a noise, as a circle in plain text."""
        following = self.ahead()
        return (
            self.piece.kind == "name"
            and self.piece.text in ("o", "O")
            and following.kind == "differential"
            and following.text != "t"
        )

    def _circled(self, node: Node, sign: Piece) -> Node:
        noise = self._power()
        if noise.op != "name" or not noise.text.startswith(NOISE):
            raise EquationError(sign.location, "∘", "after ∘ a noise such as dW stands")
        return self._node("circle", (node, noise), sign)

    def _begins_factor(self) -> bool:
        piece = self.piece
        if piece.kind in ("name", "differential", "state"):
            return piece.text not in _WORDS or piece.kind != "name"
        if piece.kind == "command":
            return piece.text in ("frac", "cases", "indicator")
        if piece.kind == "sign":
            opens = piece.text == "√" or piece.text in self._brackets()
            return opens or (piece.text == "|" and not self._bars)
        return False

    def _denominator(self, above: Node) -> Node:
        """Parse what stands behind "/": of ω/2π both factors."""
        piece = self.piece
        below = self._signed()
        is_two_pi = self.piece.text == "pi" and not self.piece.spaced
        if piece.kind != "number" or (above.op == "number" and not is_two_pi):
            return below
        start = piece.span[0]
        while self._begins_factor() and not self.piece.spaced and self._is_plain_factor():
            last = self.piece
            below = self._node("mul", (below, self._power()), last)
            written = self._meaning.written(start, last.span[1])
            self._meaning.names.remark(f"the divisor of …/{written} is all of {written}")
        return below

    def _is_plain_factor(self) -> bool:
        piece = self.piece
        return piece.kind == "name" and not self._meaning.is_white_noise(piece.text, piece.timed)

    def _signed(self) -> Node:
        if self.piece.kind != "sign" or self.piece.text not in ("+", "-"):
            return self._power()
        sign = self.advance()
        self._deeper(sign)
        node = self._signed()
        self._builder.pop_depth()
        return node if sign.text == "+" else self._node("neg", (node,), sign)

    def _power(self) -> Node:
        piece = self.piece
        node = self._atom()
        while self.piece.kind == "sign" and self.piece.text in ("^", "**", "_"):
            sign = self.piece
            part = self._part_sign()
            if part:
                zero = self._number("0", sign)
                inner = node if part == "+" else self._node("neg", (node,), sign)
                node = self._node("max", (inner, zero), sign)
            elif sign.text == "_":
                raise self.error("an index stands behind a name")
            else:
                self.advance()
                node = self._raised(node, self._exponent(sign), sign, piece)
        return node

    def _raised(self, base: Node, exponent: Node, sign: Piece, piece: Piece) -> Node:
        if base.op == "name" and base.text == "e" and piece.kind == "name":
            return self._node("exp", (exponent,), sign)
        return self._node("pow", (base, exponent), sign)

    def _part_sign(self) -> str:
        """Consume ^+, ^{+}, _+ or ^- of a positive or negative part; return its sign, else ''."""
        sign, behind = self.ahead(), self.ahead(2)
        if sign.text == "{" and behind.text in ("+", "-") and self.ahead(3).text == "}":
            for _ in range(4):
                self.advance()
            return behind.text
        if sign.kind == "sign" and sign.text in ("+", "-") and self.piece.text != "**":
            operand = behind.kind in ("number", "name") or behind.text in ("(", "{", "[")
            if operand and not behind.spaced:
                return ""
            self.advance()
            self.advance()
            return sign.text
        return ""

    def _exponent(self, sign: Piece) -> Node:
        self._deeper(sign)
        if self.piece.kind == "sign" and self.piece.text == "{":
            node = self._bracket()
        else:
            negative = self.piece.kind == "sign" and self.piece.text in ("-", "+")
            lead = self.advance() if negative else None
            node = self._atom()
            if (self.piece.kind == "sign" and self.piece.text == "**") or (
                self.piece.text == "^" and self.piece.kind == "sign" and not self._is_part_sign()
            ):
                again = self.advance()
                node = self._node("pow", (node, self._exponent(again)), again)
            if lead is not None and lead.text == "-":
                node = self._node("neg", (node,), lead)
        self._builder.pop_depth()
        return node

    def _is_part_sign(self) -> bool:
        return self.ahead().text in ("+", "-") and self.ahead(2).spaced

    def _brackets(self) -> str:
        """Return the opening brackets: braces are some in LaTeX only."""
        return "([{" if self._meaning.names.latex else "(["

    # Atoms

    def _atom(self) -> Node:
        piece = self.piece
        parsers: dict[str, Callable[[], Node]] = {
            "number": self._number_atom,
            "name": self._name_atom,
            "differential": self._moving,
            "state": self._moving,
            "command": self._command_atom,
            "sign": self._sign_atom,
        }
        if piece.kind not in parsers:
            raise self.error(_hint(piece))
        return parsers[piece.kind]()

    def _sign_atom(self) -> Node:
        """Parse what begins with a sign: a bracket, an absolute value or a root."""
        text = self.piece.text
        if text in self._brackets():
            return self._bracket()
        if text == "|" and not self._bars:
            return self._absolute()
        if text == "√":
            return self._root()
        raise self.error(_hint(self.piece))

    def _number_atom(self) -> Node:
        piece = self.advance()
        if len(piece.text) > _MAX_NUMBER_CHARS or float(piece.text) > MAX_NUMBER:
            hint = f"a number of at most {_MAX_NUMBER_CHARS} digits, up to {MAX_NUMBER:g}, works"
            raise EquationError(piece.location, piece.text[:_MAX_NUMBER_CHARS], hint)
        if piece.text == "1" and self.piece.text == "_" and self.ahead().text == "{":
            self.advance()
            return self._indicator(piece)
        if self.piece.kind == "number":
            raise self.error("an operator such as * or + stands between two numbers")
        return self._number(piece.text, piece)

    def _moving(self) -> Node:
        """Parse a differential, a derivative by time, or a noise."""
        piece = self.advance()
        states = self._meaning.names.states
        if piece.kind == "state":
            name = piece.text + "'" * piece.order
        elif piece.text == "t":
            name = "dt"
        elif piece.text in states:
            name = f"d:{piece.text}"
        else:
            name = NOISE + piece.text
        return Node("name", text=name, location=piece.location)

    def _bracket(self) -> Node:
        opening = self.advance()
        self._deeper(opening)
        bars, self._bars = self._bars, 0
        node = self.expression()
        self._bars = bars
        self._builder.pop_depth()
        if not self.accept(CLOSERS[opening.text]):
            raise self.error(f"the bracket {opening.text} needs {CLOSERS[opening.text]}")
        return node

    def _absolute(self) -> Node:
        opening = self.advance()
        self._deeper(opening)
        self._bars += 1
        node = self.sum()
        self._bars -= 1
        self._builder.pop_depth()
        self.expect("|", "a second | ends the absolute value")
        return self._node("abs", (node,), opening)

    def _root(self) -> Node:
        """Parse √x, √(…), and √2D, where the bar was lost on the way: the root of the product."""
        sign = self.advance()
        self._deeper(sign)
        first = self.piece
        node = self._power()
        while first.kind == "number" and self._begins_factor() and not self.piece.spaced:
            if not self._is_plain_factor():
                break
            last = self.piece
            node = self._node("mul", (node, self._power()), last)
            written = self._meaning.written(first.span[0], last.span[1])
            self._meaning.names.remark(f"√ covers all of {written}")
        self._builder.pop_depth()
        return self._node("sqrt", (node,), sign)

    def _command_atom(self) -> Node:
        piece = self.piece
        if piece.text == "frac":
            self.advance()
            self._deeper(piece)
            above = self._argument(piece)
            below = self._argument(piece)
            self._builder.pop_depth()
            return self._node("div", (above, below), piece)
        if piece.text == "cases":
            return self._cases()
        if piece.text == "indicator":
            self.advance()
            self.accept("_")
            return self._indicator(piece)
        raise self.error(_command_hint(piece.text))

    def _argument(self, command: Piece) -> Node:
        """Parse the argument of a command: a group, or the next single sign."""
        piece = self.piece
        if piece.kind == "sign" and piece.text == "{":
            return self._bracket()
        if piece.kind == "number" and piece.text.isdigit() and len(piece.text) > 1:
            rest = Piece("number", piece.text[1:], piece.location, piece.span)
            self._pieces[self._position] = rest
            return self._number(piece.text[0], piece)
        if piece.kind in ("number", "name", "state"):
            return self._atom()
        raise self.error(f"\\{command.text} needs {{…}}")

    def _indicator(self, piece: Piece) -> Node:
        if self.piece.text not in CLOSERS:
            raise self.error("an indicator is 1_{x > 0}")
        opening = self.advance()
        self._deeper(opening)
        inner = self.piece.text if self.piece.text in ("(", "[", "{") else ""
        node = self._bracket() if inner else self.condition()
        self._require_truth(node)
        self._builder.pop_depth()
        self.expect(CLOSERS[opening.text], "a closing bracket works")
        return node

    def _cases(self) -> Node:
        r"""Parse ``\begin{cases} a & x < 0 \\ b & otherwise \end{cases}``."""
        opening = self.advance()
        self._deeper(opening)
        branches: list[tuple[Node, Node | None]] = []
        while not self.accept("endcases"):
            value = self.sum()
            self.accept(",")
            self.accept("&")
            self.accept(",")
            words = ("if", "for", "when", "where", "quad", "on")
            while self.accept(*words):
                pass
            if self.accept("otherwise", "else"):
                branches.append((value, None))
            else:
                branches.append((value, self.condition()))
            self.accept(",", ".")
            if self.piece.kind == "other":
                self.advance()
            if not self.accept("row") and self.piece.text != "endcases":
                raise self.error(r"a case is value & condition, and \\ ends it")
        self._builder.pop_depth()
        if not branches:
            raise self.error("a case is value & condition", opening)
        *first, (value, condition) = branches
        result = value
        if condition is not None and not _complete(branches):
            result = self._weighted(condition, value, opening)
        for value, condition in reversed(first):
            if condition is None:
                raise self.error("only the last case holds otherwise", opening)
            result = self._choose(condition, value, result)
        return result

    # Names and functions

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
        if piece.text in _WORDS:
            raise self.error("a value works here", piece)
        definition = self._meaning.definitions.get(piece.text)
        return self._symbol(piece) if definition is None else self._defined(definition, piece)

    def _symbol(self, piece: Piece) -> Node:
        """Return white noise, the unit step, a state or a parameter."""
        name = piece.text
        if self._meaning.is_white_noise(name, piece.timed):
            return Node("name", text=NOISE + name, location=piece.location)
        if name in ("H", "Theta") and self.piece.text == "(" and name not in self._known():
            self._meaning.names.remark(f"{name} is the unit step, 1 above 0")
            return self._node("step", tuple(self._arguments(piece)), piece)
        self._check_bracket(piece)
        return self._plain_name(piece)

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
        return name not in vocabulary.SHORT_FUNCTIONS or self.piece.text == "("

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
        if end is not None:
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
        bars, self._bars = self._bars, 0
        values = [self.expression()]
        while self.accept(","):
            values.append(self.expression())
        self._bars = bars
        self._builder.pop_depth()
        if not self.accept(CLOSERS[opening.text]):
            raise self.error(f"{piece.text}{opening.text}… needs {CLOSERS[opening.text]}")
        return values

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


def _complete(branches: list[tuple[Node, Node | None]]) -> bool:
    """Return True if two cases are each other's opposite, such as x < 0 and x >= 0."""
    if len(branches) != 2:
        return False
    first, last = (condition for _, condition in branches)
    if first is None or last is None:
        return True
    for one, other in ((first, last), (last, first)):
        if one.op == "sub" and one.operands[0].value == 1.0 and one.operands[1] == other:
            return True
    return False


def _hint(piece: Piece) -> str:
    if piece.kind == "sign" and piece.text in (")", "]", "}"):
        return "a value is missing before it, or the bracket was never opened"
    if piece.kind == "sign" and piece.text == "=":
        return "one = stands in an equation"
    if piece.kind == "other" and piece.text == ".":
        return "a point only stands inside a number such as 0.5; attributes do not exist here"
    if piece.kind == "sign" and piece.text in ("*", "/", "^", "**"):
        return "a value is missing before it"
    return "a number, a name or ( works"


def _command_hint(name: str) -> str:
    hints = {
        "int": "write the equation in differentials, dX = … dt + … dW, in place of integrals",
        "sum": "sums over components are not read: write out each state, dx1, dx2, …",
        "prod": "products over components are not read: write them out",
        "partial": "partial differential equations are not possible: only the time derivative is",
        "nabla": "gradients are not read: write the derivative of the potential itself",
        "mean": "equations that depend on the mean of all paths (McKean–Vlasov) are not possible",
        "matrix": "write one equation for each state in place of a matrix",
        "indicator": "an indicator is 1_{x > 0}",
    }
    return hints.get(name, f"\\{name} is not known; letters, fractions, roots and functions are")
