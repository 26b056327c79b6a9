"""Studies of the gradients at a few tiny sizes, for tests of everything but their numbers."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from sde_lab.studies.benchmark.trial import run_trial


def make_brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the studies of this process run a few tiny sizes, once each.

    What they say of cost means nothing then; which ways run, and what becomes of them, is as ever.
    """
    place = "sde_lab.studies.benchmark"
    monkeypatch.setattr(f"{place}.benchmark.PILOT_SIZES", ((2, 1), (2, 2), (4, 1), (4, 2)))
    monkeypatch.setattr(f"{place}.scaling.SCALED_STEPS", (2, 4))
    monkeypatch.setattr(f"{place}.scaling.SCALED_SAMPLES", (1, 3))
    monkeypatch.setattr(f"{place}.scaling.FIXED_SIZE", (4, 3))
    monkeypatch.setattr(f"{place}.benchmark.run_trial", partial(run_trial, enough=0.0))
    monkeypatch.setattr(f"{place}.scaling.run_trial", _once)
    # Collecting garbage between runs takes far longer than the runs, in a process of many tests.
    monkeypatch.setattr(f"{place}.profiling.release_memory", lambda: None)
    monkeypatch.setattr(f"{place}.trial.release_memory", lambda: None)


def _once(*arguments: Any, **_limits: Any) -> Any:
    return run_trial(*arguments, enough=0.0, repeats=0)
