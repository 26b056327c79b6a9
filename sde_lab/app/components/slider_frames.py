"""While a slider is dragged, the charts follow: frames of their curves, drawn in the browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from sde_lab.app.components.answer_toggle import answer_hidden
from sde_lab.app.state.current_scenario import current_engine
from sde_lab.app.state.options import SAMPLES, STEPS, horizons
from sde_lab.app.state.widget_keys import horizon_key, parameter_key
from sde_lab.figures.board import BoardView, LessonFigure
from sde_lab.models.base import Model, Parameter
from sde_lab.server.slider_frames import Board, Slider, register_board

_HERE = Path(__file__).parent
_mount = st.components.v2.component(
    "sde_lab_slider_frames",
    js=(_HERE / "slider_frames.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


TIME = Slider("cursor", "cursor", tuple(range(101)))
"""The slider that picks a time, in per cent of the horizon."""
FrameColumns = dict[str, list[Any]]
"""What a chart shows at each value of a slider: ``frame``, the name of a frame of its figure; ``x``
and ``y``, where the mark of the current value stands, None where there is none."""


def draw_slider_frames(view: BoardView, cursor: int, figure: LessonFigure | None) -> None:
    """Let the browser ask for frames of this board, once a hand is on a slider.

    Args:
        view: what is shown.
        cursor: the time cursor, in per cent of the horizon.
        figure: a lesson's own, shown in place of the sensitivities.
    """
    sliders = [*_sliders(view.model), ("cursor", TIME, 0.0, 1.0)]
    board = Board(
        view.summary.scenario,
        current_engine(),
        view.shown,
        cursor,
        answer_hidden(),
        None if view.columns is None else tuple(view.columns),
        figure,
        view.theme,
        view.pinned.scenario if view.pinned else None,
    )
    _mount(
        key="slider_frames",
        data={
            "token": register_board(board, [slider for _, slider, _, _ in sliders]),
            "sliders": [
                _described(key, slider, low, step, board.stop(slider))
                for key, slider, low, step in sliders
            ],
        },
        height="content",
    )


def draw_known_frames(
    model: Model,
    time_key: str,
    values: Mapping[str, float],
    frames_at: Callable[[str, float], Mapping[str, Mapping[str, Any]]],
    time_label: Callable[[float], str] | None = None,
) -> None:
    """Let charts whose figures hold their frames follow a slider; the server is not asked.

    Args:
        model: whose sliders the sidebar shows.
        time_key: widget key of the slider that picks a time, called ``cursor`` here.
        values: name of a slider that moves the charts → its value.
        frames_at: name of such a slider, a value of it → key of a chart → what that shows then, as
            in :data:`FrameColumns`.
        time_label: share of the horizon → the text above the slider that picks a time.
    """
    described = []
    for key, slider, low, step in [*_sliders(model), (time_key, TIME, 0.0, 1.0)]:
        frames: dict[str, FrameColumns] = {}
        moves = slider.name in values
        for value in slider.values if moves else ():
            for chart, shown in frames_at(slider.name, value).items():
                for column, entry in shown.items():
                    frames.setdefault(chart, {}).setdefault(column, []).append(entry)
        stop = slider.stop(values[slider.name]) if moves else 0
        times = [] if time_label is None else [time_label(v / 100) for v in TIME.values]
        more = {"frames": frames or None, "times": times if slider is TIME else []}
        described.append({**_described(key, slider, low, step, stop), **more})
    _mount(key="slider_frames", data={"token": "", "sliders": described}, height="content")


def _described(key: str, slider: Slider, low: float, step: float, stop: int) -> dict[str, Any]:
    """Return what the browser needs to know of a slider."""
    return {
        "class": _css_class(key),
        "low": low,
        "step": step,
        "count": len(slider.values),
        "value": low + step * stop,
    }


def _sliders(model: Model) -> list[tuple[str, Slider, float, float]]:
    """Return the sliders of the sidebar: widget key, slider, and its first value and step.

    A browser counts the options of a ``select_slider`` from 0 in steps of 1.
    """

    def numbers(kind: str, parameters: Sequence[Parameter]) -> list[Any]:
        return [
            (parameter_key(model, p), Slider.of_parameter(kind, p), p.low, p.step)
            for p in parameters
        ]

    def options(key: str, kind: str, values: Sequence[float]) -> tuple[str, Slider, float, float]:
        return key, Slider(kind, kind, tuple(values)), 0.0, 1.0

    return [
        *numbers("parameter", model.parameters),
        *numbers("initial", model.initial),
        options(horizon_key(model), "horizon", horizons(model)),
        options("steps", "steps", STEPS),
        options("samples", "samples", SAMPLES),
    ]


def _css_class(key: str) -> str:
    """Return the class that Streamlit gives to the element of a widget with this key."""
    return "st-key-" + re.sub(r"[^a-zA-Z0-9_-]", "-", key.strip())
