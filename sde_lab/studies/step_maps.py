"""Derivatives of the single steps of a scheme, and their running product.

A step is a map X_{k+1} = Φ(X_k, ΔW_k), and by the chain rule ∂X_k/∂x₀ is the product of the A_k =
∂Φ/∂x along the path. Replay (:mod:`sde_lab.sensitivity.replay`) rests on this.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sde_lab.scenario import Scenario
from sde_lab.sensitivity.replay import step_jacobians
from sde_lab.solver.simulate import simulate
from sde_lab.theory.exact_laws import exact_laws

MAX_DISPLAY_SAMPLES = 20
"""Samples whose steps are differentiated, at most."""


@dataclass(frozen=True)
class StepMaps:
    """Derivatives of the steps of S samples, one diagonal entry of each matrix.

    Attributes:
        times: in the model's unit, (T,).
        a: entry (component, component) of A_k of each step, (steps, S).
        products: the same entry of A_{k−1} ⋯ A_1 A_0, which is ∂X_k/∂x₀, (T, S).
        exact: exact mean of ∂X_t/∂x₀, (T,); None where it is not known.
        entry: indices of the entry, such as ``11``; empty where a matrix has only one.
        symbols: of the component, and of its initial value.
    """

    times: NDArray[np.float64]
    a: NDArray[np.float64]
    products: NDArray[np.float64]
    exact: NDArray[np.float64] | None
    entry: str = ""
    symbols: tuple[str, str] = ("X", "x₀")


def step_maps(scenario: Scenario, component: int = 0) -> StepMaps:
    """Linearise every step of the first few samples, in float64.

    Args:
        scenario: gives equation, scheme, grid and seed.
        component: index of the state component; its derivative with respect to its own initial
            value is returned.
    """
    samples = min(scenario.samples, MAX_DISPLAY_SAMPLES)
    few = scenario.replace(samples=samples, dtype="float64")
    paths = simulate(few)
    a = step_jacobians(paths).numpy()  # (steps, S, D, D)
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
        entry=2 * str(component + 1) if a.shape[-1] > 1 else "",
        symbols=(
            scenario.model_spec.symbols[component],
            scenario.model_spec.initial[component].symbol,
        ),
    )
