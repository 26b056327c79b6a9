"""The result of a benchmark in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from sde_lab.formatting import readable_bytes, readable_seconds, readable_times
from sde_lab.studies.benchmark.registry import METHODS
from sde_lab.studies.benchmark.trial import TrialResult

COMPARED_METHODS = ("loop", "jacrev")
"""Methods that replay is compared with: the usual loop, and the answer to the original question."""
MEMORY_FACTOR = 4.0
"""Memory of a method is told where it is more than so many times that of replay."""


def comparison_sentences(results: Sequence[TrialResult]) -> list[str]:
    """Compare replay with other methods in Markdown sentences.

    A method is compared where both were measured at the same size; a prediction is told as one.
    """
    sentences = []
    for name in COMPARED_METHODS:
        title = METHODS[name].title
        predicted = next((r for r in results if r.method == name and r.status == "predicted"), None)
        measured = next((r for r in results if r.method == name and r.status == "measured"), None)
        replay = None if measured is None else _replay_at_size_of(measured, results)
        if predicted is not None:
            sentences.append(
                f"**{title}** at {predicted.samples:,} samples {predicted.reason}:"
                " predicted, not attempted."
            )
        if measured is not None and replay is not None:
            where = f" at {measured.samples:,} samples, where both fit" if predicted else ""
            memory = (
                f", with {readable_bytes(measured.memory)} of memory"
                if measured.memory > MEMORY_FACTOR * replay.memory > 0
                else ""
            )
            sentences.append(
                f"**{title}** takes {readable_seconds(measured.seconds)}{where}, replay"
                f" {readable_seconds(replay.seconds)}:"
                f" {_ratio(measured.seconds / replay.seconds)}{memory}."
            )
    return sentences


def _replay_at_size_of(result: TrialResult, results: Sequence[TrialResult]) -> TrialResult | None:
    """Return the measured result of replay at the steps and samples of another."""
    same = (
        r
        for r in results
        if r.method == "replay"
        and r.status == "measured"
        and (r.steps, r.samples) == (result.steps, result.samples)
    )
    return next(same, None)


def _ratio(ratio: float) -> str:
    """Return a ratio of times as Markdown."""
    if ratio >= 1.0:
        return f"**{readable_times(ratio)} times as long**"
    return f"only **{ratio:.2f} times as long**"
