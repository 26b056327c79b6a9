"""Equations as people type them: read by a whitelist, held as a small tree, made into a model.

Nothing of the text is ever evaluated. Text → tokens → tree of known operations → model; what
sympy is given it is given object by object.
"""

from __future__ import annotations

from sde_lab.equations.errors import EquationError
from sde_lab.equations.model import EquationModel, normalise_text, parse_sde

__all__ = ["EquationError", "EquationModel", "normalise_text", "parse_sde"]
