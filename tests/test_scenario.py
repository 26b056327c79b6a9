"""A scenario is a value: complete, frozen, hashable, plain to write down. Faults are named."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import FrozenInstanceError, fields
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sde_lab as lab

TWO_DIMENSIONAL = [name for name, model in lab.MODELS.items() if len(model.components) > 1]
BEYOND_FLOAT = 10**400
BEYOND_TEXT = 10**5000


def refusal(**given: Any) -> lab.ScenarioError:
    with pytest.raises(lab.ScenarioError) as caught:
        lab.Scenario(**given)
    return caught.value


@pytest.mark.parametrize("name", lab.MODELS)
def test_it_is_complete_with_the_defaults_of_its_model(name: str) -> None:
    scenario = lab.Scenario(model=name)
    model = lab.MODELS[name]
    assert dict(scenario.parameters) == {
        parameter.name: parameter.default for parameter in model.parameters
    }
    assert scenario.initial == tuple(parameter.default for parameter in model.initial)
    assert scenario.model_spec is model


@pytest.mark.parametrize("name", lab.MODELS)
def test_given_parameters_are_merged_with_the_defaults(name: str) -> None:
    parameter, *others = lab.MODELS[name].parameters
    scenario = lab.Scenario(model=name, parameters={parameter.name: parameter.high})
    assert scenario.parameters[parameter.name] == parameter.high
    assert all(scenario.parameters[other.name] == other.default for other in others)


@pytest.mark.parametrize("name", lab.MODELS)
@pytest.mark.parametrize("end", ["low", "high", "default"])
def test_every_slider_stays_inside_the_domain_of_its_equation(name: str, end: str) -> None:
    model = lab.MODELS[name]
    lab.Scenario(
        model=name,
        parameters={parameter.name: getattr(parameter, end) for parameter in model.parameters},
        x0=[getattr(parameter, end) for parameter in model.initial],
        horizon=model.horizon,
    )


def test_it_is_frozen_and_so_are_its_parameters() -> None:
    scenario = lab.Scenario()
    with pytest.raises(FrozenInstanceError):
        scenario.steps = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        scenario.parameters["kappa"] = 3.0  # type: ignore[index]


def test_what_the_caller_does_later_to_the_arguments_changes_nothing() -> None:
    parameters, x0 = {"kappa": 2.0}, [0.5]
    scenario = lab.Scenario(parameters=parameters, x0=x0)
    before = hash(scenario)
    parameters["kappa"], x0[0] = 3.0, 9.0
    assert scenario.parameters["kappa"] == 2.0
    assert scenario.initial == (0.5,)
    assert hash(scenario) == before


def test_equal_scenarios_have_equal_hashes_however_they_were_written() -> None:
    plain = lab.Scenario(parameters={"kappa": 2.0, "theta": 1.0}, x0=1.0, steps=50)
    other = lab.Scenario(
        parameters={"theta": 1, "kappa": Fraction(2)}, x0=(np.float32(1.0),), steps=np.int64(50)
    )
    assert plain == other
    assert hash(plain) == hash(other)
    assert len({plain, other, plain.replace(seed=1)}) == 2


@pytest.mark.parametrize("name", lab.MODELS)
def test_round_trips(name: str) -> None:
    scenario = lab.Scenario(
        model=name, steps=7, samples=3, seed=2**63 - 1, horizon=math.pi, dtype="float64"
    )
    plain = scenario.to_dict()
    assert lab.Scenario.from_dict(plain) == scenario
    assert lab.Scenario.from_dict(json.loads(json.dumps(plain, allow_nan=False))) == scenario
    assert pickle.loads(pickle.dumps(scenario)) == scenario
    assert list(plain) == [field.name for field in fields(lab.Scenario)]


def test_a_dict_may_leave_fields_out() -> None:
    assert lab.Scenario.from_dict({}) == lab.Scenario()
    assert lab.Scenario.from_dict({"steps": 50}) == lab.Scenario(steps=50)


def test_but_merges_parameters_and_keeps_the_rest() -> None:
    scenario = lab.Scenario(parameters={"kappa": 2.0}, seed=5)
    changed = scenario.replace(parameters={"sigma": 0.5}, steps=50)
    assert changed == lab.Scenario(parameters={"kappa": 2.0, "sigma": 0.5}, seed=5, steps=50)
    assert scenario.steps == 100


BAD: list[tuple[str, dict[str, Any]]] = [
    *(("model", {"model": value}) for value in ("none_such", "", 3, None, ["x"], b"x")),
    *(
        ("parameters.kappa", {"parameters": {"kappa": value}})
        for value in (math.nan, math.inf, -math.inf, True, "1", None, [1.0], 1j, BEYOND_FLOAT)
    ),
    ("parameters.sigma", {"parameters": {"sigma": -0.1}}),
    ("parameters.kappa", {"parameters": {"kappa": BEYOND_TEXT}}),
    ("parameters.theta", {"parameters": {"theta": 1e300}, "dtype": "float32"}),
    ("parameters.mu", {"parameters": {"mu": 0.1}}),
    ("parameters.3", {"parameters": {3: 0.1}}),
    *(("parameters", {"parameters": value}) for value in (None, 3, "kappa", [("kappa", 1.0)])),
    *(
        ("x0", {"x0": value})
        for value in (math.nan, math.inf, True, "0", [], [1.0, 2.0], BEYOND_FLOAT, b"a", {}, 1e300)
    ),
    *(
        ("horizon", {"horizon": value})
        for value in (0.0, -1.0, math.nan, math.inf, 1e300, True, "1", None, BEYOND_FLOAT)
    ),
    *(
        (field, {field: value})
        for field in ("steps", "samples")
        for value in (0, -1, 1.0, 1.5, math.nan, True, "100", None, BEYOND_FLOAT, BEYOND_TEXT)
    ),
    *(("seed", {"seed": value}) for value in (-1, 2**63, 0.0, True, "0", None, BEYOND_TEXT)),
    *(("scheme", {"scheme": value}) for value in ("Euler", "", None, 3, ["euler"])),
    *(("dtype", {"dtype": value}) for value in ("float16", "", None, torch.float32)),
    *(("device", {"device": value}) for value in ("gpu", "", None, 0, np.array(["cpu", "cuda"]))),
]


@pytest.mark.parametrize(
    ("field", "given"), BAD, ids=[f"{field}-{i}" for i, (field, _) in enumerate(BAD)]
)
def test_a_bad_value_is_refused_by_the_name_of_its_field(field: str, given: dict[str, Any]) -> None:
    error = refusal(**given)
    assert error.field == field
    assert str(error).startswith(f"{field} = ")
    assert len(str(error)) < 400
    assert isinstance(error, ValueError)


@pytest.mark.parametrize("name", lab.MODELS)
def test_no_parameter_accepts_what_no_equation_can_use(name: str) -> None:
    for parameter in lab.MODELS[name].parameters:
        for value in (math.nan, math.inf, -math.inf, False, "0"):
            error = refusal(model=name, parameters={parameter.name: value})
            assert error.field == f"parameters.{parameter.name}"
        if parameter.minimum > -math.inf:
            error = refusal(model=name, parameters={parameter.name: parameter.minimum - 1.0})
            assert error.field == f"parameters.{parameter.name}"


@pytest.mark.parametrize("name", TWO_DIMENSIONAL)
@pytest.mark.parametrize("x0", [1.0, [1.0], [1.0, 1.0, 1.0], "11", {0: 1.0, 1: 1.0}])
def test_a_start_of_the_wrong_length_is_refused(name: str, x0: Any) -> None:
    error = refusal(model=name, x0=x0)
    assert error.field == "x0"
    assert "2 numbers" in error.hint


@pytest.mark.parametrize("name", TWO_DIMENSIONAL)
def test_the_bad_entry_of_a_start_is_named(name: str) -> None:
    assert refusal(model=name, x0=[1.0, math.nan]).field == "x0[1]"


@pytest.mark.parametrize("name", lab.MODELS)
@pytest.mark.parametrize("scheme", lab.SCHEMES)
def test_a_scheme_is_refused_exactly_where_it_does_not_fit_the_noise(
    name: str, scheme: str
) -> None:
    noise = lab.MODELS[name].noise_type
    if lab.SCHEMES[scheme].supports(lab.MODELS[name]):
        assert lab.Scenario(model=name, scheme=scheme).scheme == scheme
        return
    error = refusal(model=name, scheme=scheme)
    assert error.field == "scheme"
    assert name in error.hint
    assert noise in error.hint
    assert "heun" in error.hint


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_is_refused_where_there_is_none() -> None:
    error = refusal(device="cuda")
    assert error.field == "device"
    assert "CUDA" in error.hint


@pytest.mark.parametrize("field", ["stesp", "", "Model", 3, "x" * 100_000])
def test_a_field_that_does_not_exist_is_refused(field: Any) -> None:
    with pytest.raises(lab.ScenarioError) as caught:
        lab.Scenario.from_dict({field: 1})
    assert caught.value.field == str(field)[:40]
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("plain", [None, 3, "steps", [("steps", 3)]])
def test_a_dict_that_is_none_is_refused(plain: Any) -> None:
    with pytest.raises(lab.ScenarioError, match="scenario = "):
        lab.Scenario.from_dict(plain)


def test_a_refusal_survives_pickling_on_its_way_between_processes() -> None:
    error = refusal(steps=0)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.field, copy.value, copy.hint, str(copy)) == (
        error.field,
        error.value,
        error.hint,
        str(error),
    )


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, 50, BEYOND_FLOAT, -BEYOND_FLOAT]),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.sampled_from([*lab.MODELS, *lab.SCHEMES, "float32", "float64", "cpu", "cuda"]),
)
NAMES = sorted({parameter.name for model in lab.MODELS.values() for parameter in model.parameters})
KEYS = st.one_of(st.sampled_from(NAMES), SCALARS)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(KEYS, inner, max_size=3),
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from([field.name for field in fields(lab.Scenario)])


@given(plain=st.dictionaries(st.one_of(FIELDS, FIELDS, SCALARS), ANYTHING, max_size=5))
def test_any_dict_gives_a_sound_scenario_or_a_refusal(plain: dict[Any, Any]) -> None:
    scenario = accepted(plain)
    if isinstance(scenario, lab.Scenario):
        assert_sound(scenario)
    else:
        assert isinstance(scenario.field, str)
        assert len(str(scenario)) < 500


def accepted(plain: dict[Any, Any]) -> lab.Scenario | lab.ScenarioError:
    try:
        return lab.Scenario.from_dict(plain)
    except lab.ScenarioError as error:
        return error


@given(
    model=st.sampled_from(list(lab.MODELS)),
    scheme=st.sampled_from(list(lab.SCHEMES)),
    values=st.dictionaries(
        st.sampled_from(NAMES), st.floats(-2.0, 2.0, allow_nan=False), max_size=3
    ),
    x0=st.one_of(st.floats(), st.lists(st.floats(-1.0, 3.0), min_size=1, max_size=2)),
    horizon=st.floats(),
    steps=st.integers(-1, 2_000_000),
)
def test_any_settings_of_a_model_give_a_sound_scenario_or_a_refusal(
    model: str, scheme: str, values: dict[str, float], x0: Any, horizon: float, steps: int
) -> None:
    try:
        scenario = lab.Scenario(
            model=model, scheme=scheme, parameters=values, x0=x0, horizon=horizon, steps=steps
        )
    except lab.ScenarioError:
        return
    assert_sound(scenario)


def assert_sound(scenario: lab.Scenario) -> None:
    """All of it is finite, of the right type, and comes back from JSON."""
    assert all(math.isfinite(value) for value in scenario.parameters.values())
    assert all(math.isfinite(value) for value in scenario.initial)
    assert len(scenario.initial) == len(scenario.model_spec.components)
    assert scenario.horizon > 0.0
    assert type(scenario.steps) is int
    assert type(scenario.samples) is int
    assert scenario.scheme_spec.supports(scenario.model_spec)
    text = json.dumps(scenario.to_dict(), allow_nan=False)
    again = lab.Scenario.from_dict(json.loads(text))
    assert again == scenario
    assert hash(again) == hash(scenario)
