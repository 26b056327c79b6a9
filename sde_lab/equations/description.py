"""Sentences and formulas on a typed equation: its noise structure and its Itô correction."""

from __future__ import annotations

import torch

from sde_lab.equations import identifiers
from sde_lab.equations.expression_tree import Node
from sde_lab.equations.latex import typeset
from sde_lab.equations.model import EquationModel

ROUNDING_SHARE = 1e-9
"""A difference of two products below this share of the largest is due to rounding."""
MAX_PRINTED_OPERATIONS = 80
"""Operations of an expression up to which it is printed."""


def noise(model: EquationModel) -> str:
    """Return the structure of the noise, in sentences."""
    if not any(_there(entry) for row in model.matrix for entry in row):
        return "There is no noise: the equation is an ordinary differential equation."
    reads = frozenset(model.components)
    additive = not any(entry.depends_on(reads) for row in model.matrix for entry in row)
    words = [f"The noise is {model.noise_type}: {_structure(model)}."]
    if additive and model.noise_type != "additive":
        words.append("It is additive as well.")
    if not additive and len(model.matrix[0]) > 1 and model.noise_type != "diagonal":
        commuting = commutes(model)
        if commuting is not None:
            does = "commutes" if commuting else "does not commute"
            words.append(f"It {does} (checked at random points).")
    return " ".join(words)


def _there(entry: Node) -> bool:
    """Return True if a coefficient is not the number 0."""
    return entry.value != 0.0


def _structure(model: EquationModel) -> str:
    """Return what this noise type means for these equations, as far as it is so in them."""
    driven = [any(map(_there, row)) for row in model.matrix]
    names_driven = [f"{s}" for s, is_so in zip(model.symbols, driven, strict=True) if is_so]
    if model.noise_type == "additive":
        return "its coefficients do not depend on the state"
    if model.noise_type == "diagonal":
        if all(driven):
            return "each state has its own noise, whose coefficient depends on no other state"
        driven_states = _listed(names_driven)
        return f"it drives {driven_states}, each by a noise that depends on no other state"
    if model.noise_type == "scalar":
        if all(driven) and len(driven) > 1:
            return "one noise drives all states"
        return f"one noise drives {_listed(names_driven)}"
    return _shared(model)


def _shared(model: EquationModel) -> str:
    """Return what makes a general noise neither diagonal, nor additive, nor scalar."""
    states = frozenset(model.components)
    reasons = []
    if any(sum(map(_there, row)) > 1 for row in model.matrix):
        reasons.append("a state has several noises")
    if any(sum(map(_there, column)) > 1 for column in zip(*model.matrix, strict=True)):
        reasons.append("a noise drives several states")
    rows = zip(model.components, model.matrix, strict=True)
    if any(entry.depends_on(states - {state}) for state, row in rows for entry in row):
        reasons.append("its coefficients depend on other states")
    return ", ".join(reasons) or "states and noises do not stand in pairs"


def _listed(words: list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else f"{last} alone"


def correction(model: EquationModel) -> str:
    """Return LaTeX of the Itô minus the Stratonovich drift, one equation for each state."""
    lines = []
    for state, entry in zip(model.components, model.ito_correction, strict=True):
        shown = (
            typeset(entry)
            if entry.size <= MAX_PRINTED_OPERATIONS
            else rf"\text{{({entry.size} operations)}}"
        )
        lines.append(rf"c_{{{identifiers.to_latex(state)}}} = {shown}")
    return r",\quad ".join(lines)


def commutes(model: EquationModel, points: int = 5) -> bool | None:
    """Return whether Σ_i g_ij ∂g_lk/∂x_i = Σ_i g_ik ∂g_lj/∂x_i for all l, j, k, at random points.

    Then iterated integrals of different noises only enter in sums that the increments determine
    (Kloeden and Platen 1992, §10.3). Points where a coefficient has no value are skipped;
    None if that is so at all of them.
    """
    generator = torch.Generator().manual_seed(0)
    start = torch.zeros((), dtype=torch.float64)
    size = len(model.components)
    told = False
    for _ in range(points):
        x = torch.rand(size, generator=generator, dtype=torch.float64) + 0.3
        given = {
            parameter.name: parameter.low
            + (parameter.high - parameter.low)
            * torch.rand(1, 1, generator=generator, dtype=torch.float64)
            for parameter in model.parameters
        }

        def matrix(row: torch.Tensor, given: dict[str, torch.Tensor] = given) -> torch.Tensor:
            g = model.diffusion(start, row[None], given)
            return torch.diag_embed(g)[0] if model.noise_type == "diagonal" else g[0]

        slopes = torch.func.jacrev(matrix)(x)
        both = torch.einsum("ij,lki->ljk", matrix(x), slopes)
        if not bool(both.isfinite().all()):
            continue
        told = True
        gap = (both - both.transpose(1, 2)).abs().max()
        if float(gap) > ROUNDING_SHARE * float(both.abs().max()):
            return False
    return True if told else None
