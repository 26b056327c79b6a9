"""Folded pieces → expression trees: products without a sign, LaTeX, conditions, other functions."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from sde_lab.equations.errors import EquationError
from sde_lab.equations.expression_tree import Node
from sde_lab.equations.lexer import MAX_NUMBER
from sde_lab.equations.reading import vocabulary
from sde_lab.equations.reading.calls import MEAN_HINT, Calls
from sde_lab.equations.reading.cursor import (
    CLOSERS,
    NOISE,
    WORDS,
)
from sde_lab.equations.reading.scanner import Piece

_MAX_NUMBER_CHARS = 24


class Formula(Calls):
    """Recursive-descent parser over the folded pieces of one formula."""

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
            return piece.text not in WORDS or piece.kind != "name"
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
            raise self.error(value_hint(piece))
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
        raise self.error(value_hint(self.piece))

    def _number_atom(self) -> Node:
        piece = self.advance()
        if len(piece.text) > _MAX_NUMBER_CHARS or float(piece.text) > MAX_NUMBER:
            hint = f"a number of at most {_MAX_NUMBER_CHARS} digits, up to {MAX_NUMBER:g}, works"
            raise EquationError(piece.location, piece.text[:_MAX_NUMBER_CHARS], hint)
        if piece.text == "1" and self.piece.text == "_" and self.ahead().text == "{":
            self.advance()
            return self._indicator()
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
            return self._indicator()
        raise self.error(command_hint(piece.text))

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


def value_hint(piece: Piece) -> str:
    """Return what would work in place of a piece where a value is missing."""
    if piece.kind == "other" and not piece.text.isascii():
        called = unicodedata.name(piece.text, f"U+{ord(piece.text):04X}").lower()
        return f"this is {called}; Latin and Greek letters work"
    if piece.kind == "sign" and piece.text in (")", "]", "}"):
        return "a value is missing before it, or the bracket was never opened"
    if piece.kind == "sign" and piece.text == "=":
        return "one = stands in an equation"
    if piece.kind == "other" and piece.text == ".":
        return "a point only stands inside a number such as 0.5; attributes do not exist here"
    if piece.kind == "sign" and piece.text in ("*", "/", "^", "**"):
        return "a value is missing before it"
    return "a number, a name or ( works"


def command_hint(name: str) -> str:
    """Return why a LaTeX command is not read, and what works in its place."""
    hints = {
        "int": "write the equation in differentials, dX = … dt + … dW, in place of integrals",
        "sum": "sums over components are not read: write out each state, dx1, dx2, …",
        "prod": "products over components are not read: write them out",
        "partial": "partial differential equations are not possible: only the time derivative is",
        "nabla": "gradients are not read: write the derivative of the potential itself",
        "mean": MEAN_HINT,
        "matrix": "write one equation for each state in place of a matrix",
        "indicator": "an indicator is 1_{x > 0}",
    }
    return hints.get(name, f"\\{name} is not known; letters, fractions, roots and functions are")
