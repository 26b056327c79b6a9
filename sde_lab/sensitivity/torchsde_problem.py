"""Arguments of ``sdeint_jacobian``: a user's SDE with initial states, grid and noise, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from sde_lab.errors import ScenarioError
from sde_lab.schemes import ANY_NOISE, SCHEMES, Scheme
from sde_lab.sensitivity.named_jacobian import INITIAL_STATE
from sde_lab.sensitivity.torchsde_methods import (
    PARAMETER_SWAP_LOCK,
    Coefficient,
    find_diffusion,
    find_drift,
    places,
)
from sde_lab.solver.autograd_mode import outside_inference
from sde_lab.solver.brownian import BrownianIncrements
from sde_lab.solver.step_time import SDE, Field

MAX_STEPS = 1_000_000
"""Largest number of solver steps that ``dt`` may lead to."""
EITHER_INTERPRETATION = ("milstein", "milstein_grad_free")
"""Schemes that torchsde implements for Itô and for Stratonovich SDEs."""


class Brownian(Protocol):
    """Interface of a Brownian motion in real time, which torchsde's own classes satisfy."""

    @property
    def shape(self) -> Any: ...

    @property
    def levy_area_approximation(self) -> str: ...

    def __call__(self, ta: Any, tb: Any, *, return_U: bool = False) -> Any: ...


@dataclass(frozen=True)
class TorchsdeProblem:
    """The checked arguments of one call of ``sdeint_jacobian``, in step time.

    Attributes:
        sde: the user's SDE.
        f, g: its drift and its diffusion.
        scheme: the scheme.
        y0: initial states, (N, D), in the precision that states have after a step.
        ts: the times asked for, (T,), float64.
        grid: the solver's times, (K + 1,), float64.
        steps: lengths of the solver's steps, (K,), float64; all equal where the grid is even.
        time_dtype: precision in which drift and diffusion are given the time.
        noise: unit-variance increments over the steps of the grid, (K, N, M), with Lévy areas if
            the scheme needs them.
        names: the parameters to differentiate by.
        values: their values, shaped as in the module.
        places: for each of the names, the places in which the module keeps that parameter.
        copies: parameters and buffers of the module that were created in inference mode, by place,
            as copies that autograd accepts.
    """

    sde: Any
    f: Coefficient
    g: Coefficient
    scheme: Scheme
    y0: Tensor
    ts: Tensor
    grid: Tensor
    steps: Tensor
    time_dtype: torch.dtype
    noise: BrownianIncrements
    names: tuple[str, ...]
    values: tuple[Tensor, ...]
    places: tuple[tuple[str, ...], ...]
    copies: Mapping[str, Tensor]

    @property
    def parts(self) -> dict[str, tuple[int, ...]]:
        """Shape of the initial state and of each parameter, by name."""
        named = zip(self.names, self.values, strict=True)
        return {INITIAL_STATE: (self.y0.shape[1],)} | {n: tuple(v.shape) for n, v in named}

    @property
    def column_count(self) -> int:
        """Number P of columns of the Jacobian."""
        return self.y0.shape[1] + sum(value.numel() for value in self.values)

    def equation(self, leaves: list[Tensor]) -> SDE:
        """Return the SDE with its parameters replaced by ``leaves``; an empty list keeps them."""
        return SDE(
            self.drift(leaves),
            self.diffusion(leaves),
            self.sde.noise_type,
            self.sde.sde_type,
            self.noise.increments.shape[-1],
        )

    def drift(self, leaves: list[Tensor]) -> Field:
        """Return the drift with the parameters replaced by ``leaves``, as in :meth:`equation`."""
        return self._field(self.f, leaves)

    def diffusion(self, leaves: list[Tensor]) -> Field:
        """Return the diffusion with the parameters replaced by ``leaves``."""
        return self._field(self.g, leaves)

    def diffusion_slope(self, leaves: list[Tensor]) -> Field:
        """Return the derivative of the diffusion, summed over its entries, by the states (rows, D).

        Milstein's scheme takes it inside its step.
        """
        diffusion = self.diffusion(leaves)

        def evaluate(t: Tensor, y: Tensor) -> Tensor:
            recording = torch.is_grad_enabled()
            with torch.enable_grad():
                y = y if y.requires_grad else y.detach().requires_grad_()
                g = diffusion(t, y)
                if not g.requires_grad:
                    return torch.zeros_like(y)
                (slope,) = torch.autograd.grad(
                    g.sum(), y, create_graph=recording, materialize_grads=True
                )
            return slope

        return evaluate

    def _field(self, coefficient: Coefficient, leaves: list[Tensor]) -> Field:
        replaced = dict(self.copies)
        for at, leaf in zip(self.places if leaves else (), leaves, strict=True):
            replaced |= dict.fromkeys(at, leaf)

        def evaluate(t: Tensor, y: Tensor) -> Tensor:
            # Times of a row each, (rows, 1), promote the result to their precision; the state is
            # that of y.
            t = t.to(self.time_dtype)
            return coefficient.evaluate(self.sde, t, y, replaced).to(y.dtype)

        return evaluate

    def interpolate(self, table: Tensor) -> Tensor:
        """Interpolate a table (K + 1, …) linearly from the solver's grid to ``ts``: (T, …)."""
        if torch.equal(self.grid, self.ts):
            return table
        above, share = self._places_of_times(table)
        return (1 - share) * table[above - 1] + share * table[above]

    def spread(self, v: Tensor) -> Tensor:
        """Multiply cotangents (T, …) by :meth:`interpolate`, from the left: (K + 1, …)."""
        if torch.equal(self.grid, self.ts):
            return v
        above, share = self._places_of_times(v)
        spread = v.new_zeros((len(self.grid), *v.shape[1:]))
        return spread.index_add(0, above - 1, (1 - share) * v).index_add(0, above, share * v)

    def _places_of_times(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next point of the grid for each time, (T,), and its weight, (T, 1, …)."""
        above = torch.searchsorted(self.grid, self.ts).clamp(min=1)
        share = (self.ts - self.grid[above - 1]) / (self.grid[above] - self.grid[above - 1])
        return above.to(like.device), share.to(like).view(-1, *[1] * (like.dim() - 1))


def build_problem(
    sde: Any,
    y0: Tensor,
    ts: Tensor | Sequence[float],
    scheme: str,
    bm: Brownian | None,
    wrt: str | Sequence[str] | None,
    dt: float | None,
    names: Mapping[str, str] | None,
) -> TorchsdeProblem:
    """Check the arguments of ``sdeint_jacobian``, which are described there, and draw the noise.

    Call it where autograd does not record.

    Raises:
        ScenarioError: naming the argument at fault.
    """
    solver = _scheme(sde, scheme)
    if not isinstance(y0, Tensor) or y0.dim() != 2 or not y0.numel() or not y0.is_floating_point():
        shape = tuple(y0.shape) if isinstance(y0, Tensor) else y0
        raise ScenarioError(
            "y0", shape, "must be a floating-point tensor of shape (samples, state)"
        )
    solver.check_structure(sde.noise_type, y0.shape[1], type(sde).__name__)
    y0 = outside_inference(y0.detach())
    times = _times(ts)
    with PARAMETER_SWAP_LOCK:  # or a leaf of another thread may be taken for a parameter
        chosen, values = _named(sde, wrt)
        kept = tuple(places(sde, name) for name in chosen)
        copies = _copies(sde)
    width = None if bm is None else int(tuple(bm.shape)[-1])
    f, g = find_drift(sde, names, width), find_diffusion(sde, names, width)

    def both(t: Tensor) -> tuple[Tensor, Tensor]:
        return f.evaluate(sde, t, y0, copies), g.evaluate(sde, t, y0, copies)

    time_dtype = _time_dtype(both, ts, times[0], y0)
    drift, diffusion = both(times[0].to(time_dtype))
    _require_shapes(sde, (f, drift), (g, diffusion), y0)
    # As in torchsde, whose states have the precision of y0 + f dt + g dW after one step.
    for value in (drift, diffusion):
        y0 = y0.to(torch.promote_types(y0.dtype, value.dtype))
    channels = diffusion.shape[-1]
    grid = times if dt is None else _grid(times, dt, _precision(ts))
    steps = _lengths(grid, _precision(ts))
    if bm is None:
        noise = _draw_noise((len(steps), len(y0), channels), y0, solver)
    else:
        _require_fitting(bm, (len(y0), channels), solver)
        noise = _noise(bm, grid, steps, solver)
    y0 = y0.to(torch.promote_types(y0.dtype, noise.increments.dtype))
    areas = None if noise.levy_areas is None else noise.levy_areas.to(y0)
    noise = BrownianIncrements(noise.increments.to(y0), areas)
    return TorchsdeProblem(
        sde, f, g, solver, y0, times, grid, steps, time_dtype, noise, chosen, values, kept, copies
    )


def _copies(sde: Any) -> dict[str, Tensor]:
    """Return copies of the parameters and buffers that were created in inference mode."""
    if not isinstance(sde, nn.Module):
        return {}
    tensors = {**dict(sde.named_parameters()), **dict(sde.named_buffers())}
    copies: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.is_inference():
            copies |= dict.fromkeys(places(sde, name), tensor.clone())
    return copies


def _precision(ts: object) -> torch.dtype:
    """Return the precision in which times were given; those of a list are float64."""
    given = isinstance(ts, Tensor) and ts.is_floating_point()
    return ts.dtype if given and isinstance(ts, Tensor) else torch.float64


def _time_dtype(
    both: Callable[[Tensor], tuple[Tensor, Tensor]], ts: object, t: Tensor, y0: Tensor
) -> torch.dtype:
    """Return the precision in which to give the SDE its times.

    It is that of ``ts`` (float64 for a list), but that of the state where drift or diffusion cannot
    work with it: a network of float32 that takes the time as an input column, for example.
    """
    precision = _precision(ts)
    if precision == y0.dtype:
        return precision
    try:
        results = both(t.to(precision))
    except Exception:  # noqa: BLE001 - of any kind; if it is not for the time, it comes again
        return y0.dtype
    if not isinstance(ts, Tensor) and any(value.dtype != y0.dtype for value in results):
        return y0.dtype
    return precision


def _require_shapes(
    sde: Any, drift: tuple[Coefficient, Tensor], diffusion: tuple[Coefficient, Tensor], y0: Tensor
) -> None:
    """Raise ScenarioError if drift or diffusion have another shape than the noise type needs."""
    f, g = drift[1], diffusion[1]
    if f.shape != y0.shape:
        raise ScenarioError(drift[0].label, tuple(f.shape), f"shape must be {tuple(y0.shape)}")
    if sde.noise_type == "diagonal":
        fits, wanted = g.shape == y0.shape, str(tuple(y0.shape))
    else:
        count = "1" if sde.noise_type == "scalar" else "channels"
        fits = g.dim() == 3 and g.shape[:2] == y0.shape and count in ("channels", str(g.shape[2]))
        wanted = f"({y0.shape[0]}, {y0.shape[1]}, {count})"
    if not fits:
        raise ScenarioError(
            diffusion[0].label,
            tuple(g.shape),
            f"shape must be {wanted} for {sde.noise_type} noise",
        )


def _scheme(sde: Any, name: str) -> Scheme:
    if not isinstance(name, str) or name not in SCHEMES:
        raise ScenarioError("scheme", name, f"must be one of {', '.join(SCHEMES)}")
    for attribute, choices in (("noise_type", ANY_NOISE), ("sde_type", ("ito", "stratonovich"))):
        given = getattr(sde, attribute, None)
        if given not in choices:
            raise ScenarioError(f"sde.{attribute}", given, f"must be one of {', '.join(choices)}")
    scheme = SCHEMES[name]
    if sde.sde_type != scheme.interpretation and name not in EITHER_INTERPRETATION:
        fit = ", ".join(
            s.name
            for s in SCHEMES.values()
            if s.interpretation == sde.sde_type or s.name in EITHER_INTERPRETATION
        )
        raise ScenarioError(
            "scheme", name, f"solves {scheme.interpretation} equations; {fit} fit this one"
        )
    return scheme


def _times(ts: Tensor | Sequence[float]) -> Tensor:
    try:
        times = torch.as_tensor(ts, dtype=torch.float64, device="cpu").detach()
        times = outside_inference(times)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ScenarioError("ts", ts, "must be two or more finite times") from error
    if times.dim() != 1 or len(times) < 2 or not bool(times.isfinite().all()):
        raise ScenarioError("ts", tuple(times.shape), "must be two or more finite times")
    if not bool((times.diff() > 0).all()):
        k = int((times.diff() <= 0).nonzero()[0])
        shown = [float(times[k]), float(times[k + 1])]
        raise ScenarioError("ts", shown, f"must increase strictly; ts[{k + 1}] does not")
    return times


def _grid(times: Tensor, dt: float, precision: torch.dtype) -> Tensor:
    """Return the times of the steps of ``torchsde.sdeint``, (K + 1,), float64.

    It adds dt up in the precision in which the times were given, and cuts the last step short.
    """
    if not isinstance(dt, int | float) or not dt > 0:
        raise ScenarioError("dt", dt, "must be a positive number")
    if float(times[-1] - times[0]) / dt > MAX_STEPS:
        raise ScenarioError("dt", dt, f"must give at most {MAX_STEPS} steps")
    grid, end = [times[0].to(precision)], times[-1].to(precision)
    while grid[-1] < end:
        grid.append(min(grid[-1] + dt, end))
        if grid[-1] <= grid[-2]:
            raise ScenarioError(
                "dt", dt, "is below the precision of the times; times as float64 have more of it"
            )
    return torch.stack(grid).double()


def _lengths(grid: Tensor, precision: torch.dtype) -> Tensor:
    """Return the lengths of the steps, (K,): all equal where they differ by rounding alone.

    Args:
        grid: the solver's times, (K + 1,).
        precision: that in which the times were given.
    """
    steps = grid.diff()
    even = (grid[-1] - grid[0]) / len(steps)
    rounding = 8.0 * torch.finfo(precision).eps * float(grid.abs().max())
    error = float((steps - even).abs().max())
    return even.expand_as(steps) if error <= min(rounding, 1e-3 * float(even)) else steps


def _named(sde: Any, wrt: str | Sequence[str] | None) -> tuple[tuple[str, ...], tuple[Tensor, ...]]:
    if wrt is not None and not isinstance(wrt, str | Sequence):
        raise ScenarioError("wrt", wrt, "must be a name or names")
    names = () if wrt is None else (wrt,) if isinstance(wrt, str) else tuple(wrt)
    if not names:
        return (), ()
    if not isinstance(sde, nn.Module):
        raise ScenarioError("wrt", names, "needs an SDE that is a torch.nn.Module")
    known = {**dict(sde.named_parameters()), **dict(sde.named_buffers())}
    for name in names:
        if name not in known:
            has = ", ".join(known) or "none"
            raise ScenarioError(
                "wrt", name, f"is not a parameter or buffer of the module; it has {has}"
            )
        if not known[name].numel() or not known[name].is_floating_point():
            kind = f"{str(known[name].dtype).removeprefix('torch.')} {tuple(known[name].shape)}"
            raise ScenarioError("wrt", name, f"must hold real numbers; it is {kind}")
        if name == INITIAL_STATE:
            raise ScenarioError(
                "wrt", name, "is the name of the columns by the initial state; rename the parameter"
            )
    if len(set(names)) < len(names):
        raise ScenarioError("wrt", names, "must name each parameter once")
    return names, tuple(known[name] for name in names)


def _require_fitting(bm: Brownian, size: tuple[int, int], scheme: Scheme) -> None:
    """Raise ScenarioError if a motion has another shape, or lacks the Lévy area of the scheme."""
    if tuple(bm.shape) != size:
        raise ScenarioError("bm.shape", tuple(bm.shape), f"must be (samples, channels) = {size}")
    if scheme.levy_area and bm.levy_area_approximation == "none":
        raise ScenarioError(
            "bm.levy_area_approximation", "none", f'{scheme.name} needs "space-time" or finer'
        )


def _draw_noise(size: tuple[int, int, int], y0: Tensor, scheme: Scheme) -> BrownianIncrements:
    """Draw increments (and areas) of unit variance, (K, N, M), for a call that brings no motion.

    The seed comes from numpy's generator, as in torchsde: ``numpy.random.seed`` repeats a run.
    torchsde's own motion divides its interval anew at each step, and is slow, and at 20 000 steps
    too deep for Python's stack; independent increments of the steps have the same distribution.
    """
    seed = int(np.random.randint(0, 2**31 - 1))  # noqa: NPY002 - the generator that torchsde uses
    stream = torch.Generator(device="cpu").manual_seed(seed)
    dtype = y0.dtype if y0.dtype == torch.float64 else torch.float32

    def normals() -> Tensor:
        return torch.randn(size, generator=stream, dtype=dtype, device="cpu").to(y0)

    increments = normals()
    return BrownianIncrements(increments, normals() / 12**0.5 if scheme.levy_area else None)


def _noise(bm: Brownian, grid: Tensor, steps: Tensor, scheme: Scheme) -> BrownianIncrements:
    """Return the increments (and areas) over every step of the grid, scaled to unit variance."""
    increments, areas = [], []
    for (start, stop), step in zip(pairwise(grid), steps, strict=True):
        if scheme.levy_area:
            w, integral = bm(start, stop, return_U=True)
            areas.append(integral / step**1.5 - 0.5 * w / step**0.5)  # U = ∫W ds → H
        else:
            w = bm(start, stop)
        increments.append(w / step**0.5)
    return BrownianIncrements(torch.stack(increments), torch.stack(areas) if areas else None)
