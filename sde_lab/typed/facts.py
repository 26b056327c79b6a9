"""What can be told of a typed equation without simulating it."""

from __future__ import annotations

import torch

from sde_lab.typed import names
from sde_lab.typed.model import TypedModel
from sde_lab.typed.typeset import typeset

LONGEST = 80
"""Operations of an expression that is still printed."""
_KINDS = {
    "diagonal": "each state has a noise of its own, whose strength reads no other state",
    "additive": "its strength reads no state",
    "scalar": "one noise drives all states",
    "general": "noises are shared, or their strength reads other states",
}


def noise(model: TypedModel) -> str:
    """The structure of the noise, in a sentence."""
    reads = frozenset(model.components)
    additive = not any(entry.depends(reads) for row in model.matrix for entry in row)
    words = [f"The noise is {model.noise_type}: {_KINDS[model.noise_type]}."]
    if additive and model.noise_type != "additive":
        words.append("It is additive as well.")
    if not additive and len(model.matrix[0]) > 1 and model.noise_type != "diagonal":
        does = "commutes" if commutes(model) else "does not commute"
        words.append(f"It {does} (checked at random points).")
    return " ".join(words)


def correction(model: TypedModel) -> str:
    """LaTeX of what Itô's drift has beyond Stratonovich's, one equation for each state."""
    lines = []
    for state, entry in zip(model.components, model.corrected, strict=True):
        shown = typeset(entry) if entry.size <= LONGEST else rf"\text{{({entry.size} operations)}}"
        lines.append(rf"c_{{{names.latex(state)}}} = {shown}")
    return r",\quad ".join(lines)


def commutes(model: TypedModel, points: int = 5) -> bool:
    """Whether Σ_i g_ij ∂g_lk/∂x_i = Σ_i g_ik ∂g_lj/∂x_i for all l, j, k, at random points.

    Then iterated integrals of different noises only enter in sums that the increments determine
    (Kloeden and Platen 1992, §10.3). Points where a coefficient has no value tell nothing.
    """
    generator = torch.Generator().manual_seed(0)
    start = torch.zeros((), dtype=torch.float64)
    size = len(model.components)
    for _ in range(points):
        x = torch.rand(size, generator=generator, dtype=torch.float64) + 0.3
        given = {
            knob.name: knob.low
            + (knob.high - knob.low) * torch.rand(1, 1, generator=generator, dtype=torch.float64)
            for knob in model.parameters
        }

        def matrix(row: torch.Tensor, given: dict[str, torch.Tensor] = given) -> torch.Tensor:
            g = model.diffusion(start, row[None], given)
            return torch.diag_embed(g)[0] if model.noise_type == "diagonal" else g[0]

        slopes = torch.func.jacrev(matrix)(x)
        both = torch.einsum("ij,lki->ljk", matrix(x), slopes)
        gap = (both - both.transpose(1, 2)).abs().max()
        if bool(both.isfinite().all()) and float(gap) > 1e-9 * (1.0 + float(both.abs().max())):
            return False
    return True
