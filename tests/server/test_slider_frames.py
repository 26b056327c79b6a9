"""Frames of sliders: what they hold, who shares them, and what the route refuses."""

from __future__ import annotations

import itertools
import json
import struct
import threading
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import sde_lab as lab
from sde_lab.figures.board import PHASE_PORTRAIT, BoardView, paths_figure, sensitivity_figure
from sde_lab.figures.frames import GAP, UNITS
from sde_lab.figures.live_equation import equation_numbers, live_equation
from sde_lab.figures.theme import Theme
from sde_lab.lessons import LESSONS
from sde_lab.models import MODELS
from sde_lab.server import slider_frames
from sde_lab.server.slider_frames import (
    MAX_WAITING,
    Board,
    BusyError,
    FrameCache,
    Slider,
    UnknownBoardError,
    draw_frames,
    find_frames,
    register_board,
)
from sde_lab.summaries.chunked_run import simulate_summary
from sde_lab.summaries.summary import display_times
from sde_lab.theory.exact_laws import exact_laws
from tests.support.server import ROOT

SIGMA = Slider.of_parameter("parameter", MODELS["ornstein_uhlenbeck"].parameters[2])


def board_of(scenario: lab.Scenario, **changes: Any) -> Board:
    """A board of a scenario, with its first component on show."""
    plain = Board(
        scenario,
        "torchsde",
        scenario.model_spec.components[0],
        cursor=100,
        hidden=False,
        columns=None,
        figure=None,
        theme=Theme(),
    )
    return replace(plain, **changes)


def decode(frame: bytes) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The header and the arrays of a frame."""
    raw = zlib.decompress(frame)
    (size,) = struct.unpack_from("<I", raw)
    header = json.loads(raw[4 : 4 + size])
    ends = np.cumsum([0, *header["lengths"]])
    numbers = np.frombuffer(raw, "<i2", offset=4 + size)
    assert len(numbers) == ends[-1]
    return header, [numbers[a:b] for a, b in itertools.pairwise(ends)]


@pytest.mark.parametrize("model", MODELS)
def test_a_frame_holds_the_curves_of_the_figures_at_that_value(model: str) -> None:
    scenario = lab.Scenario(model, samples=60, steps=20)
    spec = scenario.model_spec
    for kind, parameters in (("parameter", spec.parameters), ("initial", spec.initial)):
        slider = Slider.of_parameter(kind, parameters[0])
        board = board_of(scenario)
        stop = (len(slider.values) + board.stop(slider)) // 2
        (frame,) = draw_frames(board, slider, [slider.values[stop]])
        header, arrays = decode(frame)
        moved = board.moved(slider, slider.values[stop]).scenario
        assert moved != scenario
        summary = simulate_summary(moved, "torchsde")
        laws = exact_laws(moved, times=display_times(moved))
        view = BoardView(summary, laws, None, board.shown, 20, None, Theme())
        figures = {"paths": paths_figure(view)[0], "sensitivities": sensitivity_figure(view)[0]}
        assert not header["approximate"]
        for key, figure in figures.items():
            chart = header["charts"][key]
            traces = {trace["uid"]: trace for trace in chart["traces"]}
            expected = {trace["uid"]: trace for trace in figure["data"]}
            assert set(traces) - {"stationary"} == set(expected)
            for uid, trace in expected.items():
                for direction, axis in zip("xy", traces[uid]["axes"], strict=True):
                    low, high = chart["axes"][axis]
                    numbers = arrays[traces[uid][direction]]
                    values = np.where(numbers == GAP, np.nan, low + numbers * (high - low) / UNITS)
                    near = np.abs(values - trace[direction]) <= 0.51 * (high - low) / UNITS
                    cut = np.abs(trace[direction] - low) > 5 * (high - low)
                    gaps = np.isnan(values) & np.isnan(trace[direction])
                    assert (near | gaps | cut).all(), uid


def test_a_slider_has_the_values_that_a_browser_sends() -> None:
    values = SIGMA.values
    parameter = MODELS["ornstein_uhlenbeck"].parameters[2]
    assert (values[0], values[-1]) == (parameter.low, parameter.high)
    assert all(value == float(f"{value:.2f}") for value in values)


def test_frames_are_the_same_where_only_the_slider_differs() -> None:
    scenario = lab.Scenario(samples=50)
    board = board_of(scenario)
    key = board.key_without(SIGMA)
    other = scenario.replace(parameters={**scenario.parameters, "sigma": 2.5})
    assert board_of(other).key_without(SIGMA) == key
    for different in (
        board_of(scenario.replace(parameters={**scenario.parameters, "kappa": 2.5})),
        board_of(scenario.replace(seed=1)),
        board_of(scenario.replace(x0=2.0)),
        board_of(scenario.replace(scheme="heun")),
        replace(board, cursor=50),
        replace(board, hidden=True),
        replace(board, columns=("kappa",)),
        replace(board, figure=LESSONS["A kink and a jump"].figure),
        replace(board, theme=Theme(dark=True)),
        replace(board, pinned=scenario),
        replace(board, engine="compiled"),
    ):
        assert different.key_without(SIGMA) != key
    for kind, changed in {
        "horizon": scenario.replace(horizon=3.0),
        "steps": scenario.replace(steps=25),
        "samples": scenario.replace(samples=7),
    }.items():
        slider = Slider(kind, kind, (1.0, 2.0))
        assert board_of(changed).key_without(slider) == board.key_without(slider)
        assert board_of(changed).key_without(SIGMA) != key
    start = Slider.of_parameter("initial", scenario.model_spec.initial[0])
    moved = board_of(scenario.replace(x0=2.0))
    assert moved.key_without(start) == board.key_without(start)
    cursor = Slider("cursor", "cursor", tuple(range(101)))
    assert replace(board, cursor=3).key_without(cursor) == board.key_without(cursor)


def test_what_the_scenario_refuses_is_an_empty_frame_and_much_is_drawn_with_fewer_samples() -> None:
    board = board_of(lab.Scenario(samples=50))
    assert draw_frames(board, Slider("steps", "steps", (0.0,)), [0.0]) == [b""]
    many = Slider("samples", "samples", (100_000.0,))
    (frame,) = draw_frames(board, many, [100_000.0])
    assert decode(frame)[0]["approximate"]


def test_a_frame_that_cannot_be_drawn_is_empty_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(view: BoardView) -> None:
        raise ValueError("no such figure")

    monkeypatch.setattr(slider_frames, "paths_figure", broken)
    assert draw_frames(board_of(lab.Scenario(samples=5, steps=5)), SIGMA, [1.0]) == [b""]
    assert "left out: frame" in caplog.text


def test_a_phase_portrait_has_its_own_frames() -> None:
    scenario = lab.Scenario("lotka_volterra", samples=50, steps=20)
    alpha = Slider.of_parameter("parameter", scenario.model_spec.parameters[0])
    board = board_of(scenario, shown=PHASE_PORTRAIT, columns=("alpha",))
    header, _ = decode(draw_frames(board, alpha, [1.0])[0])
    dots = [trace for trace in header["charts"]["paths"]["traces"] if trace.get("markers")]
    assert len(dots) == 3
    assert len(header["readout"]) == 3  # mean, standard deviation, one sensitivity


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("title", [title for title, lesson in LESSONS.items() if lesson.figure])
def test_a_lessons_own_figure_moves_as_it_is_drawn_on_the_page(title: str, hidden: bool) -> None:
    lesson = LESSONS[title]
    assert lesson.figure is not None
    scenario = lesson.scenario.replace(samples=40, steps=20)
    board = board_of(scenario, figure=lesson.figure, hidden=hidden, columns=lesson.columns)
    slider = Slider.of_parameter("parameter", scenario.model_spec.parameters[-1])
    value = slider.values[board.stop(slider) + 3]
    header, arrays = decode(draw_frames(board, slider, [value])[0])
    chart = header["charts"]["sensitivities"]
    study = lesson.figure.study(board.moved(slider, value).scenario)
    figure = lesson.figure.draw(study, hidden, Theme())
    assert chart["notes"] == [note["text"] for note in figure["layout"].get("annotations", [])]
    for axis, text in chart["titles"].items():
        assert text == figure["layout"][f"{axis[0]}axis{axis[1:]}"]["title"]["text"]
    for mark, shape in zip(chart["marks"], figure["layout"].get("shapes", []), strict=True):
        assert mark[0] == shape["xref"]
        assert {*mark[1:]} == {shape["x0"], shape["x1"]}
    for trace, drawn in zip(chart["traces"], figure["data"], strict=True):
        assert trace["uid"] == drawn["uid"]
        if drawn["type"] == "bar":  # polygons: left, left, right, right, gap
            corners = np.reshape(values(arrays, trace, chart, "y"), (-1, 5))
            assert np.isnan(corners[:, 4]).all()
            np.testing.assert_allclose(corners[:, 1], drawn["y"], rtol=1e-3)
            np.testing.assert_allclose(corners[:, [0, 3]], 0.0, atol=1e-2)
            across = np.reshape(values(arrays, trace, chart, "x"), (-1, 5))
            np.testing.assert_allclose(across[:, 1:3].mean(axis=1), drawn["x"], atol=1e-3)
            continue
        shown = np.nan_to_num(values(arrays, trace, chart, "y"))
        low, high = chart["axes"][trace["axes"][1]]
        near = abs(shown - np.nan_to_num(drawn["y"])) <= 0.51 * (high - low) / UNITS
        assert (near | (abs(drawn["y"] - low) > 5 * (high - low))).all()
        if "error_y" in drawn:
            ends = [on_axis(arrays[i], [low, high]) for i in trace["ends"]]
            np.testing.assert_allclose(
                ends[1] - ends[0], 2 * drawn["error_y"]["array"], atol=1.1 * (high - low) / UNITS
            )
    # The time cursor does not move it.
    cursor = Slider("cursor", "cursor", tuple(range(101)))
    header, _ = decode(draw_frames(board, cursor, [50])[0])
    assert set(header["charts"]) == {"paths"}
    assert header["time"] == f"t = {scenario.horizon / 2:.4g}"


def test_an_axis_without_length_is_drawn_as_plotly_draws_it() -> None:
    """Without noise all paths end in one point, and the strikes are there."""
    board = board_of(lab.Scenario(samples=5, steps=5), figure=LESSONS["A kink and a jump"].figure)
    header, arrays = decode(draw_frames(board, SIGMA, [0.0])[0])
    chart = header["charts"]["sensitivities"]
    assert chart["axes"]["x"] == [-1.0, 1.0]
    paths = next(trace for trace in chart["traces"] if trace["uid"] == "kink-path")
    np.testing.assert_allclose(values(arrays, paths, chart, "x"), 0.0, atol=1e-3)


def values(
    arrays: list[np.ndarray], trace: dict[str, Any], chart: dict[str, Any], direction: str
) -> np.ndarray:
    """The coordinates of a trace of a frame."""
    return on_axis(arrays[trace[direction]], chart["axes"][trace["axes"]["xy".index(direction)]])


def on_axis(numbers: np.ndarray, ends: list[float]) -> np.ndarray:
    """Coordinates on an axis with these ends; NaN where a frame has a gap."""
    low, high = ends
    return np.where(numbers == GAP, np.nan, low + numbers * (high - low) / UNITS)


def test_the_numbers_of_the_equation_are_in_the_frame_as_they_stand_on_the_page() -> None:
    """In the order of the equation, not of the parameters; a dash is what text has for a minus."""
    scenario = lab.Scenario(samples=5, steps=5, parameters={"kappa": 2, "theta": 0, "sigma": 1})
    theta = Slider.of_parameter("parameter", scenario.model_spec.parameters[1])
    header, _ = decode(draw_frames(board_of(scenario), theta, [-1.5])[0])
    assert header["equation"] == ["2", "(–1.5)", "1"]
    assert header["time"] == "t = 1"


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_stands_among_the_numbers_of_the_equation(model: str) -> None:
    scenario = lab.Scenario(model)
    found = equation_numbers(scenario, Theme())
    shown = {f"{value:g}".replace("-", "–") for value in scenario.parameters.values()}
    assert {number.strip("()") for number in found} == shown
    live = live_equation(scenario, Theme())[1]
    assert live.count(r"\textrm") == len(found)


class Drawing:
    """Stands in for the interactive process: counts, and waits until it may go on."""

    def __init__(self, *, open_at_once: bool = True) -> None:
        self.calls: list[list[float]] = []
        self.may_go_on = threading.Event()
        if open_at_once:
            self.may_go_on.set()

    def __call__(self, function: Callable[..., Any], *args: Any) -> list[bytes]:
        assert function is draw_frames
        _, _, values = args
        self.calls.append(list(values))
        assert self.may_go_on.wait(20)
        return [b"x" * 1000 for _ in values[:3]]


def test_frames_are_drawn_once_for_all_and_the_rest_can_be_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawing = Drawing()
    monkeypatch.setattr(slider_frames, "run_interactive", drawing)
    cache, board = FrameCache(10**6), board_of(lab.Scenario())
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: cache.get(board, SIGMA, [4, 5, 6])[1], range(8)))
    assert all(list(frames) == [4, 5, 6] for frames in found)
    assert len(drawing.calls) == 1
    _, frames = cache.get(board, SIGMA, [4, 7, 8, 9, 10])
    assert list(frames) == [4, 7, 8, 9]  # one call draws three here
    assert list(cache.get(board, SIGMA, [10])[1]) == [10]


def test_the_cache_is_bounded_and_the_slider_used_last_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawing = Drawing()
    monkeypatch.setattr(slider_frames, "run_interactive", drawing)
    cache = FrameCache(7000)
    boards = [board_of(lab.Scenario(seed=seed)) for seed in range(5)]
    for board in boards:
        cache.get(board, SIGMA, [0, 1, 2])
    assert cache._bytes <= 7000
    assert cache._bytes == sum(
        len(frame) for entry in cache._entries.values() for frame in entry.frames.values()
    )
    done = len(drawing.calls)
    cache.get(boards[-1], SIGMA, [0, 1, 2])
    assert len(drawing.calls) == done
    cache.get(boards[0], SIGMA, [0, 1, 2])
    assert len(drawing.calls) == done + 1


def test_too_many_at_once_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = Drawing(open_at_once=False)
    monkeypatch.setattr(slider_frames, "run_interactive", drawing)
    cache = FrameCache(10**6)

    def ask(seed: int) -> bool:
        try:
            cache.get(board_of(lab.Scenario(seed=seed)), SIGMA, [0])
        except BusyError:
            drawing.may_go_on.set()
            return False
        return True

    with ThreadPoolExecutor(MAX_WAITING + 1) as pool:
        answers = list(pool.map(ask, range(MAX_WAITING + 1)))
    assert answers.count(False) == 1


def test_only_what_a_page_has_registered_is_drawn() -> None:
    board = board_of(lab.Scenario(samples=20, steps=25))
    token = register_board(board, [SIGMA])
    assert token == register_board(board, [SIGMA])
    key, frames = find_frames(token, 0, [3, 10**6, 4])
    assert key == board.key_without(SIGMA)
    assert set(frames) <= {3, 4}
    assert 3 in frames
    for unknown, place in (("0" * 32, 0), (token, 1), ("", 0)):
        with pytest.raises(UnknownBoardError):
            find_frames(unknown, place, [0])


ADDRESSES = {
    "frames/abc/0?stops=1": 404,
    "frames/abc/0": 400,
    "frames/abc/0?stops=": 400,
    "frames/abc/0?stops=-1": 400,
    "frames/abc/0?stops=1e3": 400,
    "frames/abc/0?stops=" + ",".join(map(str, range(17))): 400,
    "frames/abc/0?stops=99999": 400,
    "frames/abc/99999999999999999999?stops=1": 404,
    "frames/%2e%2e%2f%2e%2e/0?stops=1": 400,  # by Streamlit's own guard of paths
    "frames/..%5cwindows/0?stops=1": 400,
}


def status(address: str) -> int:
    """How a server answers."""
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_route_refuses_what_is_no_token_or_index(server: str) -> None:
    assert {address: status(f"{server}/{address}") for address in ADDRESSES} == ADDRESSES


def test_the_route_lies_below_the_base_path(serve: Callable[..., str]) -> None:
    server = serve(ROOT / "app.py", STREAMLIT_SERVER_BASE_URL_PATH="class/lab")
    assert status(f"{server}/class/lab/frames/abc/0?stops=x") == 400
    assert status(f"{server}/class/lab/frames/abc/0?stops=1") == 404
