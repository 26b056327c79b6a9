"""Base class of the models: equation, parameters and sliders, drift, diffusion, exact laws."""

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
    """A parameter or an initial value of a model, with its slider and its domain.

    Attributes:
        name: key in ``Scenario.parameters``, and name of the Jacobian's column.
        symbol: as plain text, such as κ.
        latex: the same in LaTeX.
        default: value where none is given.
        low, high, step: range and step of the slider.
        description: what it is, in a few words.
        minimum, maximum: inclusive bounds of the values that the equation accepts. The library
            takes values outside the slider's range, but not outside these.
    """

    name: str
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
    """Values of a model at which it shows a typical behaviour.

    Attributes:
        title: of the button that sets them.
        values: initial values and parameters by name; the others take their defaults.
        horizon: final time T; None takes the model's own.
    """

    title: str
    values: Mapping[str, float]
    horizon: float | None = None


class Model(ABC):
    """An SDE dX = drift dt + diffusion dW in D state components, driven by M Brownian motions.

    A leaf class declares the facts below as class attributes (a typed model sets them from its
    text) and implements the methods; leaves are not subclassed. Tensors run over rows: a row is one
    sample, or one step of one sample. Parameters are tensors of shape (1, 1) or (rows, 1), so plain
    arithmetic broadcasts.
    """

    name: str
    """Value of ``Scenario.model``; of a typed model, its text."""
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
    """Symbol of each component in the equation."""
    initial: tuple[Parameter, ...]
    """Initial value of each component; they are the first columns of the Jacobian."""
    parameters: tuple[Parameter, ...]
    noise_type: NoiseType
    brownian_size: int
    interpretation: Interpretation = "ito"
    extra_normals: int = 0
    """Further standard normals per step that the exact solution needs, besides W and its area."""
    time_dependent: bool = False
    """True if drift or diffusion depend on ``t``."""

    horizon: float = 1.0
    """Default final time T, over which the model shows its typical behaviour."""
    longest: float = math.inf
    """Largest T that the slider offers: with Euler's scheme and the default number of steps no path
    diverges up to there."""
    presets: tuple[Preset, ...] = ()
    """Values that show further behaviours."""

    @property
    def slug(self) -> str:
        """Short name for widget keys, query parameters and file names."""
        return self.name

    @property
    def axis_labels(self) -> tuple[str, ...]:
        """Label of each component on an axis: its name, or its symbol if it has no other."""
        pairs = zip(self.components, self.symbols, strict=True)
        return tuple(name if len(name) > 1 else symbol for name, symbol in pairs)

    @property
    def jacobian_columns(self) -> tuple[str, ...]:
        """Names of the Jacobian's columns: the initial state first, then the parameters."""
        return tuple(parameter.name for parameter in (*self.initial, *self.parameters))

    @property
    def drift_time_dependent(self) -> bool:
        """True if the drift depends on ``t``; only where it does not are there fixed points.

        A model that does not distinguish drift and diffusion is taken to have both time-dependent.
        """
        return self.time_dependent

    @abstractmethod
    def drift(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        """Return the drift in the model's own interpretation, broadcastable to (rows, D).

        Args:
            t: real time, 0-dimensional or (rows, 1).
            x: states, (rows, D).
            p: parameters by name, (1, 1) or (rows, 1) each.
        """

    @abstractmethod
    def diffusion(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        """Return the diffusion; arguments as for :meth:`drift`.

        Returns:
            Broadcastable to (rows, D) for diagonal noise, to (rows, D, M) otherwise.
        """

    @abstractmethod
    def correction(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        """Return ½ Σ_jk g_jk ∂g_ik/∂x_j, broadcastable to (rows, D); arguments as :meth:`drift`.

        The Itô drift is the Stratonovich drift plus this term (Kloeden and Platen 1992, §4.9).
        """

    def check_parameters(self, parameters: Mapping[str, float]) -> None:
        """Raise ScenarioError for values, each within its bounds, that do not fit together."""
        return

    def why_unsolved(
        self, parameters: Mapping[str, float], interpretation: Interpretation
    ) -> str | None:
        """Return why schemes of an interpretation converge to another solution; None if not.

        Args:
            parameters: value of every parameter.
            interpretation: of the schemes; where the model has the other, they take its drift less
                the correction, which is not the same equation where a path reaches the boundary.
        """
        return None

    def evaluation_cost(self, interpretation: Interpretation) -> float:
        """Return the cost of one evaluation of drift and diffusion, in units of a built-in model.

        Args:
            interpretation: of the scheme; where the model has the other, the cost includes the
                correction.
        """
        return 1.0

    def exact(self, grid: LawInputs) -> ExactLaws | None:
        """Return the exact laws of the state and of its sensitivities, or None if not known."""
        return None

    def exact_paths(
        self, grid: LawInputs, increments: Tensor, areas: Tensor, residual: Tensor
    ) -> ExactPaths | None:
        """Return the exact solution on the Brownian paths that drive the scheme, or None.

        Args:
            grid: with every time of the solver's grid.
            increments: W over each step, of unit variance, (steps, N, M).
            areas: space-time Lévy area of each step, of variance 1/12, (steps, N, M).
            residual: standard normals for the randomness that W and its area do not determine,
                (steps, N, ``extra_normals``).
        """
        return None


def pushed_through_zero(condition: str) -> str:
    """Return why no Stratonovich scheme solves a square-root equation at some parameters.

    With g = σ√X the correction is ¼σ² however small X is. Where the Itô drift at zero is positive
    but less, the solution leaves zero at once, while the Stratonovich drift there pushes back, and
    through it. Where the Itô drift at zero is 0, both stay at zero, the scheme to O(Δ).

    Args:
        condition: the condition on the parameters that holds.
    """
    return (
        f"solves the Stratonovich form, whose drift at zero is negative as long as {condition}: it"
        " pushes paths through zero, however short the step; euler, milstein_grad_free and the"
        " other Itô schemes that fit the noise work"
    )


def safe_sqrt(x: Tensor) -> Tensor:
    """Return √max(x, 0), with a derivative that is finite everywhere, and 0 at and below zero.

    The value is exact from the smallest normal number on, since x may have any unit; the derivative
    of a clamped value is 0, where that of √ would be infinite and turn into NaN in a chain rule.
    """
    return x.clamp(min=torch.finfo(x.dtype).tiny).sqrt() * (x > 0)


def hstack_rows(*parts: Tensor) -> Tensor:
    """Concatenate (rows, 1) or (1, 1) parts to (rows, D), broadcasting the (1, 1) ones."""
    rows = max(len(part) for part in parts)
    return torch.cat([part.expand(rows, 1) for part in parts], dim=1)
