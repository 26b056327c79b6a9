"""A class at work on one server: most move once a second, some ask for much, some look on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.load.browser import Answer, opened
from tests.load.person import Dragger, Kind, Person

PATIENCE = 120.0
"""Seconds after which a page counts as hung."""
AT_ONCE = 10
"""Tabs that open at the same moment."""


@dataclass
class Log:
    """What happened to one reader.

    Attributes:
        taken: seconds from the moment a move was due to the whole picture of it, or of a newer one.
        pictures: how many came.
        touches: seconds from each touch of a slider to its first frames.
        errors: what went wrong.
    """

    taken: list[float] = field(default_factory=list)
    pictures: int = 0
    touches: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def take(self, answer: Answer, due: Sequence[float]) -> None:
        """Note the answer to the moves that were due at these times."""
        now = time.monotonic()
        self.taken += [now - moment for moment in due]
        self.pictures += 1
        self.errors += answer.errors


class Lesson:
    """Readers of one server.

    Args:
        address: of the server.
        moving: how many move once every ``period`` seconds.
        gluttons: those who ask for much meanwhile, by their kind.
        idle: how many look on.
        period: seconds between two moves of one reader.
        drag: whether those who move drag their sliders.
    """

    def __init__(
        self,
        address: str,
        moving: int,
        gluttons: Sequence[Kind] = (),
        idle: int = 0,
        period: float = 1.0,
        drag: bool = False,
    ) -> None:
        self.address = address
        self.kinds: list[Kind] = [Dragger if drag else Person] * moving + [*gluttons]
        self.idle = idle
        self.period = period
        self.movers = [Log() for _ in range(moving)]
        self.gluttons = [Log() for _ in gluttons]
        self._readers: list[Person] = []
        self._idle: list[Person] = []

    async def begin(self) -> None:
        """Everyone opens the page."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def enter(number: int, kind: Kind) -> Person:
            async with gate:
                tab, answer = await opened(self.address, kind.query, kind.path)
            if answer.errors:
                raise RuntimeError(f"the page does not open: {answer.errors}")
            return kind(tab, number)

        kinds = [*self.kinds, *[Person] * self.idle]
        people = await asyncio.gather(*(enter(i, kind) for i, kind in enumerate(kinds)))
        self._readers, self._idle = people[: len(self.kinds)], people[len(self.kinds) :]

    async def hold(self, seconds: float) -> None:
        """Everyone does what they do for so long."""
        start = time.monotonic()
        logs = [*self.movers, *self.gluttons]
        await asyncio.gather(
            *(
                self._follow(person, log, start + i / len(logs) * self.period, start + seconds)
                for i, (person, log) in enumerate(zip(self._readers, logs, strict=True))
            )
        )

    async def end(self) -> None:
        """Everyone closes the tab."""
        for person in (*self._readers, *self._idle):
            await person.tab.socket.close()

    async def _follow(self, person: Person, log: Log, due: float, until: float) -> None:
        """Make one move each period, or as soon as the last is answered."""
        try:
            if person.patient:
                await self._patiently(person, log, due, until)
            else:
                await self._steadily(person, log, due, until)
        except Exception as error:  # noqa: BLE001
            log.errors.append(repr(error))
        log.touches = person.touches

    async def _patiently(self, person: Person, log: Log, due: float, until: float) -> None:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        while (began := time.monotonic()) < until:
            async with asyncio.timeout(PATIENCE):
                await person.act()
                answer = await person.tab.settled()
            log.take(answer, [began])

    async def _steadily(self, person: Person, log: Log, due: float, until: float) -> None:
        """Move each period whether the last move is answered or not: a hand does not wait."""
        asked: list[tuple[float, float]] = []
        """When each move that is not answered yet was sent, and when it was due."""

        async def receive() -> None:
            while True:
                answer = await person.tab.settled()
                shown = [d for sent, d in asked if sent < answer.began]
                asked[:] = [move for move in asked if move[0] >= answer.began]
                person.turning = person.turning and not shown
                log.take(answer, shown)

        receiving = asyncio.create_task(receive())
        try:
            while due < until:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if receiving.done():
                    break
                if not person.turning:
                    dragged = time.monotonic()
                    await person.act()
                    asked.append((time.monotonic(), due + time.monotonic() - dragged))
                due += self.period
            async with asyncio.timeout(PATIENCE):
                while asked and not receiving.done():
                    await asyncio.sleep(0.01)
        finally:
            if receiving.done():
                receiving.result()
            receiving.cancel()
