"""Sweep → the Python program that repeats its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sde_lab.scenario import Scenario

_PROGRAM = '''\
"""{title}: a sweep over {names}, as in the laboratory.

Needs the folder sde_lab beside this file or on the path.
"""

import sde_lab as lab

scenario = lab.Scenario(
{fields}
)
result = lab.sweep(
    scenario,
    over={{
{over}
    }},
    measures={measures!r},
    sensitivities={sensitivities!r},
    times={times!r},
)
table = result.table()  # one row per point, time and measure: value, standard error, exact
print(table.to_csv(index=False, lineterminator="\\n"), end="")
'''


def sweep_script(
    scenario: Scenario,
    over: Mapping[str, Sequence[Any]],
    measures: Sequence[str],
    sensitivities: Sequence[str],
    times: int | Sequence[float] | None,
) -> str:
    """A Python program that repeats a sweep and prints its table as CSV.

    The arguments are those of :func:`sde_lab.sweep`, with values spelled out.
    """
    return _PROGRAM.format(
        title=scenario.model_spec.title,
        names=" and ".join(over),
        fields="\n".join(f"    {name}={value!r}," for name, value in scenario.to_dict().items()),
        over="\n".join(f"        {name!r}: {list(values)!r}," for name, values in over.items()),
        measures=tuple(measures),
        sensitivities=tuple(sensitivities),
        times=times if times is None or isinstance(times, int) else list(times),
    )
