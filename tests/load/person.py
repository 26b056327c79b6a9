"""What people do with the page: nudge a slider; sometimes another page, or new noise."""

from __future__ import annotations

import asyncio
import random
import struct
import time
import urllib.request
from typing import Any, ClassVar

from tests.load.browser import Tab

PAGE, NOISE = 0.05, 0.05
"""Shares of moves that open another page and that ask for new noise; the others move a slider."""


class Person:
    """One reader with a mind of their own, the same in every run.

    Args:
        tab: what they look at.
        number: which of them this is.

    Attributes:
        touches: seconds from each touch of a slider to the first frames of it.
        turning: whether another page was asked for that is not there yet.
    """

    path: ClassVar[str] = ""
    """The page that they open."""
    query: ClassVar[str] = ""
    """What follows the question mark in its address."""
    patient: ClassVar[bool] = False
    """Whether they begin the next thing when the last is there, instead of every second."""

    def __init__(self, tab: Tab, number: int) -> None:
        self.touches: list[float] = []
        self.turning = False
        self.tab = tab
        self.dice = random.Random(number)

    async def act(self) -> None:
        """Make one move, whether the last one was answered or not, as a hand does."""
        draw = self.dice.random()
        if draw < PAGE and len(self.tab.pages) > 1:
            others = [page for page in self.tab.pages.values() if page != self.tab.page]
            self.turning = True
            await self.tab.ask(self.dice.choice(others))
            return
        if draw < PAGE + NOISE and (button := self._button("New seed")):
            self.tab.set(button.id, trigger_value=True)
        else:
            self.nudge()
        await self.tab.ask()

    def nudge(self) -> None:
        """Move one slider by some of its steps, to another value than it has."""
        slider = self.dice.choice(self._sliders())
        now = self.tab.values[slider.id].double_array_value.data[0]
        count = round((slider.max - slider.min) / slider.step)
        place = round((now - slider.min) / slider.step)
        stride = self.dice.choice([-1, 1]) * self.dice.randint(1, max(1, count // 10))
        there = (place + stride) % (count + 1)
        self.tab.set(slider.id, double_array_value=[slider.min + there * slider.step])

    def _sliders(self) -> list[Any]:
        """Sliders of numbers: every parameter, the initial state, the time cursor."""
        return [
            w
            for w in self.tab.widgets.values()
            if getattr(w, "step", 0) and hasattr(w, "options") and not w.options
        ]

    def _button(self, label: str) -> Any:
        return next((w for w in self.tab.widgets.values() if w.label == label), None)


class Dragger(Person):
    """Takes a slider, drags it for half a second while frames arrive, and lets go."""

    DRAG_SECONDS = 0.5
    COARSE = 16
    NEAR = 1

    async def act(self) -> None:
        began = time.monotonic()
        self.nudge()
        place = self._place()
        count = self.tab.board["sliders"][place]["count"]
        thumb = self.dice.randrange(count)
        stride = max(1, -(-(count - 1) // self.COARSE))
        near = [thumb + i for i in range(-self.NEAR, self.NEAR + 1) if 0 <= thumb + i < count]
        wanted = list(dict.fromkeys([thumb, *near, *range(0, count, stride)]))
        first = True
        while wanted and time.monotonic() < began + self.DRAG_SECONDS:
            stops = await asyncio.to_thread(self._frames, place, wanted[:8])
            if first:
                self.touches.append(time.monotonic() - began)
            first = False
            wanted = [stop for stop in wanted if stop not in stops]
        await asyncio.sleep(max(0.0, began + self.DRAG_SECONDS - time.monotonic()))
        await self.tab.ask()

    def _place(self) -> int:
        """One of the board's sliders, but for horizon, steps and samples."""
        return self.dice.randrange(len(self.tab.board["sliders"]) - 4)

    def _frames(self, place: int, stops: list[int]) -> list[int]:
        """Ask for frames as a browser does; the stops that came."""
        token = self.tab.board["token"]
        query = ",".join(map(str, stops))
        address = f"{self.tab.address}/frames/{token}/{place}?stops={query}"
        with urllib.request.urlopen(address, timeout=60) as answer:
            body = answer.read()
        came, at = [], 0
        while at < len(body):
            stop, size = struct.unpack_from("<II", body, at)
            came.append(stop)
            at += 8 + size
        return came


class Glutton(Person):
    """Asks for 100 000 samples of 1600 steps, and once they are there, for others."""

    patient = True

    async def act(self) -> None:
        for label, value in {"Steps": "1600", "Samples": "100\u202f000"}.items():
            self.tab.set(self.tab.named(label).id, string_array_value=[value])
        await self.afresh()

    async def afresh(self) -> None:
        """Ask for the same under other noise."""
        seed = float(self.dice.randrange(10**6))
        self.tab.set(self.tab.named("Seed").id, double_value=seed)
        await self.tab.ask()


class Racer(Glutton):
    """Races all ways to the gradient, and once they are through, under other noise."""

    path, query = "gradients", "part=The+race"

    async def act(self) -> None:
        await self.afresh()
        await self.tab.settled()
        self.tab.set(self.tab.named("Run benchmark").id, trigger_value=True)
        await self.tab.ask()


class Sweeper(Glutton):
    """Sweeps two parameters over 51 values each, and once done, under other noise."""

    path = "sweep"
    query = "ornstein_uhlenbeck.sweep.and=%CF%83++volatility&sweep.points=51"

    async def act(self) -> None:
        await self.afresh()


Kind = type[Person]
HEAVY: dict[str, Kind] = {"run": Glutton, "race": Racer, "sweep": Sweeper}
"""Those who ask for much, by what they ask for."""
