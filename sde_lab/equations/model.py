"""The model of a typed equation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor

from sde_lab.equations import derivatives, identifiers, parameter_defaults
from sde_lab.equations.analysis import TIME_NAME, EquationSystem, analyse, initial_name
from sde_lab.equations.compiler import CompiledExpressions
from sde_lab.equations.correlations import misfit
from sde_lab.equations.errors import EquationError, SourceLocation
from sde_lab.equations.expression_tree import ZERO, Node
from sde_lab.equations.latex import equation
from sde_lab.equations.linear_case import LinearEquation, linear_equation
from sde_lab.equations.noise_structure import Matrix, decorrelated_diffusion, noise_type
from sde_lab.equations.reading import Reading, read
from sde_lab.errors import ScenarioError
from sde_lab.models.base import (
    Interpretation,
    Model,
    ParameterTensors,
    hstack_rows,
    pushed_through_zero,
)
from sde_lab.models.laws.base import ExactLaws, LawInputs

CUSTOM_KEY = "own"
"""Slug of typed equations: their text does not fit widget keys and file names."""
_CACHED_MODELS = 256
"""Number of parsed texts that are cached."""
BUILT_IN_OPERATIONS = 10.0
"""Approximate number of operations of drift and diffusion of a built-in model."""


NEAR = 1e-8
"""Distance from a boundary at which its noise is looked at, and at a hundred times that."""


def normalise_text(text: str) -> str:
    """Normalise line ends and trailing blanks, so that equal equations compare equal."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")
    return "\n".join(line.rstrip() for line in lines)


def parse_sde(text: str) -> Model:
    """Parse a text into a model, which can be used like those in ``MODELS``.

    One line (or part between ``;``) per state, such as
    ``dx = kappa*(theta - x)*dt + sigma*sqrt(abs(x))*dW``; noises by name, dW1, dW2, …; optional
    lines ``corr(dW1, dW2) = rho``, ``kappa = 1 in [0, 5]``, ``x(0) = 2 in [0, 4]``,
    ``t in [0, 10]`` and ``stratonovich`` (or ``∘ dW``). Every other symbol is a parameter.

    Other notations, such as LaTeX or dx/dt with white noise, are read as well: see
    :func:`read_sde`. ``Scenario(model=text)`` takes the same text. It is never evaluated as code.

    Args:
        text: the equations, at most 4000 characters, 10 states, 10 noises and 24 parameters.

    Raises:
        EquationError: a ScenarioError with line and column of the error, and what would be valid.
    """
    if not isinstance(text, str):
        raise EquationError(SourceLocation(1, 1), "", "a text such as dx = -x*dt + dW works")
    return _cached(read_sde(text).text)


def read_sde(text: str) -> Reading:
    """Return how a text is read: the same in the plain grammar, with remarks.

    A text in the plain grammar is returned as it is, so that links and files stay what they are.

    Raises:
        EquationError: with line and column of the error, and what would be valid.
    """
    return _reading(normalise_text(text))


@lru_cache(maxsize=_CACHED_MODELS)
def _reading(text: str) -> Reading:
    try:
        _cached(text)
    except EquationError:
        reading = read(text)
    else:
        return Reading(text, ())
    _cached(reading.text)
    return reading


@lru_cache(maxsize=_CACHED_MODELS)
def _cached(text: str) -> EquationModel:
    return EquationModel(text)


class EquationModel(Model):
    """An SDE parsed from text.

    Attributes:
        system: the parsed equations.
        matrix: diffusion as trees, (D, M), with correlations worked in.
        ito_correction: Itô drift minus Stratonovich drift, as trees, (D,).
    """

    title = "Your own SDE"

    def __init__(self, text: str) -> None:
        self.name = text
        self.system = written = analyse(text)
        self.components = written.states
        self.symbols = tuple(map(identifiers.to_unicode, written.states))
        self.initial = tuple(
            parameter_defaults.make_initial_value(name, state, written.settings.get(name))
            for name, state in zip(map(initial_name, written.states), written.states, strict=True)
        )
        correlated = {name for node in written.correlations.values() for name in node.names}
        self.parameters = tuple(
            parameter_defaults.make_parameter(
                name, written.settings.get(name), correlation=name in correlated
            )
            for name in written.parameters
        )
        self._require_fitting_defaults()
        self.interpretation = "stratonovich" if written.stratonovich else "ito"
        if written.horizon is not None:
            self.horizon = written.horizon
        self._compile(written)
        self.description = _description(self)

    def _compile(self, written: EquationSystem) -> None:
        try:
            self.equation = equation(written)
            self.matrix = _with_zero_noise(decorrelated_diffusion(written), len(written.states))
            self.noise_type = noise_type(self.matrix, written.states)
            self.brownian_size = len(self.matrix[0])
            self.ito_correction = _correction(self.matrix, written.states)
            self._linear = self._as_linear(written)
        except (ArithmeticError, ValueError) as error:
            hint = "the noise or its derivative has no finite expression"
            raise EquationError(SourceLocation(1, 1), "", hint) from error
        symbols = (*written.states, TIME_NAME, *written.parameters)
        self._symbols = symbols
        self._drift = CompiledExpressions(written.drift, symbols)
        self._diffusion = CompiledExpressions(_entries(self.matrix, self.noise_type), symbols)
        self._correction = CompiledExpressions(self.ito_correction, symbols)
        read = {symbols[k] for p in (self._drift, self._diffusion) for k in p.input_indices}
        self.time_dependent = TIME_NAME in read
        self._moving_drift = TIME_NAME in {symbols[k] for k in self._drift.input_indices}

    def _as_linear(self, written: EquationSystem) -> LinearEquation | None:
        try:
            return linear_equation(
                written.drift, self.matrix, written.states, written.parameters, TIME_NAME
            )
        except (ArithmeticError, ValueError):
            return None

    @property
    def slug(self) -> str:
        """Short name for widget keys, query parameters and file names."""
        return CUSTOM_KEY

    @property
    def axis_labels(self) -> tuple[str, ...]:
        """Label of each component on an axis: its symbol."""
        return self.symbols

    @property
    def drift_time_dependent(self) -> bool:
        """True if the drift, and not the noise alone, depends on time."""
        return self._moving_drift

    @property
    def has_gaussian_law(self) -> bool:
        """True if drift is linear and noise additive: the law is Gaussian and known exactly."""
        return self._linear is not None

    def evaluation_cost(self, interpretation: Interpretation) -> float:
        programs = [self._drift, self._diffusion]
        if interpretation != self.interpretation:
            programs.append(self._correction)
        return max(1.0, sum(program.operations for program in programs) / BUILT_IN_OPERATIONS)

    def check_parameters(self, parameters: Mapping[str, float]) -> None:
        if (found := self._misfit(parameters)) is None:
            return
        pair, hint = found
        correlations = self.system.correlations
        named = [pair, *reversed(list(correlations))]  # one of them is a parameter
        name = next(correlations[p].text for p in named if correlations[p].names)
        raise ScenarioError(f"parameters.{name}", parameters[name], hint)

    def _misfit(self, parameters: Mapping[str, float]) -> tuple[tuple[int, int], str] | None:
        numbers = {
            pair: parameters[node.text] if node.value is None else node.value
            for pair, node in self.system.correlations.items()
        }
        return misfit(numbers, self.system.noises)

    def _require_fitting_defaults(self) -> None:
        """Raise EquationError where the first values of correlations fit no noises."""
        found = self._misfit({parameter.name: parameter.default for parameter in self.parameters})
        if found is not None:
            node = self.system.correlations[found[0]]
            first = f"; a line such as {node.text} = 0.8 says its first value" if node.names else ""
            raise EquationError(node.location, "", found[1] + first)

    def why_unsolved(
        self, parameters: Mapping[str, float], interpretation: Interpretation
    ) -> str | None:
        converted = interpretation == "stratonovich" and self.interpretation == "ito"
        if not converted or len(self.components) > 1 or self.brownian_size > 1:
            return None
        # Where noise vanishes as the root of the distance to 0, or to 1, the correction does not.
        x = torch.tensor(
            [[NEAR], [1.0 - NEAR], [100.0 * NEAR], [1.0 - 100.0 * NEAR]],
            dtype=torch.float64,
            device="cpu",
        )
        inward = x.new_tensor([1.0, -1.0, 1.0, -1.0])
        p = {name: x.new_full((1, 1), value) for name, value in parameters.items()}
        with torch.no_grad():
            f, g, c = (
                part(x.new_zeros(()), x, p).reshape(-1).expand(4) * inward
                for part in (self.drift, self.diffusion, self.correction)
            )
        share = (g[:2] / g[2:]) ** 2
        root = (share > 0.009) & (share < 0.011) & ((c[:2] / c[2:] - 1.0).abs() < 0.1)
        small = 1e-3 * c[:2].abs()
        if not bool((root & (f[:2] > small) & (f[:2] - c[:2] < -small)).any()):
            return None
        return pushed_through_zero("the Itô drift there is positive, but less than the correction")

    def drift(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return self._evaluate(self._drift, t, x, p)

    def correction(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        return self._evaluate(self._correction, t, x, p)

    def diffusion(self, t: Tensor, x: Tensor, p: ParameterTensors) -> Tensor:
        entries = self._evaluate(self._diffusion, t, x, p)
        if self.noise_type == "diagonal":
            return entries
        return entries.view(len(entries), len(self.components), self.brownian_size)

    def exact(self, grid: LawInputs) -> ExactLaws | None:
        if self._linear is None:
            return None
        return self._linear.laws(grid, [parameter.name for parameter in self.initial])

    def _evaluate(
        self, program: CompiledExpressions, t: Tensor, x: Tensor, p: ParameterTensors
    ) -> Tensor:
        """Return the values of the expressions side by side, (rows, count) or (1, count)."""
        size = len(self.components)
        values = []
        for index in program.input_indices:
            if index < size:
                values.append(x if size == 1 else x[:, index : index + 1])
            elif index == size:
                values.append(t.reshape(-1, 1))
            else:
                values.append(p[self._symbols[index]])
        parts = [
            part if isinstance(part, Tensor) else x.new_full((1, 1), part)
            for part in program(values)
        ]
        return parts[0] if len(parts) == 1 else hstack_rows(*parts)


def _description(model: EquationModel) -> str:
    size = len(model.components)
    states = "One state" if size == 1 else f"{size} states"
    if not any(entry.value != 0.0 for row in model.matrix for entry in row):
        return f"{states}, without noise."
    sense = "Itô" if model.interpretation == "ito" else "Stratonovich"
    return f"{states}, {model.noise_type} noise, {sense} interpretation."


def _with_zero_noise(matrix: Matrix, size: int) -> Matrix:
    """Return the matrix; for an equation without noise, a zero noise for each state."""
    return matrix if matrix[0] else tuple((ZERO,) * size for _ in range(size))


def _entries(matrix: Matrix, noise: str) -> list[Node]:
    if noise == "diagonal":
        return [row[index] for index, row in enumerate(matrix)]
    return [entry for row in matrix for entry in row]


def _correction(matrix: Matrix, states: tuple[str, ...]) -> tuple[Node, ...]:
    if not any(entry.depends_on(frozenset(states)) for row in matrix for entry in row):
        return (ZERO,) * len(states)
    return derivatives.ito_correction(matrix, states)
