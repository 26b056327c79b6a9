"""Modules in sixty styles: torchsde's values and autograd's derivatives, or a reason."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
import torchsde
from torch import Tensor

import sde_lab as lab
from tests.sensitivity.foreign_modules import DOUBLE, MODULES, Style

TS = [0.0, 0.1, 0.2, 0.35]
SAMPLES = 3


def motion(style: Style) -> Any:
    return torchsde.BrownianInterval(
        t0=TS[0],
        t1=TS[-1],
        size=(SAMPLES, style.channels),
        dtype=DOUBLE,
        entropy=5,
        levy_area_approximation="space-time",
    )


def start(style: Style) -> Tensor:
    count = SAMPLES * style.size
    y0 = torch.linspace(style.start, style.start + 1.0, count, dtype=DOUBLE)
    return y0.view(SAMPLES, style.size)


def solved_by_torchsde(sde: Any, y0: Tensor, style: Style) -> Tensor:
    """One step of sdeint from each time to the next, with its graph."""
    scheme, bm, states = lab.SCHEMES[style.scheme], motion(style), [y0]
    for a, b in pairwise(TS):
        here = torch.tensor([a, b], dtype=DOUBLE)
        options = dict(scheme.options)
        states.append(
            torchsde.sdeint(
                sde, states[-1], here, bm=bm, method=scheme.method, dt=1.0, options=options
            )[1]
        )
    return torch.stack(states)


@pytest.mark.parametrize("name", [name for name, style in MODULES.items() if not style.refused])
def test_values_are_torchsdes_and_derivatives_those_of_autograd(name: str) -> None:
    style = MODULES[name]
    sde, y0 = style.make(), start(style).requires_grad_()
    before = dict(sde.named_parameters(remove_duplicate=False)) if style.wrt else {}
    ys, jacobian = lab.sdeint_jacobian(sde, y0, TS, style.scheme, motion(style), style.wrt)
    after = dict(sde.named_parameters(remove_duplicate=False)) if style.wrt else {}
    assert all(before[name] is parameter for name, parameter in after.items())
    leaves = [y0]
    for path in style.wrt:
        owner, _, last = path.rpartition(".")
        leaves.append(getattr(sde.get_submodule(owner), last).requires_grad_())
    expected = solved_by_torchsde(sde, y0, style)
    torch.testing.assert_close(ys, expected.detach(), rtol=1e-12, atol=1e-13)
    for k in range(len(TS)):
        for n in range(SAMPLES):
            for d in range(style.size):
                by_start, *rest = torch.autograd.grad(
                    expected[k, n, d], leaves, retain_graph=True, materialize_grads=True
                )
                wanted = {"y0": by_start[n], **dict(zip(style.wrt, rest, strict=True))}
                for part, value in wanted.items():
                    torch.testing.assert_close(
                        jacobian[part][k, n, d], value, rtol=1e-10, atol=1e-12
                    )


@pytest.mark.parametrize("name", [name for name, style in MODULES.items() if style.refused])
def test_a_refusal_names_the_reason(name: str) -> None:
    style = MODULES[name]
    with pytest.raises(lab.ScenarioError, match=style.refused):
        lab.sdeint_jacobian(style.make(), start(style), TS, style.scheme, motion(style), style.wrt)


def test_there_are_forty() -> None:
    assert len(MODULES) >= 40


class Renamed:
    noise_type, sde_type = "diagonal", "ito"

    def drift(self, t: Any, y: Tensor) -> Tensor:
        return -y

    def spread(self, t: Any, y: Tensor) -> Tensor:
        return 0.1 * y


def test_names_are_those_of_torchsde() -> None:
    names, y0, ts = {"drift": "drift", "diffusion": "spread"}, torch.ones(3, 2).double(), TS[:3]
    style = Style(Renamed)
    ys, _ = lab.sdeint_jacobian(Renamed(), y0, ts, bm=motion(style), names=names)
    expected = torchsde.sdeint(
        Renamed(), y0, ts, bm=motion(style), method="euler", dt=0.1, names=names
    )
    torch.testing.assert_close(ys, expected, rtol=1e-12, atol=1e-13)


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"names": {"drift": "drft"}}, "names", "no method of Renamed"),
    ({"names": {"drifts": "drift"}}, "names", "drift_and_diffusion"),
    ({"names": "drift"}, "names", "mapping"),
    ({"names": {"prior_drift": "drift"}}, "names", "logqp"),
    ({"logqp": True}, "logqp", "a state with that component works"),
    ({"adaptive": True}, "adaptive", "those of ts or dt"),
    ({"rtol": 1e-3}, "rtol", "adaptive"),
    ({"method": "euler"}, "method", "scheme"),
    ({"adjoint_params": ()}, "adjoint_params", "wrt"),
    ({"extra": True}, "extra", "reversible_heun"),
    ({}, "sde.f", "f_and_g"),
]


@pytest.mark.parametrize(("arguments", "field", "hint"), REFUSED)
def test_what_is_not_taken_is_refused_by_name(
    arguments: dict[str, Any], field: str, hint: str
) -> None:
    with pytest.raises(lab.ScenarioError, match=hint) as caught:
        lab.sdeint_jacobian(Renamed(), torch.ones(3, 2), TS, **arguments)
    assert caught.value.field == field


def test_torchsdes_own_defaults_are_no_reason_and_an_unknown_argument_is_a_mistake() -> None:
    names = {"drift": "drift", "diffusion": "spread"}
    y0 = torch.ones(3, 2)
    lab.sdeint_jacobian(Renamed(), y0, TS, names=names, logqp=False, adaptive=False, extra=False)
    with pytest.raises(TypeError, match="unexpected keyword argument 'steps'"):
        lab.sdeint_jacobian(Renamed(), y0, TS, names=names, steps=3)


def test_products_alone_need_a_motion_that_says_their_channels() -> None:
    style = MODULES["g_prod"]
    with pytest.raises(lab.ScenarioError, match="channels"):
        lab.sdeint_jacobian(style.make(), start(style), TS, "heun")
