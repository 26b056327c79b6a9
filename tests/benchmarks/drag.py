"""A drag in headless Chromium: from touch to the first picture, pictures a second, bytes.

A picture counts when a path of every chart has changed since the last screen refresh. Positions are
the values that the slider had at a refresh: no drag can have more pictures than positions.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright

from tests.benchmarks.timing import markdown
from tests.support.browser import SWITCHES, find_chromium, settle, visit
from tests.support.server import ROOT, start_server, stop_server

TOUCHES, SWEEPS = 9, 4
CASES = {"Ornstein–Uhlenbeck": "κ", "Heston": "κ", "Geometric Brownian motion": "σ"}
WATCH = """slider => {
    const input = document.querySelector(`input[type=range][aria-label^="${slider}"]`);
    const read = () => [...document.querySelectorAll('.lab-chart')].map(
        node => [...node.querySelectorAll('path.js-line, path.js-fill')]
            .map(path => path.getAttribute('d')).join());
    const seen = {pictures: 0, positions: 0, faint: 0, start: 0, end: 0,
                  first: null, touched: null};
    window.seen = seen;
    document.addEventListener('pointerdown', () => { seen.touched = performance.now(); },
                              {once: true, capture: true});
    let [last, value] = [read(), input.value];
    const look = () => {
        const now = read();
        const moved = now.every((chart, i) => chart !== last[i]);
        if (seen.touched !== null) {
            if (moved) {
                seen.pictures += 1;
                seen.first ??= performance.now() - seen.touched;
                if (document.querySelector('.lab-chart.lab-approximate')) seen.faint += 1;
            }
            if (input.value !== value) {
                seen.positions += 1;
                seen.start ||= performance.now();
                seen.end = performance.now();
            }
        }
        if (moved) last = now;
        value = input.value;
        requestAnimationFrame(look);
    };
    look();
}"""


ARM = """() => {
    const read = () => [...document.querySelectorAll('.lab-chart')].map(
        node => [...node.querySelectorAll('path.js-line, path.js-fill')]
            .map(path => path.getAttribute('d')).join());
    const last = read();
    window.painted = new Promise(resolve => {
        document.addEventListener('keydown', () => {
            const start = performance.now();
            const look = () => {
                if (!read().every((chart, i) => chart !== last[i])) requestAnimationFrame(look);
                else requestAnimationFrame(() => requestAnimationFrame(
                    () => resolve(performance.now() - start)));
            };
            look();
        }, {once: true, capture: true});
    });
}"""


class Drags:
    """One model's slider, dragged in pages of its own.

    Attributes:
        sizes: bytes of each answer with frames.
    """

    def __init__(self, browser: Any, address: str, model: str, slider: str) -> None:
        self._browser, self._address = browser, address
        self._model, self._slider = model, slider
        self.sizes: list[int] = []

    def _opened(self, seed: int) -> tuple[Any, float, float]:
        """A page under a seed of its own, so that no frames are there; the thumb's middle."""
        page = self._browser.new_page(viewport={"width": 1280, "height": 720})
        page.on("response", self._answered)
        visit(page, self._address, urlencode({"model": self._model, "seed": seed}))
        page.wait_for_timeout(1500)
        handle = page.get_by_role("slider", name=re.compile(f"^{self._slider}")).first
        box = handle.locator("xpath=../..").bounding_box()
        page.evaluate(WATCH, self._slider)
        return page, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def _answered(self, answer: Any) -> None:
        if "/frames/" in answer.url:
            self.sizes.append(int(answer.headers.get("content-length", 0)))

    def touch(self, seed: int) -> float:
        """Milliseconds from a press beside the thumb to the first picture."""
        page, x, y = self._opened(seed)
        page.mouse.move(x + 25, y)
        page.mouse.down()
        page.wait_for_function("() => window.seen.first !== null")
        taken = float(page.evaluate("() => window.seen.first"))
        page.mouse.up()
        settle(page)
        page.close()
        return taken

    def keys(self, seed: int) -> list[float]:
        """Milliseconds from each press of a key to its picture, painted, once frames are there."""
        page, _, _ = self._opened(seed)
        handle = page.get_by_role("slider", name=re.compile(f"^{self._slider}")).first
        handle.focus()
        page.wait_for_timeout(1500)
        taken = []
        for _ in range(TOUCHES):
            page.evaluate(ARM)
            handle.press("ArrowRight")
            taken.append(float(page.evaluate("() => window.painted")))
            page.wait_for_timeout(800)
        page.close()
        return taken

    def sweep(self, seed: int) -> dict[str, float]:
        """Drag to and fro; what was seen."""
        page, x, y = self._opened(seed)
        page.mouse.move(x, y)
        page.mouse.down()
        for _ in range(SWEEPS):
            for offset in (*range(0, 120, 2), *range(120, 0, -2)):
                page.mouse.move(x + offset, y)
        seen: dict[str, float] = page.evaluate("() => window.seen")
        page.mouse.up()
        page.close()
        return seen


def row(drags: Drags, model: str) -> list[str]:
    """Figures of one model."""
    taken = [drags.touch(seed) for seed in range(1, TOUCHES + 1)]
    keys = drags.keys(50)
    drags.sizes.clear()
    seen = drags.sweep(100)
    seconds = (seen["end"] - seen["start"]) / 1e3
    return [
        model,
        f"{statistics.median(taken):.0f}",
        f"{max(taken):.0f}",
        f"{statistics.median(keys):.0f}",
        f"{seen['positions'] / seconds:.0f}",
        f"{seen['pictures'] / seconds:.0f}",
        f"{seen['faint'] / max(1, seen['pictures']):.0%}",
        f"{sum(drags.sizes) / 1e3:.0f}",
    ]


HEAD = (
    "",
    "touch → first picture, ms",
    "slowest",
    "key → picture, ms",
    "positions a second",
    "pictures a second",
    "of them interpolated",
    "KB",
)


def main() -> int:
    """Serve the application, drag, print the table."""
    if find_chromium() is None:
        print("### A drag: no Chromium on this machine")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        address, process = start_server(ROOT / "app.py", Path(folder) / "server.log", {})
        try:
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=find_chromium(), args=SWITCHES)
                rows = [
                    row(Drags(browser, address, model, slider), model)
                    for model, slider in CASES.items()
                ]
                browser.close()
        finally:
            stop_server(process)
    print("### A drag, headless Chromium, default scenarios\n")
    print(markdown(HEAD, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
