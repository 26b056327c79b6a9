"""An interrupted sweep goes on where it was, and never in another one's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sde_lab as lab
from sde_lab.sweeps import batching

BASE = lab.Scenario(x0=1.0, steps=8, samples=40)
OVER = {"kappa": np.linspace(0.1, 2.0, 7).tolist(), "scheme": ["euler", "heun"]}
ASKED: dict[str, Any] = {"measures": ("mean", "q25"), "sensitivities": ("sigma",), "times": 2}


class EnoughError(Exception):
    """Raised to interrupt a sweep."""


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MAX_BLOCK_POINTS", 3)


@pytest.fixture(params=["points.parquet", "points"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file or a folder, in a folder that is not there yet."""
    return tmp_path / "new" / str(request.param)


def interrupted(place: Path, done: int) -> None:
    """Stop a sweep after that many points."""

    def stop(progress: Any) -> None:
        if progress.done >= done:
            raise EnoughError

    with pytest.raises(EnoughError):
        lab.sweep(BASE, OVER, **ASKED, checkpoint=place, progress=stop)


def points_on_disk(place: Path) -> int:
    return int(pd.read_parquet(place)["point"].nunique())


def test_a_stopped_sweep_goes_on_where_it_was(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lab.sweep(BASE, OVER, **ASKED).table()
    interrupted(place, 6)
    assert points_on_disk(place) == 6
    begun = []
    monkeypatch.setattr(
        "sde_lab.sweeps.executors.BlockRun",
        lambda block: begun.append(block.point_indices) or _work(block),
    )
    resumed = lab.sweep(BASE, OVER, **ASKED, checkpoint=place)
    assert sum(map(len, begun)) == 8
    pd.testing.assert_frame_equal(resumed.table(), whole, check_exact=True)
    assert points_on_disk(place) == 14
    begun.clear()
    again = lab.sweep(BASE, OVER, **ASKED, checkpoint=str(place))
    assert not begun
    pd.testing.assert_frame_equal(again.table(), whole, check_exact=True)


def _work(block: Any) -> Any:
    from sde_lab.sweeps.batch import BlockRun

    return BlockRun(block)


def test_the_file_is_the_table(tmp_path: Path) -> None:
    place = tmp_path / "points.parquet"
    result = lab.sweep(BASE, OVER, **ASKED, checkpoint=place)
    found = pd.read_parquet(place).sort_values("point", kind="stable").reset_index(drop=True)
    pd.testing.assert_frame_equal(found.drop(columns="point"), result.table(), check_exact=True)
    assert [path.name for path in tmp_path.iterdir()] == ["points.parquet"]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"base": BASE.replace(seed=1)}, "seed"),
        ({"base": BASE.replace(x0=2.0, samples=41)}, "x0, samples"),
        ({"over": {"kappa": [0.1], "scheme": ["euler"]}}, "points"),
        ({"over": {"theta": [0.1]}}, "names, points"),
        ({"measures": ("mean", "q26")}, "measures"),
        ({"sensitivities": ("sigma", "x0")}, "sensitivities"),
        ({"times": [0.5, 1.0]}, "times"),
    ],
)
def test_another_sweep_is_refused_by_name(place: Path, change: dict[str, Any], names: str) -> None:
    interrupted(place, 3)
    arguments = {"base": BASE, "over": OVER, **ASKED, **change}
    base, over = arguments.pop("base"), arguments.pop("over")
    with pytest.raises(lab.ScenarioError, match=f"another sweep, with other {names};") as caught:
        lab.sweep(base, over, **arguments, checkpoint=place)
    assert caught.value.field == "checkpoint"
    assert str(place) in str(caught.value.value)
    assert points_on_disk(place) == 3


def test_a_function_that_does_something_else_is_another_measure(place: Path) -> None:
    def last(times: np.ndarray, values: np.ndarray) -> np.ndarray:
        return values[-1, :, 0]

    one = last
    lab.sweep(BASE, {"kappa": [1.0]}, (one,), checkpoint=place)

    def last(times: np.ndarray, values: np.ndarray) -> np.ndarray:
        return values[0, :, 0]

    with pytest.raises(lab.ScenarioError, match="other measures"):
        lab.sweep(BASE, {"kappa": [1.0]}, (last,), checkpoint=place)


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    words = tmp_path / "words.parquet"
    words.write_text("not a table")
    with pytest.raises(lab.ScenarioError, match="cannot be read"):
        lab.sweep(BASE, OVER, checkpoint=words)
    assert words.read_text() == "not a table"
    other = tmp_path / "other.parquet"
    pd.DataFrame({"point": [1]}).to_parquet(other)
    with pytest.raises(lab.ScenarioError, match="holds no sweep"):
        lab.sweep(BASE, OVER, checkpoint=other)
    plain = tmp_path / "plain.txt"
    plain.write_text("words")
    with pytest.raises(lab.ScenarioError, match="name a new folder"):
        lab.sweep(BASE, OVER, checkpoint=plain)
    for nonsense in (3, "", True):
        with pytest.raises(lab.ScenarioError, match="path of a file or a folder"):
            lab.sweep(BASE, OVER, checkpoint=nonsense)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(lab.ScenarioError, match="cannot be written"):
        lab.sweep(BASE, OVER, checkpoint=tmp_path / "file" / "points.parquet")


def test_a_write_that_fails_leaves_what_was_there(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(place, 3)

    def full(table: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    with pytest.raises(lab.ScenarioError, match="No space left"):
        lab.sweep(BASE, OVER, **ASKED, checkpoint=place)
    monkeypatch.undo()
    assert points_on_disk(place) == 3


def test_other_block_sizes_go_on_in_the_same_file(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(place, 6)
    monkeypatch.setattr(batching, "MAX_BLOCK_POINTS", 2)
    resumed = lab.sweep(BASE, OVER, **ASKED, checkpoint=place)
    pd.testing.assert_frame_equal(
        resumed.table(), lab.sweep(BASE, OVER, **ASKED).table(), check_exact=True
    )
    rows = pd.read_parquet(place)
    assert rows["point"].nunique() == 14
