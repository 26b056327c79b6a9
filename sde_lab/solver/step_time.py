"""Integrate in step time: one solver step is one unit of the solver's clock.

In time u = 0, 1, …, K with drift Δ·f(t₀ + u·Δ, x), diffusion √Δ·g(t₀ + u·Δ, x) and increments
of unit variance, every scheme gives what it gives in real time. But the solver's clock only takes
integer values, which floating point represents exactly: torchsde adds dt up, and in real time
rounding makes it take 101 steps where 100 are meant. Here K steps are K steps, and the k-th asks
for the k-th increment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torchsde
from torch import Tensor

from sde_lab.models.base import Interpretation, Model, NoiseType, ParameterTensors
from sde_lab.schemes import Scheme
from sde_lab.solver.allocation import empty_tensor
from sde_lab.solver.brownian import BrownianIncrements

Field = Callable[[Tensor, Tensor], Tensor]
"""Drift or diffusion as a function of time and states (rows, D)."""
TimeMap = Callable[[Tensor], Tensor]
"""Map from step time u, of shape (), to real time, of shape () or (rows, 1)."""
OnState = Callable[[Tensor], None]
"""Callback with the states (rows, D) of each step."""


@dataclass(frozen=True)
class SDE:
    """An SDE in real time, as functions of (t, x), with the facts that a solver needs.

    Attributes:
        drift: (t, states (rows, D)) → broadcastable to (rows, D).
        diffusion: (t, states) → broadcastable to (rows, D) for diagonal noise, else to
            (rows, D, M).
        noise_type: structure of the diffusion.
        interpretation: stochastic integral in which the drift is meant.
        brownian_size: number M of Brownian motions.
    """

    drift: Field
    diffusion: Field
    noise_type: NoiseType
    interpretation: Interpretation
    brownian_size: int


def make_sde(model: Model, parameters: ParameterTensors, interpretation: Interpretation) -> SDE:
    """Return the model's SDE at these parameters in the scheme's interpretation.

    Args:
        model: gives drift, diffusion and the Itô correction.
        parameters: tensors by name, (1, 1) or (rows, 1). They are read at each evaluation, so that
            values exchanged in the mapping take effect.
        interpretation: of the scheme. Where the model has the other, the drift is converted: the
            Itô drift is the Stratonovich drift plus ``model.correction``.
    """

    def drift(t: Tensor, x: Tensor) -> Tensor:
        return model.drift(t, x, parameters)

    def converted(t: Tensor, x: Tensor) -> Tensor:
        correction = model.correction(t, x, parameters)
        plain = model.drift(t, x, parameters)
        return plain - correction if interpretation == "stratonovich" else plain + correction

    def diffusion(t: Tensor, x: Tensor) -> Tensor:
        return model.diffusion(t, x, parameters)

    return SDE(
        drift=drift if interpretation == model.interpretation else converted,
        diffusion=diffusion,
        noise_type=model.noise_type,
        interpretation=interpretation,
        brownian_size=model.brownian_size,
    )


@dataclass(frozen=True)
class InitialValueProblem:
    """An SDE with all that the solver needs to take its steps.

    Attributes:
        sde: the equation, already in the scheme's interpretation.
        scheme: the scheme.
        x0: initial states, (rows, D).
        noise: increments (and areas) of shape (steps, rows, M).
        step: length Δ of a step in real time; a number or (rows, 1).
        time_map: real time at step time u.
    """

    sde: SDE
    scheme: Scheme
    x0: Tensor
    noise: BrownianIncrements
    step: float | Tensor
    time_map: TimeMap


def integrate(problem: InitialValueProblem) -> Tensor:
    """Solve the problem over all steps of its noise.

    Returns:
        States at steps 0, 1, …, K: (K + 1, rows, D), with a graph where autograd records.
    """
    # A graph needs every state as it was: no in-place writes to one table while autograd records.
    states = _ListSink() if torch.is_grad_enabled() else _TensorSink(problem.noise, problem.x0)
    integrate_with_callback(problem, states.append)
    return states.stacked()


def integrate_with_callback(problem: InitialValueProblem, on_state: OnState) -> None:
    """Solve as :func:`integrate` does, but call ``on_state`` with each state and store nothing.

    ``on_state`` gets the states (rows, D) at each of the steps 0, 1, …, K, before the step from
    there begins. It may change the equation's parameters for that step, except at 0, where the
    solver has evaluated the equation before.
    """
    on_state(_last_state(problem, on_state))


def one_step(problem: InitialValueProblem) -> Tensor:
    """Apply the scheme's step map Φ once: the noise is that of one step.

    Returns:
        States after the step, (rows, D).
    """
    return _last_state(problem, None)


def as_torchsde(
    sde: SDE, noise: BrownianIncrements, step: float, time_map: TimeMap
) -> tuple[Any, torchsde.BaseBrownian]:
    """Return the SDE and the Brownian motion in step time, as ``torchsde.sdeint`` takes them."""
    table = _TabulatedBrownian(noise)
    return _StepTimeSDE(sde, step, time_map, table, None), table


def _last_state(problem: InitialValueProblem, on_state: OnState | None) -> Tensor:
    """Return the states after the last step, and call ``on_state`` with those before each step.

    Asked for every time, the solver interpolates to each and stacks them, which costs a third of a
    long run; asked for the last time only, it takes the same steps.
    """
    x0, scheme = problem.x0, problem.scheme
    table = _TabulatedBrownian(problem.noise)
    step_time_sde = _StepTimeSDE(problem.sde, problem.step, problem.time_map, table, on_state)
    first_and_last: Tensor = torchsde.sdeint(
        step_time_sde,
        x0,
        # In float64 whatever the state is: bfloat16 counts no further than to 256.
        torch.tensor([0, len(problem.noise.increments)], dtype=torch.float64, device="cpu"),
        bm=table,
        method=scheme.method,
        dt=1.0,
        options=dict(scheme.options),
    )
    step_time_sde.release()
    return first_and_last[1]


class _ListSink:
    """Collect states in a list, each with its graph."""

    def __init__(self) -> None:
        self._states: list[Tensor] = []

    def append(self, state: Tensor) -> None:
        self._states.append(state)

    def stacked(self) -> Tensor:
        return torch.stack(self._states)


class _TensorSink:
    """Write states to one preallocated table (K + 1, rows, D) while they are in the CPU cache."""

    def __init__(self, noise: BrownianIncrements, x0: Tensor) -> None:
        self._table = empty_tensor((len(noise.increments) + 1, *x0.shape), x0.dtype, x0.device)
        self._count = 0

    def append(self, state: Tensor) -> None:
        self._table[self._count] = state
        self._count += 1

    def stacked(self) -> Tensor:
        return self._table


class _StepTimeSDE:
    """The SDE in step time, with the attributes and methods that ``torchsde.sdeint`` asks for.

    The solver evaluates drift and diffusion once to check shapes and again to step; each memoises
    its last result, which on one step over many rows saves a fifth of the work.
    """

    def __init__(
        self,
        sde: SDE,
        step: float | Tensor,
        time_map: TimeMap,
        table: _TabulatedBrownian,
        on_state: OnState | None,
    ) -> None:
        self.noise_type = sde.noise_type
        self.sde_type = sde.interpretation
        self._sde = sde
        self._step = step
        self._root = step**0.5
        self._time_map = time_map
        self._table = table
        self._on_state = on_state
        self._memoised_drift = _memoise_last(self._drift)
        self.g = _memoise_last(self._diffusion)

    def f(self, u: Tensor, x: Tensor) -> Tensor:
        """Return the drift Δ·f, and report the state from which a step starts.

        Every scheme of torchsde draws its increment first and then evaluates the drift at the state
        that the step starts from: the first evaluation after a draw is at that state.
        """
        if self._on_state is not None and self._table.drawn:
            self._on_state(x)
            self._table.drawn = False
        return self._memoised_drift(u, x)

    def release(self) -> None:
        """Drop all references to tensors.

        The solver's wrapper around this object is part of a reference cycle, which would hold noise
        and states in memory until the next garbage collection.
        """
        self._table.release()
        vars(self).clear()

    def _drift(self, u: Tensor, x: Tensor) -> Tensor:
        return (self._sde.drift(self._time_map(u), x) * self._step).expand_as(x)

    def _diffusion(self, u: Tensor, x: Tensor) -> Tensor:
        root = self._root
        g = self._sde.diffusion(self._time_map(u), x)
        if self.noise_type == "diagonal":
            return (g * root).expand_as(x)
        if isinstance(root, Tensor):
            root = root.unsqueeze(-1)  # (rows, 1) → (rows, 1, 1), to scale (rows, D, M)
        return (g * root).expand(*x.shape, self._sde.brownian_size)


def _memoise_last(evaluate: Field) -> Field:
    """Memoise the last evaluation: the same state tensor (by identity) at the same time."""
    last: list[tuple[Tensor, Tensor, Tensor]] = []

    def memoised(u: Tensor, x: Tensor) -> Tensor:
        if last and last[0][1] is x and float(last[0][0]) == float(u):
            return last[0][2]
        result = evaluate(u, x)
        last[:] = [(u, x, result)]
        return result

    return memoised


class _TabulatedBrownian(torchsde.BaseBrownian):  # type: ignore[misc]
    """A Brownian motion in step time that looks its increments up by the index of the step.

    ``drawn`` is set at each look-up: :meth:`_StepTimeSDE.f` recognises the start of a step by it.
    """

    __slots__ = ("_noise", "drawn")

    def __init__(self, noise: BrownianIncrements) -> None:
        self._noise = noise
        self.drawn = False

    def release(self) -> None:
        """Drop the reference to the increments."""
        del self._noise

    def __call__(
        self, ta: Tensor, tb: Tensor | None = None, return_U: bool = False, return_A: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        k = int(ta)  # exact: times are integers in step time
        self.drawn = True
        w = self._noise.increments[k]
        if not return_U:
            return w
        assert self._noise.levy_areas is not None
        # torchsde's U is ∫W_s ds = ½W + H over a step of length 1.
        return w, torch.add(self._noise.levy_areas[k], w, alpha=0.5)

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self.shape}"

    @property
    def dtype(self) -> torch.dtype:
        return self._noise.increments.dtype

    @property
    def device(self) -> torch.device:
        return self._noise.increments.device

    @property
    def shape(self) -> torch.Size:
        return self._noise.increments.shape[1:]

    @property
    def levy_area_approximation(self) -> str:
        return "none" if self._noise.levy_areas is None else "space-time"
