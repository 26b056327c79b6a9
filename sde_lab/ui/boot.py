"""Once per process, after all imports: settle what slows every later run."""

from __future__ import annotations

import gc

import torch

from sde_lab.ui.once import once


@once
def boot() -> None:
    """Freeze what imports made, and keep torch to one thread per session.

    Every full garbage collection holds up all sessions while it walks all objects. Those of torch
    alone take longer than a run of the script. Frozen objects are not walked.
    """
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401

    import sde_lab.export  # noqa: F401
    from sde_lab.scenario import Scenario
    from sde_lab.survey import survey

    torch.set_num_threads(1)
    survey(Scenario(steps=2, samples=2))  # torch imports as much again at its first derivative
    gc.collect()
    gc.freeze()
