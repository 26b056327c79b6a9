"""Making and keeping kernels where something is wrong: disk, memory, processes, interrupts."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import sde_lab as lab
from sde_lab.compiled import disk_cache, kernel, object_code
from sde_lab.compiled.kernel import Kernel, KernelCache, Key, compile_kernel
from sde_lab.compiled.object_code import CompileLimitError, LinkedKernel, LinkError, compile_source
from sde_lab.compiled.run import run_kernel
from sde_lab.compiled.source import TooLongError, write
from sde_lab.equations.model import EquationModel, parse_sde
from sde_lab.sensitivity.compiled_engine import compiled_tables
from tests.support.programs import Programs
from tests.support.server import ROOT

EULER = lab.SCHEMES["euler"]
STATM = Path("/proc/self/statm")


def equation(text: str) -> EquationModel:
    model = parse_sde(text)
    assert isinstance(model, EquationModel)
    return model


def key_of(model: EquationModel) -> Key:
    return Key(model.name, "euler", (), "float32")


def compiled(text: str = "dx = -x*dt + dW") -> Kernel:
    return compile_kernel(equation(text), EULER, (), "float32")


def refuse(*_: object) -> None:
    raise AssertionError("it was compiled")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache on disk, in use."""
    path = tmp_path / "kernels"
    monkeypatch.setenv(disk_cache.VARIABLE, str(path))
    return path


def run(code: str, programs: Programs, **environment: str) -> str:
    """What a process prints that has compiled nothing; it must end without an error."""
    done = programs.run(code, SDE_LAB_ENGINE="auto", **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


SUMMARY = """
import sde_lab as lab
summary = lab.simulate_summary(lab.Scenario(samples=10, steps=5), "compiled")
print(summary.engine, summary.engine_difference)
"""


# The cache on disk


@pytest.mark.slow
def test_a_kernel_is_compiled_once_for_all_processes(folder: Path, programs: Programs) -> None:
    first = run(SUMMARY, programs)
    assert first.startswith("compiled")
    (file,) = folder.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600
    refusing = "from sde_lab.compiled import kernel\nkernel.compile_source = None\n"
    again = run(refusing + SUMMARY, programs)
    assert again == first


@pytest.mark.slow
def test_processes_that_compile_the_same_kernel_at_once(folder: Path, programs: Programs) -> None:
    with ThreadPoolExecutor(3) as pool:
        printed = set(pool.map(lambda _: run(SUMMARY, programs), range(3)))
    assert len(printed) == 1
    assert [file.suffix for file in folder.iterdir()] == [".kernel"]


def test_the_kernel_from_disk_computes_the_same_bits(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = lab.Scenario(model="dx = -x*dt + sin(x)*exp(-x*x)*dW", samples=40, steps=9)
    model = scenario.model_spec
    assert isinstance(model, EquationModel)
    columns = model.jacobian_columns
    fresh = compile_kernel(model, EULER, columns, "float32")
    monkeypatch.setattr(kernel, "compile_source", refuse)
    kept = compile_kernel(model, EULER, columns, "float32")
    one, other = (run_kernel(made, scenario, np.arange(10)) for made in (fresh, kept))
    np.testing.assert_array_equal(one.states, other.states)
    np.testing.assert_array_equal(one.derivatives, other.derivatives)


@pytest.mark.parametrize("damage", ["empty", "cut", "one byte", "no file", "folder", "link"])
def test_a_damaged_file_is_compiled_anew(
    folder: Path, damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled()
    (file,) = folder.iterdir()
    content = file.read_bytes()
    file.unlink()
    if damage == "empty":
        file.write_bytes(b"")
    elif damage == "cut":
        file.write_bytes(content[:-10])
    elif damage == "one byte":
        file.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
    elif damage == "folder":
        file.mkdir()
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(content)
        file.symlink_to(tmp_path / "elsewhere")
    compiled()
    if damage == "folder":
        assert [path.name for path in folder.iterdir()] == [file.name]
    else:
        assert not file.is_symlink()
        monkeypatch.setattr(kernel, "compile_source", refuse)
        compiled()


def test_another_compiler_or_processor_has_files_of_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled()
    for other in (("0.1", "0.1", "another processor"), ("0.2", "0.1", "another processor")):
        monkeypatch.setattr(disk_cache, "target", lambda other=other: other)
        compiled()
    assert len(list(folder.iterdir())) == 3


def test_options_of_numba_are_part_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    object_code.target.cache_clear()
    before = object_code.target()
    object_code.target.cache_clear()
    monkeypatch.setenv("NUMBA_OPT", "1")
    assert object_code.target() != before
    object_code.target.cache_clear()


def test_a_file_whose_functions_are_not_here_is_compiled_anew(folder: Path) -> None:
    text = write(equation("dx = -x*dt + dW"), EULER, ()).text
    code = compile_source(text, "float32")
    strange = object_code.ObjectCode(code.data, ("no_such_function",), "float32")
    with pytest.raises(LinkError, match="no_such_function"):
        LinkedKernel(strange)
    disk_cache.store(text, strange)
    compiled()
    found = disk_cache.load(text, "float32")
    assert found is not None
    assert found.imports == code.imports


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of another kind")
@pytest.mark.parametrize("unsafe", ["others may write", "a link", "another's"])
def test_an_unsafe_directory_is_not_used(
    folder: Path, unsafe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    if unsafe == "a link":
        folder.symlink_to(target)
    else:
        folder.mkdir()
        folder.chmod(0o777 if unsafe == "others may write" else 0o755)
    if unsafe == "another's":
        monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    compiled()
    assert not list(folder.iterdir())


def test_a_file_that_others_may_write_is_not_read(folder: Path) -> None:
    text = write(equation("dx = -x*dt + dW"), EULER, ()).text
    compiled()
    assert disk_cache.load(text, "float32") is not None
    (file,) = folder.iterdir()
    file.chmod(0o666)
    assert disk_cache.load(text, "float32") is None


def test_the_number_of_files_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_cache, "MAX_FILES", 2)
    code = compile_source(write(equation("dx = -x*dt + dW"), EULER, ()).text, "float32")
    for number, text in enumerate(("one", "two", "three")):
        disk_cache.store(text, code)
        newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime)
        os.utime(newest, (number, number))
        assert disk_cache.load("one", "float32") == code  # being used, it is the newest
    assert disk_cache.load("two", "float32") is None
    assert disk_cache.load("three", "float32") == code


def test_an_abandoned_part_of_a_file_is_removed(folder: Path) -> None:
    compiled()
    for name, age in (("a.kernel.1.part", 0.0), ("b.kernel.2.part", 1e4)):
        path = folder / name
        path.write_bytes(b"unfinished")
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    compiled("dx = -2*x*dt + dW")
    assert [path.name for path in folder.glob("*.part")] == ["a.kernel.1.part"]


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(disk_cache.VARIABLE, "off")
    assert disk_cache.directory() is None
    compiled()
    assert not list(tmp_path.iterdir())
    monkeypatch.delenv(disk_cache.VARIABLE)
    assert disk_cache.directory() == tmp_path / "sde_lab" / "kernels"


@pytest.mark.parametrize("home", ["/proc/no_home", "/dev/null", ""])
def test_without_a_home_that_can_be_written(home: str, programs: Programs) -> None:
    """Of numba's own cache nothing is used either, so its variable may name any folder."""
    environment = {"HOME": home, "NUMBA_CACHE_DIR": "/proc/nowhere", disk_cache.VARIABLE: ""}
    printed = run(SUMMARY, programs, **environment, XDG_CACHE_HOME="")
    assert printed.startswith("compiled")


def test_a_full_disk_costs_the_file_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    compiled()
    assert not list(folder.iterdir())


# Numbers that are none


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "drift",
    [
        "1/x",
        "1/(x - x)",
        "log(x)",
        "sqrt(x - 1)",
        "x**a",
        "a**x",
        "exp(800 - 800*min(x, 1))",
        "tan(1/x)",
    ],
)
def test_what_is_undefined_is_inf_or_nan_as_in_torch(drift: str, dtype: Any) -> None:
    scenario = lab.Scenario(
        model=f"dx = {drift}*dt + a*dW; x(0) = 1.2 in [-2, 2]; a = 0.5 in [-1, 1]",
        x0=0.0,
        parameters={"a": -0.5},
        samples=5,
        steps=3,
        dtype=dtype,
    )
    tables = compiled_tables(scenario, np.arange(4), wait=True)
    assert tables is not None
    expected = lab.simulate(scenario, engine="torchsde").values.permute(0, 2, 1).numpy()
    assert not np.isfinite(expected[-1]).all()
    np.testing.assert_array_equal(np.isfinite(tables.states), np.isfinite(expected))
    # sdeint interpolates at the last time, which makes a NaN of Inf
    np.testing.assert_array_equal(np.isnan(tables.states[:-1]), np.isnan(expected[:-1]))


# Size


def coupled(states: int, parameters: int) -> str:
    """Every state in every drift, and as many noises as states in every one of them."""
    names = [f"a{i}" for i in range(parameters)]
    equations = []
    for d in range(states):
        drift = "+".join(
            f"{names[(3 * d + i) % parameters]}*tanh({names[(d + i) % parameters]}*x{i})"
            for i in range(states)
        )
        noise = "+".join(f"{names[(d + m) % parameters]}*sin(x{d})*dW{m}" for m in range(states))
        equations.append(f"dx{d} = ({drift})*dt + {noise}")
    return "; ".join(equations)


def test_six_states_with_sixteen_parameters_stay_with_replay() -> None:
    scenario = lab.Scenario(model=coupled(6, 16), samples=3, steps=2)
    model = scenario.model_spec
    assert isinstance(model, EquationModel)
    with pytest.raises(TooLongError, match="more than 3000"):
        write(model, EULER, model.jacobian_columns)
    assert lab.simulate_summary(scenario, "compiled").engine == "torchsde"


def test_the_code_of_a_long_equation_is_small() -> None:
    model = equation(coupled(3, 12))
    source = write(model, EULER, model.jacobian_columns)
    assert source.operations > 400
    assert len(compile_source(source.text, "float32").data) < 200_000


def resident_mb() -> float:
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


@pytest.mark.skipif(not STATM.exists(), reason="reads memory from /proc")
def test_a_kernel_that_is_dropped_gives_its_memory_back() -> None:
    code = compile_source(write(equation(coupled(2, 4)), EULER, ()).text, "float32")
    kept = [LinkedKernel(code) for _ in range(10)]
    del kept
    gc.collect()
    before = resident_mb()
    for _ in range(1000):
        LinkedKernel(code)
    assert resident_mb() - before < 10.0


def test_a_process_compiles_a_bounded_number(
    monkeypatch: pytest.MonkeyPatch, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(object_code, "MAX_COMPILED", 1)
    monkeypatch.setattr(object_code, "_compiled", iter(range(9)))
    compiled("dx = -x*dt + dW")
    with pytest.raises(CompileLimitError, match="compiled 1"):
        compiled("dx = -2*x*dt + dW")
    compiled("dx = -x*dt + dW")  # from disk
    cache, model = KernelCache(lambda *_: 0.0), equation("dx = -3*x*dt + dW")
    assert cache.wait_for(key_of(model), model, EULER) is None
    assert "no more kernels" in caplog.text


def test_a_kernel_takes_arrays_of_its_precision_alone() -> None:
    run = compiled().run
    numbers, rows = np.zeros(4096, dtype=np.float64), np.zeros(0, dtype=np.int64)
    with pytest.raises(TypeError, match="contiguous arrays of float32"):
        run(numbers, numbers, numbers, numbers, 1.0, 0, rows, rows, 0, 0, numbers)
    single = np.zeros(8192, dtype=np.float32)[::2]
    with pytest.raises(TypeError, match="contiguous"):
        run(single, single, single, single, 1.0, 0, rows, rows, 0, 0, single)


# Interrupts, and the end of Python


@pytest.fixture
def _interrupt() -> Iterator[None]:
    """SIGALRM raises KeyboardInterrupt, as SIGINT does."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers")
@pytest.mark.usefixtures("_interrupt")
@pytest.mark.timeout(method="thread")  # the other method needs the same alarm
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.2])
def test_an_interrupted_compilation_can_be_taken_up_again(seconds: float) -> None:
    model = equation(coupled(3, 6))
    cache, key = (
        KernelCache(lambda *_: 0.0),
        Key(model.name, "euler", model.jacobian_columns, "float32"),
    )
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  the alarm may come at any time
        signal.setitimer(signal.ITIMER_REAL, seconds)
        cache.wait_for(key, model, EULER)
        # It came too late, or where Python swallows what is raised: in a destructor or a callback.
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.raise_signal(signal.SIGALRM)
    assert cache.wait_for(key, model, EULER) is not None


def test_an_interrupt_of_one_thread_leaves_others_their_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, begun, proceed = equation("dx = -7*x*dt + dW"), threading.Event(), threading.Event()
    cache, original = KernelCache(lambda *_: 0.0), kernel.compile_source
    key = key_of(model)

    def interrupted(text: str, dtype: str) -> object_code.ObjectCode:
        monkeypatch.setattr(kernel, "compile_source", original)
        begun.set()
        proceed.wait(30.0)
        raise KeyboardInterrupt

    monkeypatch.setattr(kernel, "compile_source", interrupted)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.wait_for, key, model, EULER)
        assert begun.wait(30.0)
        second = pool.submit(cache.wait_for, key, model, EULER)
        with pytest.raises(TimeoutError):
            second.result(0.2)  # it waits for the first
        proceed.set()
        assert second.result(60.0) is not None
        assert isinstance(first.exception(60.0), KeyboardInterrupt)


@pytest.mark.slow
def test_the_end_of_python_does_not_wait_for_what_is_queued() -> None:
    code = """
import atexit
import sde_lab as lab
from sde_lab.compiled import kernel
from sde_lab.compiled.kernel import KernelCache, Key
made = []
original = kernel.compile_source
kernel.compile_source = lambda *a: made.append(1) or original(*a)
atexit.register(lambda: print(len(made)))
cache = KernelCache(lambda *_: 0.0)
for n in range(40):
    model = lab.parse_sde(f"dx = -{n}*x*dt + dW")
    assert cache.get(Key(model.name, "euler", (), "float32"), model, lab.SCHEMES["euler"]) is None
"""
    env = {**os.environ, "SDE_LAB_ENGINE": "auto"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 40


# Processes


def of_worker(model: str) -> tuple[str, float]:
    """What a worker process computes: by which engine, and its mean."""
    summary = lab.simulate_summary(lab.Scenario(model=model, samples=20, steps=4), "compiled")
    return summary.engine, float(summary.states[0].mean[-1])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_processes_begun_while_a_kernel_is_compiled(method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    text = "dx = -0.7*x*dt + 0.3*dW"
    expected = lab.simulate_summary(lab.Scenario(model=text, samples=20, steps=4), "torchsde")
    context = multiprocessing.get_context(method)
    for number in range(3 if method == "fork" else 1):
        busy = lab.Scenario(model=f"dx = -{number + 2}*x*dt + sin(x)*dW", samples=20, steps=4)
        lab.simulate_summary(busy, "auto")  # begins to compile in the background
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            # both: one that is being compiled by the parent at the time, and another
            assert pool.submit(of_worker, busy.model).result(120.0)[0] == "compiled"
            engine, mean = pool.submit(of_worker, text).result(120.0)
        assert engine == "compiled"
        assert mean == pytest.approx(float(expected.states[0].mean[-1]), rel=1e-5)
