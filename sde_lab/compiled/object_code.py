"""Machine code of a kernel: compiled by numba to an object file, and linked into this process.

numba's own decorators add each function to one execution engine of the process, which never gives
code back. Here numba stops at the object file, of some kilobytes, and each kernel is linked by an
engine of its own, which is closed with it. An object file can also be kept on disk
(:mod:`sde_lab.compiled.disk_cache`), and linking it takes two milliseconds and needs no numba.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from sde_lab.compiled.graph import FUNCTIONS
from sde_lab.compiled.source import check

SYMBOL = "sde_lab_kernel"
"""Name of the function in the object file."""
FASTMATH = ("contract", "arcp", "nsz", "reassoc")
"""LLVM fast-math flags. Not ``nnan`` and ``ninf``: a diverged path must hold Inf or NaN."""
COMPILER_LOCK = threading.RLock()
"""Held while LLVM works. A fork waits for it: a child would inherit locks of LLVM and numba that
no thread of its own will release."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=COMPILER_LOCK.acquire,
        after_in_parent=COMPILER_LOCK.release,
        after_in_child=COMPILER_LOCK.release,
    )

MAX_COMPILED = 300
"""Number of kernels that a process compiles at most: of each, LLVM and numba keep 0.1 to 1 MB."""
_compiled = itertools.count()
_ARRAY_ARGUMENTS = 7
"""Arguments by which numba passes an array of one dimension: owner, parent, items, bytes per item,
address, shape, stride."""
_ARRAY_ADDRESS = 4
_INT64 = np.dtype(np.int64)
_SINGLE = {"float32": "f", "float64": ""}
_LIBRARY_FUNCTIONS = (*FUNCTIONS, "pow")


@dataclass(frozen=True)
class ObjectCode:
    """A compiled kernel that is not linked.

    Attributes:
        data: the object file.
        imports: names of the functions of the C library that it calls.
        dtype: "float32" or "float64".
    """

    data: bytes
    imports: tuple[str, ...]
    dtype: str


class CompileLimitError(RuntimeError):
    """Raised where a process has compiled MAX_COMPILED kernels."""


class LinkError(RuntimeError):
    """An object file calls what is not in this process, or does not hold a kernel."""


def compile_source(text: str, dtype: str) -> ObjectCode:
    """Compile the source of a kernel (:func:`sde_lab.compiled.source.write`) by numba.

    Raises:
        SourceError: if the source is outside the language of :mod:`sde_lab.compiled.source`.
        LinkError: if the code would call anything but mathematical functions.
        CompileLimitError: if this process has compiled MAX_COMPILED kernels.
    """
    check(text)
    with COMPILER_LOCK:
        if next(_compiled) >= MAX_COMPILED:
            raise CompileLimitError(f"this process has compiled {MAX_COMPILED}")
        return _compile(text, dtype)


def _compile(text: str, dtype: str) -> ObjectCode:
    import numba
    from numba.core import compiler, cpu, registry, types
    from numba.core.compiler_lock import global_compiler_lock

    names: dict[str, Any] = {name: getattr(math, name) for name in FUNCTIONS}
    names |= {"number": np.dtype(dtype).type, "nan": math.nan, "inf": math.inf}
    exec(compile(text, "<generated step>", "exec"), names)  # noqa: S102  checked above
    scalar = numba.from_dtype(np.dtype(dtype))
    array, whole = scalar[::1], types.int64
    whole_array = whole[::1]
    arguments = (
        array, array, array, array, scalar, whole, whole_array, whole_array, whole, whole, array,
    )  # fmt: skip
    flags = compiler.Flags()
    flags.no_cpython_wrapper = flags.no_cfunc_wrapper = flags.no_compile = True
    flags.enable_pyobject = flags.nrt = False
    flags.error_model = "numpy"  # division by zero gives Inf or NaN
    flags.fastmath = cpu.FastMathOptions(set(FASTMATH))
    with global_compiler_lock:
        context = _target_context()
        library = context.codegen().create_library(SYMBOL)
        compiled = compiler.compile_extra(
            registry.cpu_target.typing_context,
            context,
            names["kernel"],
            arguments,
            types.void,
            flags,
            {},
            library=library,
        )
        library.add_ir_module(_entry(context, library, compiled.fndesc, arguments))
        function = compiled.fndesc.llvm_func_name
        library.get_function(function).linkage = "internal"  # it becomes part of the entry
        library.finalize()
        module = library._final_module  # noqa: SLF001  numba's way to object files is private
        imports = _imports([f.name for f in module.functions if f.is_declaration], dtype)
        return ObjectCode(bytes(library.emit_native_object()), imports, dtype)


def _entry(context: Any, library: Any, function: Any, arguments: tuple[Any, ...]) -> Any:
    """Return a module with SYMBOL: the function with arguments as a C program would pass them.

    It takes the address of each array, and after ``first`` the number of ``rows``; numba's own
    function takes an array as seven arguments, of which a kernel reads no more than these.
    """
    from llvmlite import ir

    module = library.create_ir_module("entry")
    inner = ir.Function(
        module,
        context.call_conv.get_function_type(function.restype, arguments),
        function.llvm_func_name,
    )
    status, (result, error, *flat) = inner.function_type.return_type, inner.function_type.args
    address, whole = flat[_ARRAY_ADDRESS], ir.IntType(64)
    number = flat[4 * _ARRAY_ARGUMENTS]
    steps_address = flat[4 * _ARRAY_ARGUMENTS + 2 + _ARRAY_ADDRESS]
    taken = [address] * 4 + [number, whole, whole, steps_address, steps_address]
    taken += [whole, whole, address]
    outer = ir.Function(module, ir.FunctionType(status, taken), SYMBOL)
    w, h, s, p, step, first, count, rows, places, stride, width, out = outer.args
    zero = ir.Constant(whole, 0)

    def array(address: Any, size: Any = zero) -> list[Any]:
        nothing = [ir.Constant(kind, None) for kind in flat[:2]]  # no owner
        return [*nothing, size, zero, address, size, zero]

    build = ir.IRBuilder(outer.append_basic_block())
    given = [*array(w), *array(h), *array(s), *array(p), step, first]
    given += [*array(rows, count), *array(places), stride, width, *array(out)]
    slots = [build.alloca(kind.pointee) for kind in (result, error)]
    build.ret(build.call(inner, [*slots, *given]))
    return module


def _imports(declared: list[str], dtype: str) -> tuple[str, ...]:
    """Return the functions of the C library that code with these declarations may call.

    An intrinsic of LLVM is an instruction, or the function of the same name.
    """
    known = {name + _SINGLE[dtype] for name in _LIBRARY_FUNCTIONS}
    wanted = set()
    for name in declared:
        if name.startswith("llvm."):
            function = name.split(".")[1] + _SINGLE[dtype]
            wanted |= {function} & known
        elif name in known:
            wanted.add(name)
        else:
            raise LinkError(f"a kernel would call {name}")
    return tuple(sorted(wanted))


@lru_cache(maxsize=1)
def _target_context() -> Any:
    """Return numba's target for this processor, with code that is emitted instead of run."""
    from numba.core import codegen, registry

    class EmittingCodegen(codegen.JITCPUCodegen):  # type: ignore[misc]
        """Code for this processor, with the options of numba's own engine, but kept out of it."""

        _library_class = codegen.AOTCodeLibrary

        def _add_module(self, module: Any) -> None:
            pass

    registry.cpu_target.typing_context.refresh()
    registry.cpu_target.target_context.refresh()
    return registry.cpu_target.target_context.subtarget(
        _internal_codegen=EmittingCodegen("sde_lab"), aot_mode=True
    )


@lru_cache(maxsize=1)
def target() -> tuple[str, ...]:
    """Return what machine code depends on besides its source: compiler, processor, options."""
    import llvmlite.binding as llvm

    with COMPILER_LOCK:
        _initialise_llvm()
        processor = (
            llvm.get_process_triple(),
            llvm.get_host_cpu_name(),
            llvm.get_host_cpu_features().flatten(),
        )
    versions = tuple(metadata.version(name) for name in ("numba", "llvmlite"))
    options = sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith("NUMBA_"))
    return (*versions, *processor, *FASTMATH, *options)


def _initialise_llvm() -> None:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


class LinkedKernel:
    """The kernel of an object file as a function; see :func:`sde_lab.compiled.source.write`.

    It holds no interpreter lock while it runs. Its memory is given back with it.

    Raises:
        LinkError: if the file calls what is not in this process, or holds no kernel.
    """

    def __init__(self, code: ObjectCode) -> None:
        import llvmlite.binding as llvm

        with COMPILER_LOCK:
            _initialise_llvm()
            machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
                jit=True, codemodel="jitdefault"
            )
            engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
            # An engine makes LLVM find the functions of the process. Without one, it would end it.
            missing = [name for name in code.imports if not llvm.address_of_symbol(name)]
            if missing:
                raise LinkError(f"no {', '.join(missing)} in this process")
            engine.add_object_file(llvm.ObjectFileRef.from_data(code.data))
            engine.finalize_object()
            address = engine.get_function_address(SYMBOL)
        if not address:
            raise LinkError("the object file holds no kernel")
        # At exit the system takes the memory back; LLVM may be gone by then.
        finalize(self, engine.close).atexit = False
        self._function = _prototype(code.dtype)(address)
        self._dtype = np.dtype(code.dtype)

    def __call__(  # noqa: PLR0913, PLR0917  the arguments of a kernel
        self,
        w: NDArray[np.floating],
        h: NDArray[np.floating],
        s: NDArray[np.floating],
        p: NDArray[np.floating],
        step: float,
        first: int,
        rows: NDArray[np.int64],
        places: NDArray[np.int64],
        stride: int,
        width: int,
        out: NDArray[np.floating],
    ) -> None:
        """Run the kernel on contiguous arrays of its precision."""
        status = self._function(
            *(_address(array, self._dtype) for array in (w, h, s, p)),
            step,
            first,
            len(rows),
            _address(rows, _INT64),
            _address(places, _INT64),
            stride,
            width,
            _address(out, self._dtype),
        )
        if status:
            raise RuntimeError(f"a kernel returned status {status}")


@lru_cache(maxsize=2)
def _prototype(dtype: str) -> Callable[[int], Callable[..., int]]:
    """Return the type of SYMBOL in an object file of this precision."""
    at, whole = ctypes.c_void_p, ctypes.c_int64
    scalar = ctypes.c_float if dtype == "float32" else ctypes.c_double
    arguments = (at, at, at, at, scalar, whole, whole, at, at, whole, whole, at)
    return ctypes.CFUNCTYPE(ctypes.c_int32, *arguments)


def _address(array: NDArray[Any], dtype: np.dtype[Any]) -> int:
    if array.dtype != dtype or not array.flags.c_contiguous:
        raise TypeError(f"a kernel takes contiguous arrays of {dtype}, not {array.dtype}")
    address: int = array.__array_interface__["data"][0]  # half the time of array.ctypes.data
    return address
