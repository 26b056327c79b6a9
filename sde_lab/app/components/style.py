"""Style sheet of the page, beyond what Streamlit's theme sets, and the presentation mode."""

from __future__ import annotations

from typing import Any

import streamlit as st

from sde_lab.figures.theme import Theme

PRESENTATION_KEY = "projector"
"""Of the toggle; it stands in saved links."""
FONT_PIXELS, PRESENTATION_FONT_PIXELS = 16, 20
"""Size of Streamlit's text at rest, and in presentation mode."""

_PAGE = """
.block-container {padding: 3.3rem 1.6rem 1rem 1.6rem;}
[data-testid="stSidebarUserContent"] {padding-bottom: 1.5rem;}
[data-testid="stSidebarHeader"] {height: 1.9rem; margin-bottom: 0;}
[data-testid="stSidebarContent"] [data-testid="stVerticalBlock"] {gap: 0.15rem;}
[data-testid="stSidebarContent"] button[kind] {min-height: 2.1rem; padding-block: 0;}
[data-testid="stSlider"] label {margin-bottom: 0;}
[data-testid="stSlider"] [role="group"] {margin-bottom: -0.5rem;}
[data-testid="stSliderTickBar"] {transform: translateY(-0.35rem);}
[data-testid="stSliderTickBar"] p {font-size: 0.65rem;}
[data-testid="stMain"] [data-testid="stVerticalBlock"] {gap: 0.5rem;}
.st-key-formulas textarea {font-family: "Source Code Pro", monospace; font-size: 0.8rem;
  line-height: 1.45;}
.st-key-live {display: none;}
[data-testid="stMain"] [class*="st-key-time_"] {gap: 0;}
[class*="st-key-time_"] [data-testid="stMarkdown"] p {font-size: 0.875rem; line-height: 1.2;}
[class*="st-key-time_"] [data-testid="stMarkdown"] {margin-bottom: 0.05rem;}
.lab-mistake {font-size: 0.85rem; line-height: 1.35; border-left: 3px solid #b84a00;
  padding-left: 0.6rem;}
.lab-mistake pre {margin: 0; padding: 0; background: none; font-size: 0.8rem; line-height: 1.2;
  overflow: hidden;}
.lab-mistake p {margin: 0.3rem 0 0.1rem 0; font-size: inherit;}
.lab-mistake p + pre {white-space: pre-wrap; overflow-wrap: anywhere;}
.lab-remarks {margin: 0.2rem 0 0 0; padding-left: 1.1rem; font-size: 0.85rem; line-height: 1.35;}
.lab-remarks li {margin: 0; font-size: inherit;}
.katex-display {margin: 0 !important; padding: 0.15rem 0 1rem 0; text-align: left !important;
  max-width: 100%; overflow-x: auto; overflow-y: hidden;}
.katex-display > .katex {text-align: left !important;}
[class*="st-key-icon_"] button {padding-inline: 0.5rem;}
[class*="st-key-icon_"] button [data-testid="stMarkdownContainer"] {position: absolute; width: 1px;
  height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;}
.st-key-formulas {row-gap: 0;}
.lab-dragging .st-key-formulas [data-testid="stElementContainer"]:nth-child(2) {opacity: 0.3;}
.st-key-question {padding-bottom: 0.7rem;}
.st-key-question h3 {font-size: 1.25rem; padding: 0; line-height: 1.35;}
.st-key-words {padding-bottom: 0.9rem;}
.st-key-words p {font-size: 0.95rem; line-height: 1.45; margin-bottom: 0.2rem;}
.st-key-formula .katex-display {padding: 0;}
.st-key-formula [data-testid="stMarkdownContainer"] {overflow: visible;}
[data-testid="stMain"] .katex-display {overflow: visible;}
@media (max-width: 640px) {[data-testid="stMain"] .katex {font-size: 3.8vw;}}
[data-testid="stBaseButton-primary"] {background: #0068a3; border-color: #0068a3; color: #fff;}
.st-key-contents [data-testid="stVerticalBlock"] [data-testid="stVerticalBlock"] {gap: 0;}
.st-key-contents button {min-height: 1.6rem; padding: 0;}
.lab-table {overflow-x: auto;}
.lab-table table {border-collapse: collapse; font-size: 0.85rem;
  font-variant-numeric: tabular-nums;}
.lab-table td:nth-child(-n+5) {white-space: nowrap;}
.lab-table th, .lab-table td {padding: 0.15rem 0.7rem 0.15rem 0; text-align: left;
  vertical-align: top; border-bottom: 1px solid var(--st-border-color, #8884);}
.lab-figures {display: flex; flex-wrap: wrap; gap: 0.2rem 1.3rem; align-items: baseline;}
.lab-figure {white-space: nowrap; font-variant-numeric: tabular-nums; line-height: 1.25;}
.lab-figure .lab-name {font-size: 0.8rem; font-weight: 600;}
.lab-figure .lab-value {font-size: 1.02rem;}
.lab-figure .lab-exact {font-size: 0.78rem; opacity: 0.85;}
"""
_PRESENTATION = """
[data-testid="stSidebarUserContent"] {margin-inline: -0.6rem;}
.st-key-question h3 {font-size: 1.1rem;}
.st-key-words p {font-size: 0.85rem; line-height: 1.35;}
.st-key-formula .katex {font-size: 0.95rem;}
[data-testid="stSliderTickBar"] p {font-size: 0.75rem;}
.lab-figures {gap: 0.2rem 1rem;}
.lab-figure .lab-name, .lab-figure .lab-exact {font-size: 0.7rem;}
.lab-figure .lab-value {font-size: 0.9rem;}
"""


def apply_style() -> None:
    """Add the style sheet to the page."""
    st.html(f"<style>{_PAGE}{_contrast(current_theme())}</style>")


def _contrast(theme: Theme) -> str:
    """Return rules for colours: contrast of 4.5 : 1 (WCAG AA) for captions and code.

    Streamlit's own fall short of it. The header gets an opaque background, or the page would show
    through it while it scrolls below.
    """
    header = f'[data-testid="stHeader"] {{background: {theme.background}; height: 3.1rem;'
    header += " min-height: 0;}"
    named = {
        "keyword, .function, .boolean": theme.series_colour(0),
        "string": theme.series_colour(2),
        "number, .operator": theme.series_colour(1),
        "comment": theme.muted,
    }
    caption = f'[data-testid="stCaptionContainer"] {{color: {theme.muted}; opacity: 1;}}'
    return (
        header
        + caption
        + "".join(
            f'[data-testid="stCode"] .token:is(.{kinds}) {{color: {colour} !important;}}'
            for kinds, colour in named.items()
        )
    )


def draw_presentation_toggle(**binding: Any) -> None:
    """Draw the switch of the presentation mode: text and lines that the last row can read."""
    if st.toggle("Presentation", key=PRESENTATION_KEY, help="Larger text and lines", **binding):
        size = f"html {{font-size: {PRESENTATION_FONT_PIXELS}px;}}"
        st.html(f"<style>{size}{_PRESENTATION}</style>")


def current_theme() -> Theme:
    """Return the theme in which figures are drawn for this browser."""
    return Theme(dark=st.context.theme.type == "dark", projector=_presenting())


def scaled_pixels(pixels: int) -> int:
    """Return a width that grows with the text, for widgets whose width is fixed in pixels."""
    return round(pixels * PRESENTATION_FONT_PIXELS / FONT_PIXELS) if _presenting() else pixels


def _presenting() -> bool:
    return bool(st.session_state.get(PRESENTATION_KEY))
