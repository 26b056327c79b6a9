"""The numerical schemes, with their order, interpretation and the noise that they support."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sde_lab.errors import ScenarioError
from sde_lab.models.base import Interpretation, Model, NoiseType

ANY_NOISE: tuple[NoiseType, ...] = ("diagonal", "additive", "scalar", "general")
"""Noise types of schemes that need no iterated integrals of different Brownian motions."""
COMMUTATIVE: tuple[NoiseType, ...] = ("diagonal", "additive", "scalar")
"""Noise types for which the increments (and areas) determine those integrals."""


@dataclass(frozen=True)
class Scheme:
    """A numerical scheme of torchsde: a one-step map Φ.

    Attributes:
        name: value of ``Scenario.scheme``.
        title: name in text.
        interpretation: stochastic integral whose solution it converges to, "ito" or
            "stratonovich".
        method: value of ``torchsde.sdeint``'s argument ``method``.
        noise_types: noise types that it supports.
        strong_order: strong order of convergence for each noise type.
        levy_area: True if it needs the space-time Lévy area of each step.
        uses_autograd: True if torchsde differentiates inside the step (forward-mode automatic
            differentiation cannot pass through that).
        options: value of ``torchsde.sdeint``'s argument ``options``.

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
        """Name of the interpretation in text, "Itô" or "Stratonovich"."""
        return "Itô" if self.interpretation == "ito" else "Stratonovich"

    def why_unsupported(self, noise_type: NoiseType, size: int) -> str | None:
        """Return why the scheme cannot drive a noise structure; None if it can.

        This is the only rule of which scheme fits which noise. :meth:`supports`,
        :meth:`check_supports` and :func:`fitting_schemes` apply it to a model; callers without a
        model, such as :func:`sde_lab.sdeint_jacobian`, apply it here.

        Args:
            noise_type: noise type of the equation.
            size: number of its state components.

        Returns:
            The noise type with the reason, or None.
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
        """Return True if the scheme supports the model's noise."""
        return self.why_unsupported(model.noise_type, len(model.components)) is None

    def check_supports(self, model: Model) -> None:
        """Raise ScenarioError, naming both, if the scheme does not support the model's noise."""
        self.check_structure(model.noise_type, len(model.components), model.slug)

    def check_structure(self, noise_type: NoiseType, size: int, equation: str) -> None:
        """Raise ScenarioError if the scheme does not support the noise of an equation.

        Args:
            noise_type: noise type of the equation.
            size: number of its state components.
            equation: its name, for the message.
        """
        reason = self.why_unsupported(noise_type, size)
        if reason is None:
            return
        supporting = ", ".join(
            s.name for s in SCHEMES.values() if s.why_unsupported(noise_type, size) is None
        )
        hint = f"cannot be used with {equation}, whose noise is {reason}; {supporting} can"
        raise ScenarioError("scheme", self.name, hint)


def fitting_schemes(model: Model) -> tuple[str, ...]:
    """Return the names of the schemes that support the model's noise, in the order of SCHEMES."""
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
