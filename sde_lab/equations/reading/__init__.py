"""A text as it is found → the same in the project's plain grammar, and what was understood by it.

People write an SDE in LaTeX, as dx/dt with white noise, as drift and diffusion apart, without signs
of multiplication, with units, numbers and words around. :func:`read` gives it in the grammar of
:mod:`sde_lab.equations.statement_parser`, which everything else works with, and says where it had
to choose. The text is never evaluated: names, functions and commands come from closed lists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sde_lab.equations import plain_text
from sde_lab.equations.analysis import EquationSystem, analyse_statements, initial_name
from sde_lab.equations.errors import EquationError, SourceLocation
from sde_lab.equations.expression_parser import MAX_OPERATIONS
from sde_lab.equations.expression_tree import ONE, ZERO, Node
from sde_lab.equations.reading.cursor import substitute
from sde_lab.equations.reading.definitions import Setting
from sde_lab.equations.reading.equations import Increment
from sde_lab.equations.reading.reader import Reader
from sde_lab.equations.reading.scanner import scan
from sde_lab.equations.statement_parser import (
    CorrelationStatement,
    EquationStatement,
    InterpretationStatement,
    SettingStatement,
    Statement,
)


@dataclass(frozen=True)
class Reading:
    """How a text was read.

    Attributes:
        text: the same in the plain grammar.
        remarks: what was decided where there was a choice, and what was left out, in sentences.
    """

    text: str
    remarks: tuple[str, ...]


def read(text: str) -> Reading:
    """Return a text in the plain grammar.

    Raises:
        EquationError: with the place, in this text, of what cannot be read.
    """
    try:
        reader = Reader(scan(text))
        reader.read()
    except RecursionError:
        raise EquationError(SourceLocation(1, 1), "", "this is nested too deeply") from None
    _require_equations(reader)
    noises = _noise_names(reader)
    _rename_references(reader)
    _require_size(reader)
    analyse_statements(_statements(reader, noises))
    return Reading(_plain(reader, noises), reader.remarks)


def _require_equations(reader: Reader) -> None:
    if not reader.increments:
        reader.refuse_without_differentials()
        hint = "an equation works, such as dx = kappa*(theta - x)*dt + sigma*dW"
        raise EquationError(SourceLocation(1, 1), "", hint)


def _require_size(reader: Reader) -> None:
    for item in reader.increments:
        size = item.drift.size + sum(node.size for node in item.noises.values())
        if size > MAX_OPERATIONS:
            hint = (
                f"with what it refers to, the equation has {size} operations; {MAX_OPERATIONS} work"
            )
            raise EquationError(item.location, f"d{item.state}", hint)


def _noise_names(reader: Reader) -> dict[str, str]:
    """Return label → name: dW alone, those of one letter by their index, others by their order."""
    labels = list(dict.fromkeys(label for item in reader.increments for label in item.noises))
    if len(labels) == 1:
        return {labels[0]: f"d{labels[0]}" if re.fullmatch(r"W\d+", labels[0]) else "dW"}
    indices = [
        label.rpartition("_")[2] if "_" in label else label.lstrip("abcdefghijklmnopqrstuvwxyzWBZ")
        for label in labels
    ]
    if len(set(indices)) == len(labels) and all(index.isdigit() for index in indices):
        return {label: f"dW{index}" for label, index in zip(labels, indices, strict=True)}
    return {label: f"dW{number}" for number, label in enumerate(labels, start=1)}


def _rename_references(reader: Reader) -> None:
    """Rename parameters that are called like the start of a state, such as x_0 in −k(x − x_0)."""
    states = {item.state for item in reader.increments}
    renamed = {}
    for item in reader.increments:
        for node in (item.drift, *item.noises.values()):
            for state in states:
                name = initial_name(state)
                if name in node.names and name not in states:
                    renamed[name] = f"{state}_ref"
    if not renamed:
        return
    values = {name: Node("name", text=new) for name, new in renamed.items()}
    for item in reader.increments:
        item.drift = substitute(item.drift, values)
        item.noises = {label: substitute(node, values) for label, node in item.noises.items()}
    reader.settings = [
        Setting(renamed.get(s.name, s.name), s.value, s.low, s.high, s.location)
        for s in reader.settings
    ]
    for name, new in renamed.items():
        reader.names.remark(f"{name} stands in an equation: it is the parameter {new}, no start")


def _is_stratonovich(reader: Reader) -> bool:
    circled = any(item.circled for item in reader.increments)
    for item in reader.increments:
        if circled and item.noises and not item.circled:
            hint = "with ∘ before one noise, every noise needs it (one interpretation for all)"
            raise EquationError(item.location, "", hint)
        if circled and {name for name in item.bare if name.startswith("W:")} - item.circled:
            hint = "with ∘ before one noise, every noise needs it (one interpretation for all)"
            raise EquationError(item.location, "", hint)
    if reader.ito and (circled or reader.stratonovich):
        raise EquationError(reader.ito, "", "one interpretation for all: ito or stratonovich")
    return circled or reader.stratonovich is not None


def _statements(reader: Reader, noises: dict[str, str]) -> list[Statement]:
    """Return the statements of the plain text with their places in the original."""
    result: list[Statement] = []
    for item in reader.increments:
        right = _right_side(item, noises)
        names = tuple(dict.fromkeys(_names_in_order(right)))
        own = tuple(noises[label] for label in item.noises)
        result.append(EquationStatement(item.state, right, names, own, item.location))
    for correlation in reader.correlations:
        first, last = (noises.get(label, f"d{label}") for label in correlation.labels)
        result.append(CorrelationStatement((first, last), correlation.value, correlation.location))
    if _is_stratonovich(reader):
        place = reader.stratonovich or reader.increments[0].location
        result.append(InterpretationStatement("stratonovich", place))
    result += [_as_statement(setting.name, setting) for setting in reader.settings]
    result += [_as_statement(initial_name(state), s) for state, s in reader.starts.items()]
    if reader.horizon is not None:
        end, place = reader.horizon
        result.append(SettingStatement("t", None, 0.0, end, place))
    return result


def _as_statement(name: str, setting: Setting) -> SettingStatement:
    return SettingStatement(name, setting.value, setting.low, setting.high, setting.location)


def _right_side(item: Increment, noises: dict[str, str]) -> Node:
    terms = [(item.drift, "dt")] if item.drift.value != 0.0 or not item.noises else []
    terms += [(node, noises[label]) for label, node in item.noises.items()]
    products = [
        Node("mul", (node, Node("name", text=name)), location=node.location) for node, name in terms
    ]
    total = products[0]
    for product in products[1:]:
        total = Node("add", (total, product), location=item.location)
    return total


def _names_in_order(node: Node) -> list[str]:
    if node.op == "name":
        return [] if node.text == "pi" else [node.text]
    return [name for part in node.operands for name in _names_in_order(part)]


def _plain(reader: Reader, noises: dict[str, str]) -> str:
    lines = [_equation_line(item, noises) for item in reader.increments]
    for correlation in reader.correlations:
        first, last = (noises[label] for label in correlation.labels)
        lines.append(f"corr({first}, {last}) = {plain_text.write(correlation.value)}")
    if _is_stratonovich(reader) and any(item.noises for item in reader.increments):
        lines.append("stratonovich")
    lines += [_setting_line(setting.name, setting) for setting in reader.settings]
    lines += [_setting_line(f"{state}(0)", setting) for state, setting in reader.starts.items()]
    if reader.horizon is not None:
        lines.append(f"t in [0, {reader.horizon[0]:.15g}]")
    return "\n".join(lines)


def _equation_line(item: Increment, noises: dict[str, str]) -> str:
    terms = [] if item.drift.value == 0.0 else [(item.drift, "dt")]
    terms += [(node, noises[label]) for label, node in item.noises.items() if node != ZERO]
    right = ""
    for node, differential in terms:
        text = _term(node, differential)
        if not right:
            right = text
        else:
            right += f" - {text[1:]}" if text.startswith("-") else f" + {text}"
    return f"d{item.state} = {right or '0*dt'}"


def _term(node: Node, differential: str) -> str:
    if node == ONE:
        return differential
    if node.op == "neg" and node.operands[0] == ONE:
        return f"-{differential}"
    return f"{plain_text.as_factor(node)}*{differential}"


def _setting_line(name: str, setting: Setting) -> str:
    value = "" if setting.value is None else f" = {setting.value:.15g}"
    if setting.low is None or setting.high is None:
        return f"{name}{value}"
    return f"{name}{value} in [{setting.low:.15g}, {setting.high:.15g}]"


__all__ = ["EquationSystem", "Reading", "read"]
