"""The ways to a gradient with their facts: what each is, what it costs, where it fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from torch import Tensor

from sde_lab.models.base import NoiseType
from sde_lab.scenario import Scenario
from sde_lab.schemes import SCHEMES
from sde_lab.sensitivity.replay import blocks
from sde_lab.sensitivity.torch_func import FORWARD_MODE_LOCK
from sde_lab.studies.benchmark import methods
from sde_lab.studies.benchmark.torchsde_setup import TorchsdeSetup, torchsde_setup

Growth = tuple[tuple[int, int], ...]
"""Powers (a, b) of the terms steps^a · samples^b in which a cost grows."""

LINEAR: Growth = ((0, 0), (1, 0), (1, 1))
QUADRATIC_IN_STEPS: Growth = ((0, 0), (1, 0), (2, 0), (2, 1))
QUADRATIC: Growth = ((0, 0), (1, 0), (2, 1), (2, 2))


@dataclass(frozen=True)
class GradientMethod:
    """One way to the derivative of every state by the initial state.

    Attributes:
        name: as it stands in results.
        title: as people read it.
        summary: what it does, in one line.
        run: the code itself.
        helpers: what else belongs to the code.
        passes: how many passes of automatic differentiation it takes, in words.
        time: terms in which its time grows.
        memory: terms in which its memory grows.
        why_unsupported: why it cannot serve a scenario, or None.
        per_time: whether it gives the derivative at every time; one gives the sum.
        uses_forward_mode: whether it uses forward mode, which only one thread may at a time.
    """

    name: str
    title: str
    summary: str
    run: Callable[[TorchsdeSetup], Tensor]
    passes: Callable[[Scenario], str]
    time: Growth
    memory: Growth
    helpers: tuple[Any, ...] = ()
    why_unsupported: Callable[[Scenario], str | None] = lambda _: None
    per_time: bool = True
    uses_forward_mode: bool = False

    def __call__(self, setup: TorchsdeSetup) -> Tensor:
        """The derivative, (T, N, D, D); the sum, (D,), of the way that is wrong."""
        if not self.uses_forward_mode:
            return self.run(setup).detach()
        with FORWARD_MODE_LOCK:
            return self.run(setup).detach()


def _size(scenario: Scenario) -> int:
    return len(scenario.initial)


def _every_number(scenario: Scenario) -> int:
    return (scenario.steps + 1) * scenario.samples * _size(scenario)


def _every_time(scenario: Scenario) -> int:
    return (scenario.steps + 1) * _size(scenario)


def _evaluations(scenario: Scenario) -> str:
    size = _size(scenario)
    count = scenario.steps * size * (1 + scenario.model_spec.brownian_size)
    return f"at least {count:,} backward, each through one evaluation of drift or diffusion"


def _replayed(scenario: Scenario) -> str:
    parts = len(list(blocks(scenario.steps, scenario.samples)))
    return f"{parts * _size(scenario):,} backward, each through a single step of many rows"


def _no_backward_inside(scenario: Scenario) -> str | None:
    if not scenario.scheme_spec.uses_autograd or scenario.model_spec.noise_type == "additive":
        return None
    return (
        "torchsde's Milstein takes derivatives inside its step, and forward mode does not pass"
        " through them; the derivative-free Milstein works"
    )


def _no_detached_inside(scenario: Scenario) -> str | None:
    if _no_backward_inside(scenario) is None or _diffusion_reads_state(scenario):
        return None
    return (
        "torchsde's Milstein calls requires_grad_ on a diffusion that does not depend on the"
        " state, which torch.func forbids; the derivative-free Milstein works"
    )


def _diffusion_reads_state(scenario: Scenario) -> bool:
    setup = torchsde_setup(scenario.replace(samples=1, steps=1))
    x = setup.x0.unsqueeze(0).requires_grad_()
    return bool(setup.sde.g(setup.ts[0], x).requires_grad)


def _no_general_noise(scenario: Scenario) -> str | None:
    size = _size(scenario)
    setup = torchsde_setup(scenario.replace(samples=1, steps=1))
    noise = cast(NoiseType, methods.FirstVariation(setup.sde, size).noise_type)
    size += size**2  # X and J are solved together
    if scenario.scheme_spec.why_unsupported(noise, size) is None:
        return None
    able = ", ".join(s.name for s in SCHEMES.values() if s.why_unsupported(noise, size) is None)
    return (
        f"one noise drives X and J alike, so the augmented system has {noise} noise, which"
        f" {scenario.scheme_spec.title} cannot drive; {able} can"
    )


METHODS: Mapping[str, GradientMethod] = MappingProxyType(
    {
        way.name: way
        for way in (
            GradientMethod(
                "summed",
                "grad, summed",
                "The question's own call: correct, but it is the sum over all times.",
                methods.summed,
                passes=lambda _: "1 backward",
                time=LINEAR,
                memory=LINEAR,
                per_time=False,
            ),
            GradientMethod(
                "loop",
                "loop over t",
                "One backward pass for each time: right, and slow.",
                methods.loop,
                passes=lambda scenario: f"{_every_time(scenario):,} backward, one by one",
                time=QUADRATIC_IN_STEPS,
                memory=LINEAR,
            ),
            GradientMethod(
                "jacrev",
                "jacrev",
                "The published answer: a backward pass for every number of the output, at once.",
                methods.jacrev,
                passes=lambda scenario: f"{_every_number(scenario):,} backward, at once",
                time=QUADRATIC,
                memory=QUADRATIC,
                why_unsupported=_no_detached_inside,
            ),
            GradientMethod(
                "jacrev_chunked",
                "jacrev, chunks of 64",
                "The same in portions: less memory, as much work.",
                methods.jacrev_chunked,
                passes=lambda scenario: f"{_every_number(scenario):,} backward, 64 at once",
                time=QUADRATIC,
                memory=LINEAR,
                why_unsupported=_no_detached_inside,
            ),
            GradientMethod(
                "batched",
                "is_grads_batched",
                "The loop's passes in one call: samples do not mix, so one pass serves them all.",
                methods.batched,
                passes=lambda scenario: f"{_every_time(scenario):,} backward, at once",
                time=QUADRATIC_IN_STEPS,
                memory=QUADRATIC_IN_STEPS,
            ),
            GradientMethod(
                "jacfwd",
                "jacfwd",
                "Forward mode: one input, so one pass beside the path.",
                methods.jacfwd,
                passes=lambda scenario: f"{_size(scenario)} forward",
                time=LINEAR,
                memory=LINEAR,
                why_unsupported=_no_backward_inside,
                uses_forward_mode=True,
            ),
            GradientMethod(
                "first_variation",
                "first variation",
                "The SDE of J itself, solved by sdeint along with the path.",
                methods.first_variation,
                passes=_evaluations,
                time=LINEAR,
                memory=LINEAR,
                helpers=(methods.derivative, methods.FirstVariation),
                why_unsupported=_no_general_noise,
            ),
            GradientMethod(
                "replay",
                "replay",
                "Linearise every step of every sample at once, then multiply through.",
                methods.replay,
                passes=_replayed,
                time=LINEAR,
                memory=LINEAR,
            ),
        )
    }
)
"""The ways by name; a race runs them in another order, cheap ones first."""
