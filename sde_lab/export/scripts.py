"""Scenario → the Python program that repeats its numbers."""

from __future__ import annotations

from sde_lab import memory
from sde_lab.scenario import Scenario

_HEAD = '''\
"""{title}: paths and every pathwise derivative, as in the laboratory.

Needs the folder sde_lab beside this file or on the path.
"""

import math

import sde_lab as lab

scenario = lab.Scenario(
{fields}
)
'''

_WHOLE = """\
paths = lab.simulate(scenario)  # paths.values: (time, sample, state)
jacobian = lab.jacobian(paths)  # jacobian.values: (time, sample, state, parameter)
summary = lab.summarise(paths, jacobian)
"""

_IN_SPANS = """\
summary = lab.simulate_summary(scenario)  # too long to hold whole: simulated some samples at a time
"""

_REPORT = """\
exact = lab.exact_laws(scenario, times=summary.times)


def row(quantity, value, error, known):
    line = f"{quantity:24s} {value:12.6g} ± {error:<9.2g}"
    print(line.rstrip() if math.isnan(known) else f"{line} exact {known + 0.0:.6g}")


def moments(law, d):
    if law is None:
        return math.nan, math.nan
    return law.mean[-1, d], math.sqrt(max(law.variance[-1, d], 0.0))


print(f"t = {summary.times[-1]:g}: {summary.kept} of {scenario.samples} samples finite")
for d, component in enumerate(scenario.model_spec.components):
    state = summary.states[d]
    mean, spread = moments(exact and exact.state, d)
    row(component, state.mean[-1], state.mean_error[-1], mean)
    row(f"{component} spread", state.std[-1], state.std_error[-1], spread)
    for name, sensitivity in summary.sensitivities.items():
        mean, _ = moments(exact and exact.sensitivities.get(name), d)
        bands = sensitivity[d]
        row(f"d{component}_d{name}", bands.mean[-1], bands.mean_error[-1], mean)
"""


def summary_script(scenario: Scenario) -> str:
    """A Python program that computes and prints the numbers of the scenario at its horizon.

    It prints one line for each quantity, under its name in :func:`sde_lab.export.table`: mean ±
    standard error, and the exact mean where one is known; ``x spread`` is the standard deviation.
    A scenario over the memory budget (:mod:`sde_lab.memory`), the one here or the default one
    that another machine has, is simulated some samples at a time, with the same numbers.
    """
    allowed = min(memory.run_limit_bytes(), memory.DEFAULT_GB * 1e9)
    fits = memory.peak_bytes(scenario, jacobian=True) <= allowed
    head = _HEAD.format(
        title=scenario.model_spec.title,
        fields="\n".join(f"    {name}={value!r}," for name, value in scenario.to_dict().items()),
    )
    return head + (_WHOLE if fits else _IN_SPANS) + _REPORT
