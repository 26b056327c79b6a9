"""Finished points on disk: a Parquet file that grows, or a folder that gains a file per block.

Each file holds rows of the tidy table, with the number of their point and, in its metadata, the
identity of the sweep. It is written beside its place and then renamed: whenever the machine stops,
what is there is whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sde_lab.errors import ScenarioError
from sde_lab.sweeps.batch import BlockResult
from sde_lab.sweeps.plan import Plan
from sde_lab.sweeps.result import _ResultBuilder, tidy_rows

if TYPE_CHECKING:
    import pyarrow as pa

METADATA = b"sde_lab.sweep"
SUFFIX = ".parquet"
POINT = "point"


class Checkpoint:
    """Where the finished points of one sweep are kept.

    Args:
        path: ending in ``.parquet`` for one file, which is written anew with each block; anything
            else is a folder of one file per block.
        plan: the sweep.

    Raises:
        ScenarioError: if what is there belongs to another sweep, or cannot be read or written.
    """

    def __init__(self, path: object, plan: Plan) -> None:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise ScenarioError("checkpoint", path, "must be the path of a file or a folder")
        self._path = Path(os.fspath(path))
        self._plan = plan
        self._single = self._path.suffix == SUFFIX
        self._tables: list[pa.Table] = []
        self._identity = json.dumps(plan.fingerprint(), sort_keys=True)

    def read(self) -> list[BlockResult]:
        """The blocks of the plan that are there, whole."""
        rows = [self._read(path) for path in self._files()]
        found = [outcome for table in rows for outcome in _outcomes(self._plan, table)]
        self._tables = [self._table(outcome) for outcome in found] if self._single else []
        return found

    def write(self, outcome: BlockResult) -> None:
        """Add the points of one block.

        Raises:
            ScenarioError: if the file cannot be written.
        """
        import pyarrow as pa

        table = self._table(outcome)
        if self._single:
            self._tables.append(table)
            self._write(self._path, pa.concat_tables(self._tables))
        else:
            self._write(self._path / f"points-{min(outcome.point_indices):07d}{SUFFIX}", table)

    def _files(self) -> list[Path]:
        if self._single:
            return [self._path] if self._path.exists() else []
        if self._path.exists() and not self._path.is_dir():
            hint = f"is a file whose name does not end in {SUFFIX}; name a new folder"
            raise ScenarioError("checkpoint", str(self._path), hint)
        return sorted(self._path.glob(f"points-*{SUFFIX}"))

    def _read(self, path: Path) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            hint = f"cannot be read as a sweep: {type(error).__name__}"
            raise ScenarioError("checkpoint", str(path), hint) from None
        found = (table.schema.metadata or {}).get(METADATA)
        if found is None:
            raise ScenarioError("checkpoint", str(path), "holds no sweep; name another file")
        self._require_same(path, json.loads(found))
        return table

    def _require_same(self, path: Path, found: dict[str, Any]) -> None:
        own = self._plan.fingerprint()
        # Before there was a choice it was torchsde. "auto" takes over what any engine did.
        found.setdefault("engine", "torchsde")
        if own["engine"] == "auto":
            own.pop("engine")
        other = [name for name in own if json.loads(json.dumps(own[name])) != found.get(name)]
        if "scenario" in other:
            there, here = found.get("scenario") or {}, own["scenario"]
            other.remove("scenario")
            other += [name for name in here if here[name] != there.get(name)]
        if other:
            hint = f"holds another sweep, with other {', '.join(other)}; name another file"
            raise ScenarioError("checkpoint", str(path), hint)

    def _table(self, outcome: BlockResult) -> pa.Table:
        import pyarrow as pa

        found, places = _ResultBuilder(self._plan), np.array(outcome.point_indices, dtype=np.intp)
        found.add(outcome)
        frame = tidy_rows(found.result(), places)
        frame.insert(0, POINT, np.repeat(places, len(self._plan.columns)))
        table = pa.Table.from_pandas(frame, preserve_index=False)
        return table.replace_schema_metadata({METADATA: self._identity.encode()})

    def _write(self, path: Path, table: pa.Table) -> None:
        import pyarrow.parquet as pq

        beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, beside)
            beside.replace(path)
        except OSError as error:
            hint = f"cannot be written: {error.strerror or type(error).__name__}"
            raise ScenarioError("checkpoint", str(path), hint) from None
        finally:
            if beside.exists():
                beside.unlink()


def _outcomes(plan: Plan, table: pa.Table) -> Iterator[BlockResult]:
    """The blocks of the plan that are whole in a table."""
    entries = len(plan.columns)
    row = {int(point): place for place, point in enumerate(table[POINT].to_numpy()[::entries])}
    cells = {
        name: table[name].to_numpy().reshape(len(row), entries)
        for name in ("value", "se", "exact", "exploded")
    }
    for block in plan.blocks:
        if all(place in row for place in block.point_indices):
            order = [row[place] for place in block.point_indices]
            value, error, exact, exploded = (cell[order] for cell in cells.values())
            yield BlockResult(block.point_indices, value, error, exact, exploded[:, 0])
