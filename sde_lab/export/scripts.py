"""Scenario or sweep → the Python program that repeats its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sde_lab import memory
from sde_lab.scenario import Scenario

_HEAD = '''\
"""{title}: {content}.

Needs the package sde_lab, installed or beside this file.
"""

{imports}

scenario = lab.Scenario(
{fields}
)
'''

_SIMULATE = """\
paths = lab.simulate(scenario)  # paths.values: (time, sample, state)
jacobian = lab.jacobian(paths)  # jacobian.values: (time, sample, state, parameter)
summary = lab.summarise(paths, jacobian)
"""

_SIMULATE_IN_CHUNKS = """\
summary = lab.simulate_summary(scenario)  # too long to hold whole: simulated some samples at a time
"""

_PRINT_SUMMARY = """\
exact = lab.exact_laws(scenario, times=summary.times)


def row(quantity, value, error, known):
    few = "  too few effective samples for an error"
    line = f"{quantity:24s} {value:12.6g}{few if math.isnan(error) else f' ± {error:<9.2g}'}"
    known = 0.0 if abs(known) <= 1e-12 * abs(value) else known + 0.0  # 0 within rounding
    print(line.rstrip() if math.isnan(known) else f"{line} exact {known:.6g}")


def moments(law, d):
    if law is None:
        return math.nan, math.nan
    return law.mean[-1, d], math.sqrt(max(law.variance[-1, d], 0.0))


print(f"t = {summary.times[-1]:g}: {summary.kept} of {scenario.samples} samples finite")
for d, component in enumerate(scenario.model_spec.components):
    state = summary.states[d]
    mean, std = moments(exact and exact.state, d)
    row(component, state.mean[-1], state.mean_error[-1], mean)
    row(f"{component} std", state.std[-1], state.std_error[-1], std)
    for name, sensitivity in summary.sensitivities.items():
        mean, _ = moments(exact and exact.sensitivities.get(name), d)
        bands = sensitivity[d]
        row(f"d{component}_d{name}", bands.mean[-1], bands.mean_error[-1], mean)
"""

_SWEEP = """\
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
"""


def summary_script(scenario: Scenario) -> str:
    """Return a Python program that computes and prints the numbers of the scenario at its horizon.

    It prints one line for each quantity, under its name in :func:`sde_lab.export.summary_table`:
    mean ± standard error, or that there are too few effective samples for one, and the exact mean
    where one is known; ``x std`` is the standard
    deviation. A scenario over the memory budget (:mod:`sde_lab.memory`), the one here or the
    default one that another machine has, is simulated some samples at a time, with the same
    numbers.
    """
    allowed = min(memory.run_limit_bytes(), memory.DEFAULT_GB * 1e9)
    fits = memory.peak_bytes(scenario, jacobian=True) <= allowed
    content = "paths and every pathwise derivative"
    head = _head(scenario, content, "import math\n\nimport sde_lab as lab")
    return head + (_SIMULATE if fits else _SIMULATE_IN_CHUNKS) + _PRINT_SUMMARY


def sweep_script(
    scenario: Scenario,
    over: Mapping[str, Sequence[Any]],
    measures: Sequence[str],
    sensitivities: Sequence[str],
    times: int | Sequence[float] | None,
) -> str:
    """Return a Python program that repeats a sweep and prints its table as CSV.

    The arguments are those of :func:`sde_lab.sweep`, with values spelled out.
    """
    head = _head(scenario, f"a sweep over {' and '.join(over)}", "import sde_lab as lab")
    return head + _SWEEP.format(
        over="\n".join(f"        {name!r}: {list(values)!r}," for name, values in over.items()),
        measures=tuple(measures),
        sensitivities=tuple(sensitivities),
        times=times if times is None or isinstance(times, int) else list(times),
    )


def _head(scenario: Scenario, content: str, imports: str) -> str:
    """Return the program's docstring, its imports and the scenario with every field."""
    return _HEAD.format(
        title=scenario.model_spec.title,
        content=content,
        imports=imports,
        fields="\n".join(f"    {name}={value!r}," for name, value in scenario.to_dict().items()),
    )
