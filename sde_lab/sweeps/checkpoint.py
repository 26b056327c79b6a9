"""Checkpoint of a sweep: finished points in one Parquet file, or in a folder of a file per block.

Each file holds rows of the tidy table, with the index of their point and, in its metadata, the
identity of the sweep. It is written under a temporary name and then renamed, which is atomic:
whenever the machine stops, every file is whole.
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

METADATA_KEY = b"sde_lab.sweep"
"""Key of the sweep's identity in the metadata of a file."""
PARQUET_SUFFIX = ".parquet"
"""File name ending that tells a file from a folder."""
POINT_COLUMN = "point"
"""Name of the column with the index of each row's point."""


class Checkpoint:
    """The finished points of one sweep on disk.

    Args:
        path: ending in ``.parquet`` for one file, which is rewritten with each block; any other
            path is a folder of one file per block, where each write costs the same.
        plan: the sweep.

    Raises:
        ScenarioError: if the path is not one of a file or folder.
    """

    def __init__(self, path: object, plan: Plan) -> None:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise ScenarioError("checkpoint", path, "must be the path of a file or a folder")
        self._path = Path(os.fspath(path))
        self._plan = plan
        self._single = self._path.suffix == PARQUET_SUFFIX
        self._tables: list[pa.Table] = []
        self._identity = json.dumps(plan.fingerprint(), sort_keys=True)

    def read(self) -> list[BlockResult]:
        """Read the blocks of the plan that are on disk.

        Raises:
            ScenarioError: if a file belongs to another sweep, or cannot be read.
        """
        tables = [self._read_file(path) for path in self._files()]
        results = [result for table in tables for result in _block_results(self._plan, table)]
        self._tables = [self._make_table(result) for result in results] if self._single else []
        return results

    def write(self, result: BlockResult) -> None:
        """Add the points of one block.

        Raises:
            ScenarioError: if the file cannot be written.
        """
        import pyarrow as pa

        table = self._make_table(result)
        if self._single:
            self._tables.append(table)
            self._write_file(self._path, pa.concat_tables(self._tables))
        else:
            name = f"points-{min(result.point_indices):07d}{PARQUET_SUFFIX}"
            self._write_file(self._path / name, table)

    def _files(self) -> list[Path]:
        """Return the files that exist; a folder may hold others, which are not read."""
        if self._single:
            return [self._path] if self._path.exists() else []
        if self._path.exists() and not self._path.is_dir():
            hint = f"is a file whose name does not end in {PARQUET_SUFFIX}; name a new folder"
            raise ScenarioError("checkpoint", str(self._path), hint)
        return sorted(self._path.glob(f"points-*{PARQUET_SUFFIX}"))

    def _read_file(self, path: Path) -> pa.Table:
        """Read one file, and check that it belongs to this sweep."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            hint = f"cannot be read as a sweep: {type(error).__name__}"
            raise ScenarioError("checkpoint", str(path), hint) from None
        identity = (table.schema.metadata or {}).get(METADATA_KEY)
        if identity is None:
            raise ScenarioError("checkpoint", str(path), "holds no sweep; name another file")
        self._check_same_sweep(path, json.loads(identity))
        return table

    def _check_same_sweep(self, path: Path, stored: dict[str, Any]) -> None:
        """Raise if a file's identity is not this sweep's, naming the fields that differ."""
        current = self._plan.fingerprint()
        # Files from before there was a choice are torchsde's. "auto" accepts points of any engine.
        stored.setdefault("engine", "torchsde")
        if current["engine"] == "auto":
            current.pop("engine")
        # by way of JSON, as the stored identity: tuples become lists
        differing = [
            name for name in current if json.loads(json.dumps(current[name])) != stored.get(name)
        ]
        if "scenario" in differing:
            there, here = stored.get("scenario") or {}, current["scenario"]
            differing.remove("scenario")
            differing += [name for name in here if here[name] != there.get(name)]
        if differing:
            hint = f"holds another sweep, with other {', '.join(differing)}; name another file"
            raise ScenarioError("checkpoint", str(path), hint)

    def _make_table(self, result: BlockResult) -> pa.Table:
        """Return the tidy rows of one block as a Parquet table with the sweep's identity."""
        import pyarrow as pa

        builder, points = _ResultBuilder(self._plan), np.array(result.point_indices, dtype=np.intp)
        builder.add(result)
        frame = tidy_rows(builder.result(), points)
        frame.insert(0, POINT_COLUMN, np.repeat(points, len(self._plan.columns)))
        table = pa.Table.from_pandas(frame, preserve_index=False)
        return table.replace_schema_metadata({METADATA_KEY: self._identity.encode()})

    def _write_file(self, path: Path, table: pa.Table) -> None:
        """Write a file whole: under a name of this process first, then renamed."""
        import pyarrow.parquet as pq

        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, temporary)
            temporary.replace(path)
        except OSError as error:
            hint = f"cannot be written: {error.strerror or type(error).__name__}"
            raise ScenarioError("checkpoint", str(path), hint) from None
        finally:
            if temporary.exists():
                temporary.unlink()


def _block_results(plan: Plan, table: pa.Table) -> Iterator[BlockResult]:
    """Yield the blocks of the plan all of whose points are in a table."""
    columns = len(plan.columns)
    # one point takes E consecutive rows of the tidy table
    points = table[POINT_COLUMN].to_numpy()[::columns]
    row = {int(point): index for index, point in enumerate(points)}
    cells = {
        name: table[name].to_numpy().reshape(len(row), columns)
        for name in ("value", "se", "exact", "exploded")
    }
    for block in plan.blocks:
        if all(point in row for point in block.point_indices):
            order = [row[point] for point in block.point_indices]
            value, error, exact, exploded = (cell[order] for cell in cells.values())
            yield BlockResult(block.point_indices, value, error, exact, exploded[:, 0])
