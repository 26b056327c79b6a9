"""The code of a way as a program of its own: what a page shows is what a race runs."""

from __future__ import annotations

import inspect
import re

from sde_lab.scenario import Scenario
from sde_lab.studies.benchmark.registry import GradientMethod

_PROGRAM = """\
# {idea}
{imports}


{code}


{setup}
result = {call}(s)
print(tuple(result.shape), float(result.detach().double().sum()))
"""

_SETUP = """\
# The scenario as torchsde takes it, with its noise drawn: s.sde, s.x0, s.samples, s.ts, s.bm.
s = torchsde_setup(
    lab.Scenario(
{fields}
    )
)
"""

_IMPORTS = {
    "Any": "from typing import Any\n",
    "lab.": "import sde_lab as lab",
    "torch.": "import torch",
    "torchsde_setup(": "from sde_lab import {names}",
    "sdeint(": "from torchsde import sdeint",
}
"""Imports of a program, by the letters in its text that ask for them."""
_PUBLIC = ("TorchsdeSetup", "jacobian", "simulate", "torchsde_setup")
"""Names of :mod:`sde_lab` that the code of a way may use."""


def source_code(way: GradientMethod) -> str:
    """The few lines of the way itself, with what else belongs to them."""
    parts = [inspect.getsource(part).rstrip() for part in (*way.helpers, way.run)]
    return "\n\n\n".join(parts)


def runnable_listing(method: GradientMethod, scenario: Scenario) -> str:
    """A program that runs the way on the scenario, and prints shape and sum of what it gives.

    It needs the folder ``sde_lab`` beside it or on the path.
    """
    fields = "\n".join(f"        {name}={value!r}," for name, value in scenario.to_dict().items())
    setup, own = _SETUP.format(fields=fields), source_code(method)
    names = [name for name in _PUBLIC if re.search(rf"\b{name}\b", setup + own)]
    imports = [line for mark, line in _IMPORTS.items() if mark in setup + own]
    return _PROGRAM.format(
        idea=method.summary,
        imports="\n".join(imports).format(names=", ".join(names)),
        setup=setup,
        code=own,
        call=method.run.__name__,
    )
