"""Names in an equation: how they may be written, and how they are shown."""

from __future__ import annotations

import re

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ",
    "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "φ", "chi": "χ",
    "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ",
    "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip
"""Greek letters that no Latin letter looks like, but for ν and υ, by their English names."""

LETTERS = {letter: name for name, letter in GREEK.items()} | {
    "µ": "mu",  # the micro sign of many keyboards
    "ϵ": "epsilon",
    "ϑ": "theta",
    "ϕ": "phi",
    "ϱ": "rho",
    "ς": "sigma",
}
SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_RAISED = dict(zip("0123456789", "₀₁₂₃₄₅₆₇₈₉", strict=True))
_PARTS = re.compile(r"([A-Za-z]+)_?(\w*)")
_PIECES = re.compile(r"[A-Za-z0-9_]+|.")


def to_ascii(written: str) -> str:
    """Return a name in ASCII: σ₁, sigma_1 and sigma1 are one name, ``sigma1``."""
    pieces = []
    for piece in _PIECES.findall(written):
        if piece in LETTERS:
            pieces.append(LETTERS[piece])
        elif piece in SUBSCRIPTS:
            pieces.append(SUBSCRIPTS[piece])
        elif pieces and pieces[-1] in GREEK and piece[0].isalpha():
            pieces.append(f"_{piece}")
        else:
            pieces.append(piece)
    return re.sub(r"(?<=[A-Za-z])_(?=[0-9]+$)", "", "".join(pieces))


def to_unicode(name: str) -> str:
    """Return an ASCII name in Unicode: ``sigma1`` is σ₁."""
    base, index = _split(name)
    below = "".join(_RAISED[digit] for digit in index) if index.isdigit() else f"_{index}"
    return GREEK.get(base, base) + (below if index else "")


def to_latex(name: str) -> str:
    r"""Return an ASCII name in LaTeX: ``sigma1`` is ``\sigma_{1}``."""
    base, index = _split(name)
    if base in GREEK:
        base = rf"\{base}"
    elif len(base) > 1:
        base = rf"\mathrm{{{base}}}"
    below = index.replace("_", ",")
    return base + (f"_{{{below}}}" if index else "")


def _split(name: str) -> tuple[str, str]:
    """Split an ASCII name into letters and subscript."""
    match = _PARTS.fullmatch(name)
    assert match is not None, name
    return match[1], match[2]
