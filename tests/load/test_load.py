"""Readers without a browser, whom the load generator sends, see what a browser sees."""

from __future__ import annotations

from sde_lab.studies.benchmark.registry import METHODS
from tests.load.__main__ import percentile
from tests.load.browser import Answer, opened
from tests.load.lesson import Lesson, Log
from tests.load.person import Racer, Sweeper
from tests.support.server import alongside


def test_a_tab_moves_a_slider_and_sees_other_charts(server: str) -> None:
    async def visit() -> None:
        tab, first = await opened(server)
        assert not first.errors
        assert len(first.charts) == 2
        again = await tab.move()
        assert again.charts == first.charts
        tab.set(tab.named("κ").id, double_array_value=[2.5])
        moved = await tab.move()
        assert not moved.errors
        assert moved.charts != first.charts
        await tab.socket.close()

    alongside(visit())


def test_a_tab_takes_over_what_the_script_sets(server: str) -> None:
    """A new seed is another seed in the number field, and the next move keeps it."""

    async def visit() -> None:
        tab, first = await opened(server)
        seed = tab.named("Seed").id
        assert tab.values[seed].double_value == 0.0
        tab.set(tab.named("New seed").id, trigger_value=True)
        noisy = await tab.move()
        assert tab.values[seed].double_value != 0.0
        assert noisy.charts != first.charts
        assert (await tab.move()).charts == noisy.charts
        await tab.socket.close()

    alongside(visit())


def test_the_address_bar_is_heard(server: str) -> None:
    async def visit() -> list[float]:
        tab, _ = await opened(server, "ornstein_uhlenbeck.kappa=3.5&cursor=50")
        await tab.socket.close()
        return [tab.values[tab.named(name).id].double_array_value.data[0] for name in ("κ", "Time")]

    assert alongside(visit()) == [3.5, 50.0]


def test_a_class_moves_and_nobody_is_left_out(server: str) -> None:
    async def hold() -> Lesson:
        lesson = Lesson(server, moving=4, idle=1, period=0.5)
        await lesson.begin()
        await lesson.hold(2.0)
        await lesson.end()
        return lesson

    lesson = alongside(hold())
    assert [log.errors for log in lesson.movers] == [[]] * 4
    assert all(2 <= len(log.taken) <= 4 for log in lesson.movers)  # no move while a page turns
    assert all(log.pictures >= 1 for log in lesson.movers)
    assert all(t > 0 for log in lesson.movers for t in log.taken)


def test_those_who_ask_for_much_do(server: str) -> None:
    async def visit() -> tuple[Answer, Answer]:
        tab, first = await opened(server, Sweeper.query, Sweeper.path)
        await Sweeper(tab, 0).act()
        swept = await tab.settled()
        await tab.socket.close()
        small = f"{Racer.query}&samples=10&steps=25"
        tab, _ = await opened(server, small, Racer.path)
        await Racer(tab, 0).act()
        raced = await tab.settled()
        await tab.socket.close()
        assert first.charts != swept.charts
        return swept, raced

    swept, raced = alongside(visit())
    assert not swept.errors + raced.errors
    assert any("heatmap" in chart for chart in swept.charts)
    assert all(way.title in raced.charts[0] for way in METHODS.values())


def test_percentiles_are_values_that_occurred() -> None:
    log = Log(taken=[float(i) for i in range(1, 101)])
    assert percentile(log.taken, 95) == 96.0
    assert percentile(log.taken, 0) == 1.0
    assert percentile([7.0], 95) == 7.0
