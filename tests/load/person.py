"""What people do with the page: nudge a slider; sometimes another page, or new noise."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.load.browser import Answer, Tab

PAGE, NOISE = 0.05, 0.05
"""Shares of moves that open another page and that ask for new noise; the others move a slider."""
HEAVY = {"Steps": "1600", "Samples": "100\u202f000", "Scheme": "Euler"}


class Person:
    """One reader with a mind of their own, the same in every run.

    Args:
        tab: what they look at.
        number: which of them this is.
    """

    def __init__(self, tab: Tab, number: int) -> None:
        self.tab = tab
        self.dice = random.Random(number)

    async def act(self) -> Answer:
        """One move, and the page's answer to it."""
        draw = self.dice.random()
        if draw < PAGE and len(self.tab.pages) > 1:
            return await self.turn_page()
        if draw < PAGE + NOISE and (button := self._button("New noise")):
            self.tab.set(button.id, trigger_value=True)
        else:
            self.nudge()
        return await self.tab.move()

    async def turn_page(self) -> Answer:
        """Open another page."""
        others = [page for page in self.tab.pages.values() if page != self.tab.page]
        await self.tab.ask(self.dice.choice(others))
        return await self.tab.settled()

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


class Glutton(Person):
    """Asks for 100 000 samples of 1600 steps, and once they are there, for others."""

    async def act(self) -> Answer:
        for label, value in HEAVY.items():
            widget = self.tab.named(label)
            chosen = next(option for option in widget.options if option.startswith(value))
            kind = "string_value" if type(widget).__name__ == "Selectbox" else "string_array_value"
            self.tab.set(widget.id, **{kind: chosen if kind == "string_value" else [chosen]})
        self.tab.set(self.tab.named("Seed").id, double_value=float(self.dice.randrange(10**6)))
        return await self.tab.move()


Kind = Callable[[Tab, int], Person]
