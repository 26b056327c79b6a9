"""One drawing: the path, the derivatives of its steps, and the recursion that multiplies them."""

from __future__ import annotations

from sde_lab.figures.theme import Theme

STEP = 230
"""Pixels from one state to the next."""
_SUBSCRIPTS = "₀₁₂₃"


def replay_diagram(theme: Theme) -> str:
    """Return an SVG: states on top, A_k and B_k below each step, derivatives at the bottom."""
    parts = []
    for k in range(4):
        x, sub = 40 + STEP * k, _SUBSCRIPTS[k]
        parts += [_word(x, 28, f"X{sub}"), _word(x, 112, f"J{sub}")]
        if k == 3:
            parts += [_word(x + 40, 28, "…"), _word(x + 40, 112, "…")]
            break
        middle = x + STEP // 2
        parts += [
            _arrow(f"M{x + 24} 22H{x + STEP - 24}"),
            _arrow(f"M{x + 24} 106H{x + STEP - 24}"),
            _arrow(f"M{middle} 28V54", "5 4"),
            _arrow(f"M{middle} 78V102", "5 4"),
            _word(middle, 72, f"A{sub}, B{sub}"),
            _word(middle, 14, "Φ"),
        ]
    notes = ((28, "solve, once"), (72, "differentiate, all at once"), (112, "multiply through"))
    parts += [_word(1000, y, text, theme.muted) for y, text in notes]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1110 124" width="1110" height="124"'
        f' font-family="sans-serif" font-size="17" fill="{theme.text}" text-anchor="middle">'
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        f' markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="{theme.muted}"/></marker>'
        f'</defs><g stroke="{theme.muted}" stroke-width="0">{"".join(parts)}</g></svg>'
    )


def _word(x: int, y: int, text: str, colour: str = "") -> str:
    fill = f' fill="{colour}"' if colour else ""
    return f'<text x="{x}" y="{y}"{fill}>{text}</text>'


def _arrow(path: str, dashes: str = "none") -> str:
    style = f'stroke-width="1.3" stroke-dasharray="{dashes}"'
    return f'<path d="{path}" fill="none" {style} marker-end="url(#head)"/>'
