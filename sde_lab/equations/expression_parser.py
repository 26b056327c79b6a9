"""Tokens → tree: a precedence parser for + − * / ** ( ) and the listed functions."""

from __future__ import annotations

import re

from sde_lab.equations.errors import EquationError, SourceLocation
from sde_lab.equations.expression_tree import Node
from sde_lab.equations.functions import ALIASES, FUNCTIONS
from sde_lab.equations.lexer import MAX_NUMBER, Token

MAX_DEPTH = 30
"""Largest depth of nested brackets, functions, signs and powers."""
MAX_OPERATIONS = 200
"""Largest number of operations in one statement."""
MAX_POWER = 20
"""Largest size of a constant exponent."""
MAX_NESTED_POWER = 400.0
"""Largest product of nested exponents."""
RESERVED = frozenset({"in", "ito", "stratonovich", "corr", "e"})
_FUNCTION_NAMES = frozenset(FUNCTIONS) | frozenset(ALIASES)
_NOT_SYMBOLS = _FUNCTION_NAMES | {"pi"}
_NOISE = re.compile(r"d[WB]\w*")


def is_noise(name: str) -> bool:
    """Return True for names of noises: dW, dB, and those that begin so, such as dW1."""
    return _NOISE.fullmatch(name) is not None


class NodeBuilder:
    """Build the nodes of one statement, within the limits of size, depth and value."""

    def __init__(self) -> None:
        self._depth = 0
        self._operations = 0

    def node(
        self, op: str, parts: tuple[Node, ...], location: SourceLocation, written: str
    ) -> Node:
        """Return an operation.

        Raises:
            EquationError: if it is too large or has no finite value.
        """
        self._operations += 1
        hint = ""
        if self._operations > MAX_OPERATIONS:
            hint = f"at most {MAX_OPERATIONS} operations in one line work"
        elif op == "pow" and abs(parts[1].value or 0.0) > MAX_POWER:
            hint = f"powers up to {MAX_POWER} work"
        elif op == "div" and parts[1].value == 0.0:
            hint = "a division by zero has no value"
        else:
            try:
                node = Node(op, parts, location=location)
            except (ArithmeticError, ValueError):
                hint = "this has no finite value"
            else:
                if node.size > MAX_OPERATIONS:
                    hint = f"with what it refers to, {node.size} operations: {MAX_OPERATIONS} work"
                    raise EquationError(location, written, hint)
                if abs(node.value or 0.0) <= MAX_NUMBER and node.nested_power <= MAX_NESTED_POWER:
                    return node
                hint = (
                    f"numbers up to {MAX_NUMBER:g} work, nested powers up to {MAX_NESTED_POWER:g}"
                )
        raise EquationError(location, written, hint)

    def push_depth(self, location: SourceLocation, written: str) -> None:
        """Enter a bracket, function, sign or power.

        Raises:
            EquationError: if it is nested too deeply.
        """
        self._depth += 1
        if self._depth > MAX_DEPTH:
            hint = f"at most {MAX_DEPTH} levels of brackets, functions and powers work"
            raise EquationError(location, written, hint)

    def pop_depth(self) -> None:
        """Leave it."""
        self._depth -= 1


class ExpressionParser:
    """Recursive-descent parser over the tokens of one statement."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._builder = NodeBuilder()

    @property
    def token(self) -> Token:
        """The next token."""
        return self._tokens[self._position]

    def names_ahead(self) -> tuple[str, ...]:
        """Return every name from here to the end of the statement that is no function, in order."""
        ahead = self._tokens[self._position :]
        return tuple(t.text for t in ahead if t.kind == "name" and t.text not in _NOT_SYMBOLS)

    def has_differentials(self) -> bool:
        """Return True if dt, a noise or ∘ occurs in the statement."""
        return any(t.text in ("dt", "∘") or is_noise(t.text) for t in self._tokens)

    def advance(self) -> Token:
        """Consume the next token and return it."""
        token = self.token
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token

    def accept(self, text: str) -> bool:
        """Consume the next token if it is this one; return True if so."""
        matches = self.token.kind != "end" and self.token.text == text
        if matches:
            self.advance()
        return matches

    def expect(self, text: str, why: str) -> Token:
        """Consume the next token, which must be this one, and return it.

        Raises:
            EquationError: with ``why`` as hint, if it is another.
        """
        if self.token.kind == "end" or self.token.text != text:
            raise self.error(why)
        return self.advance()

    def error(self, hint: str) -> EquationError:
        """Return an error at the next token."""
        token = self.token
        problem = f"{token.written} cannot stand here: " if token.kind != "end" else ""
        return EquationError(token.location, token.written, problem + hint)

    def expression(self) -> Node:
        """Parse a sum, the lowest precedence."""
        node = self._product()
        while self.token.text in ("+", "-"):
            sign = self.advance()
            op = "add" if sign.text == "+" else "sub"
            node = self._node(op, (node, self._product()), sign)
        return node

    def _product(self) -> Node:
        node = self._signed()
        while self.token.text in _PRODUCTS:
            sign = self.advance()
            if sign.text == "∘" and not is_noise(self.token.text):
                raise self.error("after ∘ a noise such as dW stands")
            node = self._node(_PRODUCTS[sign.text], (node, self._signed()), sign)
        return node

    def _signed(self) -> Node:
        if self.token.text not in ("+", "-"):
            return self._power()
        sign = self.advance()
        self._push_depth(sign)
        node = self._signed()
        self._builder.pop_depth()
        return node if sign.text == "+" else self._node("neg", (node,), sign)

    def _power(self) -> Node:
        base = self._atom()
        if self.token.text != "**":
            return base
        sign = self.advance()
        self._push_depth(sign)
        exponent = self._signed()
        self._builder.pop_depth()
        return self._node("pow", (base, exponent), sign)

    def _atom(self) -> Node:
        token = self.token
        if token.kind == "number":
            self.advance()
            return self._no_juxtaposition(Node("number", text=token.text, location=token.location))
        if token.kind == "name":
            return self._name()
        if token.text == "(":
            return self._no_juxtaposition(self._bracket())
        raise self.error("a number, a name or ( works")

    def _bracket(self) -> Node:
        self._push_depth(self.advance())
        node = self.expression()
        self._builder.pop_depth()
        self.expect(")", "an operator or a closing ) works")
        return node

    def _name(self) -> Node:
        token = self.advance()
        opens = self.token.text == "("
        if token.text in _FUNCTION_NAMES:
            if not opens:
                hint = f"{token.text} is a function: write {token.text}(…)"
                raise EquationError(token.location, token.written, hint)
            return self._no_juxtaposition(self._call(token))
        if token.text in RESERVED:
            instead = "exp(…)" if token.text == "e" else "another name"
            hint = f"{token.text} is no parameter: {instead} works"
            raise EquationError(token.location, token.written, hint)
        if opens:
            known = ", ".join(FUNCTIONS)
            hint = f"{token.text} is not a function: put * before ( or use one of {known}"
            raise EquationError(token.location, token.written, hint)
        return self._no_juxtaposition(Node("name", text=token.text, location=token.location))

    def _call(self, token: Token) -> Node:
        function = FUNCTIONS[ALIASES.get(token.text, token.text)]
        self._push_depth(self.advance())
        parts = [self.expression()]
        while self.accept(","):
            parts.append(self.expression())
        self._builder.pop_depth()
        if len(parts) != function.arity:
            count = "one argument" if function.arity == 1 else f"{function.arity} arguments"
            raise EquationError(token.location, token.written, f"{token.text} takes {count}")
        self.expect(")", f"{token.text}(… needs a closing )")
        return self._node(function.name, tuple(parts), token)

    def _no_juxtaposition(self, node: Node) -> Node:
        """Return the node; raise EquationError if a value follows without an operator between."""
        if self.token.kind in ("number", "name") and self.token.text != "in":
            raise self.error("put an operator such as * before it")
        if self.token.text == "(":
            raise self.error("put * before (")
        return node

    def _node(self, op: str, parts: tuple[Node, ...], token: Token) -> Node:
        return self._builder.node(op, parts, token.location, token.written)

    def _push_depth(self, token: Token) -> None:
        self._builder.push_depth(token.location, token.written)


_PRODUCTS = {"*": "mul", "/": "div", "∘": "circle"}
