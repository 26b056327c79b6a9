"""Source code of a kernel: one step and its tangents as straight-line Python for numba.

Names are generated (``v12``), numbers are written by ``repr`` of a float, and every operation comes
from a fixed table. Nothing of an equation's text reaches the compiler; :func:`check` raises on any
other syntax or name before the source is compiled.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass

from sde_lab.compiled.graph import COMPARISONS, FUNCTIONS, Graph, Scalar
from sde_lab.compiled.schemes import STEP_MAPS
from sde_lab.compiled.sde import StepTimeSDE
from sde_lab.equations.model import EquationModel
from sde_lab.schemes import Scheme

BLOCK_SAMPLES = 1024
"""Number of samples of a block, which a kernel steps together: their states and tangents stay in
the processor's cache. Written into the source as a constant, it lets the compiler see that rows do
not overlap, and vectorise over samples."""
ROW_STRIDE_NUMBERS = BLOCK_SAMPLES + 16
"""Distance between the starts of two rows of states or tangents, in numbers (not bytes). Rows 4 KB
apart would map to the same set of the L1 cache and evict each other: Heston's step then took seven
times as long."""
MAX_STEP_OPERATIONS = 3000
"""Largest number of operations of one step. At the limit, compiling takes 5 to 8 s on an Intel
Xeon, and gives 50 KB of code."""
_BINARY = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
# the loop in which a line stands: outside both, in that over steps, in that over samples
_FIXED, _STEP, _SAMPLE = range(3)


class TooLongError(ValueError):
    """A step has more operations than MAX_STEP_OPERATIONS."""


class SourceError(ValueError):
    """The source holds syntax or a name that :func:`write` never generates."""


@dataclass(frozen=True)
class StepSource:
    """The generated code of one equation, scheme and choice of columns.

    Attributes:
        text: Python source of the function ``kernel``.
        operations: number of operations of one step of one sample.
        columns: names of the Jacobian columns (initial values and parameters) that it computes.
        initial: names of its initial values, in the order of its components.
        parameters: names of its parameters, in the order in which the kernel takes them.
        size: number of state components.
        brownian_size: number of Brownian motions.
        levy_area: whether the scheme reads the space-time Lévy area.
    """

    text: str
    operations: int
    columns: tuple[str, ...]
    initial: tuple[str, ...]
    parameters: tuple[str, ...]
    size: int
    brownian_size: int
    levy_area: bool


def write(model: EquationModel, scheme: Scheme, columns: Sequence[str]) -> StepSource:
    """Generate the loop over steps and samples, for one block of B = BLOCK_SAMPLES samples.

    The kernel's arguments, for D state components, M Brownian motions, C columns and K steps:
    ``w`` increments of unit variance and ``h`` space-time Lévy areas, flat (M, K, B); ``s`` states
    and tangents, flat (D + D·C, ROW_STRIDE_NUMBERS), initial values on entry and final ones on
    return; ``p`` parameters; ``step`` the step size; ``first`` index of the first step; ``rows``
    for each of the K steps the number of its stored time, or −1 for none; ``places`` for each of
    the D + D·C states and tangents where the first stored time of the first sample stands in
    ``out``; ``stride`` how far one stored time is from the next; ``width`` the number of samples
    that are stored; ``out`` flat, where stored times are written.

    Args:
        model: the equation.
        scheme: the scheme.
        columns: initial values and parameters to differentiate with respect to, by name.

    Raises:
        TooLongError: if the step has more than MAX_STEP_OPERATIONS operations.
    """
    graph = Graph()
    sde = StepTimeSDE(graph, model, scheme.interpretation)
    state = STEP_MAPS[scheme.name](sde)
    size = len(sde.state)
    initial = [parameter.name for parameter in model.initial]
    outputs = list(state)
    for c, name in enumerate(columns):
        _check_length(graph, outputs)
        seeds = {x: graph.input(f"j{d}_{c}") for d, x in enumerate(sde.state)}
        if name not in initial:
            seeds[sde.parameters[name]] = graph.const(1.0)
        outputs += graph.tangents(state, seeds)
    # outputs: the states, then for each column the derivative of each component
    _check_length(graph, outputs)
    body = _Body(graph, outputs, size)
    text = body.function(size, len(columns), len(sde.noise), levy_area=scheme.levy_area)
    check(text)
    return StepSource(
        text=text,
        operations=len(body.lines),
        columns=tuple(columns),
        initial=tuple(initial),
        parameters=tuple(sde.parameters),
        size=size,
        brownian_size=len(sde.noise),
        levy_area=scheme.levy_area,
    )


def _check_length(graph: Graph, outputs: Sequence[Scalar]) -> None:
    """Raise TooLongError for outputs of too many operations.

    It is asked before each column: all columns of six coupled states take seconds to derive.
    """
    nodes = (graph.nodes[index] for index in graph.reachable(outputs))
    if sum(node.op != "input" for node in nodes) > MAX_STEP_OPERATIONS:
        raise TooLongError(f"a step has more than {MAX_STEP_OPERATIONS} operations")


class _Body:
    """Lines of code for the outputs, each in the outermost loop in which its operands are known."""

    def __init__(self, graph: Graph, outputs: Sequence[Scalar], size: int) -> None:
        self._graph, self._size = graph, size
        self._names: dict[int, str] = {}
        self._levels: dict[int, int] = {}
        self.lines: list[tuple[int, str]] = []
        for index in graph.reachable(outputs):
            self._add(index)
        self._outputs = [self._names[output.index] for output in outputs]

    def _add(self, index: int) -> None:
        node = self._graph.nodes[index]
        if node.op == "input":
            self._names[index] = node.name
            fixed = node.name[0] == "p" or node.name in ("step", "root_step")
            self._levels[index] = _FIXED if fixed else _STEP if node.name == "t" else _SAMPLE
            return
        name = self._names[index] = f"v{index}"
        operands = [self._names[operand] for operand in node.operands]
        level = max((self._levels[operand] for operand in node.operands), default=_FIXED)
        self._levels[index] = level
        self.lines.append((level, f"{name} = {_operation(node.op, operands, node.value)}"))

    def _at(self, level: int, indent: int) -> list[str]:
        return [" " * indent + line for line_level, line in self.lines if line_level == level]

    def function(self, size: int, columns: int, noises: int, *, levy_area: bool) -> str:
        """Return the source of the whole kernel."""
        rows = size * (1 + columns)
        used = set(self._names.values())
        loads = [f"x{d} = s[{d * ROW_STRIDE_NUMBERS} + i]" for d in range(size)]
        loads += [f"w{m} = w[{m} * noise_rows + k * {BLOCK_SAMPLES} + i]" for m in range(noises)]
        if levy_area:
            loads += [
                f"h{m} = h[{m} * noise_rows + k * {BLOCK_SAMPLES} + i]" for m in range(noises)
            ]
        loads += [
            f"j{d}_{c} = s[{(size * (1 + c) + d) * ROW_STRIDE_NUMBERS} + i]"
            for c in range(columns)
            for d in range(size)
        ]
        loads = [load for load in loads if load.split(" ", 1)[0] in used]
        stores = [
            f"s[{row * ROW_STRIDE_NUMBERS} + i] = {name}" for row, name in enumerate(self._outputs)
        ]
        parameters = sorted({n for n in used if n[0] == "p"}, key=lambda n: int(n[1:]))
        return "\n".join(
            [
                "def kernel(w, h, s, p, step, first, rows, places, stride, width, out):",
                " root_step = number(sqrt(step))",
                f" noise_rows = rows.shape[0] * {BLOCK_SAMPLES}",
                *(f" {name} = p[{name[1:]}]" for name in parameters),
                *self._at(_FIXED, 1),
                " for k in range(rows.shape[0]):",
                "  t = number(first + k) * step",
                *self._at(_STEP, 2),
                f"  for i in range({BLOCK_SAMPLES}):",
                *("   " + load for load in loads),
                *self._at(_SAMPLE, 3),
                *("   " + store for store in stores),
                "  row = rows[k]",
                "  if row >= 0:",
                f"   for r in range({rows}):",
                "    start = row * stride + places[r]",
                "    for i in range(width):",
                f"     out[start + i] = s[r * {ROW_STRIDE_NUMBERS} + i]",
                "",
            ]
        )


def _operation(op: str, operands: Sequence[str], value: float) -> str:
    if op == "const":
        return f"number({_number(value)})"
    if op in _BINARY:
        return f"{operands[0]} {_BINARY[op]} {operands[1]}"
    if op == "neg":
        return f"-{operands[0]}"
    if op == "pow":
        return f"{operands[0]} ** {operands[1]}"
    if op in COMPARISONS:
        a, b, yes, no = operands
        return f"{yes} if {a} {COMPARISONS[op]} {b} else {no}"
    if op not in FUNCTIONS:
        raise ValueError(op)
    return f"{op}({operands[0]})"


def _number(value: float) -> str:
    """Return the number as source; repr of a float gives back the same float."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return repr(float(value))


_ALLOWED = (
    ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.Name, ast.Load, ast.Store,
    ast.For, ast.If, ast.IfExp, ast.Call, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Subscript,
    ast.Constant, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub, ast.Gt, ast.GtE, ast.Lt,
    ast.LtE, ast.Eq, ast.Attribute,
)  # fmt: skip
_FIXED_NAMES = frozenset(
    [
        "kernel",
        "w",
        "h",
        "s",
        "p",
        "t",
        "k",
        "i",
        "r",
        "step",
        "root_step",
        "first",
        "rows",
        "places",
        "stride",
        "width",
        "out",
        "row",
        "start",
        "noise_rows",
        "nan",
        "inf",
    ]
)
_CALLED = {*FUNCTIONS, "number", "range"}


def check(text: str) -> None:
    """Raise SourceError if the source holds any syntax or name that is never generated here."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, _ALLOWED):
            raise SourceError(type(node).__name__)
        if isinstance(node, ast.Call) and not (
            isinstance(node.func, ast.Name) and node.func.id in _CALLED and not node.keywords
        ):
            raise SourceError("a call")
        if isinstance(node, ast.Attribute) and ast.unparse(node) != "rows.shape":
            raise SourceError("an attribute")
        if isinstance(node, ast.Constant) and not isinstance(node.value, int | float):
            raise SourceError("a text")
        if isinstance(node, ast.Name) and not _is_generated(node.id):
            raise SourceError("a name")


def _is_generated(name: str) -> bool:
    if name in _FIXED_NAMES or name in _CALLED:
        return True
    return name[0] in "vxwhpj" and name[1:].replace("_", "").isdigit()
