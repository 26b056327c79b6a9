"""``sdeint_jacobian`` on the SDEs that people bring, against torchsde and autograd themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
import torchsde
from torch import Tensor, nn

import sde_lab as lab

DOUBLE = torch.float64
UNEVEN = [0.0, 0.01, 0.05, 0.06, 0.2, 0.21, 0.5, 1.3]


class Question(nn.Module):
    """The class of the question this project began with: dX = −X dt + dW."""

    noise_type = "diagonal"
    sde_type = "ito"

    def f(self, t: Any, y: Tensor) -> Tensor:
        return -y

    def g(self, t: Any, y: Tensor) -> Tensor:
        return torch.ones_like(y)


class Pendulum(nn.Module):
    """Diagonal noise in two dimensions; drift and diffusion bent and driven in time."""

    noise_type = "diagonal"

    def __init__(self, sde_type: str = "ito") -> None:
        super().__init__()
        self.sde_type = sde_type
        self.rate = nn.Parameter(torch.tensor(1.3, dtype=DOUBLE))
        self.drive = nn.Parameter(torch.tensor([[0.4]], dtype=DOUBLE))
        self.idle = nn.Parameter(torch.tensor(7.0, dtype=DOUBLE))
        self.register_buffer("noise", torch.tensor([0.3], dtype=DOUBLE))

    def f(self, t: Any, y: Tensor) -> Tensor:
        x, v = y[:, :1], y[:, 1:]
        return torch.cat([v, -self.rate * torch.sin(x) + self.drive * torch.cos(3.0 * t)], dim=1)

    def g(self, t: Any, y: Tensor) -> Tensor:
        return self.noise * torch.sqrt(1.0 + y**2)


class Shared(Pendulum):
    """Two states, one Brownian motion."""

    noise_type = "scalar"

    def g(self, t: Any, y: Tensor) -> Tensor:
        return (self.noise * torch.sin(y) + 0.2 * y.flip(1)).unsqueeze(-1)


class Additive(Pendulum):
    """Two states, three Brownian motions that do not care where it is."""

    noise_type = "additive"

    def g(self, t: Any, y: Tensor) -> Tensor:
        mixing = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]], dtype=y.dtype)
        return (self.noise * (1.0 + 0.5 * torch.as_tensor(t)).unsqueeze(-1) * mixing).expand(
            len(y), 2, 3
        )


class General(Pendulum):
    """Two states, three Brownian motions, mixed by the state."""

    noise_type = "general"

    def g(self, t: Any, y: Tensor) -> Tensor:
        return self.noise * torch.stack([torch.sin(y), torch.cos(y), 0.1 * y.flip(1)], dim=-1)


CLASSES = {
    "diagonal": (Pendulum, 2),
    "scalar": (Shared, 1),
    "additive": (Additive, 3),
    "general": (General, 3),
}
CASES = [
    (noise, scheme)
    for noise in CLASSES
    for scheme in lab.SCHEMES
    if lab.SCHEMES[scheme].why_unsupported(noise, size=2) is None
]
WRT = ("rate", "drive", "noise", "idle")


def start(samples: int = 3, size: int = 2) -> Tensor:
    return torch.linspace(-0.5, 1.0, samples * size, dtype=DOUBLE).view(samples, size)


def motion(ts: Sequence[float] | Tensor, samples: int, channels: int, dtype: Any = DOUBLE) -> Any:
    return torchsde.BrownianInterval(
        t0=float(ts[0]),
        t1=float(ts[-1]),
        size=(samples, channels),
        dtype=dtype,
        entropy=5,
        levy_area_approximation="space-time",
    )


def stepwise(sde: Any, y0: Tensor, ts: Sequence[float], scheme: lab.schemes.Scheme, bm: Any) -> Any:
    """torchsde's own solution with one step from each time to the next."""
    states = [y0]
    for a, b in pairwise(ts):
        here = torch.tensor([a, b], dtype=y0.dtype)
        states.append(
            torchsde.sdeint(
                sde, states[-1], here, bm=bm, method=scheme.method, dt=10.0,
                options=dict(scheme.options),
            )[1]
        )  # fmt: skip
    return torch.stack(states)


def by_autograd(ys: Tensor, leaves: Sequence[Tensor]) -> Tensor:
    """(T, N, D, sum of leaf sizes per sample): one backward pass per entry of the path."""
    rows = []
    for k in range(ys.shape[0]):
        for n in range(ys.shape[1]):
            for d in range(ys.shape[2]):
                found = torch.autograd.grad(
                    ys[k, n, d], leaves, retain_graph=True, materialize_grads=True
                )
                rows.append(torch.cat([found[0][n], *(x.reshape(1) for x in found[1:])]))
    return torch.stack(rows).view(*ys.shape, -1)


@pytest.mark.parametrize(("noise", "scheme"), CASES)
@pytest.mark.parametrize("ts", [UNEVEN, [k / 10 for k in range(8)]], ids=["uneven", "even"])
def test_it_is_torchsde_and_its_derivative(noise: str, scheme: str, ts: list[float]) -> None:
    solver = lab.SCHEMES[scheme]
    kind, channels = CLASSES[noise]
    sde = kind(solver.interpretation)
    y0 = start().requires_grad_()
    sde.noise.requires_grad_()
    expected = stepwise(sde, y0, ts, solver, motion(ts, 3, channels))
    ys, jacobian = lab.sdeint_jacobian(sde, y0, ts, scheme, motion(ts, 3, channels), WRT)
    torch.testing.assert_close(ys, expected.detach(), rtol=1e-12, atol=1e-12)
    exact = by_autograd(expected, [y0, sde.rate, sde.drive, sde.noise, sde.idle])
    assert jacobian.shape == (len(ts), 3, 2, 6)
    torch.testing.assert_close(jacobian, exact, rtol=1e-10, atol=1e-11)
    assert not ys.requires_grad
    assert not jacobian.requires_grad
    assert not bool(jacobian[..., -1].any())


@pytest.mark.parametrize("scheme", ["milstein", "milstein_grad_free"])
@pytest.mark.parametrize("noise", ["diagonal", "additive"])
def test_milstein_reads_either_integral(noise: str, scheme: str) -> None:
    kind, channels = CLASSES[noise]
    sde = kind("stratonovich")
    y0 = start().requires_grad_()
    expected = stepwise(sde, y0, UNEVEN, lab.SCHEMES[scheme], motion(UNEVEN, 3, channels))
    ys, jacobian = lab.sdeint_jacobian(sde, y0, UNEVEN, scheme, motion(UNEVEN, 3, channels), "rate")
    torch.testing.assert_close(ys, expected.detach(), rtol=1e-12, atol=1e-12)
    exact = by_autograd(expected, [y0, sde.rate])
    torch.testing.assert_close(jacobian, exact, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("reading", ["ito", "stratonovich"])
def test_torchsdes_milstein_is_refused_where_it_solves_another_equation(reading: str) -> None:
    """For one Brownian motion over several states it multiplies by the Jacobian's transpose."""
    with pytest.raises(lab.ScenarioError, match="milstein_grad_free") as caught:
        lab.sdeint_jacobian(Shared(reading), start(), UNEVEN, "milstein")
    assert caught.value.field == "scheme"
    one = torch.ones(3, 1, dtype=DOUBLE)

    class OneState(Question):
        noise_type = "scalar"
        sde_type = reading

        def g(self, t: Any, y: Tensor) -> Tensor:
            return y.unsqueeze(-1)

    lab.sdeint_jacobian(OneState(), one, UNEVEN, "milstein")


def test_the_question_is_answered() -> None:
    """100 times on [0, 1]; summed over t the derivative is what autograd gives for ones."""
    ts = torch.linspace(0.0, 1.0, 100, dtype=DOUBLE)
    x0 = torch.zeros(5, 1, dtype=DOUBLE, requires_grad=True)
    ys, jacobian = lab.sdeint_jacobian(Question(), x0, ts, "euler", motion(ts, 5, 1))
    expected = torchsde.sdeint(
        Question(), x0, ts, bm=motion(ts, 5, 1), method="euler", dt=1.0 / 99.0
    )
    torch.testing.assert_close(ys, expected.detach(), rtol=0, atol=1e-12)
    (total,) = torch.autograd.grad(expected, x0, torch.ones_like(expected))
    torch.testing.assert_close(jacobian[..., 0].sum(0), total, rtol=0, atol=1e-11)
    power = (1.0 - 1.0 / 99.0) ** torch.arange(100, dtype=DOUBLE)
    torch.testing.assert_close(jacobian[:, 2, 0, 0], power, rtol=0, atol=1e-12)
    assert jacobian.shape == (100, 5, 1, 1)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("dt", [1e-3, 0.0037, 0.3, 5.0])
def test_a_step_of_ones_own_walks_as_torchsde_does(dtype: torch.dtype, dt: float) -> None:
    """The published snippet leaves dt at 1e-3; outputs between steps are interpolated."""
    ts = torch.tensor([0.0, 0.013, 0.11, 0.5, 0.77], dtype=dtype)
    y0 = torch.full((4, 1), 0.5, dtype=dtype, requires_grad=True)
    bm = motion(ts, 4, 1, dtype)
    ys, jacobian = lab.sdeint_jacobian(Question(), y0, ts, "euler", bm, dt=dt)
    expected = torchsde.sdeint(Question(), y0, ts, bm=bm, method="euler", dt=dt)
    close = 1e-11 if dtype == DOUBLE else 2e-5
    torch.testing.assert_close(ys, expected.detach(), rtol=0, atol=close)
    total = torch.autograd.grad(expected[-1].sum(), y0)[0]
    torch.testing.assert_close(jacobian[-1, :, :, 0], total, rtol=0, atol=close)
    (middle,) = torch.autograd.grad(
        torchsde.sdeint(Question(), y0, ts, bm=bm, method="euler", dt=dt)[2].sum(), y0
    )
    torch.testing.assert_close(jacobian[2, :, :, 0], middle, rtol=0, atol=close)


def test_close_times_far_from_zero_keep_their_own_lengths() -> None:
    """In float32 near t = 1000 steps of 0.5 and 1.5 ms differ by a few units of rounding only."""
    ts = torch.tensor([1000.0, 1000.0005, 1000.0019, 1000.0021])

    class Fast(Question):
        def f(self, t: Any, y: Tensor) -> Tensor:
            return -50.0 * y

        def g(self, t: Any, y: Tensor) -> Tensor:
            return torch.zeros_like(y)

    ys, jacobian = lab.sdeint_jacobian(Fast(), torch.ones(2, 1), ts)
    exact = torch.cumprod(torch.cat([torch.ones(1), 1.0 - 50.0 * ts.diff()]), 0)
    torch.testing.assert_close(ys[:, 0, 0], exact, rtol=0, atol=1e-6)
    torch.testing.assert_close(jacobian[:, 0, 0, 0], exact, rtol=0, atol=1e-6)


@pytest.mark.parametrize("scheme", ["euler", "srk", "milstein", "heun", "midpoint", "euler_heun"])
@pytest.mark.parametrize("points", [11, 21, 50, 101])
@pytest.mark.parametrize("switch", [0.3, 0.5, 0.7])
def test_a_drift_that_switches_at_a_time_of_the_grid(
    scheme: str, points: int, switch: float
) -> None:
    """The time a step is given is the one that was asked for, not one rounded a unit below it."""

    class Switched(Question):
        sde_type = lab.SCHEMES[scheme].interpretation

        def f(self, t: Any, y: Tensor) -> Tensor:
            return torch.where(torch.as_tensor(t) >= switch, 5.0, 0.0) - y

    ts = torch.linspace(0.0, 1.0, points, dtype=DOUBLE)
    y0 = torch.zeros(4, 1, dtype=DOUBLE)
    ys, jacobian = lab.sdeint_jacobian(Switched(), y0, ts, scheme, motion(ts, 4, 1))
    expected = stepwise(Switched(), y0, ts.tolist(), lab.SCHEMES[scheme], motion(ts, 4, 1))
    torch.testing.assert_close(ys, expected, rtol=0, atol=1e-12)
    assert bool((jacobian[..., 0] > 0.3).all())


class ReadsTheClock(Question):
    """Code that asks whether t is past a number: steps cannot go through it side by side."""

    def f(self, t: Any, y: Tensor) -> Tensor:
        return -y if t < 0.1 else y.sin()


class BatchShaped(Question):
    """A module that keeps a number of its own for every sample."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pull", torch.tensor([[0.5], [1.0], [2.0]], dtype=DOUBLE))

    def f(self, t: Any, y: Tensor) -> Tensor:
        return -self.pull * y**2


class BranchesOnBatch(Question):
    """Silently another drift for another number of rows."""

    def f(self, t: Any, y: Tensor) -> Tensor:
        return -len(y) * y


@pytest.mark.parametrize("kind", [ReadsTheClock, BatchShaped, BranchesOnBatch])
@pytest.mark.parametrize("ts", [UNEVEN, [k / 20 for k in range(8)]], ids=["uneven", "even"])
def test_code_that_takes_one_step_at_a_time_is_taken_one_step_at_a_time(
    kind: type[Question], ts: list[float]
) -> None:
    y0 = torch.tensor([[0.5], [1.0], [-0.3]], dtype=DOUBLE, requires_grad=True)
    expected = stepwise(kind(), y0, ts, lab.SCHEMES["euler"], motion(ts, 3, 1))
    ys, jacobian = lab.sdeint_jacobian(kind(), y0, ts, "euler", motion(ts, 3, 1))
    torch.testing.assert_close(ys, expected.detach(), rtol=0, atol=1e-12)
    torch.testing.assert_close(jacobian, by_autograd(expected, [y0]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
def test_nor_do_blocks_of_samples_in_its_derivative(
    monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """More samples than one block holds, in code that takes one step of all of them at a time."""
    ts = [0.0, 0.04, 0.08, 0.12, 0.16]
    for kind in (ReadsTheClock, BatchShaped):
        y0 = torch.tensor([[0.5], [1.0], [-0.3]], dtype=DOUBLE)
        whole = lab.sdeint_jacobian(kind(), y0, ts, "euler", motion(ts, 3, 1))
        with monkeypatch.context() as patch:
            patch.setattr("sde_lab.sensitivity.replay.BLOCK_ROWS", rows)
            blocks = lab.sdeint_jacobian(kind(), y0, ts, "euler", motion(ts, 3, 1))
        torch.testing.assert_close(blocks, whole, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("rows", [1, 4, 6, 20])
def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    def go() -> tuple[Tensor, Tensor]:
        return lab.sdeint_jacobian(
            Pendulum(), start(5), UNEVEN, "srk", motion(UNEVEN, 5, 2), ("rate", "noise")
        )

    ys, jacobian = go()
    monkeypatch.setattr("sde_lab.sensitivity.replay.BLOCK_ROWS", rows)
    again, same = go()
    assert torch.equal(ys, again)
    torch.testing.assert_close(same, jacobian, rtol=1e-13, atol=1e-13)


def test_without_a_motion_it_makes_one() -> None:
    y0 = torch.zeros(2000, 1, dtype=DOUBLE)
    ys, _ = lab.sdeint_jacobian(Question(), y0, [0.0, 0.5, 1.0])
    spread = float(ys[-1].std())
    exact = math.sqrt(0.5 * (1.0 + 0.25))
    assert abs(spread - exact) < 4.5 * exact / math.sqrt(4000)
    other, _ = lab.sdeint_jacobian(Question(), y0, [0.0, 0.5, 1.0])
    assert not torch.equal(ys, other)


def test_a_plain_object_will_do() -> None:
    class Plain:
        noise_type, sde_type = "diagonal", "ito"

        def f(self, t: Any, y: Tensor) -> Tensor:
            return -y

        def g(self, t: Any, y: Tensor) -> Tensor:
            return torch.ones_like(y)

    bm = motion(UNEVEN, 3, 1)
    y0 = torch.zeros(3, 1, dtype=DOUBLE)
    plain = lab.sdeint_jacobian(Plain(), y0, UNEVEN, bm=bm)
    module = lab.sdeint_jacobian(Question(), y0, UNEVEN, bm=bm)
    assert torch.equal(plain[0], module[0])
    assert torch.equal(plain[1], module[1])


def test_nested_names_and_one_name_alone() -> None:
    class Outer(Question):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Pendulum()

        def f(self, t: Any, y: Tensor) -> Tensor:
            return -self.inner.rate * y

    sde = Outer()
    y0 = torch.ones(3, 1, dtype=DOUBLE)
    _, jacobian = lab.sdeint_jacobian(sde, y0, [0.0, 0.1, 0.2], wrt="inner.rate")
    assert jacobian.shape == (3, 3, 1, 2)
    assert bool((jacobian[1, :, 0, 1] == -0.1).all())


def test_the_module_is_left_as_it_was() -> None:
    sde = Pendulum()
    sde.rate.grad = torch.tensor(3.0, dtype=DOUBLE)
    y0 = start().requires_grad_()
    before = {name: (value, value.detach().clone()) for name, value in sde.state_dict().items()}
    rate, noise = sde.rate, sde.noise
    lab.sdeint_jacobian(sde, y0, UNEVEN, "milstein", None, WRT)
    assert sde.rate is rate
    assert sde.noise is noise
    assert sde.rate.grad == 3.0
    assert sde.drive.grad is None
    assert y0.grad is None
    assert not sde.noise.requires_grad
    for name, value in sde.state_dict().items():
        assert torch.equal(value, before[name][1])


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("sde.sde_type", {"sde_type": "itto"}, "ito, stratonovich"),
    ("sde.noise_type", {"noise_type": "diagnoal"}, "diagonal"),
    ("sde.noise_type", {"noise_type": None}, "diagonal"),
    ("sde.f", {"f": None}, "define f"),
    ("sde.g", {"g": None}, "define g"),
    ("sde.f", {"f": lambda t, y: y.sum()}, "shape"),
    ("sde.f", {"f": lambda t, y: y[:, :1]}, "shape"),
    ("sde.g", {"g": lambda t, y: torch.tensor(0.3)}, "shape"),
    ("sde.g", {"noise_type": "general"}, "shape"),
    ("sde.g", {"noise_type": "scalar", "g": lambda t, y: y.new_ones(*y.shape, 2)}, "shape"),
]


@pytest.mark.parametrize(("field", "faults", "hint"), REFUSED)
def test_a_faulty_sde_is_refused_by_what_is_wrong_with_it(
    field: str, faults: dict[str, Any], hint: str
) -> None:
    sde = Pendulum()
    for name, value in faults.items():
        setattr(sde, name, value)
    with pytest.raises(lab.ScenarioError, match=hint) as caught:
        lab.sdeint_jacobian(sde, start(), UNEVEN)
    assert caught.value.field == field


ARGUMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("scheme", {"scheme": "eular"}, "euler"),
    ("scheme", {"scheme": ["euler"]}, "euler"),
    ("scheme", {"scheme": "heun"}, "solves stratonovich equations; euler, milstein"),
    ("wrt", {"wrt": "count"}, "real numbers; it is int64"),
    ("wrt", {"wrt": "none"}, r"real numbers; it is float32 \(0,\)"),
    ("wrt", {"wrt": "y0"}, "rename"),
    ("wrt", {"wrt": "rat"}, "it has rate"),
    ("wrt", {"wrt": ("rate", "rate")}, "once"),
    ("wrt", {"wrt": 3}, "name"),
    ("ts", {"ts": [0.0, 0.2, 0.2, 0.3]}, r"ts\[2\] does not"),
    ("ts", {"ts": [0.0, -1.0]}, "increase"),
    ("ts", {"ts": [0.0]}, "two or more"),
    ("ts", {"ts": [[0.0, 1.0]]}, "two or more"),
    ("ts", {"ts": [0.0, math.nan]}, "finite"),
    ("ts", {"ts": "now"}, "times"),
    ("y0", {"y0": torch.zeros(3)}, "samples, state"),
    ("y0", {"y0": torch.zeros(3, 2, dtype=torch.int64)}, "floating-point"),
    ("y0", {"y0": torch.zeros(0, 2, dtype=DOUBLE)}, "samples, state"),
    ("y0", {"y0": 0.0}, "tensor"),
    ("bm.shape", {"bm": motion(UNEVEN, 3, 1)}, r"\(3, 2\)"),
    ("bm.shape", {"bm": motion(UNEVEN, 4, 2)}, r"\(3, 2\)"),
    (
        "bm.levy_area_approximation",
        {
            "scheme": "srk",
            "bm": torchsde.BrownianInterval(t0=0.0, t1=1.3, size=(3, 2), dtype=DOUBLE),
        },
        "space-time",
    ),
    ("dt", {"dt": 0.0}, "positive"),
    ("dt", {"dt": math.nan}, "positive"),
    ("dt", {"dt": "small"}, "positive"),
    ("dt", {"dt": 1e-9}, "1000000 steps"),
]


@pytest.mark.parametrize(
    ("field", "arguments", "hint"), ARGUMENTS, ids=[str(i) for i in range(len(ARGUMENTS))]
)
def test_a_faulty_argument_is_refused_by_name(
    field: str, arguments: dict[str, Any], hint: str
) -> None:
    sde = Pendulum()
    sde.register_parameter("none", nn.Parameter(torch.zeros(0)))
    sde.register_parameter("y0", nn.Parameter(torch.zeros(2)))
    sde.register_buffer("count", torch.tensor(3))
    with pytest.raises(lab.ScenarioError, match=hint) as caught:
        lab.sdeint_jacobian(**{"sde": sde, "y0": start(), "ts": UNEVEN, **arguments})
    assert caught.value.field == field


def test_a_pair_of_scheme_and_noise_that_cannot_work_is_refused() -> None:
    with pytest.raises(lab.ScenarioError, match="General, whose noise is general"):
        lab.sdeint_jacobian(General(), start(), UNEVEN, "srk")


def test_names_need_a_module() -> None:
    class Plain:
        noise_type, sde_type = "diagonal", "ito"
        f, g = Question.f, Question.g

    with pytest.raises(lab.ScenarioError, match=r"torch\.nn\.Module") as caught:
        lab.sdeint_jacobian(Plain(), start(), UNEVEN, wrt="rate")
    assert caught.value.field == "wrt"


def test_a_step_that_vanishes_beside_the_time_is_refused() -> None:
    ts = torch.tensor([1e6, 1e6 + 1.0])
    with pytest.raises(lab.ScenarioError, match="below the precision"):
        lab.sdeint_jacobian(Question(), torch.zeros(2, 1), ts, dt=1e-4)


def test_an_sde_that_rolls_dice_of_its_own_is_refused() -> None:
    class Dropout(Question):
        def f(self, t: Any, y: Tensor) -> Tensor:
            return -torch.nn.functional.dropout(y, 0.5)

    with pytest.raises(lab.ScenarioError, match="gives another result when the same step"):
        lab.sdeint_jacobian(Dropout(), torch.ones(20, 1), [0.0, 0.1, 0.2])


def test_rows_that_influence_each_other_are_refused() -> None:
    """A mean field: the derivative of a path by its own start is not all there is."""

    class MeanField(Question):
        def f(self, t: Any, y: Tensor) -> Tensor:
            return y.mean(0, keepdim=True) - y

    with pytest.raises(lab.ScenarioError, match="influence each other"):
        lab.sdeint_jacobian(MeanField(), start(4), UNEVEN)


def test_an_error_inside_the_sde_is_its_own() -> None:
    class Broken(Question):
        def f(self, t: Any, y: Tensor) -> Tensor:
            raise RuntimeError("no such spring")

    with pytest.raises(RuntimeError, match="no such spring"):
        lab.sdeint_jacobian(Broken(), start(), UNEVEN)


def test_paths_that_explode_are_no_error() -> None:
    class Quadratic(Question):
        def f(self, t: Any, y: Tensor) -> Tensor:
            return y**3

    y0 = torch.tensor([[0.1], [50.0]], dtype=DOUBLE)
    ts = [float(k) for k in range(9)]
    ys, jacobian = lab.sdeint_jacobian(Quadratic(), y0, ts, bm=motion(ts, 2, 1))
    assert not bool(ys[-1, 1].isfinite())
    assert not bool(jacobian[-1, 1].isfinite().any())
