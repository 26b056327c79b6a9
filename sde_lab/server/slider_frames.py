"""Frames of a slider: what a board shows at each of its values, while it is dragged.

A page registers what it shows, which costs a dictionary entry, and gets a token. Nothing is
computed before a browser asks for frames under that token (:mod:`sde_lab.server.frame_route`). Then
they are drawn in the interactive process, a few at a time, and kept for all who move the same
slider of the same scenario.
"""

from __future__ import annotations

import functools
import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields

from sde_lab.errors import ScenarioError
from sde_lab.figures.board import (
    BoardView,
    LessonFigure,
    known_exact_laws,
    known_stationary_density,
    paths_figure,
    readout_rows,
    sensitivity_figure,
    time_label,
)
from sde_lab.figures.frames import FrameTexts, encode_frame
from sde_lab.figures.live_equation import equation_numbers
from sde_lab.figures.theme import Theme
from sde_lab.models.base import Parameter
from sde_lab.scenario import Scenario
from sde_lab.server.fair_queue import FairQueue
from sde_lab.server.interactive import run_interactive
from sde_lab.server.result_cache import LRUCache
from sde_lab.server.scheduling import is_slow, limit_to_interactive
from sde_lab.server.singleton import process_singleton
from sde_lab.summaries.chunked_run import check_memory, simulate_summary
from sde_lab.summaries.summary import Summary
from sde_lab.theory.optional_facts import fact_or_none

PATHS, SENSITIVITIES = "paths", "sensitivities"
"""Keys of the charts of a board, on the page and in a frame."""
CACHE_BYTES = 64_000_000
"""Frames that are kept for all sessions; one is about ten kilobytes."""
BOARDS = 4096
"""Boards that are registered at once, for all sessions; one is about two kilobytes."""
CALL_SECONDS = 0.03
"""Time after which a call to the interactive process draws no further frame: a moved slider, which
waits there too, waits no longer than this and one frame."""
MAX_STOPS = 16
"""Frames that one request may ask for."""
MAX_WAITING = 64
"""Requests that may wait at once; beyond, the server says that it is busy."""


class UnknownBoardError(LookupError):
    """There is no board of this token, or it has no such slider."""


class BusyError(RuntimeError):
    """Too many requests are waiting."""


@dataclass(frozen=True)
class Slider:
    """A slider, and the values that it can be moved to.

    Attributes:
        kind: what it sets: "parameter", "initial", "horizon", "steps", "samples" or "cursor".
        name: of the parameter or initial value; else as the kind.
        values: from its left end to its right one.
    """

    kind: str
    name: str
    values: tuple[float, ...]

    @classmethod
    def of_parameter(cls, kind: str, parameter: Parameter) -> Slider:
        """Return the slider of a parameter or initial value."""
        low, step = parameter.low, parameter.step
        count = math.floor((parameter.high - low) / step + 1e-9) + 1
        # A browser rounds the values of a slider to the digits of its step.
        return cls(kind, parameter.name, tuple(round(low + i * step, 10) for i in range(count)))

    def stop(self, value: float) -> int:
        """Return the index of the value that is nearest to this one."""
        return min(range(len(self.values)), key=lambda i: abs(self.values[i] - value))


@dataclass(frozen=True)
class Board:
    """What a page shows: everything that its two charts and its readout depend on.

    Attributes:
        scenario: the scenario.
        engine: as :func:`sde_lab.simulate_summary` takes it.
        shown: a state component, or the phase portrait.
        cursor: the time cursor, in per cent of the horizon.
        hidden: whether exact distributions are hidden.
        columns: names of the sensitivities on show; None for all.
        figure: a lesson's own, shown in place of the sensitivities.
        theme: colours and sizes.
        pinned: the pinned scenario, drawn in grey; None without one.
    """

    scenario: Scenario
    engine: str | None
    shown: str
    cursor: int
    hidden: bool
    columns: tuple[str, ...] | None
    figure: LessonFigure | None
    theme: Theme
    pinned: Scenario | None = None

    def moved(self, slider: Slider, value: float) -> Board:
        """Return the board with the slider at this value.

        Raises:
            ScenarioError: if the scenario takes no such value.
        """
        changes = {f.name: getattr(self, f.name) for f in fields(self)}
        if slider.kind == "cursor":
            return Board(**{**changes, "cursor": int(value)})
        return Board(**{**changes, "scenario": _moved_scenario(self.scenario, slider, value)})

    def stop(self, slider: Slider) -> int:
        """Return the index of the slider's value that is nearest to what the board shows."""
        if slider.kind == "cursor":
            value = float(self.cursor)
        elif slider.kind == "parameter":
            value = self.scenario.parameters[slider.name]
        elif slider.kind == "initial":
            value = self.scenario.initial[_initial_index(self.scenario, slider)]
        else:
            value = float(getattr(self.scenario, slider.kind))
        return slider.stop(value)

    def key_without(self, slider: Slider) -> str:
        """Return a digest of all that the frames of a slider depend on: not of its own value."""
        scenario = {f.name: getattr(self.scenario, f.name) for f in fields(self.scenario)}
        board = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "scenario"}
        if slider.kind == "parameter":
            values = scenario["parameters"]
            scenario["parameters"] = {n: v for n, v in values.items() if n != slider.name}
        elif slider.kind == "initial":
            index = _initial_index(self.scenario, slider)
            scenario["x0"] = [v for i, v in enumerate(self.scenario.initial) if i != index]
        elif slider.kind == "cursor":
            del board["cursor"]
        else:
            del scenario[slider.kind]
        return _digest(scenario, board, slider)


def _moved_scenario(scenario: Scenario, slider: Slider, value: float) -> Scenario:
    if slider.kind == "parameter":
        return scenario.replace(parameters={**scenario.parameters, slider.name: value})
    if slider.kind == "initial":
        initial = list(scenario.initial)
        initial[_initial_index(scenario, slider)] = value
        return scenario.replace(x0=initial)
    if slider.kind == "horizon":
        return scenario.replace(horizon=value)
    if slider.kind == "steps":
        return scenario.replace(steps=int(value))
    return scenario.replace(samples=int(value))


def _initial_index(scenario: Scenario, slider: Slider) -> int:
    return [start.name for start in scenario.model_spec.initial].index(slider.name)


def _digest(*parts: object) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def register_board(board: Board, sliders: Sequence[Slider]) -> str:
    """Keep a board, so that frames of its sliders can be asked for.

    Args:
        board: what a page shows.
        sliders: those that can be dragged.

    Returns:
        The token; equal boards have the same.
    """
    token = _digest(board, sliders)
    if _boards().get(token) is None:
        _boards().put(token, (board, tuple(sliders)))
    return token


@process_singleton
def _boards() -> LRUCache[str, tuple[Board, tuple[Slider, ...]]]:
    return LRUCache(BOARDS)


def find_frames(token: str, place: int, stops: Sequence[int]) -> tuple[str, dict[int, bytes]]:
    """Return frames of a slider, in the order of the stops, as many as are drawn in one call.

    Args:
        token: of a registered board.
        place: of one of its sliders, as they were registered.
        stops: indices of values of the slider, the most urgent first.

    Returns:
        A key that is the same wherever the frames are the same, and stop → frame. What is left out
        can be asked for again; an empty frame says that there is none.

    Raises:
        UnknownBoardError: if there is no such board or slider.
        BusyError: if too many wait already.
    """
    board, sliders = _boards().get(token) or (None, ())
    if board is None or place >= len(sliders):
        raise UnknownBoardError(token)
    slider = sliders[place]
    valid = [stop for stop in stops[:MAX_STOPS] if 0 <= stop < len(slider.values)]
    return _frame_cache().get(board, slider, valid)


@dataclass
class _SliderFrames:
    """Frames of one slider; the lock lets one thread draw, for all who ask for the same."""

    frames: dict[int, bytes] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class FrameCache:
    """Frames by what they depend on, of bounded size; drawn where they are missing.

    Args:
        limit_bytes: what all frames together may take; the least recently used slider's go first.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _SliderFrames] = OrderedDict()
        self._bytes = 0
        self._waiting = 0
        # One call at a time beside those of moved sliders, which then wait for one at most.
        self._queue = FairQueue(slots=1)

    def get(
        self, board: Board, slider: Slider, stops: Sequence[int]
    ) -> tuple[str, dict[int, bytes]]:
        """See :func:`find_frames`."""
        key = board.key_without(slider)
        with self._lock:
            entry = self._entries.setdefault(key, _SliderFrames())
            self._entries.move_to_end(key)
        if any(stop not in entry.frames for stop in stops):
            with self._admitted(), entry.lock:
                missing = [stop for stop in stops if stop not in entry.frames]
                if missing:
                    self._keep(key, entry, self._draw(board, slider, missing))
        return key, {stop: entry.frames[stop] for stop in stops if stop in entry.frames}

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        with self._lock:
            if self._waiting >= MAX_WAITING:
                raise BusyError
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def _draw(self, board: Board, slider: Slider, stops: Sequence[int]) -> dict[int, bytes]:
        values = [slider.values[stop] for stop in stops]
        with self._queue.slot():
            return dict(
                zip(stops, run_interactive(draw_frames, board, slider, values), strict=False)
            )

    def _keep(self, key: str, entry: _SliderFrames, frames: dict[int, bytes]) -> None:
        with self._lock:
            entry.frames.update(frames)
            if self._entries.get(key) is not entry:  # dropped while its frames were drawn
                return
            self._bytes += sum(map(len, frames.values()))
            while self._bytes > self._limit_bytes and len(self._entries) > 1:
                _, oldest = self._entries.popitem(last=False)
                self._bytes -= sum(map(len, oldest.frames.values()))


@process_singleton
def _frame_cache() -> FrameCache:
    return FrameCache(CACHE_BYTES)


def draw_frames(board: Board, slider: Slider, values: Sequence[float]) -> list[bytes]:
    """Draw frames for the first of these values, as many as take ``CALL_SECONDS``, at least one.

    Args:
        board: what is shown.
        slider: what is moved.
        values: of the slider.

    Returns:
        Frames (:mod:`sde_lab.figures.frames`); an empty one where the scenario is refused, or one
        sample alone takes long.
    """
    until = time.monotonic() + CALL_SECONDS
    frames: list[bytes] = []
    for value in values:
        frames.append(_draw_frame(board, slider, value))
        if time.monotonic() > until:
            break
    return frames


def _draw_frame(board: Board, slider: Slider, value: float) -> bytes:
    try:
        moved = board.moved(slider, value)
        check_memory(moved.scenario)
    except ScenarioError:
        return b""
    if is_slow(moved.scenario):
        return b""
    # What fails here fails on the page too, where it is said; the thumb passes over it.
    frame = fact_or_none(lambda: _encode(moved, slider), "frame", moved.scenario.model)
    return frame or b""


def _encode(board: Board, slider: Slider) -> bytes:
    simulated = limit_to_interactive(board.scenario)
    view = _view(board, _summary(simulated, board.engine))
    charts = {PATHS: paths_figure(view)[0]}
    if board.figure is None:
        charts[SENSITIVITIES] = sensitivity_figure(view)[0]
    elif slider.kind != "cursor":  # a lesson's own figure does not depend on it
        few = limit_to_interactive(board.scenario, board.figure.samples)
        charts[SENSITIVITIES] = board.figure.draw(board.figure.study(few), board.hidden, view.theme)
    texts = FrameTexts(
        readout_rows(view),
        time_label(view.summary, board.cursor / 100),
        equation_numbers(board.scenario, view.theme),
    )
    return encode_frame(charts, texts, approximate=simulated != board.scenario)


@functools.lru_cache(maxsize=4)
def _summary(scenario: Scenario, engine: str | None) -> Summary:
    """Return the summary; the frames of the time cursor share one, and all a pinned one."""
    return simulate_summary(scenario, engine)


def _view(board: Board, summary: Summary) -> BoardView:
    exact = None if board.hidden else known_exact_laws(summary.scenario)
    stationary = None
    if exact is None and not board.hidden:
        stationary = known_stationary_density(summary.scenario)
    cursor = summary.index_nearest(board.cursor / 100)
    pinned = None
    if board.pinned is not None:
        pinned = _summary(limit_to_interactive(board.pinned), None)
    return BoardView(
        summary, exact, stationary, board.shown, cursor, board.columns, board.theme, pinned
    )
