"""What is handed out: programs run and print the page's numbers, files give back what went in."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import math
import os
import re
import subprocess
import sys
from dataclasses import fields, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sde_lab as lab
from sde_lab import export, memory
from sde_lab.figures.fan_chart import fan_chart
from sde_lab.figures.sensitivity_panels import sensitivity_panels
from sde_lab.figures.theme import Theme
from sde_lab.summaries.chunked_run import simulate_summary
from sde_lab.summaries.summary import BAND_LEVELS
from tests.support.programs import Programs

ROOT = Path(__file__).parents[2]
ROW = re.compile(
    r"(\S+(?: std)?) +(\S+)(?: ± (\S+)|  too few effective samples for an error)(?: +exact (\S+))?"
)
HOSTILE = "</script></style><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
SCENARIOS = [
    lab.Scenario(parameters={"kappa": 2.0}, x0=-1.5, scheme="milstein", seed=7, samples=300),
    lab.Scenario("double_well", dtype="float64", steps=50, samples=200),
    lab.Scenario("damped_oscillator", horizon=3.0, steps=200, samples=200),
    lab.Scenario("heston", x0=[1.5, 0.2], samples=200),
    lab.Scenario("lotka_volterra", scheme="srk", horizon=2.0, samples=100),
]
LONG = lab.Scenario(steps=3200, samples=5000)
"""Over a budget of half a gigabyte, if held whole."""


def known(law: Any, d: int) -> tuple[float, float]:
    """Exact mean and standard deviation at the end, NaN where they are not known."""
    if law is None:
        return math.nan, math.nan
    return float(law.mean[-1, d]), float(np.sqrt(max(law.variance[-1, d], 0.0)))


def expected(scenario: lab.Scenario) -> list[tuple[str, str, str, str]]:
    """What a program must print: quantity, value, standard error, exact value or nothing."""
    summary = simulate_summary(scenario)
    exact = lab.exact_laws(scenario, times=summary.times)
    rows = []

    def row(name: str, value: float, error: float, truth: float) -> None:
        text = "" if math.isnan(truth) else f"{truth + 0.0:.6g}"
        rows.append((name, f"{value:.6g}", "" if math.isnan(error) else f"{error:.2g}", text))

    for d, component in enumerate(scenario.model_spec.components):
        state = summary.states[d]
        mean, std = known(exact and exact.state, d)
        row(component, state.mean[-1], state.mean_error[-1], mean)
        row(f"{component} std", state.std[-1], state.std_error[-1], std)
        for name in scenario.model_spec.jacobian_columns:
            bands = summary.sensitivities[name][d]
            mean, _ = known(exact and exact.sensitivities.get(name), d)
            row(f"d{component}_d{name}", bands.mean[-1], bands.mean_error[-1], mean)
    return rows


def printed(text: str) -> list[tuple[str, ...]]:
    found = [ROW.fullmatch(line) for line in text.splitlines()[1:]]
    assert all(found), text
    return [tuple(part or "" for part in match.groups()) for match in found if match]


def run_anew(program: str, tmp_path: Path, **environment: str) -> str:
    """What a program prints in an interpreter of its own, where every warning is an error."""
    place = tmp_path / "program.py"
    place.write_text(program, encoding="utf-8")
    inherited = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(place)],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def run_by_itself(program: str, programs: Programs) -> str:
    """What a program prints in a process of its own, where every warning is an error."""
    done = programs.run(program, strict=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def run_here(program: str) -> str:
    sink = io.StringIO()
    with contextlib.redirect_stdout(sink):
        exec(compile(program, "program.py", "exec"), {"__name__": "__main__"})
    return sink.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"{s.model}-{s.scheme}")
def test_the_program_prints_the_numbers_of_the_page(
    scenario: lab.Scenario, tmp_path: Path, programs: Programs
) -> None:
    if scenario == SCENARIOS[0]:
        text = run_anew(export.summary_script(scenario), tmp_path)
    else:  # from here on without waiting for the imports
        text = run_by_itself(export.summary_script(scenario), programs)
    end, samples = scenario.horizon, scenario.samples
    assert text.startswith(f"t = {end:g}: {samples} of {samples} samples finite\n")
    assert printed(text) == expected(scenario)


@pytest.mark.slow
def test_a_run_too_long_to_hold_whole_has_a_program_too(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(memory.RUN_LIMIT_VARIABLE, "0.5")
    with pytest.raises(lab.ScenarioError):
        lab.jacobian(lab.simulate(LONG))
    program = export.summary_script(LONG)
    assert printed(run_by_itself(program, programs)) == expected(LONG)


def test_a_machine_with_more_memory_hands_out_what_others_can_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(memory.RUN_LIMIT_VARIABLE, "64")
    assert "simulate_summary(scenario)" in export.summary_script(
        lab.Scenario(steps=3200, samples=100_000)
    )
    assert "simulate_summary" not in export.summary_script(lab.Scenario())


@pytest.mark.parametrize("name", lab.MODELS)
def test_every_model_has_a_program(name: str) -> None:
    scenario = lab.Scenario(name, steps=20, samples=40)
    assert printed(run_here(export.summary_script(scenario))) == expected(scenario)


@pytest.mark.parametrize(
    ("scenario", "kept"),
    [
        (lab.Scenario(samples=1, steps=3), 1),
        (lab.Scenario("double_well", x0=5.0, horizon=10.0, steps=10, samples=20), 0),
    ],
    ids=["one sample", "all exploded"],
)
def test_a_program_says_what_it_cannot_know(scenario: lab.Scenario, kept: int) -> None:
    text = run_here(export.summary_script(scenario))
    assert f"{kept} of {scenario.samples} samples finite" in text
    assert all(error == "" for _, _, error, _ in printed(text))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"{s.model}-{s.scheme}")
def test_the_program_spells_out_every_field(scenario: lab.Scenario) -> None:
    program = export.summary_script(scenario)
    assert program == export.summary_script(lab.Scenario.from_dict(scenario.to_dict()))
    call = next(
        node
        for node in ast.walk(ast.parse(program))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "lab.Scenario"
    )
    given_fields = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    assert list(given_fields) == [f.name for f in fields(lab.Scenario)]
    assert list(given_fields["parameters"]) == [
        parameter.name for parameter in scenario.model_spec.parameters
    ]
    assert lab.Scenario(**given_fields) == scenario


def frames(scenario: lab.Scenario) -> tuple[pd.DataFrame, pd.DataFrame]:
    summary = simulate_summary(scenario)
    exact = lab.exact_laws(scenario, times=summary.times)
    return export.summary_table(summary, exact), export.paths_table(summary)


@pytest.mark.parametrize("name", lab.MODELS)
def test_the_table_holds_the_summary_and_the_laws(name: str) -> None:
    scenario = lab.Scenario(name, steps=20, samples=40)
    summary = simulate_summary(scenario)
    exact = lab.exact_laws(scenario, times=summary.times)
    frame = export.summary_table(summary, exact)
    size, columns = len(scenario.model_spec.components), len(scenario.model_spec.jacobian_columns)
    assert len(frame) == len(summary.times) * size * (1 + columns)
    for d, component in enumerate(scenario.model_spec.components):
        laws = {component: (summary.states[d], exact and exact.state)}
        for column in scenario.model_spec.jacobian_columns:
            law = exact and exact.sensitivities.get(column)
            laws[f"d{component}_d{column}"] = (summary.sensitivities[column][d], law)
        for quantity, (bands, law) in laws.items():
            part = frame[frame["quantity"] == quantity]
            np.testing.assert_array_equal(part["time"], summary.times)
            np.testing.assert_array_equal(part["mean"], bands.mean)
            np.testing.assert_array_equal(part["mean_se"], bands.mean_error)
            np.testing.assert_array_equal(part["std"], bands.std)
            np.testing.assert_array_equal(part["std_se"], bands.std_error)
            np.testing.assert_array_equal(
                part[["q05", "q25", "q50", "q75", "q95"]].T, bands.quantiles
            )
            names = [f"{name}_bound" for name in ("q05", "q25", "q50", "q75", "q95")]
            np.testing.assert_array_equal(part[names].T, bands.quantile_bound)
            check_theory(part, law, d)


def test_the_table_says_how_far_quantiles_of_samples_that_were_not_kept_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sde_lab.memory.STREAMING_BYTES", 1e6)
    summary = simulate_summary(lab.Scenario(steps=20, samples=4000), keep_bytes=0.0)
    frame = export.summary_table(summary)
    part = frame[(frame["quantity"] == "x") & (frame["time"] > 0.0)]
    assert (part["q25_bound"] > 0.0).all()
    np.testing.assert_array_equal(part["q25_bound"], summary.states[0].quantile_bound[1, 1:])
    assert export.read_scenario(export.to_parquet(frame, summary.scenario)) == summary.scenario


def check_theory(part: pd.DataFrame, law: Any, d: int) -> None:
    own = [f"exact_q{round(100 * level):02d}" for level in BAND_LEVELS]
    if law is None:
        assert part[["exact_mean", "exact_std", *own]].isna().all(axis=None)
        return
    np.testing.assert_array_equal(part["exact_mean"], law.mean[:, d])
    np.testing.assert_array_equal(part["exact_std"], np.sqrt(np.maximum(law.variance[:, d], 0.0)))
    for name, level in zip(own, BAND_LEVELS, strict=True):
        values = law.quantile(level)
        if values is None:
            assert part[name].isna().all()
        else:
            np.testing.assert_array_equal(part[name], values[:, d])


def test_theory_at_other_times_is_refused() -> None:
    scenario = lab.Scenario(steps=400, samples=10)
    with pytest.raises(ValueError, match=r"summary\.times"):
        export.summary_table(simulate_summary(scenario), lab.exact_laws(scenario))


def test_the_table_of_paths_holds_every_shown_path() -> None:
    summary = simulate_summary(lab.Scenario("heston", samples=40, steps=20))
    cube = export.paths_table(summary).set_index(["path", "quantity", "time"])["value"]
    assert len(cube) == summary.paths.size
    for place, name in enumerate(("price", "variance")):
        for path in (0, 17):
            found = cube.loc[path, name]
            np.testing.assert_array_equal(found.index, summary.times)
            np.testing.assert_array_equal(found, summary.paths[:, path, place])


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"{s.model}-{s.scheme}")
def test_files_give_back_every_digit(scenario: lab.Scenario) -> None:
    for frame in frames(scenario):
        assert set(frame.dtypes.astype(str)) <= {"float64", "int64", "str"}
        csv = export.to_csv(frame)
        pd.testing.assert_frame_equal(pd.read_csv(io.BytesIO(csv)), frame, check_exact=True)
        parquet = export.to_parquet(frame, scenario)
        back = pd.read_parquet(io.BytesIO(parquet))
        pd.testing.assert_frame_equal(back, frame, check_exact=True)
        assert export.read_scenario(parquet) == scenario
        assert csv == export.to_csv(back)


def test_csv_is_plain() -> None:
    csv = export.to_csv(frames(SCENARIOS[0])[0])
    header, first = csv.decode("ascii").splitlines()[:2]
    assert header.startswith("time,quantity,mean,mean_se,std,std_se,q05,q25,q50,q75,q95,exact_mean")
    assert first.startswith("0.0,x,-1.5,0.0,0.0,0.0,-1.5,")
    assert b"\r" not in csv


@given(
    st.lists(st.floats(allow_nan=False), min_size=1, max_size=30),
    st.integers(0, 2**63 - 1),
)
def test_any_number_survives(values: list[float], seed: int) -> None:
    frame = pd.DataFrame({"time": values, "value": values[::-1]})
    csv = export.to_csv(frame)
    pd.testing.assert_frame_equal(
        pd.read_csv(io.BytesIO(csv)).astype(float), frame, check_exact=True
    )
    scenario = lab.Scenario(seed=seed)
    assert export.read_scenario(export.to_parquet(frame, scenario)) == scenario


def test_a_file_without_a_scenario_says_so() -> None:
    bare = pd.DataFrame({"time": [0.0]}).to_parquet()
    with pytest.raises(lab.ScenarioError, match="metadata"):
        export.read_scenario(bare)
    with pytest.raises(ValueError, match=r"[Pp]arquet"):
        export.read_scenario(b"time,quantity\n")


def test_the_scenario_in_a_parquet_file_is_plain_json() -> None:
    frame, _ = frames(SCENARIOS[0])
    metadata = pq.read_schema(io.BytesIO(export.to_parquet(frame, SCENARIOS[0]))).metadata
    assert json.loads(metadata[b"sde_lab.scenario"]) == SCENARIOS[0].to_dict()


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text of each element that has an id."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open = ""
        self.feed(page.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = dict(attrs).get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.texts[self._open] = self.texts.get(self._open, "") + data


def charts(scenario: lab.Scenario, theme: Theme) -> list[dict[str, Any]]:
    """The two figures of the front page."""
    summary = simulate_summary(scenario)
    exact = lab.exact_laws(scenario, times=summary.times)
    law, laws = (None, {}) if exact is None else (exact.state, exact.sensitivities)
    return [
        fan_chart(summary, 0, law, None, len(summary.times) - 1, theme),
        sensitivity_panels(summary, 0, laws, {}, {}, len(summary.times) - 1, theme),
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_needs_nothing_else(dark: bool) -> None:
    theme, scenario = Theme(dark=dark), SCENARIOS[0]
    page = Elements(export.to_html(charts(scenario, theme), scenario))
    attributes = [item for _, own in page.tags for item in own.items()]
    assert not {name for name, _ in attributes} & {"src", "href", "srcset", "action", "poster"}
    assert not [value for _, value in attributes if "//" in (value or "")]
    assert not {tag for tag, _ in page.tags} & {"link", "iframe", "img", "object", "embed", "base"}
    style = page.texts["style"]
    assert theme.background in style
    assert theme.text in style
    assert "url(" not in style
    assert "@import" not in style


def test_the_page_says_what_it_shows() -> None:
    scenario = SCENARIOS[0]
    page = Elements(export.to_html(charts(scenario, Theme()), scenario))
    assert page.texts["h1"] == page.texts["title"] == "Ornstein–Uhlenbeck"
    for words in ("Ornstein–Uhlenbeck", "κ = 2,", "= -1.5.", "300 samples", "seed 7"):
        assert words in page.texts["p"]
    assert "Solid" in page.texts["p"]
    assert "dashed lines are exact" in page.texts["p"]
    assert lab.Scenario.from_dict(json.loads(page.texts["scenario"])) == scenario


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.model)
def test_figures_in_the_page_are_the_figures(scenario: lab.Scenario) -> None:
    given_figures = charts(scenario, Theme())
    page = Elements(export.to_html(given_figures, scenario))
    found = json.loads(page.texts["figures"], parse_constant=pytest.fail)
    assert [len(one["data"]) for one in found] == [len(one["data"]) for one in given_figures]
    for one, other in zip(found, given_figures, strict=True):
        for trace, source in zip(one["data"], other["data"], strict=True):
            values = np.array([math.nan if v is None else v for v in trace["y"]], dtype=float)
            np.testing.assert_array_equal(values, np.asarray(source["y"], dtype=float))
    assert [f"chart{place}" for place in range(len(found))] == [
        own["id"] for tag, own in page.tags if tag == "div"
    ]


def test_hostile_values_stay_text() -> None:
    figure = {
        "data": [{"type": "scatter", "x": [0, 1], "y": [0, math.inf], "name": HOSTILE}],
        "layout": {"meta": {"ground": HOSTILE}, "font": {"color": f"red}}{HOSTILE}"}},
    }
    page = Elements(export.to_html([figure], lab.Scenario(), HOSTILE))
    honest = Elements(export.to_html([{"data": [], "layout": {}}], lab.Scenario()))
    assert page.tags == honest.tags
    assert page.texts["h1"] == page.texts["title"] == HOSTILE
    assert page.texts["style"] == honest.texts["style"]
    trace = json.loads(page.texts["figures"])[0]["data"][0]
    assert trace["name"] == HOSTILE
    assert trace["y"] == [0, None]


def test_hostile_words_of_a_model_stay_text(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Elements(export.to_html([], lab.Scenario()))
    model = lab.MODELS["brownian_motion"]
    parameter = replace(model.parameters[0], symbol=HOSTILE)
    monkeypatch.setattr(type(model), "title", HOSTILE)
    monkeypatch.setattr(type(model), "description", HOSTILE)
    monkeypatch.setattr(type(model), "parameters", (parameter, *model.parameters[1:]))
    monkeypatch.setattr(lab.Scenario, "to_dict", lambda _: {"model": HOSTILE})
    page = Elements(export.to_html([], lab.Scenario("brownian_motion")))
    assert page.tags == honest.tags
    assert page.texts["p"].count(HOSTILE) == 3
    assert json.loads(page.texts["scenario"]) == {"model": HOSTILE}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_draws_the_page_without_asking_anyone(browser: Any, dark: bool) -> None:
    """The fixture fails on console errors, which a request against the page's policy is too."""
    theme, scenario = Theme(dark=dark), SCENARIOS[0]
    page = browser.new_context().new_page()
    page.set_content(export.to_html(charts(scenario, theme), scenario).decode("utf-8"))
    page.wait_for_function("() => document.querySelectorAll('.main-svg').length >= 4")
    boxes = page.evaluate(
        "() => [...document.querySelectorAll('main > div')].map(n => n.getBoundingClientRect())"
        ".map(box => [box.left, box.top, box.width, box.height])"
    )
    assert boxes[0][1] == boxes[1][1]
    assert min(width for _, _, width, _ in boxes) > 400
    page.set_viewport_size({"width": 480, "height": 720})
    page.wait_for_function(
        "() => { const [a, b] = document.querySelectorAll('main > div');"
        " return a.getBoundingClientRect().bottom <= b.getBoundingClientRect().top; }"
    )
    with page.expect_download() as waiting:
        page.evaluate("() => { Plotly.downloadImage('chart0', {format: 'png'}); }")
    assert Path(waiting.value.path()).read_bytes().startswith(b"\x89PNG")


@given(st.sampled_from(sorted(lab.MODELS)), st.integers(0, 2**63 - 1), st.text(max_size=40))
def test_file_names_are_safe(model: str, seed: int, suffix: str) -> None:
    name = export.filename(lab.Scenario(model, seed=seed), suffix)
    assert re.fullmatch(r"[A-Za-z0-9_]+-100x1000-seed\d+(\.[A-Za-z0-9_]+)*", name)
    assert len(name) < 150


def test_file_names_say_what_is_inside() -> None:
    assert export.filename(lab.Scenario(), "csv") == "ornstein_uhlenbeck-100x1000-seed0.csv"
    assert export.filename(SCENARIOS[3], "paths.csv") == "heston-100x200-seed0.paths.csv"
    assert export.filename(lab.Scenario(), "../../etc/x y").endswith("seed0.etc.x.y")


@pytest.mark.slow
def test_nothing_heavy_is_imported_before_it_is_used(tmp_path: Path) -> None:
    heavy = "{'pandas', 'pyarrow', 'plotly', 'streamlit'}"
    program = f"import sys\nimport sde_lab.export\nprint(sorted({heavy} & set(sys.modules)))\n"
    assert run_anew(program, tmp_path) == "[]\n"
