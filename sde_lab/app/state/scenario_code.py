"""A scenario as short text for a link, and back.

Model, scheme, steps, samples, seed, horizon, initial values, parameters: ``ou__euler__100__…``.
"""

from __future__ import annotations

import re

from sde_lab.equations.model import CUSTOM_KEY
from sde_lab.errors import ScenarioError
from sde_lab.scenario import Scenario

MAX_CODE_CHARS = 400
"""Characters of a code; the largest model needs about 200."""
_FIELD, _NUMBER = "__", "_"
"""Separators of fields and of numbers; a URL needs no escapes for either."""
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"[0-9]{1,18}")


def encode_scenario(scenario: Scenario) -> str:
    """Return the scenario as text, without dtype and device, which the page sets itself.

    A typed equation is named by its key alone: its text is another parameter of the link.
    """
    values = [scenario.parameters[parameter.name] for parameter in scenario.model_spec.parameters]
    return _FIELD.join(
        (
            scenario.model_spec.slug,
            scenario.scheme,
            str(scenario.steps),
            str(scenario.samples),
            str(scenario.seed),
            _written([scenario.horizon]),
            _written(scenario.initial),
            _written(values),
        )
    )


def decode_scenario(text: str, name: str, page_model: str) -> Scenario:
    """Return the scenario that :func:`encode_scenario` wrote.

    Args:
        text: of a link, so anything at all.
        name: of the query parameter, for messages.
        page_model: the model of the page; it stands for the typed equation that a code names.

    Raises:
        ScenarioError: if the text is not the code of a valid scenario.
    """
    parts = text.split(_FIELD, 8) if len(text) <= MAX_CODE_CHARS else []
    if len(parts) != 8:
        raise ScenarioError(name, text, "is not a scenario; pin the curves anew and copy that link")
    key, scheme, steps, samples, seed, horizon, initial, values = parts
    model = page_model if key == CUSTOM_KEY else key
    parameters = Scenario(model=model).model_spec.parameters
    numbers = _numbers(name, values)
    if len(numbers) != len(parameters):
        raise ScenarioError(name, text, f"must give the {len(parameters)} parameters of {model}")
    return Scenario(
        model=model,
        parameters={
            parameter.name: number for parameter, number in zip(parameters, numbers, strict=True)
        },
        x0=_numbers(name, initial),
        horizon=_number(name, horizon),
        steps=_whole(name, steps),
        samples=_whole(name, samples),
        scheme=scheme,
        seed=_whole(name, seed),
    )


def _written(values: list[float] | tuple[float, ...]) -> str:
    return _NUMBER.join(repr(float(value)).removesuffix(".0") for value in values)


def _whole(name: str, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ScenarioError(name, text, "must be a whole number")
    return int(text)


def _number(name: str, text: str) -> float:
    if not _DECIMAL.fullmatch(text):
        raise ScenarioError(name, text, "must be a number")
    return float(text)


def _numbers(name: str, text: str) -> list[float]:
    return [_number(name, number) for number in text.split(_NUMBER)]
