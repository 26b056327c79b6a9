"""What every model declares: its equation, its knobs, its drift and diffusion, its truth."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from sde_lab.models.laws.base import ExactLaws, ExactPaths, LawInputs

NoiseType = Literal["diagonal", "additive", "scalar", "general"]
Interpretation = Literal["ito", "stratonovich"]
ParameterTensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Parameter:
    """One knob: what it is called, where its slider runs, which values make sense.

    ``low``, ``high`` and ``step`` draw the slider. ``minimum`` and ``maximum`` (inclusive) bound
    what the equation accepts at all; a library user may leave the slider's range, not the domain.
    """

    name: str
    """What ``Scenario.model`` calls it; of a typed model, its text."""
    symbol: str
    latex: str
    default: float
    low: float
    high: float
    step: float
    description: str
    minimum: float = -math.inf
    maximum: float = math.inf


@dataclass(frozen=True)
class Preset:
    """A setting of a model worth meeting.

    Attributes:
        title: a few words that name it.
        values: initial values and parameters by name; the others take their defaults.
        horizon: None takes the model's own.
    """

    title: str
    values: Mapping[str, float]
    horizon: float | None = None


class Model(ABC):
    """An SDE dX = drift dt + diffusion dW in D state components, driven by M Brownian motions.

    A leaf class declares the facts below as class attributes (a typed model reads them from its
    text) and implements the methods; nobody subclasses a leaf. Tensors run over rows: a row is one
    sample, or one step of one sample. Values of parameters come as tensors of shape (1, 1) or
    (rows, 1), so plain arithmetic broadcasts.
    """

    name: str
    """What ``Scenario.model`` calls it; of a typed model, its text."""
    title: str
    description: str
    equation: str
    """LaTeX, without dollar signs; one equation per state component, joined by ``\\\\``."""
    text: str = ""
    """The equation as a reader would type it (:func:`sde_lab.parse_sde`), with the names of
    ``parameters``; the compiled step derives from it. Empty where there is none."""
    components: tuple[str, ...]
    """Name of each state component, in the order of the state's last axis."""
    symbols: tuple[str, ...]
    """The letter each of them has in the equation."""
    initial: tuple[Parameter, ...]
    """Initial value of each component; its name (``x0``) heads the Jacobian's columns."""
    parameters: tuple[Parameter, ...]
    noise_type: NoiseType
    brownian_size: int
    interpretation: Interpretation = "ito"
    extra_normals: int = 0
    """Further normals per step that the exact solution needs, beside W and its area."""
    time_dependent: bool = False
    """Whether drift or diffusion read ``t``."""

    horizon: float = 1.0
    """A time span over which the model shows what it is."""
    presets: tuple[Preset, ...] = ()
    """Settings that show its different faces."""

    @property
    def slug(self) -> str:
        """A short name for widgets and files."""
        return self.name

    @property
    def axis_labels(self) -> tuple[str, ...]:
        """What each component is called on an axis: its name, or its letter if it has no other."""
        pairs = zip(self.components, self.symbols, strict=True)
        return tuple(name if len(name) > 1 else letter for name, letter in pairs)

    @property
    def jacobian_columns(self) -> tuple[str, ...]:
        """Names of the Jacobian's columns: the initial state first, then the parameters."""
        return tuple(parameter.name for parameter in (*self.initial, *self.parameters))

    @property
    def drift_time_dependent(self) -> bool:
        """Whether the drift reads ``t``; a fixed point of the drift exists only where it does not.

        Where a model does not tell drift and noise apart, both are taken to.
        """
        return self.time_dependent

    @abstractmethod
    def drift(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        """Drift at time ``t`` (0-dimensional or (rows, 1)) and state ``x`` (rows, D): (rows, D)."""

    @abstractmethod
    def diffusion(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        """Diffusion, broadcastable to (rows, D) for diagonal noise, to (rows, D, M) otherwise."""

    @abstractmethod
    def correction(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        """½ Σ_jk g_jk ∂g_ik/∂x_j, broadcastable to (rows, D).

        The Itô drift is the Stratonovich drift plus this term (Kloeden and Platen 1992, §4.9).
        """

    def evaluation_cost(self, interpretation: Interpretation) -> float:
        """What it takes to evaluate drift and diffusion so read, in those of a built-in model."""
        return 1.0

    def exact(self, grid: LawInputs) -> ExactLaws | None:
        """The exact law of the state and of its sensitivities, or None where none is known."""
        return None

    def exact_paths(
        self, grid: LawInputs, increments: Tensor, areas: Tensor, residual: Tensor
    ) -> ExactPaths | None:
        """The exact solution on the Brownian path that drives the scheme, or None.

        Args:
            grid: every time of the solver's grid.
            increments: W over each step, of unit variance, (steps, N, M).
            areas: space-time Lévy area of each step, of variance 1/12, (steps, N, M).
            residual: standard normals for what W and the areas leave open, (steps, N, residuals).
        """
        return None


def safe_sqrt(x: Tensor) -> Tensor:
    """√max(x, 0), with a derivative that is finite everywhere, and 0 at and below zero.

    The value is exact from the smallest normal number on, since x may carry any unit; clamping
    cuts the derivative off where √ has none.
    """
    return x.clamp(min=torch.finfo(x.dtype).tiny).sqrt() * (x > 0)


def hstack_rows(*parts: Tensor) -> Tensor:
    """Place (rows, 1) or (1, 1) parts side by side as (rows, D), broadcasting the short ones."""
    rows = max(len(part) for part in parts)
    return torch.cat([part.expand(rows, 1) for part in parts], dim=1)
