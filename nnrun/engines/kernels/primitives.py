"""Functions that kernels share: the part of the batch that a task works on; and intrinsics for
parameters, memory, formulas, functions of LLVM and libc.
"""

from __future__ import annotations

from types import FunctionType, SimpleNamespace
from typing import Any, cast

from llvmlite import ir

from nnrun.compiler.code import DOUBLE, I32, I64, Code, intrinsic, real, sqrt
from nnrun.engines.functions import functions
from nnrun.engines.kernels.scratch import lines
from nnrun.systems import system


@intrinsic
def pieces(t: Code, scratch: Any, lengths: tuple[Any, ...]) -> tuple[Any, ...]:
    """The addresses of pieces of scratch memory of these lengths."""
    places = [scratch]
    for length in lengths[:-1]:
        rounded = t.inline(cast("FunctionType", lines), [length])
        places.append(t.builder.add(places[-1], t.integer(rounded)))
    return tuple(places)


@intrinsic
def itemsize(t: Code) -> int:
    """Bytes of a number."""
    return t.size


@intrinsic
def pointer(t: Code, address: Any) -> Any:
    """A pointer to numbers of the kernel's precision."""
    return t.builder.inttoptr(address, t.real.as_pointer())


@intrinsic
def floating(t: Code, held: Any) -> Any:
    """The float64 that a parameter holds the bits of."""
    return t.builder.bitcast(held, DOUBLE)


@intrinsic
def register(t: Code) -> int:
    """Numbers in a register of 64 bytes."""
    return t.lanes


@intrinsic
def precision(t: Code, held: Any) -> Any:
    """The entry of a table by dtype for the kernel's precision."""
    return held[t.dtype]


@intrinsic
def function(t: Code, name: str) -> Any:
    """An elementary function for the kernel's precision."""
    return getattr(functions(t.dtype), name)


@intrinsic
def settings(t: Code, p: Any, first: int, names: tuple[str, ...]) -> SimpleNamespace:
    """A loss' settings by name, which are parameters from this one on, in the code's precision."""
    held = (t.builder.load(t.builder.gep(p, [t.integer(first + i)])) for i in range(len(names)))
    numbers = [t.number(t.builder.bitcast(value, DOUBLE)) for value in held]
    return SimpleNamespace(**dict(zip(names, numbers, strict=True)))


@intrinsic
def evaluated(t: Code, formula: str, names: str, *values: Any) -> Any:
    """The value of a text of `formulas` in which these names mean these values."""
    return _evaluated(t, formula, dict(zip(names.split(), values, strict=True)))


def _evaluated(t: Code, formula: str, names: dict[str, Any]) -> Any:
    known: dict[str, Any] = {
        **vars(functions(t.dtype)),
        "real": real,
        "sqrt": sqrt,
        "zero": t.number(0),
        "one": t.number(1),
        **names,
    }
    return t.evaluate(formula.format(**{name: name for name in known}), known)


@intrinsic
def moved(t: Code, maps: Any, r: Any, i: Any) -> tuple[Any, ...]:
    """The address of a line of a row in each map, given by its address and the strides of rows and
    lines.
    """

    def place(base: Any, row: Any, line: Any) -> Any:
        distance = t.builder.add(t.builder.mul(r, row), t.builder.mul(i, line))
        return t.address(base, distance)

    return tuple(place(*one) for one in maps)


@intrinsic
def evaluated_at(t: Code, formula: str, names: str, places: Any, index: Any) -> Any:
    """The value of a formula of the numbers at an index after these addresses."""
    numbers = [t.builder.load(t.address(place, index)) for place in places]
    return _evaluated(t, formula, dict(zip(names.split(), numbers, strict=True)))


@intrinsic
def optimizer(
    t: Code,
    p: Any,
    first: int,
    k: Any,
    state: tuple[str, ...],
    numbers: tuple[str, ...],
    corrections: tuple[str, ...],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pointers to an optimizer's arrays, from this parameter on; its numbers in iteration k."""
    names = (*state, *numbers, *corrections)
    held = {
        n: t.builder.load(t.builder.gep(p, [t.integer(first + i)])) for i, n in enumerate(names)
    }
    arrays = {name: t.builder.inttoptr(held[name], t.real.as_pointer()) for name in state}
    known = {name: t.number(t.builder.bitcast(held[name], DOUBLE)) for name in numbers}
    for name in corrections:
        steps = t.builder.inttoptr(held[name], DOUBLE.as_pointer())
        known[name] = t.number(t.builder.load(t.address(steps, k)))
    return arrays, known


@intrinsic
def stepped(
    t: Code,
    update: tuple[tuple[str, str], ...],
    arrays: dict[str, Any],
    numbers: dict[str, Any],
    j: Any,
    theta: Any,
    g: Any,
    rate: Any,
) -> Any:
    """The parameter after the assignments of an `OptimizerFormula`, which store the state at j."""
    known = {**numbers, "theta": theta, "g": g, "rate": rate}
    places = {name: t.address(array, j) for name, array in arrays.items()}
    known |= {name: t.builder.load(place) for name, place in places.items()}
    for name, text in update:
        known[name] = _evaluated(t, text, known)
        if name in places:
            t.builder.store(known[name], places[name])
    return known["theta"]


@intrinsic
def atomic_add(t: Code, address: Any, value: Any) -> Any:
    """Add to an int64 that threads share; its value before."""
    return t.builder.atomic_rmw("add", address, t.integer(value), "seq_cst")


@intrinsic
def atomic_load(t: Code, address: Any) -> Any:
    """An int64 that other threads change; their earlier writes are visible after it."""
    return t.builder.load_atomic(address, "acquire", 8)


@intrinsic
def give_way(t: Code) -> None:
    """Yield the processor to another thread."""
    kind = ir.FunctionType(I32, [])
    name = "sched_yield"
    found = t.module.globals.get(name) or ir.Function(t.module, kind, name=name)
    t.builder.call(found, [])


@intrinsic
def nanoseconds(t: Code) -> Any:
    """The time of the monotonic clock."""
    moment = t.builder.bitcast(t.place(ir.ArrayType(I64, 2)), I64.as_pointer())
    kind = ir.FunctionType(I32, [I32, moment.type])
    name = "clock_gettime"
    found = t.module.globals.get(name) or ir.Function(t.module, kind, name=name)
    t.builder.call(found, [ir.Constant(I32, system.MONOTONIC), moment])
    seconds, rest = (t.builder.load(t.builder.gep(moment, [t.integer(i)])) for i in range(2))
    return t.builder.add(t.builder.mul(seconds, t.integer(1_000_000_000)), rest)


@intrinsic
def run(t: Code, address: Any, p: Any, task: Any, n: Any, k: Any, start: Any, rate: Any,
        scratch: Any) -> None:  # fmt: skip
    """Call a kernel at an address."""
    values = [t.builder.inttoptr(p, I64.as_pointer()), task, n, k, start, rate, scratch]
    kind = ir.FunctionType(ir.VoidType(), [value.type for value in values])
    t.builder.call(t.builder.inttoptr(address, kind.as_pointer()), values)


def row_range(task: Any, rows: Any, n: Any) -> tuple[Any, Any]:
    """The task's rows, `rows` of them at most; all where `rows` is 0."""
    first = task * rows
    last = min(first + rows, n)
    if rows == 0:
        last = n
    return first, last


def column_range(task: Any, columns: Any, numbers: Any) -> tuple[Any, Any]:
    """The task's columns of a line, `columns` of them at most; all where `columns` is 0."""
    first = min(task * columns, numbers)
    last = min(first + columns, numbers)
    if columns == 0:
        last = numbers
    return first, last
