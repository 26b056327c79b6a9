"""Integrate in step time: one solver step is one unit of the solver's clock.

In time u = 0, 1, …, K with drift Δ·f(t₀ + u·Δ, x), diffusion √Δ·g(t₀ + u·Δ, x) and increments
of unit variance, every scheme gives what it gives in real time. But the solver's clock only meets
whole numbers, which floating point holds exactly: K steps are K steps, and the k-th asks for the
k-th increment. This is the only module that calls the solver.
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
TimeMap = Callable[[Tensor], Tensor]
"""Step time u, of shape (), to real time, of shape () or (rows, 1)."""
OnState = Callable[[Tensor], None]
"""What is done with each state on the way."""


@dataclass(frozen=True)
class SDE:
    """Drift and diffusion in real time, as functions of (t, x), with the facts a solver needs."""

    drift: Field
    diffusion: Field
    noise_type: NoiseType
    interpretation: Interpretation
    brownian_size: int


def make_sde(model: Model, parameters: ParameterTensors, interpretation: Interpretation) -> SDE:
    """The model at these parameters, its drift converted to the reading of the scheme."""

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


def integrate(
    sde: SDE,
    scheme: Scheme,
    x0: Tensor,
    noise: BrownianIncrements,
    step: float | Tensor,
    time_map: TimeMap,
) -> Tensor:
    """Walk all steps of the noise from x0.

    Args:
        sde: the equation, already in the scheme's reading.
        scheme: the scheme.
        x0: initial states, (rows, D).
        noise: increments (and areas) of shape (steps, rows, M).
        step: length Δ of a step in real time; a number or (rows, 1).
        time_map: real time at step time u.

    Returns:
        States at steps 0, 1, …, K: (K + 1, rows, D).
    """
    visited = _ListSink() if torch.is_grad_enabled() else _TensorSink(noise, x0)
    integrate_with_callback(sde, scheme, x0, noise, step, time_map, visited.append)
    return visited.stacked()


def integrate_with_callback(
    sde: SDE,
    scheme: Scheme,
    x0: Tensor,
    noise: BrownianIncrements,
    step: float | Tensor,
    time_map: TimeMap,
    on_state: OnState,
) -> None:
    """Walk as :func:`integrate` does, telling each state instead of keeping all.

    ``on_state`` is called with the state (rows, D) at each of the steps 0, 1, …, K, before the step
    from there begins. It may change the equation's parameters for that step, except at 0, where the
    solver has looked at the equation before.
    """
    on_state(_last_state(sde, scheme, x0, noise, step, time_map, on_state))


def one_step(
    sde: SDE,
    scheme: Scheme,
    x0: Tensor,
    noise: BrownianIncrements,
    step: float | Tensor,
    time_map: TimeMap,
) -> Tensor:
    """The step map: states (rows, D) after the one step of the noise; see :func:`integrate`."""
    return _last_state(sde, scheme, x0, noise, step, time_map, None)


def as_torchsde(
    sde: SDE, noise: BrownianIncrements, step: float, time_map: TimeMap
) -> tuple[Any, torchsde.BaseBrownian]:
    """The SDE and the Brownian motion as ``torchsde.sdeint`` takes them, on the solver's clock."""
    table = _TabulatedBrownian(noise)
    return _StepTimeSDE(sde, step, time_map, table, None), table


def _last_state(
    sde: SDE,
    scheme: Scheme,
    x0: Tensor,
    noise: BrownianIncrements,
    step: float | Tensor,
    time_map: TimeMap,
    on_state: OnState | None,
) -> Tensor:
    """Solve to the end, telling the state that each step starts from.

    Asked for every time, the solver interpolates to each and stacks them, which costs a third of a
    long run; asked for the last, it walks the same steps.
    """
    table = _TabulatedBrownian(noise)
    walked = _StepTimeSDE(sde, step, time_map, table, on_state)
    found: Tensor = torchsde.sdeint(
        walked,
        x0,
        torch.tensor([0, len(noise.increments)], dtype=x0.dtype, device="cpu"),
        bm=table,
        method=scheme.method,
        dt=1.0,
        options=dict(scheme.options),
    )
    walked.release()
    return found[1]


class _ListSink:
    """States in a list, each with its graph."""

    def __init__(self) -> None:
        self._states: list[Tensor] = []

    def append(self, state: Tensor) -> None:
        self._states.append(state)

    def stacked(self) -> Tensor:
        return torch.stack(self._states)


class _TensorSink:
    """States written to one table while they are still in the cache."""

    def __init__(self, noise: BrownianIncrements, x0: Tensor) -> None:
        self._table = empty_tensor((len(noise.increments) + 1, *x0.shape), x0.dtype, x0.device)
        self._count = 0

    def append(self, state: Tensor) -> None:
        self._table[self._count] = state
        self._count += 1

    def stacked(self) -> Tensor:
        return self._table


class _StepTimeSDE:
    """The equation on the solver's clock.

    The solver evaluates both fields once to check shapes and again to step; each remembers its last
    answer, which on one step over many rows saves a fifth of the work.
    """

    def __init__(
        self,
        sde: SDE,
        step: float | Tensor,
        clock: TimeMap,
        table: _TabulatedBrownian,
        arrive: OnState | None,
    ) -> None:
        self.noise_type = sde.noise_type
        self.sde_type = sde.interpretation
        self._sde = sde
        self._step = step
        self._root = step**0.5
        self._time_map = clock
        self._table = table
        self._on_state = arrive
        self._remembered_drift = _memoise_last(self._drift)
        self.g = _memoise_last(self._diffusion)

    def f(self, u: Tensor, x: Tensor) -> Tensor:
        """The drift. Every scheme draws its increment, then asks at the state it starts from."""
        if self._on_state is not None and self._table.drawn:
            self._on_state(x)
            self._table.drawn = False
        return self._remembered_drift(u, x)

    def release(self) -> None:
        """Let go of everything.

        What the solver wraps around this refers to itself, and so would keep noise and states until
        garbage is collected.
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
            root = root.unsqueeze(-1)
        return (g * root).expand(*x.shape, self._sde.brownian_size)


def _memoise_last(evaluate: Field) -> Field:
    """Answer again what was asked last: the same state tensor at the same time."""
    asked: list[tuple[Tensor, Tensor, Tensor]] = []

    def remembered(u: Tensor, x: Tensor) -> Tensor:
        if asked and asked[0][1] is x and float(asked[0][0]) == float(u):
            return asked[0][2]
        answer = evaluate(u, x)
        asked[:] = [(u, x, answer)]
        return answer

    return remembered


class _TabulatedBrownian(torchsde.BaseBrownian):  # type: ignore[misc]
    """Increments already drawn, handed out by step number."""

    __slots__ = ("_noise", "drawn")

    def __init__(self, noise: BrownianIncrements) -> None:
        self._noise = noise
        self.drawn = False

    def release(self) -> None:
        """Let go of the increments."""
        del self._noise

    def __call__(
        self, ta: Tensor, tb: Tensor | None = None, return_U: bool = False, return_A: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        k = int(ta)
        self.drawn = True
        w = self._noise.increments[k]
        if not return_U:
            return w
        assert self._noise.levy_areas is not None
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
