"""Drift and diffusion of a user's SDE, from whichever of torchsde's methods it has."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sde_lab.errors import ScenarioError

PARAMETER_SWAP_LOCK = threading.RLock()
"""``functional_call`` replaces the parameters of the module itself and restores them afterwards:
two threads at once would leave a leaf of one in the module, or evaluate with that of the other."""
NAMES = {
    "drift": "f",
    "diffusion": "g",
    "diffusion_prod": "g_prod",
    "drift_and_diffusion": "f_and_g",
    "drift_and_diffusion_prod": "f_and_g_prod",
}
"""torchsde's methods by the keys of its argument ``names``."""
REFUSED = {
    "method": "is called scheme here",
    "options": "is not needed: a scheme has its options",
    "logqp": "adds a component that depends on all others; a state with that component works",
    "adaptive": "would choose steps by the state, and the derivatives would miss that; steps are"
    " those of ts or dt",
    "rtol": "is for adaptive steps, which are not taken",
    "atol": "is for adaptive steps, which are not taken",
    "dt_min": "is for adaptive steps, which are not taken",
    "extra": "is for reversible_heun, whose step depends on more than the state",
    "extra_solver_state": "is for reversible_heun, whose step depends on more than the state",
    "adjoint_method": "is not needed: the derivatives are those of the scheme itself, exactly",
    "adjoint_adaptive": "is not needed: the derivatives are those of the scheme itself, exactly",
    "adjoint_params": "is called wrt here, by the names of parameters",
    "adjoint_options": "is not needed: the derivatives are those of the scheme itself, exactly",
}
"""Arguments of torchsde's ``sdeint`` and ``sdeint_adjoint`` that are not taken, with the reason."""


@dataclass(frozen=True)
class Coefficient:
    """The drift or the diffusion of an SDE.

    Attributes:
        label: name of the method in errors, such as ``sde.f``.
        function: (sde, t, y) → value, by a method of the SDE.
    """

    label: str
    function: Callable[[Any, Tensor, Tensor], Any]

    def evaluate(self, sde: Any, t: Tensor, y: Tensor, replaced: Mapping[str, Tensor]) -> Tensor:
        """Evaluate with a graph, even where autograd does not record.

        A drift −∇U takes a derivative itself. Where the caller does not record, the result is
        detached.

        Args:
            sde: the SDE.
            t: time, () or (rows, 1).
            y: states, (rows, D).
            replaced: tensors in place of the module's own, by each of their :func:`places`.

        Raises:
            ScenarioError: if the method changes y itself, or returns no tensor.
        """
        recording = torch.is_grad_enabled()
        given = y if recording else y.detach().requires_grad_()
        version = y._version  # noqa: SLF001 - torch has no public name for it
        in_place = ScenarioError(
            self.label, type(sde).__name__, "changes y in place; a copy, y.clone(), works"
        )
        try:
            with torch.enable_grad():
                out = self._call(sde, t, given, replaced)
        except RuntimeError as error:
            if "used in an in-place operation" in str(error):
                raise in_place from error
            raise
        if y._version != version:  # noqa: SLF001
            raise in_place
        if not isinstance(out, Tensor):
            raise ScenarioError(self.label, type(out).__name__, "must return a tensor")
        return out if recording else out.detach()

    def _call(self, sde: Any, t: Tensor, y: Tensor, replaced: Mapping[str, Tensor]) -> Any:
        named = {f"sde.{name}": tensor for name, tensor in replaced.items()}
        with PARAMETER_SWAP_LOCK:
            if not named:
                return self.function(sde, t, y)
            return torch.func.functional_call(
                _FunctionWrapper(sde, self.function), named, (t, y), tie_weights=False
            )


def places(sde: nn.Module, name: str) -> tuple[str, ...]:
    """Return one name for each place in which the module keeps a parameter or buffer.

    Weights may be shared by several submodules, and a submodule may have several names.
    ``functional_call`` follows shared weights itself, but puts back the wrong tensor where the
    same submodule has two names. Call it with PARAMETER_SWAP_LOCK.
    """
    tensors = [
        *sde.named_parameters(remove_duplicate=False),
        *sde.named_buffers(remove_duplicate=False),
    ]
    wanted = next(id(tensor) for found, tensor in tensors if found == name)
    found_places: dict[tuple[int, str], str] = {}
    for found, tensor in tensors:
        if id(tensor) == wanted:
            owner, _, attribute = found.rpartition(".")
            found_places.setdefault((id(sde.get_submodule(owner)), attribute), found)
    return tuple(found_places.values())


class _FunctionWrapper(nn.Module):
    """A module whose ``forward`` evaluates a coefficient: ``functional_call`` only calls that."""

    def __init__(self, sde: nn.Module, function: Callable[[Any, Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.sde = sde
        self._function = function

    def forward(self, t: Tensor, y: Tensor) -> Any:
        return self._function(self.sde, t, y)


def refuse_arguments(given: Mapping[str, object]) -> None:
    """Raise ScenarioError for an argument of torchsde's that is set, TypeError for any other."""
    for name, value in given.items():
        if name not in REFUSED:
            raise TypeError(f"unexpected keyword argument {name!r}")
        if value is not None and value is not False:
            raise ScenarioError(name, value, REFUSED[name])


def method_names(sde: Any, names: Mapping[str, str] | None) -> dict[str, str]:
    """Return the names of the methods that the SDE has, by torchsde's own names.

    Args:
        sde: the SDE.
        names: torchsde's argument ``names``.

    Raises:
        ScenarioError: for a name that is none of torchsde's, or no method of the SDE.
    """
    if names is not None and not isinstance(names, Mapping):
        raise ScenarioError("names", names, f"must be a mapping from any of {', '.join(NAMES)}")
    chosen = {method: method for method in NAMES.values()}
    for key, name in (names or {}).items():
        if key == "prior_drift":
            raise ScenarioError("names", key, f"is for logqp, which {REFUSED['logqp']}")
        if key not in NAMES:
            raise ScenarioError("names", key, f"must be one of {', '.join(NAMES)}")
        if not isinstance(name, str) or not callable(getattr(sde, name, None)):
            raise ScenarioError("names", name, f"is no method of {type(sde).__name__}")
        chosen[NAMES[key]] = name
    return {method: name for method, name in chosen.items() if callable(getattr(sde, name, None))}


def find_drift(sde: Any, names: Mapping[str, str] | None, width: int | None) -> Coefficient:
    """Return the drift by ``f``, ``f_and_g`` or ``f_and_g_prod``, the first that the SDE has.

    Arguments as for :func:`find_diffusion`.
    """
    has = method_names(sde, names)
    if "f" in has:
        method = has["f"]
        return Coefficient(f"sde.{method}", lambda s, t, y: getattr(s, method)(t, y))
    if "f_and_g" in has:
        method = has["f_and_g"]
        return Coefficient(f"sde.{method}", lambda s, t, y: getattr(s, method)(t, y)[0])
    if "f_and_g_prod" in has:
        method = has["f_and_g_prod"]

        def drift(s: Any, t: Tensor, y: Tensor) -> Any:
            size = y.shape[1] if s.noise_type == "diagonal" else width or 1
            return getattr(s, method)(t, y, y.new_zeros((len(y), size)))[0]

        return Coefficient(f"sde.{method}", drift)
    raise ScenarioError("sde.f", None, "the SDE must define f(t, y), or f_and_g(t, y)")


def find_diffusion(sde: Any, names: Mapping[str, str] | None, width: int | None) -> Coefficient:
    """Return the diffusion by ``g``, ``f_and_g``, ``g_prod`` or ``f_and_g_prod``.

    A product with the noise is the product with each unit vector: a column of g.

    Args:
        sde: the SDE.
        names: torchsde's argument ``names``.
        width: number of Brownian motions; None where it is not known.
    """
    has = method_names(sde, names)
    if "g" in has:
        method = has["g"]
        return Coefficient(f"sde.{method}", lambda s, t, y: getattr(s, method)(t, y))
    if "f_and_g" in has:
        method = has["f_and_g"]
        return Coefficient(f"sde.{method}", lambda s, t, y: getattr(s, method)(t, y)[1])
    if "g_prod" not in has and "f_and_g_prod" not in has:
        raise ScenarioError("sde.g", None, "the SDE must define g(t, y), or f_and_g(t, y)")
    alone = "g_prod" in has
    method = has["g_prod" if alone else "f_and_g_prod"]
    if sde.noise_type not in ("diagonal", "scalar") and width is None:
        raise ScenarioError("bm", None, f"must be given: {method} alone does not say its channels")

    def product(s: Any, t: Tensor, y: Tensor, v: Tensor) -> Any:
        result = getattr(s, method)(t, y, v)
        return result if alone else result[1]

    def diffusion(s: Any, t: Tensor, y: Tensor) -> Any:
        if s.noise_type == "diagonal":
            return product(s, t, y, torch.ones_like(y))
        units = torch.eye(width or 1, dtype=y.dtype, device=y.device)
        columns = [product(s, t, y, unit.expand(len(y), -1)) for unit in units]
        return torch.stack(columns, dim=-1)

    return Coefficient(f"sde.{method}", diffusion)
