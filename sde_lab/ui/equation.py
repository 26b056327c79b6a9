"""The equation, and the same equation with the sliders' numbers in it."""

from __future__ import annotations

import re

from sde_lab.figures.theme import Theme
from sde_lab.scenario import Scenario


def live_equation(scenario: Scenario, theme: Theme) -> str:
    """LaTeX of the model's equation beside the same with values, each in its parameter's colour."""
    model = scenario.sde
    symbolic = live = model.equation
    by_length = sorted(model.parameters, key=lambda knob: -len(knob.latex))
    for place, knob in enumerate(by_length):
        token = re.compile(rf"(?<![A-Za-z\\]){re.escape(knob.latex)}(?![A-Za-z_])")
        colour = theme.parameter_colour(knob.name)
        value = f"{scenario.parameters[knob.name]:g}"
        number = f"({value})" if value.startswith("-") else value
        symbolic = token.sub(_mark(place, 0), symbolic)
        live = token.sub(_mark(place, 1), live)
        symbolic = symbolic.replace(_mark(place, 0), rf"\textcolor{{{colour}}}{{{knob.latex}}}")
        live = live.replace(_mark(place, 1), rf"\textcolor{{{colour}}}{{{number}}}")
    return rf"{_aligned(symbolic)} \qquad {_aligned(live)}"


def _mark(place: int, kind: int) -> str:
    """A placeholder that no other token can match inside."""
    return f"\x00{place}.{kind}\x00"


def _aligned(equation: str) -> str:
    if r"\\" not in equation:
        return equation
    lines = [line.replace("=", "&=", 1) for line in equation.split(r"\\")]
    return r"\begin{aligned}" + r"\\".join(lines) + r"\end{aligned}"
