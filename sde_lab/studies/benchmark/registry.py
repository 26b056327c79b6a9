"""The methods for ∂X_t/∂x₀ with their facts: summary, costs, and which scenarios they support."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from torch import Tensor

from sde_lab.models.base import NoiseType
from sde_lab.scenario import Scenario
from sde_lab.schemes import SCHEMES
from sde_lab.sensitivity.compiled_engine import why_not_compiled
from sde_lab.sensitivity.replay import blocks
from sde_lab.sensitivity.torch_func import FORWARD_MODE_LOCK
from sde_lab.studies.benchmark import methods
from sde_lab.studies.benchmark.torchsde_setup import TorchsdeSetup, torchsde_setup

Growth = tuple[tuple[int, int], ...]
"""Powers (a, b) of the terms steps^a · samples^b of a cost."""

LINEAR: Growth = ((0, 0), (1, 0), (1, 1))
"""A cost of O(K·N) for K steps and N samples, with overhead per run and per step."""
QUADRATIC_IN_STEPS: Growth = ((0, 0), (1, 0), (2, 0), (2, 1))
"""A cost of O(K²·N), such as a backward pass through up to K steps for each of K times."""
QUADRATIC: Growth = ((0, 0), (1, 0), (2, 1), (2, 2))
"""A cost of O(K²·N²), such as a backward pass through all samples for each of K·N outputs."""


@dataclass(frozen=True)
class GradientMethod:
    """A method for the derivative of every state with respect to the initial state.

    Attributes:
        name: key in results, links and settings.
        title: name for people.
        summary: the method in one sentence.
        run: the function, whose source is shown.
        helpers: functions and classes that it uses, shown before it.
        passes: gives the passes of automatic differentiation for a scenario, in words.
        time: terms of the time in a cost model.
        memory: terms of the memory in a cost model.
        why_unsupported: gives the reason why a scenario is not supported, or None.
        per_time: True if it returns the derivative at every time; False if only their sum.
        uses_forward_mode: True if it uses forward-mode differentiation, whose level is global in
            torch: only one thread at a time may use it.
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
        """Return the derivatives, (T, N, D, D); their sum, (D,), if not :attr:`per_time`."""
        if not self.uses_forward_mode:
            return self.run(setup).detach()
        with FORWARD_MODE_LOCK:
            return self.run(setup).detach()


def _size(scenario: Scenario) -> int:
    """Return the number D of state components."""
    return len(scenario.initial)


def _output_numbers(scenario: Scenario) -> int:
    """Return the number of outputs X_t of all samples, T·N·D."""
    return (scenario.steps + 1) * scenario.samples * _size(scenario)


def _outputs_per_sample(scenario: Scenario) -> int:
    """Return the number of outputs X_t of one sample, T·D."""
    return (scenario.steps + 1) * _size(scenario)


def _first_variation_passes(scenario: Scenario) -> str:
    """Count a backward pass per component of drift and diffusion; some schemes evaluate more."""
    size = _size(scenario)
    count = scenario.steps * size * (1 + scenario.model_spec.brownian_size)
    return f"at least {count:,} backward, each through one evaluation of drift or diffusion"


def _replay_passes(scenario: Scenario) -> str:
    """Count a backward pass per state component of each block of steps × samples."""
    parts = len(list(blocks(scenario.steps, scenario.samples)))
    return f"{parts * _size(scenario):,} backward, each through a single step of many rows"


def _why_no_forward_mode(scenario: Scenario) -> str | None:
    """Tell why forward mode fails: Milstein calls ``autograd.grad`` inside its step.

    For additive noise its correction is zero, and torchsde skips it.
    """
    if not scenario.scheme_spec.uses_autograd or scenario.model_spec.noise_type == "additive":
        return None
    return (
        "torchsde's Milstein takes derivatives inside its step, and forward mode does not pass"
        " through them; the derivative-free Milstein works"
    )


def _why_no_jacrev(scenario: Scenario) -> str | None:
    """Tell why ``torch.func.jacrev`` fails: Milstein over a diffusion that is constant in x."""
    if _why_no_forward_mode(scenario) is None or _diffusion_depends_on_state(scenario):
        return None
    return (
        "torchsde's Milstein calls requires_grad_ on a diffusion that does not depend on the"
        " state, which torch.func forbids; the derivative-free Milstein works"
    )


def _diffusion_depends_on_state(scenario: Scenario) -> bool:
    """Tell whether autograd finds the state in the diffusion, by one evaluation."""
    setup = torchsde_setup(scenario.replace(samples=1, steps=1))
    x = setup.x0.unsqueeze(0).requires_grad_()
    return bool(setup.sde.g(setup.ts[0], x).requires_grad)


def _why_no_first_variation(scenario: Scenario) -> str | None:
    """Tell why the scheme cannot solve X and J together: their noise is general, unless additive.

    A scheme for diagonal noise needs a Brownian motion per component; here each drives one
    component of X and a row of J.
    """
    size = _size(scenario)
    setup = torchsde_setup(scenario.replace(samples=1, steps=1))
    noise = cast(NoiseType, methods.FirstVariation(setup.sde, size).noise_type)
    size += size**2  # components of X and J
    if scenario.scheme_spec.why_unsupported(noise, size) is None:
        return None
    able = ", ".join(s.name for s in SCHEMES.values() if s.why_unsupported(noise, size) is None)
    return (
        f"one noise drives X and J alike, so the augmented system has {noise} noise, which"
        f" {scenario.scheme_spec.title} cannot drive; {able} can"
    )


METHODS: Mapping[str, GradientMethod] = MappingProxyType(
    {
        method.name: method
        for method in (
            GradientMethod(
                "summed",
                "autograd.grad, sum",
                "The call from the original question (autograd.grad of whole paths): it returns"
                " the sum over all times.",
                methods.summed,
                passes=lambda _: "1 backward",
                time=LINEAR,
                memory=LINEAR,
                per_time=False,
            ),
            GradientMethod(
                "loop",
                "loop over t",
                "One backward pass per time, one after the other: O(K²) in the number K of steps.",
                methods.loop,
                passes=lambda scenario: f"{_outputs_per_sample(scenario):,} backward, one by one",
                time=QUADRATIC_IN_STEPS,
                memory=LINEAR,
            ),
            GradientMethod(
                "jacrev",
                "jacrev",
                "The answer to the original question: a backward pass for every number of the"
                " output, all at once.",
                methods.jacrev,
                passes=lambda scenario: f"{_output_numbers(scenario):,} backward, at once",
                time=QUADRATIC,
                memory=QUADRATIC,
                why_unsupported=_why_no_jacrev,
            ),
            GradientMethod(
                "jacrev_chunked",
                "jacrev, chunks of 64",
                "jacrev with 64 backward passes at a time: less memory, as much work.",
                methods.jacrev_chunked,
                passes=lambda scenario: f"{_output_numbers(scenario):,} backward, 64 at once",
                time=QUADRATIC,
                memory=LINEAR,
                why_unsupported=_why_no_jacrev,
            ),
            GradientMethod(
                "batched",
                "is_grads_batched",
                "The loop's backward passes as one batched call; each serves all samples, as"
                " samples are independent.",
                methods.batched,
                passes=lambda scenario: f"{_outputs_per_sample(scenario):,} backward, at once",
                time=QUADRATIC_IN_STEPS,
                memory=QUADRATIC_IN_STEPS,
            ),
            GradientMethod(
                "jacfwd",
                "jacfwd",
                "Forward-mode differentiation: one pass per initial value, along with the path.",
                methods.jacfwd,
                passes=lambda scenario: f"{_size(scenario)} forward",
                time=LINEAR,
                memory=LINEAR,
                why_unsupported=_why_no_forward_mode,
                uses_forward_mode=True,
            ),
            GradientMethod(
                "first_variation",
                "first variation",
                "The first-variation SDE of J = ∂X/∂x₀, solved by sdeint together with the path.",
                methods.first_variation,
                passes=_first_variation_passes,
                time=LINEAR,
                memory=LINEAR,
                helpers=(methods.derivative, methods.FirstVariation),
                why_unsupported=_why_no_first_variation,
            ),
            GradientMethod(
                "replay",
                "replay",
                "Batched pathwise (tangent) recursion: linearise all steps of all samples at once,"
                " then multiply the step Jacobians.",
                methods.replay,
                passes=_replay_passes,
                time=LINEAR,
                memory=LINEAR,
            ),
            GradientMethod(
                "compiled",
                "compiled",
                "One compiled loop over steps and samples, whose code is generated from the"
                " equation: each step updates the state and its tangents.",
                methods.compiled,
                passes=lambda _: "1 forward, in machine code",
                time=LINEAR,
                memory=LINEAR,
                why_unsupported=why_not_compiled,
            ),
        )
    }
)
"""The methods by name, in the order of the page; a benchmark runs them cheap ones first."""
