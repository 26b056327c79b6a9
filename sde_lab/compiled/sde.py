"""The equation of a model as a graph of scalar operations, in step time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sde_lab.compiled import graph as operations
from sde_lab.compiled.graph import Graph, Scalar
from sde_lab.equations.analysis import TIME_NAME
from sde_lab.equations.expression_tree import Node
from sde_lab.equations.model import EquationModel
from sde_lab.models.base import Interpretation

_OPERATIONS: Mapping[str, Callable[..., Scalar]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "circle": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "pow": operations.power,
    "abs": operations.absolute,
    "sign": operations.sign,
    "step": lambda a: a.where("where_gt", 0.0, 1.0, 0.0),
    "max": operations.maximum,
    "min": operations.minimum,
}


class StepTimeSDE:
    """Drift and diffusion of one step: Δ·f(t, x) and √Δ·g(t, x), as graphs.

    In step time a step is one unit long and its increments have unit variance
    (:mod:`sde_lab.solver.step_time`), so a scheme's formulas need neither Δ nor √Δ.

    Args:
        graph: where the operations go.
        model: the equation.
        interpretation: that of the scheme; the drift is converted to it.

    Attributes:
        noise_type: of the model.
        state: inputs ``x0``, ``x1``, …, the state where the step begins.
        parameters: inputs by name of the parameter.
        noise: inputs ``w0``, …, the increment of each Brownian motion, of unit variance.
        areas: inputs ``h0``, …, the space-time Lévy area of each, of variance 1/12.
    """

    def __init__(self, graph: Graph, model: EquationModel, interpretation: Interpretation) -> None:
        self._graph = graph
        self._model = model
        self._converted = interpretation != model.interpretation
        self._sign = -1.0 if interpretation == "stratonovich" else 1.0
        self.noise_type = model.noise_type
        self.state = [graph.input(f"x{d}") for d in range(len(model.components))]
        self.parameters = {
            parameter.name: graph.input(f"p{i}") for i, parameter in enumerate(model.parameters)
        }
        self.noise = [graph.input(f"w{m}") for m in range(model.brownian_size)]
        self.areas = [graph.input(f"h{m}") for m in range(model.brownian_size)]
        self._time, self._step = graph.input("t"), graph.input("step")
        self._root_step = graph.input("root_step")

    def drift(self, state: Sequence[Scalar], after: float = 0.0) -> list[Scalar]:
        """Return Δ·f, one scalar per component, a share ``after`` of the step later."""
        values = self._values(state, after)
        drift = [evaluate(self._graph, node, values) for node in self._model.system.drift]
        if self._converted:
            correction = [evaluate(self._graph, c, values) for c in self._model.ito_correction]
            drift = [f + self._sign * c for f, c in zip(drift, correction, strict=True)]
        return [f * self._step for f in drift]

    def diffusion(self, state: Sequence[Scalar], after: float = 0.0) -> list[list[Scalar]]:
        """Return √Δ·g, a row of M scalars per component; zeros are constants."""
        values = self._values(state, after)
        return [
            [evaluate(self._graph, node, values) * self._root_step for node in row]
            for row in self._model.matrix
        ]

    def noise_of(self, component: int) -> int:
        """Return which noise drives a component, of diagonal or scalar noise."""
        return component if self.noise_type == "diagonal" else 0

    def _values(self, state: Sequence[Scalar], after: float) -> dict[str, Scalar]:
        time = self._time + after * self._step
        return {
            **dict(zip(self._model.components, state, strict=True)),
            **self.parameters,
            TIME_NAME: time,
        }


def evaluate(graph: Graph, node: Node, values: Mapping[str, Scalar]) -> Scalar:
    """Return an expression of the equation as operations on the values of its names."""
    if node.value is not None:
        return graph.const(node.value)
    if node.op == "name":
        return values[node.text]
    operands = [evaluate(graph, operand, values) for operand in node.operands]
    if node.op in _OPERATIONS:
        return _OPERATIONS[node.op](*operands)
    return operands[0].function(node.op)
