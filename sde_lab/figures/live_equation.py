"""The equation, and the same equation with the sliders' numbers in it."""

from __future__ import annotations

import re

from sde_lab.equations import identifiers
from sde_lab.figures.theme import Theme
from sde_lab.scenario import Scenario

_TEXT = r"\textrm"
"""Marks the numbers, in LaTeX and by the class of that name on the page; nothing else is so set."""
_ENDS_WITH_FACTOR = re.compile(
    rf"(?:[0-9)}}\x00]|(?<![A-Za-z\\])[A-Za-z]|\\(?:{'|'.join(identifiers.GREEK)}))\s*$"
)
"""Ends with a number, a closing bracket, a letter of its own, a Greek letter or a mark."""


def live_equation(scenario: Scenario, theme: Theme) -> tuple[str, str]:
    """Return the equation as LaTeX, with symbols and with values, in the parameters' colours.

    Where there are several equations, both would not fit side by side: the second is then a list of
    the values.
    """
    model = scenario.model_spec
    symbolic = live = model.equation
    by_length = sorted(model.parameters, key=lambda parameter: -len(parameter.latex))
    for place, parameter in enumerate(by_length):
        token = re.compile(rf"(?<![A-Za-z\\]){re.escape(parameter.latex)}(?![A-Za-z_])")
        symbolic = token.sub(_mark(place, 0), symbolic)
        live = token.sub(_mark(place, 1), live)
    for place, parameter in enumerate(by_length):
        colour = theme.parameter_colour(parameter.name, model)
        number = _number(scenario.parameters[parameter.name], factor=True)
        symbolic = symbolic.replace(
            _mark(place, 0), rf"\textcolor{{{colour}}}{{{parameter.latex}}}"
        )
        live = _with_number(live, _mark(place, 1), rf"\textcolor{{{colour}}}{{{number}}}")
    if r"\\" in model.equation:
        return _aligned(symbolic), _values(scenario, theme)
    return symbolic, live


def equation_numbers(scenario: Scenario, theme: Theme) -> list[str]:
    """Return the numbers of the second equation as they stand there, from left to right."""
    return re.findall(rf"{re.escape(_TEXT)}\{{(.*?)\}}", live_equation(scenario, theme)[1])


def _number(value: float, *, factor: bool = False) -> str:
    """Return a number as one piece of text: while a slider is dragged a browser exchanges it.

    Text has no minus sign, but a dash.

    Args:
        value: to write.
        factor: whether it stands among others, where a sign or a power of ten needs brackets.
    """
    text = f"{value:g}".replace("-", "–")
    bracketed = factor and (value < 0 or "e" in text)
    return f"{_TEXT}{{{f'({text})' if bracketed else text}}}"


def _with_number(live: str, mark: str, number: str) -> str:
    """Return the equation with a number for a mark, a dot before it where it follows a factor.

    A letter may stand beside another; beside a digit, 2 and 0.3 would be 20.3.
    """
    first, *rest = live.split(mark)
    result = first
    for part in rest:
        dot = r" \cdot " if _ENDS_WITH_FACTOR.search(result) else ""
        result = f"{result.rstrip() if dot else result}{dot}{number}{part}"
    return result


def _mark(place: int, kind: int) -> str:
    """Return a placeholder inside which no other symbol can match."""
    return f"\x00{place}.{kind}\x00"


def _values(scenario: Scenario, theme: Theme) -> str:
    """Return the parameters and their values as LaTeX, in two rows."""
    model = scenario.model_spec
    cells = [
        rf"\textcolor{{{theme.parameter_colour(parameter.name, model)}}}{{{parameter.latex}}}"
        f" = {_number(scenario.parameters[parameter.name])}"
        for parameter in model.parameters
    ]
    half = -(-len(cells) // 2)
    rows = [r",\;\,".join(row) for row in (cells[:half], cells[half:])]
    return r"\begin{gathered}" + r"\\".join(rows) + r"\end{gathered}"


def _aligned(equation: str) -> str:
    lines = [line.replace("=", "&=", 1) for line in equation.split(r"\\")]
    return r"\begin{aligned}" + r"\\".join(lines) + r"\end{aligned}"
