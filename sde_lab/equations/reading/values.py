"""Values, ranges, initial values and the interval of time."""

from __future__ import annotations

import difflib
import re

from sde_lab.equations.errors import EquationError, SourceLocation
from sde_lab.equations.reading.definitions import (
    Definitions,
    Setting,
    split_commas,
    unwrapped,
)
from sde_lab.equations.reading.scanner import Piece
from sde_lab.equations.reading.statements import (
    Part,
    top_level,
)

_STARTS = re.compile(r"(?:[xyuXYUzZ]_?0|x_?init|X_?init|y_?init|init|x_?start|initial)")


class Values(Definitions):
    """Read what gives a name a value."""

    def _time_interval(self, pieces: list[Piece]) -> bool:
        """Read 0 <= t <= T or t >= 0."""
        texts = [piece.text for piece in pieces]
        if "t" not in texts or not any(text in ("<", "<=", ">=", ">") for text in texts):
            return False
        if texts[:4] in (["0", "<=", "t", "<="], ["0", "<", "t", "<"], ["0", "<=", "t", "<"]):
            self._set_horizon(pieces[4:])
        return True

    def _set_horizon(self, pieces: list[Piece]) -> None:
        if len(pieces) == 1 and pieces[0].kind == "name":
            self._horizon_name = pieces[0].text
            return
        value = self._value(pieces)
        if value is not None:
            self.horizon = (value, pieces[0].location)

    def _range(self, name: Piece, pieces: list[Piece]) -> None:
        """Read name in [low, high]."""
        bounds = self._bounds(pieces)
        if name.text == "t":
            if bounds is not None and len(bounds) == 2:
                start = self._value(bounds[0])
                if start != 0.0:
                    raise self._error(name, "time starts at 0: t in [0, 10] works")
                self._set_horizon(bounds[1])
            return
        if bounds is None:
            return
        low, high = (self._value(bound) for bound in bounds)
        if low is None or high is None:
            return
        self.settings.append(Setting(name.text, None, low, high, name.location))

    def _bounds(self, pieces: list[Piece]) -> list[list[Piece]] | None:
        if len(pieces) < 4 or pieces[0].text not in "[(" or pieces[-1].text not in "])":
            return None
        bounds = split_commas(pieces[1:-1])
        return bounds if len(bounds) == 2 else None

    def _is_constant(self, part: Part) -> bool:
        place = top_level(
            part.right, lambda piece: piece.text in ("in", "∈") and piece.kind != "number"
        )
        right = part.right if place is None else part.right[:place]
        if place is not None:
            return True
        return bool(right) and self._value(right) is not None

    def _setting(self, part: Part, left: list[Piece]) -> None:
        """Enter a value, with its range if it has one."""
        right, low, high = self._value_and_range(part.right)
        name, location = left[0].text, left[0].location
        value = self._value(right)
        if name == "t" and value is None:
            self._range(left[0], right)
        elif name == "t":
            raise self._error(left[0], "time starts at 0: t in [0, 10] works")
        elif value is None:
            self._start_by_name(part, left)
        else:
            if low is not None and high is not None:
                self._check_range(location, value, low, high)
            self._enter(Setting(name, value, low, high, location), left)

    def _enter(self, setting: Setting, left: list[Piece]) -> None:
        """Enter a value as an initial velocity, an initial value, or that of a parameter."""
        if left[0].kind == "state":
            velocity = self._velocities.get(setting.name)
            if velocity:
                self.starts[velocity] = setting
        elif len(left) > 1:
            self._start(setting, left)
        else:
            self.settings.append(setting)

    def _value_and_range(
        self, right: list[Piece]
    ) -> tuple[list[Piece], float | None, float | None]:
        """Return the pieces of a value, and the range behind "in" if there is one."""
        place = top_level(right, lambda piece: piece.text in ("in", "∈") and piece.kind != "number")
        if place is None:
            return right, None, None
        bounds = self._bounds(right[place + 1 :])
        if bounds is None:
            at = right[place + 1] if place + 1 < len(right) else right[place]
            raise self._error(at, "a range [low, high] works")
        low, high = (self._required(bound) for bound in bounds)
        return right[:place], low, high

    def _check_range(self, location: SourceLocation, value: float, low: float, high: float) -> None:
        if not low < high:
            raise EquationError(location, "", f"the range [{low:g}, {high:g}] is empty")
        if not low <= value <= high:
            raise EquationError(location, "", f"{value:g} lies outside [{low:g}, {high:g}]")

    def _required(self, pieces: list[Piece]) -> float:
        value = self._value(pieces)
        if value is None:
            raise self._error(pieces[0], "a number works here")
        return value

    def _start(self, setting: Setting, left: list[Piece]) -> None:
        if [piece.text for piece in left[1:]] != ["(", "0", ")"]:
            raise self._error(left[1], f"{left[0].text}(0) is the initial value")
        if setting.name not in {item.state for item in self.increments}:
            hint = f"{setting.name} stands in no equation; an equation needs dt or dW"
            raise EquationError(setting.location, setting.name, hint)
        self.starts[setting.name] = setting

    def _start_by_name(self, part: Part, left: list[Piece]) -> None:
        """Leave out a start that is no number, such as X_0 = x; the slider gives it."""
        right = self._fold(part.right)
        if right and right[0].text in ("[", "("):
            values = [self._value(entry) for entry in split_commas(unwrapped(right))]
            if all(value is not None for value in values):
                self._vector_start = [value for value in values if value is not None]
                return
        if left[-1].text == ")" or self._is_start_name(left[0].text):
            self._leave_out(part)
            return
        self._value_error(part)

    def _value_error(self, part: Part) -> None:
        self._parse(self._fold(part.right))
        self._leave_out(part)

    def _is_start_name(self, name: str) -> bool:
        return any(name in (f"{s}0", f"{s}_0") for s in self._names.states)

    def _finish_starts(self) -> None:
        """Sort values into starts, the horizon and parameters; give vectors to the states."""
        states = [item.state for item in self.increments]
        by_start = {name: s for s in states for name in (f"{s}0", f"{s}_0", f"{s}_init")}
        kept: list[Setting] = []
        used = self._used_names()
        for setting in self.settings:
            name = setting.name
            if name in used:
                kept.append(setting)
            elif name in by_start:
                self.starts.setdefault(by_start[name], setting)
            elif name == self._horizon_name or name in (
                "T",
                "t_end",
                "tmax",
                "T_max",
                "tend",
                "t_max",
            ):
                if setting.value is not None and setting.value > 0:
                    self.horizon = self.horizon or (setting.value, setting.location)
            elif _STARTS.fullmatch(name) and len(states) == 1 and setting.value is not None:
                self.starts.setdefault(states[0], setting)
            else:
                self._unused(setting, used)
        self.settings = kept
        if len(self._vector_start) == len(states):
            for state, value in zip(states, self._vector_start, strict=True):
                place = SourceLocation(1, 1)
                self.starts.setdefault(state, Setting(state, value, None, None, place))

    def _unused(self, setting: Setting, used: set[str]) -> None:
        """Leave out a value that no equation uses; one that looks misspelt is refused."""
        name = setting.name
        similar = difflib.get_close_matches(name, sorted(used), 1, 0.75) if len(name) > 3 else []
        if similar:
            hint = f"{name} stands in no equation; did you mean {similar[0]}?"
            raise EquationError(setting.location, name, hint)
        shown = name if setting.value is None else f"{name} = {setting.value:g}"
        self._left_out.append(f"{shown}, which no equation uses")

    def _used_names(self) -> set[str]:
        used: set[str] = set()
        for item in self.increments:
            used |= item.drift.names
            for coefficient in item.noises.values():
                used |= coefficient.names
        for correlation in self.correlations:
            used |= correlation.value.names
        return used
