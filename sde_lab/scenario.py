"""One simulation as a frozen, hashable value, validated before any work starts."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any, Literal, cast

import torch

from sde_lab.equations import parse_sde, read_sde
from sde_lab.equations.analysis import MAX_HORIZON
from sde_lab.errors import ScenarioError, short_repr
from sde_lab.models import MODELS
from sde_lab.models.base import Model, Parameter
from sde_lab.schemes import SCHEMES, Scheme

DType = Literal["float32", "float64"]
DTYPES: Mapping[str, torch.dtype] = {"float32": torch.float32, "float64": torch.float64}
"""Precisions, by the name that stands in a scenario."""
DEVICES = ("cpu", "cuda")
MAX_STEPS = 1_000_000
MAX_FLOAT32_STEPS = 4096
"""Largest number of steps in float32. Each step may round the state by half of 2⁻²³ of it; where
rounding always goes the same way these errors add up, after so many steps to 2.4e-4 of the state,
but to a sixteenth of Brownian motion's drift in 262 144."""
MAX_SAMPLES = 10_000_000
MAX_SEED = 2**63 - 1
MAX_NAME_CHARS = 40
"""Characters of an unknown name that are shown in an error."""


class FrozenDict(Mapping[str, float]):
    """An immutable, hashable mapping from parameter names to numbers."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, float]) -> None:
        self._items = dict(items)

    def __getitem__(self, name: str) -> float:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


@dataclass(frozen=True)
class Scenario:
    """A model with its parameters, a time grid, a numerical scheme and a seed.

    Attributes:
        model: a name in :data:`sde_lab.MODELS`, or the text of an SDE (:func:`sde_lab.parse_sde`).
        parameters: any of the model's parameters by name; the others take their defaults.
        x0: initial state, a number or one per state component; None takes the model's default.
            Stored as a tuple of floats, (D,).
        horizon: final time T; time runs over [0, T].
        steps: number of solver steps, of length T / steps each.
        samples: number of independent paths.
        scheme: a name in :data:`sde_lab.SCHEMES`.
        seed: selects the Brownian paths, which are the same for every model, scheme and number of
            samples, and are refined as the number of steps doubles.
        dtype: "float32" or "float64"; more than MAX_FLOAT32_STEPS steps are taken in float64, and
            the field says so.
        device: "cpu", or "cuda" where there is one.

    Raises:
        ScenarioError: naming the first invalid field.
    """

    model: str = "ornstein_uhlenbeck"
    parameters: Mapping[str, float] = field(default_factory=dict)
    x0: float | Sequence[float] | None = None
    horizon: float = 1.0
    steps: int = 100
    samples: int = 1000
    scheme: str = "euler"
    seed: int = 0
    dtype: DType = "float32"
    device: str = "cpu"

    def __post_init__(self) -> None:
        assign = object.__setattr__  # the dataclass is frozen
        assign(self, "model", _model_name_or_text(self.model))
        model = self.model_spec
        assign(self, "steps", _integer("steps", self.steps, 1, MAX_STEPS))
        _choice("dtype", self.dtype, DTYPES)
        assign(self, "dtype", "float64" if self.steps > MAX_FLOAT32_STEPS else self.dtype)
        dtype = DTYPES[self.dtype]
        assign(self, "parameters", _parameters(model, self.parameters, dtype))
        assign(self, "x0", _initial(model, self.x0, dtype))
        assign(self, "horizon", _number("horizon", self.horizon, 0.0, MAX_HORIZON, strict=True))
        assign(self, "samples", _integer("samples", self.samples, 1, MAX_SAMPLES))
        assign(self, "seed", _integer("seed", self.seed, 0, MAX_SEED))
        _device(self.device)
        SCHEMES[_choice("scheme", self.scheme, SCHEMES)].check_supports(model)
        model.check_parameters(self.parameters)
        reason = model.why_unsolved(self.parameters, self.scheme_spec.interpretation)
        if reason is not None:
            raise ScenarioError("scheme", self.scheme, reason)

    @property
    def model_spec(self) -> Model:
        """The model: drift, diffusion and exact laws."""
        return MODELS[self.model] if self.model in MODELS else parse_sde(self.model)

    @property
    def scheme_spec(self) -> Scheme:
        """The scheme: its order and the noise that it supports."""
        return SCHEMES[self.scheme]

    @property
    def initial(self) -> tuple[float, ...]:
        """Initial state, one number per component, (D,)."""
        return cast(tuple[float, ...], self.x0)

    @property
    def step(self) -> float:
        """Length Δ of one solver step, in units of time."""
        return self.horizon / self.steps

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype as a ``torch.dtype``."""
        return DTYPES[self.dtype]

    def replace(self, **changes: Any) -> Scenario:
        """Return a copy with some fields changed.

        Args:
            **changes: new values by field. ``parameters`` are merged into the present ones; another
                ``model`` takes its own default parameters and initial state.

        Raises:
            ScenarioError: for a field that does not exist or is invalid.
        """
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        if "model" in changes and _model_name_or_text(changes["model"]) != self.model:
            plain.update(parameters={}, x0=None)
        elif isinstance(changes.get("parameters"), Mapping):
            changes["parameters"] = {**self.parameters, **changes["parameters"]}
        return Scenario.from_dict({**plain, **changes})

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data that JSON can represent."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain["parameters"] = dict(self.parameters)
        plain["x0"] = list(self.initial) if len(self.initial) > 1 else self.initial[0]
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Scenario:
        """Return the scenario that :meth:`to_dict` was called on.

        Args:
            plain: fields by name; those left out take their defaults.

        Raises:
            ScenarioError: for a field that does not exist or is invalid.
        """
        if not isinstance(plain, Mapping):
            raise ScenarioError("scenario", plain, "must be a mapping from field names to values")
        known = {f.name for f in fields(cls)}
        for name in plain:
            if name not in known:
                raise ScenarioError(
                    _shown_name(name),
                    plain[name],
                    f"no such field; the fields are {_listed(known)}",
                )
        return cls(**plain)


def _model_name_or_text(model: object) -> str:
    """Validate the field ``model``; return the name in MODELS or the equation in plain grammar."""
    if isinstance(model, str) and any(sign in model for sign in "=~\n"):
        return read_sde(model).text
    if not isinstance(model, str) or model not in MODELS:
        known = ", ".join(MODELS)
        hint = f"must be one of {known}, or the text of an SDE such as dx = -x*dt + dW"
        raise ScenarioError("model", model, hint)
    return model


def _listed(names: object) -> str:
    return ", ".join(sorted(map(str, cast(Any, names))))


def _shown_name(name: object) -> str:
    """Return an unknown key as text for the ``field`` of an error."""
    return name[:MAX_NAME_CHARS] if isinstance(name, str) else short_repr(name, MAX_NAME_CHARS)


def _choice(name: str, value: object, choices: Collection[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise ScenarioError(name, value, f"must be one of {', '.join(choices)}")
    return value


def _number(
    name: str,
    value: object,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    strict: bool = False,
) -> float:
    """Return a finite number in [low, high], or in (low, high] if strict; else raise."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ScenarioError(name, value, "must be a number")
    number = _as_float(value)
    if not math.isfinite(number):
        raise ScenarioError(name, value, "must be a finite number")
    if not low <= number <= high or (strict and number == low):
        raise ScenarioError(name, value, _range(low, high, strict=strict))
    return number


def _as_float(value: Real) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _range(low: float, high: float, *, strict: bool) -> str:
    above = f"above {low:g}" if strict else f"at least {low:g}"
    if math.isinf(high):
        return f"must be {above}"
    if math.isinf(low):
        return f"must be at most {high:g}"
    return f"must be {above} and at most {high:g}"


def _integer(name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ScenarioError(name, value, "must be a whole number")
    if not low <= int(value) <= high:
        raise ScenarioError(name, value, f"must be a whole number from {low} to {high}")
    return int(value)


def _within(name: str, value: object, parameter: Parameter, dtype: torch.dtype) -> float:
    number = _number(name, value, parameter.minimum, parameter.maximum)
    if abs(number) > torch.finfo(dtype).max:
        raise ScenarioError(name, value, f"is too large for {str(dtype).removeprefix('torch.')}")
    return number


def _parameters(model: Model, given: object, dtype: torch.dtype) -> FrozenDict:
    if not isinstance(given, Mapping):
        raise ScenarioError("parameters", given, "must be a mapping from names to numbers")
    known = [parameter.name for parameter in model.parameters]
    for name in given:
        if name not in known:
            hint = f"no such parameter of {model.slug}; it has {', '.join(known)}"
            raise ScenarioError(f"parameters.{_shown_name(name)}", given[name], hint)
    chosen = {
        parameter: given.get(parameter.name, parameter.default) for parameter in model.parameters
    }
    return FrozenDict(
        {
            parameter.name: _within(f"parameters.{parameter.name}", value, parameter, dtype)
            for parameter, value in chosen.items()
        }
    )


def _initial(model: Model, given: object, dtype: torch.dtype) -> tuple[float, ...]:
    parameters = model.initial
    if given is None:
        return tuple(parameter.default for parameter in parameters)
    if isinstance(given, Real):
        given = (given,)
    if (
        not isinstance(given, Sequence)
        or isinstance(given, str | bytes)
        or len(given) != len(parameters)
    ):
        names = ", ".join(parameter.name for parameter in parameters)
        count = "one number" if len(parameters) == 1 else f"{len(parameters)} numbers"
        raise ScenarioError("x0", given, f"must be {count}: {names}")
    if len(parameters) == 1:
        return (_within("x0", given[0], parameters[0], dtype),)
    return tuple(
        _within(f"x0[{i}]", value, parameter, dtype)
        for i, (value, parameter) in enumerate(zip(given, parameters, strict=True))
    )


def _device(device: object) -> None:
    if _choice("device", device, DEVICES) == "cuda" and not torch.cuda.is_available():
        raise ScenarioError("device", device, "torch finds no CUDA device here; cpu works")
