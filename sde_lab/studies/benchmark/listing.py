"""The code of a way as a program of its own: what a page shows is what a race runs."""

from __future__ import annotations

import inspect

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
    "jacobian(": "from sde_lab.sensitivity.jacobian import jacobian",
    "simulate(": "from sde_lab.solver.simulate import simulate",
    "torchsde_setup(": "from sde_lab.studies.benchmark.torchsde_setup import Setup, torchsde_setup",
    "sdeint(": "from torchsde import sdeint",
}
"""What a program imports if these letters occur in it."""


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
    imports = [line for mark, line in _IMPORTS.items() if mark in setup + own]
    return _PROGRAM.format(
        idea=method.summary,
        imports="\n".join(imports),
        setup=setup,
        code=own,
        call=method.run.__name__,
    )
