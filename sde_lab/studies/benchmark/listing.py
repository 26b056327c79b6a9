"""The code of a method as a program that runs by itself: a page shows what the benchmark runs."""

from __future__ import annotations

import inspect
import re

from sde_lab.scenario import Scenario
from sde_lab.studies.benchmark.registry import GradientMethod

_PROGRAM = """\
# {summary}
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
"""Import lines of a program, by the text that needs them."""
_PUBLIC_NAMES = ("TorchsdeSetup", "jacobian", "simulate", "torchsde_setup")
"""Names of :mod:`sde_lab` that a method's code may use; programs import nothing else of it."""


def source_code(method: GradientMethod) -> str:
    """Return the source of the method's function, after its helpers."""
    parts = [inspect.getsource(part).rstrip() for part in (*method.helpers, method.run)]
    return "\n\n\n".join(parts)


def runnable_listing(method: GradientMethod, scenario: Scenario) -> str:
    """Return a program that runs the method on the scenario and prints shape and sum of its result.

    It needs :mod:`sde_lab` installed, or its folder beside the program.
    """
    fields = "\n".join(f"        {name}={value!r}," for name, value in scenario.to_dict().items())
    setup, code = _SETUP.format(fields=fields), source_code(method)
    names = [name for name in _PUBLIC_NAMES if re.search(rf"\b{name}\b", setup + code)]
    imports = [line for mark, line in _IMPORTS.items() if mark in setup + code]
    return _PROGRAM.format(
        summary=method.summary,
        imports="\n".join(imports).format(names=", ".join(names)),
        setup=setup,
        code=code,
        call=method.run.__name__,
    )
