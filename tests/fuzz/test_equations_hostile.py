"""What strangers may type: refused where it stands, at once, and never run."""

from __future__ import annotations

import builtins
import os
import resource
import string
import subprocess
import sys
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sde_lab as lab
from sde_lab.equations import description
from sde_lab.server.scheduling import (
    MAX_INTERACTIVE_WORK,
    is_slow,
    limit_to_interactive,
    run_study,
)
from sde_lab.solver.brownian import STREAM_SAMPLES
from sde_lab.studies.summed_gradient import summed_gradient
from sde_lab.summaries.chunked_run import ChunkedRun
from tests.support.fuzz import share_of

FRAME = "dx = -x*dt + sigma*{}*dW"
PYTHON = """
__import__('os').system('true')
().__class__.__bases__[0].__subclasses__()
x.__class__
x.__class__.__mro__[1].__subclasses__()
(1).__class__
1 .real
1..real
x.real
x.grad.data
sigma.item()
x.__init__.__globals__
getattr(x, 'grad')
setattr(x, 'a', 1)
eval('1')
exec('1')
compile('1', '', 'eval')
open('/etc/passwd')
open(0)
input()
print(1)
globals()
locals()
vars()
dir()
id(x)
type(x)
type('A', (), {})
object()
breakpoint()
help()
exit()
quit()
lambda: 1
(lambda: 1)()
lambda x: x
(lambda f: f(f))(lambda f: f(f))
[y for y in x]
[1, 2][0]
{1}
{1: 2}
{y for y in x}
{y: y for y in x}
(y for y in x)
(1, 2)
()
x if x else x
x and x
x or x
not x
x == x
x != x
x < x
x > x
x <= 1
x is x
x in x
x := 1
(y := 1)
x; import os
import os
from os import system
x[0]
x[:]
x[0:1]
x[...]
...
x @ x
x % 2
x // 2
x & x
x | x
~x
x << 2
x >> 2
**x
f'{x}'
f"{x.__class__}"
'x'
"x"
'''x'''
b'x'
r'x'
\\x
\\
`x`
$x
x!
?x
x?
yield x
await x
assert x
raise x
return x
del x
global x
nonlocal x
while x: x
for y in x: y
def f(): pass
class A: pass
with x: x
try: x
async def f(): pass
@x
None.x
True.x
torch.ones(3)
sympy.Symbol('y')
Symbol('y')
Function('f')(x)
Integer(1)
Lambda(x, x)
S(1)
sympify('1')
parse_expr('1')
simplify(x)
diff(x)
integrate(x)
os.system('true')
np.array
numpy.load('x')
pickle.loads('x')
exp.__call__(x)
exp.fdiff(x)
sin.__self__
sqrt(x).func
sin
exp
sqrt
max
max(x)
min()
sin()
sin(x, x)
sin((x)
sin(x))
sinx(x)
SIN(x)
x(0)
sigma(x)
(x)2
x 2
1_000
0x10
0b11
0o7
1j
1e
1e+
1.2.3
1..2
.
..
-
+
*
/
**
x *
x +
x -
x /
x **
/ x
x ** ** 2
x * * x
x // x
x */ x
x + * x
(
)
((
))
(x
x)
()x
(()
[x)
(x]
x,
,x
,
=
x = 1
x == 1
in
ito
corr
corr(dW, dW)
__
_x
x_
x__y
__x__
_
x._
""".strip("\n").split("\n")  # fmt: skip
NUMBERS = """
9**9**9
9**9**9**9**9
2**21
x**21
x**-21
x**99999
x**1e9
(x**20)**21
((x**20)**20)**20
(((x**2)**20)**20)**20
((x+1)**20)**21
1e13
1e308*10
1e999
1e-5**-20
99999999999999999999999999
0.00000000000000000000000001
1/0
0/0
1/(1-1)
0**-1
(-1)**0.5
sqrt(-1)
sqrt(0-2)
log(0)
log(-1)
exp(1000)
exp(exp(exp(10)))
1e12*1e12
1e12+1e12
cosh(1000)
tan(1/0)
""".strip().split("\n")
LOOKALIKES = [
    "х", "а", "е", "о", "р", "с", "у", "і", "ѕ", "ԁ",  # Cyrillic
    "ο", "Α", "Β", "Ε", "Ζ", "Η", "Ι", "Κ", "Μ", "Ν", "Ο", "Ρ", "Τ", "Υ", "Χ",  # Greek
    "ｘ", "Ｘ", "１", "＊", "（", "𝟏", "ℯ", "ℊ", "ⅹ", "ª", "ᵃ", "ₓ",
    "∗", "⁎", "∕", "÷", "⁄", "‐", "–", "—", "⁺", "²", "³", "∞", "√", "∂", "∑", "∫",
    "\u200b", "\u200e", "\u202e", "\u2066", "\ufeff", "\u00ad", "\u0301", "\u3000", "\x00",
    "\x07", "\x1b", "\x7f", "\u2028", "\u0660", "\u0966", "٣", "é", "ß", "ı", "ł", "ŋ", "中",
    "😀", "\U000e0041",
]  # fmt: skip
WHOLE = [
    "=", "dx =", "dx = ", "dx = dt +", "dx", "dx = -x", "dx = 1", "dx == -x*dt", "d = x*dt",
    "dt = x*dt", "dW = x*dt", "dB1 = dt", "dWater = dt", "d1 = dt", "d_ = dt", "dx = x*dt*dt",
    "dx = dt*dW", "dx = dW**2", "dx = dW*dW", "dx = 1/dW", "dx = x/dt", "dx = sin(dW)",
    "dx = exp(dt)", "dx = max(dW, 1)", "dx = x**dt", "dx = dt; dx = dt", "dx = -x*dt + sigma",
    "dx = x + dW", "dx = (x*dt", "dx = x*dt)", "dx = x*dt; corr(dW, dV) = 1",
    "dx = dW1; corr(dW1, dW2) = 0", "dx = dW1 + dW2; corr(dW1, dW2) = 2",
    "dx = dW1 + dW2; corr(dW1, dW2) = x", "dx = dW1 + dW2; corr(dW1, dW2) = a + b",
    "dx = dW1 + dW2; corr(dW1, dW1) = 0", "dx = dW1 + dW2; corr(dW1; dW2) = 0",
    "dx = dW1 + dW2; corr(dW1, dW2)", "dx = dW1 + dW2; corr(dW1, dW2) = 0; corr(dW2, dW1) = 0",
    "dx = dW1 + dW2 + dW3; corr(dW1, dW2) = .9; corr(dW1, dW3) = .9; corr(dW2, dW3) = -.9",
    "dx = a*dt; a = 1 in [1, 1]", "dx = a*dt; a = 1 in [2, 3]", "dx = a*dt; a = 1 in [3, 0]",
    "dx = a*dt; a = 1 in [0, 1", "dx = a*dt; a = 1 in [0]",
    "dx = a*dt; a = 1 in 0, 1", "dx = a*dt; a = 1; a = 2", "dx = a*dt; a",
    "dx = a*dt; a in", "dx = a*dt; a = ", "dx = a*dt; y(0) = 1",
    "dx = a*dt; x(1) = 1", "dx = a*dt; x(0 = 1", "dx = a*dt; a = 1e20",
    "dx = a*dt; t in [1, 2]", "dx = a*dt; t = 1", "dx = a*dt; t in [0, -1]",
    "dx = a*dt; a = 1 in [nan, 1]", "dx = a*dt; a = inf", "dx = a*dt; pi = 3",
    "dpi = dt", "dexp = dt", "dsin = dW", "de = dt",
    "din = dt", "dx = x∘dW + x*dV", "dx = x∘x*dt", "dx = x∘dt", "dx = ∘dW",
    "dx = x∘dW1 + dW2", "dx = x*dW; stratonovich; ito", "dx = x∘dW; ito", "ito", "stratonovich x",
    "dx = dt\n\n\ndy = x.y*dt", "# only a remark", "", " ", "\n\n", ";", ";;;", "dx = dt dy = dt",
    "; ".join(f"d{s}=dt" for s in "abcfghklmnq"), "1 = dt",
    "dx = " + "+".join(f"a{i}*dt" for i in range(25)),
    "dx = " + "+".join(f"dW{i}" for i in range(11)),
]  # fmt: skip
LARGE = [
    "(" * 1_000_000,
    ")" * 1_000_000,
    "()" * 500_000,
    "[" * 1_000_000,
    "dx = " + "(" * 900 + "x" + ")" * 900 + "*dt",
    "dx = " + "sin(" * 400 + "x" + ")" * 100,
    "dx = " + "-" * 1900 + "x*dt",
    "dx = " + "2**" * 600 + "2*dt",
    "dx = " + "x**" * 600 + "x*dt",
    "dx = " + "1+" * 900 + "x*dt",
    "dx = " + "x*" * 900 + "dt",
    "dx = " + "1/" * 900 + "x*dt",
    "dx = x" + "*" * 1900 + "dt",
    "dx = " + "x" * 1900 + "*dt",
    "dx = " + "9" * 1900 + "*dt",
    "dx = 1e" + "9" * 1900 + "*dt",
    "dx = ." + "0" * 1900 + "1*dt",
    "d" * 2000 + " = dt",
    "dx = dt\n" * 250,
    ";" * 1_000_000,
    "\n" * 1_000_000 + "dx = ",
    " " * 1_000_000 + "@",
    "#" * 1_000_000,
    "dx = a*dt " + "#" * 5000,
    "x" * 10_000_000,
    "\ud800" * 3000,
    "dx = \ud800*dt",
]
HOSTILE = [
    *(FRAME.format(piece) for piece in (*PYTHON, *LOOKALIKES)),
    *(f"dx = ({piece})*dt + dW" for piece in NUMBERS),
    *WHOLE,
    *LARGE,
]


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) >= 400


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused_at_once_where_it_stands(text: str) -> None:
    taken = []
    for _ in range(3):  # a collection of garbage may fall into one of them
        before = time.process_time()
        with pytest.raises(lab.EquationError) as caught:
            lab.parse_sde(text)
        taken.append(time.process_time() - before)
    assert min(taken) < 0.1
    error = caught.value
    lines = text.strip().split("\n")
    assert 1 <= error.line <= len(lines) + 1
    assert 1 <= error.column <= max(map(len, lines)) + 1
    assert f"line {error.line}, column {error.column}: " in str(error)
    assert len(str(error)) < 400
    assert error.hint


HEAVY = {
    "shared": "; ".join(
        f"d{s} = " + "+".join(f"sin(u*v*w + x*y*z)*dW{i}" for i in range(6)) for s in "uvwxyz"
    ),
    "deep": f"dx = {'tanh(' * 28}x*y{')' * 28}*dW1; dy = {'cos(' * 28}x/y{')' * 28}*dW2",
    "fractions": f"dx = {'1/(x+' * 28}x{')' * 28}*dW",
    "roots": f"dx = {'sqrt(abs(x-1)*' * 14}x{')' * 14}*dW",
    "rationals": "dx = " + "*".join(f"(x*0.{i + 3}07 + 0.{i}7)**9" for i in range(48)) + "*dW",
    "primes": "dx = " + "*".join(f"sqrt({999983 - 2 * i}*x)" for i in range(60)) + "*dW",
    "sums": f"dx = {'*'.join(f'(x*y+{i})' for i in range(60))}*dW; dy = sin(x*y)*dW",
    "tower": f"dx = {'x**(' * 14}x{')' * 14}*dW",
    "powers": f"dx = {'(' * 8}x{'*a+y)**b' * 8}*dW; dy = x*dW",
    "maxima": f"dx = {'max(x,' * 28}y{')' * 28}*dW1; dy = {'min(x,' * 28}y{')' * 28}*dW2",
}


@pytest.mark.parametrize("name", HEAVY)
def test_the_heaviest_equations_that_are_read_do_not_hang(name: str) -> None:
    """Also those from which sympy would take minutes if it were let simplify."""
    before = time.process_time()
    model = lab.parse_sde(HEAVY[name])
    assert len(description.correction(model)) < 5000
    assert time.process_time() - before < 5.0
    lab.simulate(lab.Scenario(model=HEAVY[name], scheme="heun", samples=5, steps=3))


@pytest.mark.parametrize("name", HEAVY)
def test_what_a_heavy_equation_may_do_at_once_is_less(name: str) -> None:
    """A move's work is done beside that of all others: it must not take long for any equation."""
    heavy = lab.Scenario(model=HEAVY[name], samples=100_000)
    ito, stratonovich = (
        heavy.model_spec.evaluation_cost(reading) for reading in ("ito", "stratonovich")
    )
    assert 1.0 <= ito < stratonovich
    derivatives = heavy.steps * len(heavy.initial) * len(heavy.model_spec.jacobian_columns)
    assert limit_to_interactive(heavy).samples * derivatives * ito <= MAX_INTERACTIVE_WORK
    assert lab.Scenario(model="dx = -a*x*dt + s*dW").model_spec.evaluation_cost("ito") == 1.0
    assert lab.Scenario(model=HEAVY["primes"]).model_spec.evaluation_cost("ito") > 10.0


def test_a_heavy_equation_shows_its_progress_more_often() -> None:
    heavy, light = (
        ChunkedRun(lab.Scenario(model=model, samples=100_000, steps=1))
        for model in (HEAVY["primes"], "ornstein_uhlenbeck")
    )
    assert STREAM_SAMPLES <= heavy.advance() < light.advance() / 8


def test_an_equation_that_is_slow_for_any_samples_takes_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = []
    monkeypatch.setattr(
        "sde_lab.server.scheduling.run_interactive",
        lambda study, scenario: done.append(scenario),
    )
    quick = lab.Scenario(model=HEAVY["sums"], samples=2, steps=2)
    long = lab.Scenario(model=HEAVY["sums"], samples=2, steps=20, scheme="heun")
    run_study(summed_gradient, quick)
    found = run_study(summed_gradient, long)
    assert done == [quick]
    assert not is_slow(quick)
    assert is_slow(long)
    assert found.samples == 2


@pytest.mark.parametrize("text", HOSTILE[::40], ids=range(len(HOSTILE[::40])))
def test_a_scenario_refuses_it_too(text: str) -> None:
    with pytest.raises(lab.ScenarioError):
        lab.Scenario(model=text)


SNIPPETS = [
    "x", "y", "t", "dt", "dW", "dW1", "kappa", "σ", "μ", "e", "pi", "__class__", "lambda",
    "import", "os", "eval", "(", ")", "[", "]", "{", "}", ",", ";", ":", "=", "==", "+", "-", "*",
    "/", "**", "^", "∘", ".", "..", "'", '"', "\\", "@", "%", "&", "|", "~", "<", ">", "!", "?",
    "#", "\n", " ", "\t", "0", "1", "2", "20", "9999", "1e9", "1e-9", ".5", "sqrt", "exp", "log",
    "sin", "max", "abs", "tanh", "dx =", "dy =", "in", "corr", "ito", "х", "ο", "²", "\u202e",
    "\x00", "print",
]  # fmt: skip
PLAUSIBLE = ["x", "y", "t", "a", "σ", "2", "0.5", "(", ")", "+", "-", "*", "/", "**", "sqrt(",
             "exp(", "sin(", "abs(", "max(", ",", "log(", "*dt", "*dW", "*dW1"]  # fmt: skip


EXPRESSIONS = st.recursive(
    st.sampled_from(["x", "t", "a", "σ", "2", "0.5", "pi"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({' '.join(t)})"),
        st.tuples(st.sampled_from(["sqrt", "exp", "sin", "abs", "tanh", "log"]), inner).map(
            lambda t: f"{t[0]}({t[1]})"
        ),
        st.tuples(inner, st.sampled_from(["2", "3", "0.5", "-1", "a"])).map(
            lambda t: f"({t[0]})**{t[1]}"
        ),
        st.tuples(inner, inner).map(lambda t: f"max({t[0]}, {t[1]})"),
    ),
    max_leaves=12,
)


@st.composite
def texts(draw: Any) -> str:
    """Anything, pieces of Python and of equations, and equations nearly right."""
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return draw(st.text(max_size=80))
    if kind == 1:
        return draw(st.text(string.printable, max_size=80))
    if kind == 4:
        return f"dx = {draw(EXPRESSIONS)}*dt + {draw(EXPRESSIONS)}*dW"
    pieces = st.lists(st.sampled_from(SNIPPETS if kind == 2 else PLAUSIBLE), max_size=40)
    body = "".join(draw(pieces))
    return body if kind == 2 else f"dx = {body}*dt + x*dW"


class Watch:
    """Counts what no text may ever reach."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached: list[str] = []
        for place, name in ((builtins, "eval"), (builtins, "exec"), (os, "system")):
            monkeypatch.setattr(place, name, self._trap(name))
        monkeypatch.setattr(subprocess, "Popen", self._trap("Popen"))

    def _trap(self, name: str) -> Any:
        def trap(*args: Any, **options: Any) -> None:
            self.reached.append(name)
            raise AssertionError(name)

        return trap


def high_water() -> float:
    """The most memory this process has held so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return float(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def test_generated_texts_neither_run_nor_hang_nor_grow() -> None:
    slowest, largest, tried = 0.0, 0.0, share_of(10_000)
    accepted = refused = 0
    places: set[tuple[bool, bool]] = set()
    lab.parse_sde("dx = sqrt(x)*dW")

    @settings(
        max_examples=tried,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(texts())
    def feed(text: str) -> None:
        nonlocal slowest, largest, accepted, refused
        with pytest.MonkeyPatch.context() as patch:
            watch = Watch(patch)
            before, resident = time.process_time(), high_water()
            try:
                lab.parse_sde(text)
                accepted += 1
            except lab.EquationError as error:
                refused += 1
                places.add((error.line >= 1, error.column >= 1))
            slowest = max(slowest, time.process_time() - before)
            largest = max(largest, high_water() - resident)
            assert not watch.reached

    feed()
    assert accepted > 0.02 * tried
    assert refused > 0.5 * tried
    assert places == {(True, True)}
    assert slowest < 1.0
    assert largest < 50e6


def test_parsing_itself_needs_little_memory() -> None:
    lab.parse_sde("dx = -x*dt + sqrt(abs(x))*dW")
    tracemalloc.start()
    for text in (*LARGE, *WHOLE, *(f"dx = ({piece})*dt" for piece in NUMBERS)):
        with pytest.raises(lab.EquationError):
            lab.parse_sde(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6
