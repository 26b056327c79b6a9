"""Why replay works: the derivatives of single steps, and their running product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sde_lab.scenario import Scenario
from sde_lab.sensitivity.replay import step_jacobians
from sde_lab.solver.simulate import simulate
from sde_lab.theory.exact_laws import exact_laws

SHOWN = 20
"""Samples on show."""


@dataclass(frozen=True)
class StepMaps:
    """The step maps of a few samples, differentiated by the state.

    Attributes:
        times: (T,)
        a: entry (component, component) of A_k at the beginning of each step, (steps, S).
        products: the same entry of A_{k−1} ⋯ A_1 A_0, which is ∂X_k/∂x₀, (T, S).
        exact: mean of ∂X_t/∂x₀ in theory, (T,); None where it is not known.
    """

    times: NDArray[np.float64]
    a: NDArray[np.float64]
    products: NDArray[np.float64]
    exact: NDArray[np.float64] | None


def step_maps(scenario: Scenario, component: int = 0) -> StepMaps:
    """Linearise every step of the first few samples, in float64.

    Args:
        scenario: what is simulated.
        component: which component's derivative by its own initial value is shown.
    """
    few = scenario.replace(samples=min(scenario.samples, SHOWN), dtype="float64")
    paths = simulate(few)
    a = step_jacobians(paths).numpy()
    products = [np.broadcast_to(np.eye(a.shape[-1]), a.shape[1:])]
    for matrices in a:
        products.append(matrices @ products[-1])
    entry = (..., component, component)
    law = exact_laws(scenario)
    name = scenario.model_spec.jacobian_columns[component]
    known = None if law is None else law.sensitivities.get(name)
    return StepMaps(
        times=paths.times.numpy(),
        a=a[entry],
        products=np.stack(products)[entry],
        exact=None if known is None else known.mean[:, component],
    )
