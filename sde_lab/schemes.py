"""The numerical schemes, each with the facts that decide what it can be used for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sde_lab.errors import ScenarioError
from sde_lab.models.base import Interpretation, Model, NoiseType

ANY_NOISE: tuple[NoiseType, ...] = ("diagonal", "additive", "scalar", "general")
COMMUTATIVE: tuple[NoiseType, ...] = ("diagonal", "additive", "scalar")


@dataclass(frozen=True)
class Scheme:
    """One-step map Φ of an SDE solver.

    Attributes:
        name: as it stands in a scenario.
        title: as people read it.
        interpretation: the stochastic integral whose solution it converges to.
        method: the name torchsde knows it by.
        noise_types: the noise structures it can be used with.
        strong_order: strong order of convergence for each noise type.
        levy_area: whether it asks for the space-time Lévy area of each step.
        uses_autograd: whether torchsde takes derivatives inside the step (forward-mode automatic
            differentiation cannot pass through those).
        options: passed on to the solver.

    Orders: Kloeden and Platen (1992), chapters 10 and 11; Rößler (2010) for srk.
    """

    name: str
    title: str
    interpretation: Interpretation
    method: str
    noise_types: tuple[NoiseType, ...]
    strong_order: Mapping[NoiseType, float]
    levy_area: bool = False
    uses_autograd: bool = False
    options: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def interpretation_title(self) -> str:
        """The stochastic integral as people write it."""
        return "Itô" if self.interpretation == "ito" else "Stratonovich"

    def why_unsupported(self, noise_type: NoiseType, size: int) -> str | None:
        """Return why the scheme cannot drive a noise structure; None if it can.

        This is the one rule of which scheme fits which noise. :meth:`supports`,
        :meth:`check_supports` and :func:`fitting_schemes` ask it of a model; whoever has no model,
        such as :func:`sde_lab.sdeint_jacobian`, asks it here.

        Args:
            noise_type: of the equation.
            size: number of its state components.

        Returns:
            The kind of noise with what stands in the way, or None.
        """
        if noise_type not in self.noise_types:
            return noise_type
        if self.uses_autograd and noise_type == "scalar" and size > 1:
            # torchsde's Milstein multiplies by (∂g/∂x)ᵀ g where (∂g/∂x) g is meant. For diagonal
            # noise the Jacobian is diagonal, for one state it is a number: the same there.
            return (
                f"scalar over {size} states: there torchsde multiplies by the transpose of the"
                " diffusion's Jacobian, and so solves another equation"
            )
        return None

    def supports(self, model: Model) -> bool:
        """Return whether the scheme can drive the model's noise."""
        return self.why_unsupported(model.noise_type, len(model.components)) is None

    def check_supports(self, model: Model) -> None:
        """Raise ScenarioError, naming the pair, if the scheme cannot drive the model's noise."""
        self.check_structure(model.noise_type, len(model.components), model.slug)

    def check_structure(self, noise_type: NoiseType, size: int, equation: str) -> None:
        """Raise ScenarioError if the scheme cannot drive the noise of an equation.

        Args:
            noise_type: of the equation.
            size: number of its state components.
            equation: its name, for the message.
        """
        reason = self.why_unsupported(noise_type, size)
        if reason is None:
            return
        works = ", ".join(
            s.name for s in SCHEMES.values() if s.why_unsupported(noise_type, size) is None
        )
        hint = f"cannot be used with {equation}, whose noise is {reason}; {works} can"
        raise ScenarioError("scheme", self.name, hint)


def fitting_schemes(model: Model) -> tuple[str, ...]:
    """Return the names of the schemes that can drive the model's noise, in the order of SCHEMES."""
    return tuple(scheme.name for scheme in SCHEMES.values() if scheme.supports(model))


def _orders(commutative: float, additive: float, general: float | None) -> dict[NoiseType, float]:
    orders: dict[NoiseType, float] = {
        "diagonal": commutative,
        "scalar": commutative,
        "additive": additive,
    }
    return orders if general is None else {**orders, "general": general}


SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        scheme.name: scheme
        for scheme in (
            Scheme(
                name="euler",
                title="Euler–Maruyama",
                interpretation="ito",
                method="euler",
                noise_types=ANY_NOISE,
                strong_order=_orders(0.5, 1.0, 0.5),
            ),
            Scheme(
                name="milstein",
                title="Milstein",
                interpretation="ito",
                method="milstein",
                noise_types=COMMUTATIVE,
                strong_order=_orders(1.0, 1.0, None),
                uses_autograd=True,
            ),
            Scheme(
                name="milstein_grad_free",
                title="Milstein, derivative-free",
                interpretation="ito",
                method="milstein",
                noise_types=COMMUTATIVE,
                strong_order=_orders(1.0, 1.0, None),
                options=MappingProxyType({"grad_free": True}),
            ),
            Scheme(
                name="srk",
                title="Stochastic Runge–Kutta (Rößler)",
                interpretation="ito",
                method="srk",
                noise_types=COMMUTATIVE,
                strong_order=_orders(1.5, 1.5, None),
                levy_area=True,
            ),
            Scheme(
                name="heun",
                title="Heun",
                interpretation="stratonovich",
                method="heun",
                noise_types=ANY_NOISE,
                strong_order=_orders(1.0, 1.0, 0.5),
            ),
            Scheme(
                name="midpoint",
                title="Midpoint",
                interpretation="stratonovich",
                method="midpoint",
                noise_types=ANY_NOISE,
                strong_order=_orders(1.0, 1.0, 0.5),
            ),
            Scheme(
                name="euler_heun",
                title="Euler–Heun",
                interpretation="stratonovich",
                method="euler_heun",
                noise_types=ANY_NOISE,
                strong_order=_orders(1.0, 1.0, 0.5),
            ),
        )
    }
)
