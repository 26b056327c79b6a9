"""Slider move → painted, in headless Chromium: the Explore page against an app with one line chart.

Painted means: every chart on the page holds other data than before the key was pressed, and two
frames have passed since.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.benchmarks.timing import markdown
from tests.support.browser import SWITCHES, find_chromium
from tests.support.server import ROOT, start_server, stop_server

WARM_UP, ROUNDS = 4, 21
CHARTS = ".js-plotly-plot"
ONE_LINE = ROOT / "tests" / "load" / "one_line.py"
ARM = """selector => {
    const read = () => [...document.querySelectorAll(selector)].map(node =>
        (node._fullData ?? []).map(trace =>
            Array.from(trace.y ?? []).reduce((sum, y) => Number.isFinite(y) ? sum + y : sum, 0)
        ).join());
    const before = read();
    window.painted = new Promise(resolve => {
        let start = null;
        document.addEventListener("keydown", () => { start = performance.now(); },
                                  {once: true, capture: true});
        const look = () => {
            const now = read();
            const answered = start !== null && now.length > 0 && now.length === before.length
                && now.every((sums, i) => sums !== "" && sums !== before[i]);
            if (!answered) { requestAnimationFrame(look); return; }
            requestAnimationFrame(() => requestAnimationFrame(
                () => resolve(performance.now() - start)));
        };
        look();
    });
}"""


def opened(browser: Any, address: str) -> Any:
    """The page, with all its charts drawn and its script at rest."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(address)
    page.wait_for_function(f"() => document.querySelector('{CHARTS}')?._fullData", timeout=60_000)
    page.wait_for_selector('[data-test-script-state="notRunning"]')
    page.wait_for_timeout(1000)
    return page


def move(page: Any) -> float:
    """Press the arrow key on the slider κ once; milliseconds until all charts are painted."""
    page.bring_to_front()
    slider = page.get_by_role("slider", name=re.compile("κ")).first
    slider.focus()
    page.evaluate(ARM, CHARTS)
    slider.press("ArrowRight")
    taken = float(page.evaluate("() => window.painted"))
    page.wait_for_timeout(150)
    return taken


def measure(addresses: dict[str, str]) -> dict[str, list[float]]:
    """Times of interleaved moves on every page."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=SWITCHES)
        pages = {name: opened(browser, address) for name, address in addresses.items()}
        times: dict[str, list[float]] = {name: [] for name in pages}
        for turn in range(WARM_UP + ROUNDS):
            for name, page in pages.items():
                taken = move(page)
                if turn >= WARM_UP:
                    times[name].append(taken)
        browser.close()
    return times


def report(times: dict[str, list[float]]) -> str:
    """Medians, slow ends and the ratio to the last contestant."""
    floor = statistics.median(list(times.values())[-1])
    rows = []
    for name, values in times.items():
        middle, slow = statistics.median(values), statistics.quantiles(values, n=20)[-1]
        rows.append([name, f"{middle:.0f}", f"{slow:.0f}", f"{middle / floor:.2f}"])
    return markdown(("", "median", "95 %", "÷ one line"), rows)


def main() -> int:
    """Serve both, drive both, print the table."""
    if find_chromium() is None:
        print("### Slider move → painted: no Chromium on this machine")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        contestants = {"Explore, default scenario": ROOT / "app.py", "one line chart": ONE_LINE}
        addresses, processes = {}, []
        for name, path in contestants.items():
            addresses[name], process = start_server(path, Path(folder) / f"{path.stem}.log", {})
            processes.append(process)
        try:
            times = measure(addresses)
        finally:
            for process in processes:
                stop_server(process)
    print("### Slider move → painted, headless Chromium, milliseconds\n")
    print(report(times))
    return 0


if __name__ == "__main__":
    sys.exit(main())
