"""Words of the notations: LaTeX commands, functions, noises, units, and words around formulas."""

from __future__ import annotations

from sde_lab.equations.functions import ALIASES, FUNCTIONS
from sde_lab.equations.identifiers import GREEK

GREEK_COMMANDS = {**{name: name for name in GREEK}, "varepsilon": "epsilon", "vartheta": "theta",
                  "varphi": "phi", "varrho": "rho", "varsigma": "sigma", "ell": "l", "hbar": "hbar",
                  "infty": "inf"}  # fmt: skip
"""LaTeX commands that are Greek letters, or stand for a letter."""
NAMES = {**GREEK_COMMANDS, "dd": "d", "diff": "d", "d": "d"}
"""LaTeX commands that are names."""
SIGNS = {
    "cdot": "*", "times": "*", "ast": "*", "circ": "∘", "le": "<=", "leq": "<=", "leqslant": "<=",
    "ge": ">=", "geq": ">=", "geqslant": ">=", "lt": "<", "gt": ">", "ne": "!=", "neq": "!=",
    "langle": "<", "rangle": ">", "lvert": "|", "rvert": "|", "vert": "|", "mid": "|",
    "land": "and", "wedge": "and", "lor": "or", "in": "∈", "equiv": "=", "coloneqq": "=",
    "sim": "~", "to": "->", "rightarrow": "->", "mapsto": "->", "div": "/",
    "lbrace": "{", "rbrace": "}", "{": "(", "}": ")", "prime": "'", "dagger": "†",
}  # fmt: skip
"""LaTeX commands that are signs."""
SPACING = frozenset(
    [
        "left",
        "right",
        "bigl",
        "bigr",
        "Bigl",
        "Bigr",
        "biggl",
        "biggr",
        "big",
        "Big",
        "bigg",
        "Bigg",
        ",",
        ";",
        ":",
        "!",
        "quad",
        "qquad",
        "space",
        "displaystyle",
        "textstyle",
        "limits",
        "nolimits",
        "nonumber",
        "notag",
        "noindent",
        "rm",
        "it",
        "bf",
        "middle",
        "mathstrut",
        "hfill",
        "hspace",
        "ensuremath",
        "centering",
        "allowbreak",
        "thinspace",
        "medspace",
        "/",
    ]
) | {" "}
"""LaTeX commands without a meaning for the formula."""
TRANSPARENT = frozenset(
    [
        "mathbf",
        "boldsymbol",
        "bm",
        "mathcal",
        "mathbb",
        "mathsf",
        "mathit",
        "pmb",
        "mathfrak",
        "underline",
        "vec",
        "operatorname*",
    ]
)
"""LaTeX commands that change the look of what they hold."""
TEXT_COMMANDS = frozenset(
    ["text", "textrm", "textit", "textbf", "mbox", "mathrm", "operatorname", "mathop", "hbox"]
)
"""LaTeX commands that hold words or names."""
ACCENTS = {"bar": "bar", "hat": "hat", "tilde": "tilde", "overline": "bar", "widehat": "hat",
           "widetilde": "tilde"}  # fmt: skip
DOTS = {"dot": 1, "ddot": 2}
DROPPED_WITH_GROUP = frozenset(
    ["label", "tag", "tag*", "vspace", "hspace", "ref", "eqref", "cite", "color", "begin", "end"]
)
ENVIRONMENTS_KEPT = frozenset(["cases", "dcases", "rcases"])

FUNCTION_NAMES = {
    **{name: name for name in FUNCTIONS}, **ALIASES,
    "sgn": "sign", "Sign": "sign", "heaviside": "step", "Heaviside": "step", "fabs": "abs",
    "absolute": "abs", "Abs": "abs", "Max": "max", "Min": "min", "maximum": "max",
    "minimum": "min", "pow": "pow", "power": "pow", "Sqrt": "sqrt", "Exp": "exp", "Log": "log",
    "Sin": "sin", "Cos": "cos", "Tan": "tan", "Tanh": "tanh", "arctan": "atan", "tg": "tan",
    "th": "tanh", "ch": "cosh", "sh": "sinh",
    "log10": "log10", "log2": "log2", "log1p": "log1p", "expm1": "expm1", "cbrt": "cbrt",
    "square": "square", "cot": "cot", "sec": "sec", "csc": "csc", "coth": "coth", "sech": "sech",
    "csch": "csch", "arcsin": "asin", "asin": "asin", "arccos": "acos", "acos": "acos",
    "asinh": "asinh", "arcsinh": "asinh", "sigmoid": "sigmoid", "logistic": "sigmoid",
    "relu": "relu", "ReLU": "relu", "softplus": "softplus", "clip": "clip", "clamp": "clip",
    "ifelse": "ifelse", "where": "ifelse", "If": "ifelse", "sinc": "sinc", "int": "int",
    "float": "int", "abs2": "square", "exp2": "exp2", "hypot": "hypot", "neg": "neg",
    "logit": "logit",
}  # fmt: skip
"""Functions as they are called elsewhere → what they are here."""
SHORT_FUNCTIONS = frozenset(["th", "ch", "sh", "tg", "int", "step", "where", "If", "sec", "sign"])
"""Names that are functions only before a bracket."""
UNKNOWN_FUNCTIONS = frozenset(
    [
        "erf",
        "erfc",
        "gamma",
        "Gamma",
        "beta",
        "floor",
        "ceil",
        "round",
        "mod",
        "besselj",
        "Bessel",
        "zeta",
        "atan2",
        "arctan2",
        "sum",
        "prod",
        "mean",
        "diff",
        "grad",
        "div",
        "rand",
        "randn",
        "random",
    ]
)
BRACKETLESS = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "exp",
        "log",
        "ln",
        "sqrt",
        "atan",
        "cot",
        "sec",
        "csc",
        "coth",
        "asin",
        "acos",
        "arctan",
        "arcsin",
        "arccos",
        "sgn",
    ]
)
"""Functions whose bracket is often left out."""
MODULES = frozenset(["np", "numpy", "math", "torch", "jnp", "sp", "sympy", "jax", "Math", "self"])

NOISE_LETTERS = "WBZwbz"
NOISE_NAMES = ("W", "B", "Z", "w", "b", "z", "beta", "xi", "eta", "omega", "zeta", "noise")
"""Letters of Brownian motions: dW, dB, dZ, …"""
WHITE_NOISES = ("xi", "eta", "zeta", "Gamma", "noise", "Xi")
"""Letters of white noise."""
JUMPS = {
    "N": "a jump process", "J": "a jump process", "P": "a Poisson process", "q": "a jump process",
    "L": "a Lévy process", "Q": "a jump process", "M": "a martingale of another kind",
}  # fmt: skip
"""Integrators that are no Brownian motion."""

UNITS = {
    "s": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "minute": 60.0, "Hz": 1.0,
    "kHz": 1e3, "volt": 1.0, "V": 1.0, "mV": 1e-3, "amp": 1.0, "A": 1.0, "mA": 1e-3, "uA": 1e-6,
    "nA": 1e-9, "pA": 1e-12, "siemens": 1.0, "nS": 1e-9, "uS": 1e-6, "mS": 1e-3, "farad": 1.0,
    "pF": 1e-12, "nF": 1e-9, "uF": 1e-6, "ohm": 1.0, "Mohm": 1e6, "metre": 1.0, "meter": 1.0,
    "um": 1e-6, "mm": 1e-3, "cm": 1e-2, "kg": 1.0, "mM": 1.0, "M": 1.0,
}  # fmt: skip
"""Units, with the factor to the SI unit; read in values only, where the name means nothing else."""

STOP_WORDS = frozenset(
    [
        "where",
        "with",
        "for",
        "and",
        "under",
        "which",
        "is",
        "are",
        "so",
        "then",
        "given",
        "subject",
        "let",
        "here",
        "such",
        "that",
        "satisfies",
        "satisfying",
        "solves",
        "solve",
        "solution",
        "follows",
        "following",
        "by",
        "the",
        "of",
        "process",
        "consider",
        "equation",
        "sde",
        "unless",
        "starting",
        "from",
        "when",
        "while",
        "as",
        "on",
        "denotes",
        "both",
        "independent",
        "standard",
        "motion",
        "noise",
        "white",
        "gaussian",
        "we",
        "have",
        "has",
        "of",
        "at",
        "to",
        "this",
        "these",
        "can",
        "be",
        "written",
        "model",
        "system",
        "also",
        "assume",
        "assuming",
        "using",
        "its",
        "if",
        "otherwise",
        "else",
        "a",
        "an",
    ]
) - {"a", "if", "otherwise", "else", "noise"}
"""Words that end a formula, or stand before one."""
