"""Once per process, after all imports: settle what slows every later run."""

from __future__ import annotations

import gc

import torch

from sde_lab.ui.desk import open_desk
from sde_lab.ui.errands import open_office
from sde_lab.ui.once import once


@once
def boot() -> None:
    """Start the other processes, freeze what imports made, keep torch to one thread per session.

    Every full garbage collection holds up all sessions while it walks all objects. Those of torch
    alone take longer than a run of the script. Frozen objects are not walked.
    """
    open_desk()  # it imports torch while others are imported here
    open_office()
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401

    import sde_lab.export  # noqa: F401

    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()
