"""Brownian increments by seed, the same for every model, scheme, sample count and grid.

The sheet is a tree. Over an interval of unit length the pair (W, √12·H), increment and space-time
Lévy area H = ∫(W_s − sW)ds, is a pair of independent standard normals. Halving the interval maps
it, with two fresh normals, to the pairs of both halves by a rotation (derived in :func:`_halve`).
A grid of m·2^j steps, m odd, starts from m intervals and is halved j times. So a grid with twice
the steps refines the same path, and W does not depend on whether a scheme also reads H.

Samples are drawn in fixed blocks, each channel of each block from its own random stream, so that
more samples, or more Brownian motions, do not change the earlier ones. All draws are float32, on
the CPU: precision and device do not change the paths either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sde_lab.solver.allocation import empty_tensor
from sde_lab.solver.autograd_mode import autograd_mode, outside_inference

STREAM_SAMPLES = 1024
"""Samples per random stream. Changing it changes every random path. It must be a multiple of 16,
the width at which ``torch.randn`` vectorises: otherwise draws depend on the number of samples."""

STREAM_ROWS = 256
"""Steps drawn at a time where only some samples of a block are needed: bounds the scratch memory to
STREAM_ROWS × STREAM_SAMPLES numbers."""

_HALF_SQRT3 = math.sqrt(3.0) / 2.0
_HALF_SQRT2 = math.sqrt(2.0) / 2.0


@dataclass(frozen=True)
class BrownianIncrements:
    """Brownian increments of unit variance: one solver step has length 1.

    In real time with steps of length Δ the increments are √Δ · ``increments``, the areas
    √Δ · ``levy_areas``.

    Attributes:
        increments: W over each step, (steps, samples, Brownian motions), standard normal.
        levy_areas: space-time Lévy area H = ∫(W_s − sW)ds of each step, of the same shape, with
            variance 1/12; None for schemes that do not need it.
    """

    increments: Tensor
    levy_areas: Tensor | None

    @property
    def nbytes(self) -> int:
        """Return the memory of both tables, in bytes."""
        size = self.increments.nbytes
        return size if self.levy_areas is None else size + self.levy_areas.nbytes

    def outside_inference(self) -> BrownianIncrements:
        """Return the same increments in tensors that autograd accepts."""
        areas = None if self.levy_areas is None else outside_inference(self.levy_areas)
        return BrownianIncrements(outside_inference(self.increments), areas)


def sample_increments(
    seed: int,
    steps: int,
    samples: int,
    brownian_size: int = 1,
    *,
    levy_areas: bool = False,
    first_sample: int = 0,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> BrownianIncrements:
    """Draw the increments (and Lévy areas) of ``steps`` equal steps.

    Args:
        seed: selects the Brownian paths; any int in [0, 2^63).
        steps: number of steps; grids that differ by a power of two refine each other.
        samples: number of independent paths.
        brownian_size: number of independent Brownian motions per path.
        levy_areas: whether to return the space-time Lévy areas as well.
        first_sample: index of the first sample, a multiple of STREAM_SAMPLES.
        dtype: precision of the result.
        device: device of the result.

    Returns:
        Increments, and areas if asked for, of shape (steps, samples, brownian_size).

    Raises:
        ValueError: if ``first_sample`` is not a multiple of STREAM_SAMPLES.

    Source: the pair (W, H) as polynomial coefficients of a Brownian path: Foster, Lyons and
    Oberhauser (2020), An optimal polynomial approximation of Brownian motion.
    """
    if first_sample % STREAM_SAMPLES:
        raise ValueError(f"first_sample = {first_sample}: must be a multiple of {STREAM_SAMPLES}")
    shape = (steps, samples, brownian_size)
    with autograd_mode(recording=False):
        increments = empty_tensor(shape, dtype)
        levy = empty_tensor(shape, dtype) if levy_areas else None
        for channel in range(brownian_size):
            for block, start in enumerate(range(0, samples, STREAM_SAMPLES)):
                span = slice(start, min(start + STREAM_SAMPLES, samples))
                target = None if levy is None else levy[:, span, channel]
                number = first_sample // STREAM_SAMPLES + block
                fill_stream(increments[:, span, channel], target, seed, channel, number)
        return BrownianIncrements(increments.to(device), None if levy is None else levy.to(device))


def fill_stream(
    increments: Tensor, levy_areas: Tensor | None, seed: int, channel: int, block: int
) -> None:
    """Write increments (and Lévy areas) of one Brownian motion of one block of samples, in place.

    Args:
        increments: written, (steps, n), n at most STREAM_SAMPLES.
        levy_areas: written, of the same shape, or None where the scheme does not need them.
        seed: selects the Brownian paths.
        channel: index of the Brownian motion.
        block: index of the block of STREAM_SAMPLES samples.
    """
    _fill(increments, levy_areas, _stream(seed, channel, block))
    if levy_areas is not None:
        levy_areas.mul_(1.0 / math.sqrt(12.0))  # _fill writes √12·H, of unit variance


def _stream(seed: int, channel: int, block: int) -> torch.Generator:
    """Return the random generator of one channel of one block of samples.

    The upper half of a long seed comes after the channel: numpy reads a list of numbers as one
    sequence of 32-bit words, in which seed 2^32 would otherwise be channel 1 of seed 0. torch keeps
    32 bits of a seed, so blocks of one channel differ by an odd stride, which never repeats, rather
    than by a hash, which could.
    """
    state = np.random.SeedSequence((seed % 2**32, channel, seed >> 32)).generate_state(2)
    start, stride = int(state[0]), int(state[1]) | 1
    return torch.Generator(device="cpu").manual_seed((start + block * stride) % 2**32)


def _draw(rows: int, stream: torch.Generator) -> Tensor:
    """Draw standard normals, (rows, STREAM_SAMPLES), in float32 whatever torch's default is.

    In float64 the same stream gives other numbers.
    """
    return torch.randn(
        rows, STREAM_SAMPLES, generator=stream, dtype=torch.float32, device=stream.device
    )


def _fill(increments: Tensor, areas: Tensor | None, stream: torch.Generator) -> None:
    """Write W and √12·H of one block, (steps, ≤ STREAM_SAMPLES), in place."""
    steps, width = increments.shape
    # steps = rows · 2^depth with rows odd: the lowest set bit of steps is 2^depth.
    depth = (steps & -steps).bit_length() - 1
    rows = steps >> depth

    def normals() -> Tensor:
        if width == STREAM_SAMPLES:
            return _draw(rows, stream).to(increments.dtype)
        # Always draw whole rows and drop the rest, so that samples do not depend on their number.
        drawn = increments.new_empty(rows, width)
        for first in range(0, rows, STREAM_ROWS):
            part = drawn[first : first + STREAM_ROWS]
            part.copy_(_draw(len(part), stream)[:, :width])
        return drawn

    w = normals()
    h = normals() if depth or areas is not None else None
    for level in range(1, depth + 1):
        assert h is not None
        last = level == depth
        fine_w = increments if last else w.new_empty(2 * rows, width)
        fine_h = None
        if not last or areas is not None:
            fine_h = areas if last and areas is not None else w.new_empty(2 * rows, width)
        _halve(w, h, normals(), normals() if fine_h is not None else None, fine_w, fine_h)
        w, h = fine_w, fine_h
        rows *= 2
    if depth == 0:
        increments.copy_(w)
        if areas is not None and h is not None:
            areas.copy_(h)


def _halve(
    w: Tensor, h: Tensor, z: Tensor, m: Tensor | None, fine_w: Tensor, fine_h: Tensor | None
) -> None:
    """Refine normalised pairs (w, h), (rows, n), to those of both halves, (2·rows, n), in place.

    Let (w₁, h₁), (w₂, h₂) be the pairs of the halves, each normalised on its own half, and
    d = (w₁ − w₂)/√2, p = (h₁ + h₂)/√2, m = (h₁ − h₂)/√2. Integrating the path over both halves
    gives w = (w₁ + w₂)/√2 and h = ½p + (√3/2)d. The direction z = (√3/2)p − ½d is orthogonal to h,
    so d = (√3/2)h − ½z and p = ½h + (√3/2)z with z and m fresh standard normals.

    ``z``, ``m`` and ``w`` are overwritten; ``fine_h`` is None at the last level of a scheme that
    does not need the areas, which saves the draw of m.
    """
    # First halves go to even rows, second halves to odd rows.
    if m is not None and fine_h is not None:
        p = z.mul(_HALF_SQRT3 * _HALF_SQRT2).add_(h, alpha=0.5 * _HALF_SQRT2)
        m.mul_(_HALF_SQRT2)
        torch.add(p, m, out=fine_h[0::2])
        torch.sub(p, m, out=fine_h[1::2])
    d = z.mul_(-0.5 * _HALF_SQRT2).add_(h, alpha=_HALF_SQRT3 * _HALF_SQRT2)
    w.mul_(_HALF_SQRT2)
    torch.add(w, d, out=fine_w[0::2])
    torch.sub(w, d, out=fine_w[1::2])
