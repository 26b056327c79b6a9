"""A model made of text."""

from __future__ import annotations

from functools import lru_cache

from torch import Tensor

from sde_lab.equations import derivatives, identifiers, parameter_defaults
from sde_lab.equations.analysis import CLOCK, Written, start_name, understand
from sde_lab.equations.compiler import Program
from sde_lab.equations.errors import EquationError, Place
from sde_lab.equations.expression_tree import ZERO, Node
from sde_lab.equations.latex import equation
from sde_lab.equations.linear_case import LinearEquation, linear_equation
from sde_lab.equations.noise_structure import Matrix, effective, noise_type
from sde_lab.models.base import Model, Reading, Values, columns
from sde_lab.models.laws.base import Exact, Grid

KEY = "own"
_CACHED = 256
BUILT_IN = 10.0
"""Operations that the drift and diffusion of a built-in model take, about."""


def normal(text: str) -> str:
    """The text without what says nothing: the same equations are the same text."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")
    return "\n".join(line.rstrip() for line in lines)


def parse_sde(text: str) -> Model:
    """The model that a text describes, with all that the models in ``MODELS`` can do.

    One line (or part between ``;``) per state, such as
    ``dx = kappa*(theta - x)*dt + sigma*sqrt(abs(x))*dW``; noises by name, dW1, dW2, …; optional
    lines ``corr(dW1, dW2) = rho``, ``kappa = 1 in [0, 5]``, ``x(0) = 2 in [0, 4]``,
    ``t in [0, 10]`` and ``stratonovich`` (or ``∘ dW``). Every other symbol is a parameter.

    The text is also what ``Scenario(model=text)`` takes.

    Raises:
        EquationError: a ScenarioError that names line and column, and what would work there.
    """
    if not isinstance(text, str):
        raise EquationError(Place(1, 1), "", "a text such as dx = -x*dt + dW works")
    return _cached(normal(text))


@lru_cache(maxsize=_CACHED)
def _cached(text: str) -> TypedModel:
    return TypedModel(text)


class TypedModel(Model):
    """An SDE that someone typed.

    Attributes:
        written: what it says.
        matrix: diffusion as trees, (D, M), correlations worked in.
        corrected: what Itô's drift has beyond Stratonovich's, as trees, (D,).
    """

    title = "Your own SDE"

    def __init__(self, text: str) -> None:
        self.name = text
        self.written = written = understand(text)
        self.components = written.states
        self.symbols = tuple(map(identifiers.symbol, written.states))
        self.initial = tuple(
            parameter_defaults.start(name, state, written.settings.get(name))
            for name, state in zip(map(start_name, written.states), written.states, strict=True)
        )
        correlated = {name for node in written.correlations.values() for name in node.names}
        self.parameters = tuple(
            parameter_defaults.parameter(
                name, written.settings.get(name), correlation=name in correlated
            )
            for name in written.parameters
        )
        self.reading = "stratonovich" if written.stratonovich else "ito"
        if written.horizon is not None:
            self.horizon = written.horizon
        self._compile(written)
        self.meaning = _meaning(self)

    def _compile(self, written: Written) -> None:
        try:
            self.equation = equation(written)
            self.matrix = _noisy(effective(written), len(written.states))
            self.noise_type = noise_type(self.matrix, written.states)
            self.channels = len(self.matrix[0])
            self.corrected = _correction(self.matrix, written.states)
            self._linear = self._as_linear(written)
        except (ArithmeticError, ValueError) as error:
            hint = "the noise or its derivative has no finite expression"
            raise EquationError(Place(1, 1), "", hint) from error
        symbols = (*written.states, CLOCK, *written.parameters)
        self._symbols = symbols
        self._drift = Program(written.drift, symbols)
        self._diffusion = Program(_entries(self.matrix, self.noise_type), symbols)
        self._correction = Program(self.corrected, symbols)
        read = {symbols[k] for p in (self._drift, self._diffusion) for k in p.reads}
        self.time_dependent = CLOCK in read
        self._moving_drift = CLOCK in {symbols[k] for k in self._drift.reads}

    def _as_linear(self, written: Written) -> LinearEquation | None:
        try:
            return linear_equation(
                written.drift, self.matrix, written.states, written.parameters, CLOCK
            )
        except (ArithmeticError, ValueError):
            return None

    @property
    def key(self) -> str:
        """A short name for widgets and files."""
        return KEY

    @property
    def labels(self) -> tuple[str, ...]:
        """What each component is called on an axis."""
        return self.symbols

    @property
    def drift_time_dependent(self) -> bool:
        """Whether the drift, and not the noise alone, reads the time."""
        return self._moving_drift

    @property
    def linear(self) -> bool:
        """Whether drift is linear and noise additive, so that the law is Gaussian and known."""
        return self._linear is not None

    def weight(self, reading: Reading) -> float:
        programs = [self._drift, self._diffusion]
        if reading != self.reading:
            programs.append(self._correction)
        return max(1.0, sum(program.operations for program in programs) / BUILT_IN)

    def drift(self, t: Tensor, x: Tensor, p: Values) -> Tensor:
        return self._placed(self._drift, t, x, p)

    def correction(self, t: Tensor, x: Tensor, p: Values) -> Tensor:
        return self._placed(self._correction, t, x, p)

    def diffusion(self, t: Tensor, x: Tensor, p: Values) -> Tensor:
        entries = self._placed(self._diffusion, t, x, p)
        if self.noise_type == "diagonal":
            return entries
        return entries.view(len(entries), len(self.components), self.channels)

    def exact(self, grid: Grid) -> Exact | None:
        if self._linear is None:
            return None
        return self._linear.laws(grid, [knob.name for knob in self.initial])

    def _placed(self, program: Program, t: Tensor, x: Tensor, p: Values) -> Tensor:
        """The expressions' values side by side, (rows, count) or (1, count)."""
        size = len(self.components)
        values = []
        for place in program.reads:
            if place < size:
                values.append(x if size == 1 else x[:, place : place + 1])
            elif place == size:
                values.append(t.reshape(-1, 1))
            else:
                values.append(p[self._symbols[place]])
        parts = [
            part if isinstance(part, Tensor) else x.new_full((1, 1), part)
            for part in program(values)
        ]
        return parts[0] if len(parts) == 1 else columns(*parts)


def _meaning(model: TypedModel) -> str:
    size = len(model.components)
    states = "One state" if size == 1 else f"{size} states"
    if not any(entry.value != 0.0 for row in model.matrix for entry in row):
        return f"{states}, without noise."
    sense = "Itô" if model.reading == "ito" else "Stratonovich"
    return f"{states}, {model.noise_type} noise, read in the sense of {sense}."


def _noisy(matrix: Matrix, size: int) -> Matrix:
    """The matrix; of an equation without noise, one noise of size 0 for each state."""
    return matrix if matrix[0] else tuple((ZERO,) * size for _ in range(size))


def _entries(matrix: Matrix, noise: str) -> list[Node]:
    if noise == "diagonal":
        return [row[place] for place, row in enumerate(matrix)]
    return [entry for row in matrix for entry in row]


def _correction(matrix: Matrix, states: tuple[str, ...]) -> tuple[Node, ...]:
    if not any(entry.depends(frozenset(states)) for row in matrix for entry in row):
        return (ZERO,) * len(states)
    return derivatives.correction(matrix, states)
