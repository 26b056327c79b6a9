"""Object files of kernels on disk, so that a process need not compile what another one did.

What is read here is executed. So files are read from, and written to, a directory only if it
belongs to this user and nobody else can write to it, and each is checked against its digest.
Whatever is wrong with directory or file, the kernel is compiled instead; nothing here raises.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import stat
import sys
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from sde_lab.compiled.object_code import ObjectCode, target

VARIABLE = "SDE_LAB_KERNEL_CACHE"
"""Environment variable with the directory of the cache, or "off" for none."""
MAX_FILES = 1024
"""Number of files that are kept; those not read or written for the longest time go first."""
MAX_FILE_BYTES = 2**20
"""Largest file that is read or written; the longest equations take some 50 KB."""
STALE_SECONDS = 600.0
"""Age from which an unfinished file counts as abandoned by a process that was ended."""
_FORMAT = "sde_lab kernel 1"
_SUFFIX, _PART_SUFFIX = ".kernel", ".part"
_LOG = logging.getLogger(__name__)


def load(text: str, dtype: str) -> ObjectCode | None:
    """Return the object code compiled from a source on this machine before, or None."""
    with contextlib.suppress(OSError), _open_directory() as folder:
        if folder is not None:
            name = _name(text, dtype)
            code = _decode(_read_file(name, folder), dtype)
            os.utime(name, dir_fd=folder, follow_symlinks=False)  # it was used
            return code
    return None


def store(text: str, code: ObjectCode) -> None:
    """Keep the object code compiled from a source."""
    content = _encode(code)
    if len(content) > MAX_FILE_BYTES:
        return
    try:
        with _open_directory() as folder:
            if folder is not None:
                _write_file(_name(text, code.dtype), content, folder)
                _remove_oldest(folder)
    except OSError as error:
        _LOG.info("a compiled kernel was not kept on disk: %s", error)


def directory() -> Path | None:
    """Return the directory of the cache, or None where there is none.

    It is that of ``SDE_LAB_KERNEL_CACHE``; without the variable a folder among the user's caches.
    """
    named = os.environ.get(VARIABLE, "")
    if named == "off" or not _protected():
        return None
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not Path(base).is_absolute():
        home = os.path.expanduser("~")  # noqa: PTH111  Path.home raises without a home
        parts = ("Library", "Caches") if sys.platform == "darwin" else (".cache",)
        base = os.path.join(home, *parts)  # noqa: PTH118
    path = Path(base, "sde_lab", "kernels")
    return path if path.is_absolute() else None


def _protected() -> bool:
    """Return whether this system has the permissions and calls that the cache relies on."""
    return hasattr(os, "geteuid") and os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")


@contextlib.contextmanager
def _open_directory() -> Iterator[int | None]:
    """Open the directory and yield its descriptor; None if there is none, or others may write.

    Files are named relative to the descriptor, so that they are those of the directory that was
    checked, whatever happens to its path.
    """
    path = directory()
    if path is None:
        yield None
        return
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if _is_private(os.fstat(folder)):
            yield folder
        else:
            _warn_once(str(path))
            yield None
    finally:
        os.close(folder)


def _is_private(status: os.stat_result) -> bool:
    """Return whether this user owns it, and no other can write to it."""
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


@lru_cache(maxsize=8)
def _warn_once(path: str) -> None:
    _LOG.warning("kernels are not kept on disk: others than this user can write to %s", path)


def _name(text: str, dtype: str) -> str:
    """Return the file's name: a digest of all that the object code depends on."""
    identity = json.dumps([_FORMAT, text, dtype, *target()])
    return hashlib.sha256(identity.encode()).hexdigest() + _SUFFIX


def _encode(code: ObjectCode) -> bytes:
    """Return the content of a file: the digest of the rest, a line of JSON, the object file."""
    rest = json.dumps(code.imports).encode() + b"\n" + code.data
    return hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


def _decode(content: bytes, dtype: str) -> ObjectCode | None:
    """Return the object code of a file, or None if it is damaged."""
    digest, _, rest = content.partition(b"\n")
    if digest != hashlib.sha256(rest).hexdigest().encode():
        return None
    imports, _, data = rest.partition(b"\n")
    return ObjectCode(data, tuple(json.loads(imports)), dtype)


def _read_file(name: str, folder: int) -> bytes:
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(file, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not (_is_private(status) and stat.S_ISREG(status.st_mode)):
            return b""
        return stream.read(MAX_FILE_BYTES)


def _write_file(name: str, content: bytes, folder: int) -> None:
    """Write a file whole: under a name of this process first, then renamed, which is atomic."""
    part = f"{name}.{os.getpid()}.{time.monotonic_ns()}{_PART_SUFFIX}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        file = os.open(part, flags, mode=0o600, dir_fd=folder)
        with os.fdopen(file, "wb") as stream:
            stream.write(content)
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(part, dir_fd=folder)
        raise


def _remove_oldest(folder: int) -> None:
    """Remove what is beyond MAX_FILES, and files that a process began and did not finish."""
    ages: list[tuple[float, str]] = []
    for name in os.listdir(folder):
        # Of others' making, or gone by now: another process may do the same.
        if name.endswith((_SUFFIX, _PART_SUFFIX)):
            with contextlib.suppress(OSError):
                changed = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime
                ages.append((changed, name))
    finished = sorted((one for one in ages if one[1].endswith(_SUFFIX)), reverse=True)
    before = time.time() - STALE_SECONDS
    stale = [name for changed, name in ages if name.endswith(_PART_SUFFIX) and changed < before]
    for name in [*stale, *(name for _, name in finished[MAX_FILES:])]:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=folder)
