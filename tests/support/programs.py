"""Run programs in processes of their own, without waiting for the imports of each."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.server import ROOT

FORKS = """
import json, os, sys, traceback, warnings
import torch
import sde_lab, sde_lab.export
torch.set_num_threads(1)
for line in sys.stdin:
    place, environment, strict, folder = json.loads(line)
    if os.fork():
        os.wait()
        continue
    if os.fork():  # nobody waits for this one: requests are served side by side
        os._exit(0)
    code = 1
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(f"{place}.{name}", os.O_WRONLY | os.O_CREAT), number)
        if strict:
            warnings.simplefilter("error")
        names = {"__name__": "__main__"}
        with open(place, encoding="utf-8") as file:
            exec(compile(file.read(), place, "exec"), names)
        code = 0
    except BaseException:
        traceback.print_exc()
    import atexit, threading
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    with open(f"{place}.part", "w") as file:
        file.write(str(code))
    os.rename(f"{place}.part", f"{place}.code")
    os._exit(0)
"""
"""Runs each program in a fork of an interpreter that has torch and the package in memory. What a
program uses it must import itself all the same."""


@dataclass(frozen=True)
class Done:
    """How a program ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


class Programs:
    """An interpreter that has imported the package, and forks for each program."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._numbers, self._lock = itertools.count(), threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORKS],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
            encoding="utf-8",
        )

    def run(
        self, program: str, *, strict: bool = False, folder: Path = ROOT, **environment: str
    ) -> Done:
        """Run a program to its end; ``strict`` makes every warning an error."""
        place = Path(self._folder.name) / f"{next(self._numbers)}.py"
        place.write_text(program, encoding="utf-8")
        order = [str(place), {**os.environ, **environment}, strict, str(folder)]
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        code = place.with_name(f"{place.name}.code")
        while not code.exists():
            assert self._process.poll() is None
            time.sleep(0.01)
        printed = (
            place.with_name(f"{place.name}.{name}").read_text(encoding="utf-8")
            for name in ("stdout", "stderr")
        )
        return Done(int(code.read_text()), *printed)

    def close(self) -> None:
        """End the interpreter."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._folder.cleanup()
