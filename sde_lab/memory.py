"""Memory that a scenario needs, and the error for one that needs too much.

There are two limits: one for a single run, and one for all runs of a server together.
"""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario

RUN_LIMIT_VARIABLE = "SDE_LAB_MEMORY_GB"
"""Environment variable with the memory limit of one run, in GB."""
DEFAULT_GB = 2.0
"""Memory limit of one run by default, in GB."""
SERVER_VARIABLE = "SDE_LAB_SERVER_MEMORY_GB"
"""Environment variable with the memory of a whole server, in GB."""
DEFAULT_SERVER_SHARE = 0.75
"""Share of the machine's memory, or of its container's, that a server uses by default."""
GROWTH_BYTES = 0.4e9
"""Memory of a server besides its runs and what its processes hold after their imports: full caches,
a hundred sessions, and the chunk of samples in progress; measured with ``tests.load``."""
SERVER_BYTES = 2.2e9
"""Approximate memory of a whole server besides its runs, for callers that cannot measure it."""
MIN_CAPACITY_BYTES = 0.25e9
"""Minimum memory left for runs; below it the server refuses to start."""
CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Files in which Linux states the memory limit of a container, of cgroup version 2 and 1."""
SMAPS_ROLLUP = Path("/proc/self/smaps_rollup")
"""File in which Linux states the memory of this process, with shared pages counted in parts."""
MAX_DISPLAY_STEPS = 120
"""Largest number of intervals between displayed times: 121 times."""
STREAMING_BYTES = 160e6
"""Memory of the statistics of a run that does not keep its samples. More gives narrower bins; with
this, the bins of built-in models are narrower than a quantile's standard error at 10 million
samples in float32, and the smallest server (MIN_CAPACITY_BYTES) has room for a run."""
MAX_BLOCK_SAMPLES = 65_536
"""Largest number of samples that such a run sorts at a time: more would leave the CPU caches."""
MIN_BLOCK_SAMPLES = 1024
MIN_BINS, MAX_BINS = 64, 512
"""Bounds of the number of bins around each quantile. A bin costs about as much time as 30 samples
of a block do, so that more would take longer than sorting."""
HISTOGRAM_BINS = 22
"""What a histogram takes with all that a row has but once, in bins around each quantile."""
BLOCK_BYTES = 64e6
"""Working memory of one block of the replay; see :mod:`sde_lab.sensitivity.replay`."""


def run_limit_bytes() -> float:
    """Return the memory limit of one run, in bytes: ``SDE_LAB_MEMORY_GB``, by default 2 GB.

    On a small machine, or in a small container, it is the memory that a server leaves for all runs.

    Raises:
        ScenarioError: if a variable is not a positive number.
    """
    if RUN_LIMIT_VARIABLE in os.environ:
        return _bytes_from_variable(RUN_LIMIT_VARIABLE, DEFAULT_GB)
    capacity = max(_server_bytes() - SERVER_BYTES, MIN_CAPACITY_BYTES)
    return min(DEFAULT_GB * 1e9, capacity)


def server_capacity_bytes(base: float = SERVER_BYTES) -> float:
    """Return the memory limit of all runs of a server together, in bytes.

    It is ``SDE_LAB_SERVER_MEMORY_GB``, by default three quarters of the memory of the machine or
    its container, less the memory of the server itself.

    Args:
        base: memory of the server itself, in bytes, where it was measured.

    Raises:
        ScenarioError: if the variable is not a positive number, or leaves too little for a run.
    """
    whole, least = _server_bytes(), base + MIN_CAPACITY_BYTES
    if whole < least:
        hint = f"must be {least / 1e9:.2g} at least, most of which the server itself needs"
        raise ScenarioError(SERVER_VARIABLE, f"{whole / 1e9:.1f}", hint)
    return whole - base


def resident_bytes() -> float:
    """Return the memory that this process uses, in bytes.

    On Linux a page that several processes share counts in parts (proportional set size), so that
    the sum over the processes of a server counts it once. Elsewhere it is the peak of the resident
    set, which counts shared pages in each process.
    """
    if SMAPS_ROLLUP.exists():
        fields = dict(line.split(":", 1) for line in SMAPS_ROLLUP.read_text().splitlines()[1:])
        return float(fields["Pss"].split()[0]) * 1024.0
    if sys.platform == "win32":
        return SERVER_BYTES / 3.0  # one of its three processes
    import resource

    unit = 1.0 if sys.platform == "darwin" else 1024.0  # macOS reports bytes, others kilobytes
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit


def _server_bytes() -> float:
    """Return the memory of a whole server, in bytes, from the environment or by default."""
    return _bytes_from_variable(SERVER_VARIABLE, DEFAULT_SERVER_SHARE * machine_memory() / 1e9)


def machine_memory() -> float:
    """Return the memory of this machine, or the limit of its container, in bytes."""
    limits = [float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))]
    for path in CGROUP_LIMITS:
        text = path.read_text().strip() if path.exists() else ""
        if text.isdigit():  # "max" where there is no limit
            limits.append(float(text))
    return min(limits)


def _bytes_from_variable(variable: str, default: float) -> float:
    """Return the value in bytes of an environment variable in GB; ``default`` is in GB."""
    given = os.environ.get(variable, str(default))
    try:
        gigabytes = float(given)
    except ValueError:
        gigabytes = math.nan
    if not 0.0 < gigabytes < math.inf:
        raise ScenarioError(variable, given, "must be a positive number of gigabytes")
    return gigabytes * 1e9


def peak_bytes(scenario: Scenario, *, jacobian: bool) -> float:
    """Return the peak memory of a simulation, with its Jacobian or without, in bytes."""
    return BLOCK_BYTES + scenario.samples * bytes_per_sample(scenario, jacobian=jacobian)


def max_samples(scenario: Scenario, *, jacobian: bool) -> int:
    """Return the largest number of samples that fits the memory limit; 0 if not even one does."""
    return max(
        0, int((run_limit_bytes() - BLOCK_BYTES) / bytes_per_sample(scenario, jacobian=jacobian))
    )


def check_run(scenario: Scenario, *, jacobian: bool) -> None:
    """Raise ScenarioError, naming what would fit, if a run is over the memory limit.

    Args:
        scenario: the scenario, whose paths are stored at all times.
        jacobian: True if the Jacobian is stored as well.
    """
    task = "the paths and their derivatives need" if jacobian else "the paths need"
    _check(scenario, bytes_per_sample(scenario, jacobian=jacobian), task, run_limit_bytes())


def check_chunked_run(scenario: Scenario, within: float | None = None) -> None:
    """Raise ScenarioError if a run in chunks fits neither with its samples kept nor without.

    Args:
        scenario: the scenario.
        within: memory limit in bytes; None takes that of one run.
    """
    allowed = run_limit_bytes() if within is None else within
    if chunked_run_bytes(scenario, allowed) > allowed:
        _check(scenario, _displayed_bytes(scenario), "the displayed times need", allowed)


def keeps_samples(scenario: Scenario, within: float | None = None) -> bool:
    """Tell whether a run in chunks keeps all its samples at the displayed times, and sorts them.

    It does wherever they fit. Beyond, it keeps what :func:`streaming_sizes` says, unless that would
    take more than the samples do.

    Args:
        scenario: the scenario.
        within: memory limit in bytes; None takes that of one run.
    """
    allowed = run_limit_bytes() if within is None else within
    kept = BLOCK_BYTES + scenario.samples * _displayed_bytes(scenario)
    return kept <= max(allowed, BLOCK_BYTES + streaming_bytes(scenario))


def chunked_run_bytes(scenario: Scenario, within: float | None = None) -> float:
    """Return the memory that a run in chunks holds as long as it exists, in bytes.

    Args:
        scenario: the scenario.
        within: memory up to which all samples are kept, in bytes; None takes that of one run.
    """
    if keeps_samples(scenario, within):
        return BLOCK_BYTES + scenario.samples * _displayed_bytes(scenario)
    return BLOCK_BYTES + streaming_bytes(scenario)


@dataclass(frozen=True)
class StreamingSizes:
    """What a run that does not keep its samples holds of each quantity at each displayed time.

    Attributes:
        block_samples: samples that are held and sorted at a time.
        bins: bins around each quantile.
    """

    block_samples: int
    bins: int


def streaming_sizes(scenario: Scenario) -> StreamingSizes:
    """Return the sizes that fill STREAMING_BYTES, a third of it with bins, within their bounds."""
    rows = _displayed_rows(scenario)
    per_bin, per_sample = _streaming_costs(scenario)
    bins = int(
        min(MAX_BINS, max(MIN_BINS, STREAMING_BYTES / 3.0 / rows / per_bin - HISTOGRAM_BINS))
    )
    left = STREAMING_BYTES / rows - per_bin * (bins + HISTOGRAM_BINS)
    block = int(left / per_sample) // MIN_BLOCK_SAMPLES * MIN_BLOCK_SAMPLES
    return StreamingSizes(min(MAX_BLOCK_SAMPLES, max(MIN_BLOCK_SAMPLES, block)), bins)


def streaming_bytes(scenario: Scenario) -> float:
    """Return the memory of the statistics of a run that does not keep its samples, in bytes."""
    sizes = streaming_sizes(scenario)
    per_bin, per_sample = _streaming_costs(scenario)
    per_row = per_sample * sizes.block_samples + per_bin * (sizes.bins + HISTOGRAM_BINS)
    return float(_displayed_rows(scenario) * per_row)


def _streaming_costs(scenario: Scenario) -> tuple[int, int]:
    """Return the bytes of a row per bin around all five quantiles, and per sample of a block.

    A bin has an edge and a 64-bit count.
    """
    number = _bytes_per_number(scenario)
    return 5 * (number + 8), number


def _displayed_rows(scenario: Scenario) -> int:
    """Return the number of displayed times of all quantities: of states and their derivatives."""
    model = scenario.model_spec
    quantities = len(model.components) * (1 + len(model.jacobian_columns))
    return (min(scenario.steps, MAX_DISPLAY_STEPS) + 1) * quantities


def _displayed_bytes(scenario: Scenario) -> float:
    """Return the bytes of one sample at the displayed times: state, columns, space for sorting."""
    model = scenario.model_spec
    numbers = len(model.components) * (1 + len(model.jacobian_columns)) + 6
    return float((MAX_DISPLAY_STEPS + 1) * numbers * _bytes_per_number(scenario))


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
    """Return the bytes of one sample at all times: states (twice while stacked), noise, Jacobian.

    Args:
        scenario: gives the number of steps, states, Brownian motions and columns.
        jacobian: True if derivatives are stored: by each column, and step by step by the state.
    """
    model = scenario.model_spec
    state = len(model.components)
    noise = model.brownian_size * (2 if scenario.scheme_spec.levy_area else 1)
    derivatives = state * (len(model.jacobian_columns) + state) if jacobian else 0
    numbers = (scenario.steps + 1) * (noise + max(2 * state, state + derivatives))
    return float(numbers * _bytes_per_number(scenario))


def _bytes_per_number(scenario: Scenario) -> int:
    """Return the size of one number in the scenario's precision, in bytes."""
    return 8 if scenario.dtype == "float64" else 4
