"""Second derivatives ∂²X/∂p∂q of every state of every path, by autograd through the whole path."""

from __future__ import annotations

import torch
from torch import Tensor

from sde_lab import memory
from sde_lab.errors import ScenarioError
from sde_lab.solver.autograd_mode import autograd_mode
from sde_lab.solver.simulate import Paths, solve

GRAPH_NUMBERS = 400
"""Numbers that the graph holds for each step, sample, and state or Brownian motion, of an equation
as long as a built-in one. Measured: 10 (Ornstein–Uhlenbeck, Euler) to 320 (Lotka–Volterra, srk)."""


def second_derivative(paths: Paths, p: str, q: str) -> Tensor:
    """Differentiate every state of every path by two initial values or parameters.

    Like the Jacobian these are derivatives of the scheme's own solution on the noise of ``paths``,
    exact to rounding. A backward pass is linear in its cotangent, so a backward pass through it, by
    the cotangent, is a forward derivative: two of them, one through the other, give all times and
    samples at once, whatever their number.

    Args:
        paths: simulated paths.
        p: name of a Jacobian column, such as ``"x0"``.
        q: name of another, or the same.

    Returns:
        ∂²X[t, n, d]/∂p∂q, (time, sample, state), in units of the state per unit of p and of q.

    Raises:
        ScenarioError: for a name that is no column, and where the graph does not fit the memory
            budget (see :mod:`sde_lab.memory`).
    """
    scenario = paths.scenario
    model = scenario.model_spec
    for field, name in (("p", p), ("q", q)):
        if name not in model.jacobian_columns:
            known = ", ".join(model.jacobian_columns)
            raise ScenarioError(field, name, f"must be one of {known}")
    _require_memory(paths)
    with autograd_mode(recording=True):
        noise = paths.outside_inference().noise
        # A leaf per sample, since samples do not influence each other.
        leaves = {
            name: torch.full(
                (scenario.samples, 1), value, dtype=scenario.torch_dtype, device=scenario.device
            ).requires_grad_()
            for name, value in zip(
                model.jacobian_columns,
                [*scenario.initial, *scenario.parameters.values()],
                strict=True,
            )
        }
        x0 = torch.cat([leaves[parameter.name] for parameter in model.initial], dim=1)
        parameters = {parameter.name: leaves[parameter.name] for parameter in model.parameters}
        states = solve(scenario, x0, parameters, noise)
        return _forward(_forward(states, leaves[p]), leaves[q]).detach()


def _forward(values: Tensor, leaf: Tensor) -> Tensor:
    """Return the derivative of values (T, N, D) by each sample's own entry of a leaf (N, 1)."""
    if not values.requires_grad:
        return torch.zeros_like(values)
    u = torch.zeros_like(values, requires_grad=True)
    (sums,) = torch.autograd.grad(values, leaf, u, create_graph=True, materialize_grads=True)
    if not sums.requires_grad:
        return torch.zeros_like(values)
    (derivative,) = torch.autograd.grad(
        sums, u, torch.ones_like(sums), create_graph=True, materialize_grads=True
    )
    return derivative


def _require_memory(paths: Paths) -> None:
    """Raise ScenarioError, naming what would fit, if the graph exceeds the memory limit."""
    scenario = paths.scenario
    model, allowed = scenario.model_spec, memory.run_limit_bytes()
    width = (len(model.components) + model.brownian_size) * paths.values.element_size()
    cost = model.evaluation_cost(scenario.scheme_spec.interpretation)
    per_sample = GRAPH_NUMBERS * cost * scenario.steps * width
    if scenario.samples * per_sample > allowed:
        raise ScenarioError(
            "samples",
            scenario.samples,
            f"second derivatives need {scenario.samples * per_sample / 1e9:.1f} GB, the budget is"
            f" {allowed / 1e9:.1f} GB; {int(allowed / per_sample)} samples fit at"
            f" {scenario.steps} steps",
        )
