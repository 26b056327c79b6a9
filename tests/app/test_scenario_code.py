"""Scenarios in a link: what is written can be read, and anything else is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

import sde_lab as lab
from sde_lab.app.state.scenario_code import MAX_CODE_CHARS, decode_scenario, encode_scenario
from sde_lab.models import MODELS
from sde_lab.schemes import fitting_schemes


@some.composite
def scenarios(draw: some.DrawFn) -> lab.Scenario:
    """Anything that the library accepts in single precision."""
    model = MODELS[draw(some.sampled_from(sorted(MODELS)))]

    def number(parameter: object) -> float:
        low, high = max(parameter.minimum, -1e30), min(parameter.maximum, 1e30)
        return draw(some.floats(low, high, allow_nan=False))

    scheme = draw(some.sampled_from(fitting_schemes(model)))
    parameters = {parameter.name: number(parameter) for parameter in model.parameters}
    interpretation = lab.SCHEMES[scheme].interpretation
    assume(model.why_unsolved(parameters, interpretation) is None)
    return lab.Scenario(
        model=model.name,
        parameters=parameters,
        x0=[number(parameter) for parameter in model.initial],
        horizon=draw(some.floats(1e-300, 1e6)),
        steps=draw(some.integers(1, 1_000_000)),
        samples=draw(some.integers(1, 10_000_000)),
        scheme=scheme,
        seed=draw(some.integers(0, 999_999)),
    )


@given(scenarios())
def test_what_is_written_is_read_back_exactly(scenario: lab.Scenario) -> None:
    text = encode_scenario(scenario)
    assert len(text) <= MAX_CODE_CHARS
    assert decode_scenario(text, "pin", "ornstein_uhlenbeck") == scenario


PLAIN = encode_scenario(lab.Scenario())


def test_the_default_is_short_and_needs_no_escape_in_a_link() -> None:
    assert PLAIN == "ornstein_uhlenbeck__euler__100__1000__0__1__0__1_0_1"


@given(some.one_of(some.text(max_size=600), some.text("0123456789-_.e+niaf", max_size=60)))
def test_any_text_is_a_scenario_or_refused(text: str) -> None:
    for candidate in (text, f"ornstein_uhlenbeck__euler__{text}", PLAIN[:-5] + text, PLAIN + text):
        with contextlib.suppress(lab.ScenarioError):
            assert isinstance(decode_scenario(candidate, "pin", "ornstein_uhlenbeck"), lab.Scenario)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "__" * 7,
        "_" * 100_000,
        PLAIN + "__",
        PLAIN + "_",
        PLAIN + "_2",
        PLAIN.replace("ornstein_uhlenbeck", "nothing"),
        PLAIN.replace("euler", "rungekutta"),
        PLAIN.replace("__0__1__0__1", "__0__inf__0__1"),
        PLAIN.replace("1_0_1", "nan_0_1"),
        PLAIN.replace("1_0_1", "1e999_0_1"),
        PLAIN.replace("1_0_1", "1_0_-1"),
        PLAIN.replace("__100__", "__-100__"),
        PLAIN.replace("__100__", "__1e2__"),
        PLAIN.replace("__100__", "__٣__"),
        PLAIN.replace("__100__", "__" + "9" * 300 + "__"),
    ],
)
def test_what_no_button_wrote_is_refused(text: str) -> None:
    with pytest.raises(lab.ScenarioError):
        decode_scenario(text, "pin", "ornstein_uhlenbeck")
