"""The Dask cluster on which sweeps are computed, if the environment names one."""

from __future__ import annotations

import os
from concurrent.futures import Executor
from functools import lru_cache
from importlib import import_module

from sde_lab.errors import ScenarioError

ADDRESS_VARIABLE = "SDE_LAB_DASK"
"""Address of a Dask scheduler, such as ``tcp://10.0.0.5:8786``."""
CONNECT_TIMEOUT = "5s"
"""Time that a scheduler has to answer."""


def dask_executor() -> Executor | None:
    """Return the cluster's executor, or None where none is named.

    Raises:
        ScenarioError: if a cluster is named that cannot be reached.
    """
    address = os.environ.get(ADDRESS_VARIABLE)
    if not address:
        return None
    try:
        return _connected(address)
    except ImportError:
        hint = "needs the package distributed: pip install distributed"
        raise ScenarioError(ADDRESS_VARIABLE, address, hint) from None
    except (OSError, ValueError, TypeError) as error:
        hint = f"no Dask scheduler answers there ({type(error).__name__})"
        raise ScenarioError(ADDRESS_VARIABLE, address, hint) from None


@lru_cache(maxsize=1)
def _connected(address: str) -> Executor:
    """Return one connection for all sessions; an exception is not kept, so the next asks anew."""
    client = import_module("distributed").Client(
        address, timeout=CONNECT_TIMEOUT, set_as_default=False
    )
    executor: Executor = client.get_executor()
    return executor
