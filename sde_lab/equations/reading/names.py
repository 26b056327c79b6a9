"""Runs of letters, with their indices and arguments → names, differentials and derivatives.

``X_t``, ``X(t)``, ``X_{t}``, ``X[t]`` and, beside ``dWt``, ``Xt`` are one state X. ``kx`` is k·x
where the text speaks of a state x. Which it is depends on the whole text: that is surveyed first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sde_lab.equations.identifiers import to_ascii

_TIME_SUFFIX = re.compile(r"(.+?)_(?:t(?:_(\w+))?|(\w+?)_t)")


@dataclass
class Names:
    """What the names of a text mean.

    Attributes:
        latex: True if neighbouring letters are factors.
        states: names of the states.
        raised: pairs (base, index) of states written with a raised index, such as X^1.
        alone: runs that stand in the text by themselves.
        defined: names on the left of a relation, which are never split.
        glued_time: True if "t" behind a state's name is time, as in Xt beside dWt.
        first_raised: True if a noise has the raised index 1, so that 2 is no square.
        white: names that it declares as white noise.
        functions: names that the text defines as functions.
        remarks: what was decided, in sentences, in order.
        counts: how often each run occurs.
        products: what was read as products, though it may have been something else.
    """

    latex: bool
    states: set[str] = field(default_factory=set)
    raised: set[tuple[str, str]] = field(default_factory=set)
    alone: set[str] = field(default_factory=set)
    defined: set[str] = field(default_factory=set)
    glued_time: bool = False
    white: set[str] = field(default_factory=set)
    first_raised: bool = False
    functions: set[str] = field(default_factory=set)
    remarks: dict[str, None] = field(default_factory=dict)
    products: dict[str, None] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, run: str) -> int:
        """Return how often a run stands in the text by itself."""
        return self.counts.get(run, 0)

    def remark(self, sentence: str) -> None:
        """Note what was decided."""
        self.remarks.setdefault(sentence)


def timeless(name: str, names: Names) -> str:
    """Return the name without an index t for time."""
    match = _TIME_SUFFIX.fullmatch(name)
    if match:
        index = match[2] or match[3] or ""
        return to_ascii(f"{match[1]}_{index}") if index else match[1]
    if names.glued_time and len(name) > 1 and name.endswith("t"):
        return name[:-1]
    return name
