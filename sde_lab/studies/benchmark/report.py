"""What a race showed, in words."""

from __future__ import annotations

from collections.abc import Sequence

from sde_lab.formatting import readable_bytes, readable_seconds, readable_times
from sde_lab.studies.benchmark.registry import METHODS
from sde_lab.studies.benchmark.trial import TrialResult

COMPARED_METHODS = ("loop", "jacrev")
"""Whom replay is compared with: what people do, and the published answer."""


def comparison_sentences(results: Sequence[TrialResult]) -> list[str]:
    """Sentences that compare replay with its rivals, where both were measured at the same size."""
    found = []
    for rival in COMPARED_METHODS:
        title = METHODS[rival].title
        theirs = next((r for r in results if r.way == rival and r.status == "measured"), None)
        predicted = next((r for r in results if r.way == rival and r.status == "predicted"), None)
        ours = None if theirs is None else _replay(results, theirs)
        if predicted is not None:
            found.append(
                f"**{title}** at {predicted.samples:,} samples {predicted.reason}:"
                " predicted, not attempted."
            )
        if theirs is not None and ours is not None:
            where = f" at {theirs.samples:,} samples, where both fit" if predicted else ""
            found.append(
                f"**{title}** takes {readable_seconds(theirs.seconds)}{where}, replay"
                f" {readable_seconds(ours.seconds)}: {_ratio(theirs.seconds / ours.seconds)}."
            )
            if theirs.memory > 4 * ours.memory > 0:
                found[-1] = f"{found[-1][:-1]}, with {readable_bytes(theirs.memory)} of memory."
    return found


def _replay(results: Sequence[TrialResult], at: TrialResult) -> TrialResult | None:
    """Replay at the same size."""
    same = (
        r
        for r in results
        if r.way == "replay"
        and r.status == "measured"
        and (r.steps, r.samples) == (at.steps, at.samples)
    )
    return next(same, None)


def _ratio(ratio: float) -> str:
    if ratio >= 1.0:
        return f"**{readable_times(ratio)} times as long**"
    return f"only **{ratio:.2f} times as long**"
