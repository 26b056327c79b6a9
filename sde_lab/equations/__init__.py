"""Typed equations: text → tokens → expression trees → analysis → model.

Nothing of the text is ever evaluated: the lexer and the parser accept a list of signs, functions
and names only, and sympy gets expressions built object by object, never text.
"""

from __future__ import annotations

from sde_lab.equations.errors import EquationError
from sde_lab.equations.model import EquationModel, normalise_text, parse_sde, read_sde
from sde_lab.equations.reading import Reading

__all__ = ["EquationError", "EquationModel", "Reading", "normalise_text", "parse_sde", "read_sde"]
