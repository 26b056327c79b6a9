"""How much memory a scenario needs, and the refusal of one that needs too much.

Two limits hold: what one run may take, and what all runs of a server may take together.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario

RUN_LIMIT_VARIABLE = "SDE_LAB_MEMORY_GB"
DEFAULT_GB = 2.0
SERVER_VARIABLE = "SDE_LAB_SERVER_MEMORY_GB"
SERVER_SHARE = 0.75
"""Part of the machine's memory, or of its container's, that a server takes unless told."""
GROWTH_BYTES = 0.4e9
"""What a server comes to hold besides its runs and what its processes hold after their imports:
full caches, a hundred sessions, and the one span of samples that is worked on; measured with
``tests.load``."""
SERVER_BYTES = 2.2e9
"""What a whole server holds besides its runs, about, for those who cannot measure it."""
MIN_CAPACITY_BYTES = 0.25e9
"""Room for runs without which a server does not begin any."""
CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
SMAPS_ROLLUP = Path("/proc/self/smaps_rollup")
MAX_DISPLAY_STEPS = 120
"""Steps between displayed times, at most."""
BLOCK_BYTES = 64e6
"""Working memory of one block of the replay; see :mod:`sde_lab.sensitivity.replay`."""


def run_limit_bytes() -> float:
    """The memory one run may take, in bytes: ``SDE_LAB_MEMORY_GB``, or 2 GB where there is room.

    On a small machine, or in a small share of one, it is what a server leaves to all its runs.

    Raises:
        ScenarioError: if a variable is not a positive number.
    """
    if RUN_LIMIT_VARIABLE in os.environ:
        return _gigabytes(RUN_LIMIT_VARIABLE, DEFAULT_GB)
    return min(DEFAULT_GB * 1e9, max(_server_bytes() - SERVER_BYTES, MIN_CAPACITY_BYTES))


def server_capacity_bytes(base: float = SERVER_BYTES) -> float:
    """Return the memory that all runs of a server may hold together, in bytes.

    It is ``SDE_LAB_SERVER_MEMORY_GB``, or three quarters of what the machine or its container has,
    less what the server needs for itself.

    Args:
        base: what the server needs for itself, in bytes, where it was measured.

    Raises:
        ScenarioError: if the variable is not a positive number, or leaves no room for a run.
    """
    whole, least = _server_bytes(), base + MIN_CAPACITY_BYTES
    if whole < least:
        hint = f"must be {least / 1e9:.2g} at least, most of which the server itself needs"
        raise ScenarioError(SERVER_VARIABLE, f"{whole / 1e9:.1f}", hint)
    return whole - base


def resident_bytes() -> float:
    """Return the memory that this process holds, in bytes.

    On Linux a page that several processes share counts in parts (proportional set size), so that
    the sum over the processes of a server counts it once. Elsewhere it is the largest resident set
    so far, which counts shared pages in each.
    """
    if SMAPS_ROLLUP.exists():
        fields = dict(line.split(":", 1) for line in SMAPS_ROLLUP.read_text().splitlines()[1:])
        return float(fields["Pss"].split()[0]) * 1024.0
    if sys.platform == "win32":
        return SERVER_BYTES / 3.0  # one of its three processes
    import resource

    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit


def _server_bytes() -> float:
    """The memory of the whole server."""
    return _gigabytes(SERVER_VARIABLE, SERVER_SHARE * machine_memory() / 1e9)


def machine_memory() -> float:
    """The memory of this machine, or of the container it is, in bytes."""
    found = [float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))]
    for path in CGROUP_LIMITS:
        text = path.read_text().strip() if path.exists() else ""
        if text.isdigit():
            found.append(float(text))
    return min(found)


def _gigabytes(variable: str, default: float) -> float:
    """What an environment variable asks for, in bytes."""
    given = os.environ.get(variable, str(default))
    try:
        gigabytes = float(given)
    except ValueError:
        gigabytes = math.nan
    if not 0.0 < gigabytes < math.inf:
        raise ScenarioError(variable, given, "must be a positive number of gigabytes")
    return gigabytes * 1e9


def peak_bytes(scenario: Scenario, *, jacobian: bool) -> float:
    """Peak memory of simulating the scenario, with its Jacobian or without, in bytes."""
    return BLOCK_BYTES + scenario.samples * bytes_per_sample(scenario, jacobian=jacobian)


def max_samples(scenario: Scenario, *, jacobian: bool) -> int:
    """The largest number of samples with which the scenario fits; 0 if none does."""
    return max(
        0, int((run_limit_bytes() - BLOCK_BYTES) / bytes_per_sample(scenario, jacobian=jacobian))
    )


def check_run(scenario: Scenario, *, jacobian: bool) -> None:
    """Raise ScenarioError, saying what would fit, if the scenario is over the budget."""
    task = "the paths and their derivatives need" if jacobian else "the paths need"
    _check(scenario, bytes_per_sample(scenario, jacobian=jacobian), task, run_limit_bytes())


def check_chunked_run(scenario: Scenario, within: float | None = None) -> None:
    """Raise ScenarioError if a run in chunks, which keeps the displayed times only, does not fit.

    Args:
        scenario: what is to be run.
        within: the memory it may take, in bytes, if that is not the limit of one run.
    """
    allowed = run_limit_bytes() if within is None else within
    _check(scenario, _displayed_bytes(scenario), "the displayed times need", allowed)


def chunked_run_bytes(scenario: Scenario) -> float:
    """The memory that a survey holds from its beginning until it is let go, in bytes."""
    return BLOCK_BYTES + scenario.samples * _displayed_bytes(scenario)


def _displayed_bytes(scenario: Scenario) -> float:
    """Bytes of one sample at the displayed times: state, columns, and room to sort them."""
    model = scenario.model_spec
    numbers = len(model.components) * (1 + len(model.jacobian_columns)) + 6
    return float((MAX_DISPLAY_STEPS + 1) * numbers * _width(scenario))


def _check(scenario: Scenario, per_sample: float, task: str, allowed: float) -> None:
    needed = BLOCK_BYTES + scenario.samples * per_sample
    if needed <= allowed:
        return
    samples = max(0, int((allowed - BLOCK_BYTES) / per_sample))
    if samples:
        fits = f"{samples} samples fit at {scenario.steps} steps"
    elif allowed <= BLOCK_BYTES:
        fits = f"{RUN_LIMIT_VARIABLE} must be above {BLOCK_BYTES / 1e9:g}"
    else:
        fits = f"fewer than {scenario.steps} steps would fit"
    raise ScenarioError(
        "samples",
        scenario.samples,
        f"{task} {needed / 1e9:.1f} GB, the budget is {allowed / 1e9:.1f} GB; {fits}",
    )


def bytes_per_sample(scenario: Scenario, *, jacobian: bool) -> float:
    """Bytes that one more sample takes: states (twice, while stacked), noise, derivatives."""
    model = scenario.model_spec
    state = len(model.components)
    noise = model.brownian_size * (2 if scenario.scheme_spec.levy_area else 1)
    derivatives = state * (len(model.jacobian_columns) + state) if jacobian else 0
    numbers = (scenario.steps + 1) * (noise + max(2 * state, state + derivatives))
    return float(numbers * _width(scenario))


def _width(scenario: Scenario) -> int:
    """Bytes of a number."""
    return 8 if scenario.dtype == "float64" else 4
