"""Once per process, after all imports: settle what slows every later run."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import threading

import torch

from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario
from sde_lab.server.interactive import interactive_worker
from sde_lab.server.job_pool import background_worker
from sde_lab.server.singleton import process_singleton
from sde_lab.server.worker_process import WorkerDiedError, WorkerProcess
from sde_lab.summaries.chunked_run import simulate_summary

_ARENA_MAX = -8
"""M_ARENA_MAX in malloc.h of the GNU C library."""


@process_singleton
def initialise_process() -> None:
    """Start the other processes, freeze what imports made, keep torch to one thread per session.

    Every full garbage collection holds up all sessions while it walks all objects. Those of torch
    alone take longer than a run of the script. Frozen objects are not walked.
    """
    for worker in (
        interactive_worker(),
        background_worker(),
    ):  # they import while this process does
        threading.Thread(target=_warm_up, args=(worker,), daemon=True).start()
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401
    import scipy.stats  # noqa: F401

    import sde_lab.export  # noqa: F401

    torch.set_num_threads(1)
    _share_one_heap()
    gc.collect()
    gc.freeze()


def _share_one_heap() -> None:
    """Have the C library of Linux keep all threads' memory in one place; others have no mallopt.

    By default each thread gets a heap of its own, eight for a core, and what sessions free in one
    is of no use to the next.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def _warm_up(worker: WorkerProcess) -> None:
    """Start a process and have it import what the first derivative takes."""
    with contextlib.suppress(WorkerDiedError, ScenarioError):
        worker.call(simulate_summary, Scenario(steps=2, samples=2))
