"""The memory of machine code, and guard pages that find what touches more than its array."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from nnrun.engines import allocation
from nnrun.engines.allocation import CACHE_LINE, address, unwritten
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.generated.program import Program
from nnrun.engines.tape import network as tapes
from nnrun.engines.tape.engine import TapeEngine
from nnrun.engines.tape.plan import ExecutionPlan
from nnrun.nn import Adam, BatchNorm, CrossEntropy, Dropout, Flatten, MaxPool2d, conv2d, dense
from tests.engines.guards import SIDES, GuardError, Side, apart, guarded

KINDS = {
    "tape": TapeEngine,
    "tape in three threads": partial(TapeEngine, threads=3),
    "function": CompiledEngine,
}
# Strides that are wrong: of a kernel, which, and by how many numbers.
WRONG = {
    "the data are read too far apart": ("gather", "data_row", 1),
    "lines of a convolution's x are": ("convolve", "x_line", 40),
    "rows of its y are": ("convolve", "y_row", 16),
    "pixels of its y are too near": ("convolve", "y_pixel", -8),
    "sums of its weights are too far apart": ("convolve_weights", "dw_task", 16),
    "rows of Winograd's x are": ("winograd", "x_row", 16),
    "lines of its y are too near": ("winograd", "y_line", -16),
    "rows of a product's x are too far apart": ("product", "x_row", 16),
    "rows of its dx are too near": ("product_back", "dx_row", -16),
    "lines of pooling's dx are too far apart": ("max_pool_back", "dx_line", 16),
    "parts of what is normalised are": ("moments", "part", 16),
    "rows of random numbers are": ("dropout", "drawn", 1),
}


def blocks(kind: Any) -> list[Any]:
    """Each kind of computation once; functions have no batch normalisation."""
    return [
        *[conv2d(16, 3, padding="same", activation="gelu"), MaxPool2d(2)],
        *([] if kind is CompiledEngine else [BatchNorm()]),
        *[conv2d(16, 3, padding="same", activation="relu"), Dropout(0.2), Flatten()],
        *[dense(20, "tanh"), dense(3, "softmax")],
    ]


def changed(plan: ExecutionPlan, kernel: str, parameter: str, by: int) -> ExecutionPlan:
    """The plan, with another stride in all calls of a kernel."""
    for stage in plan.stages:
        for index, op in enumerate(stage.ops):
            if op.kernel == kernel:
                values = {**op.values, parameter: op.values[parameter] + by}  # type: ignore[operator]
                stage.ops[index] = replace(op, values=values)
    return plan


def train(task: Any, kind: Any, side: Side, change: tuple[str, str, int] | None = None) -> Any:
    """The parameters and the loss after some updates between guard pages."""
    settings = {"batch_size": 4, "iterations": 5, "clip_norm": 1.0}
    one = task(lambda: blocks(kind), (2, 8, 8), CrossEntropy(), Adam, **settings)
    made = tapes.training

    def wrong(*arguments: Any, **more: Any) -> ExecutionPlan:
        plan = made(*arguments, **more)
        return changed(plan, *change) if change else plan

    with patch.object(tapes, "training", wrong), guarded(side):
        engine = one.train(kind)
        loss, _ = engine.evaluate(*one.data())
        return loss, engine.network.theta


def found(run: Callable[[Side], Any]) -> str:
    """What the guards find: a fault in words, or that something is NaN; nothing, if all is well."""
    for side in SIDES:
        try:
            loss, theta = apart(lambda side=side: run(side))
        except GuardError as fault:
            return str(fault)
        if not (np.isfinite(loss) and np.isfinite(theta).all()):
            return "NaN"
    return ""


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_is_right_is_found_right(kind: Any, task: Any) -> None:
    """All ways of the engine keep to their arrays, and read nothing that was not written."""
    assert found(lambda side: train(task, kind, side)) == ""


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_stride_is_found(name: str, task: Any) -> None:
    """A stride that is wrong in one kernel is found without another engine's numbers."""
    assert found(lambda side: train(task, TapeEngine, side, WRONG[name])) != ""


def test_too_little_memory_for_a_function_is_found(task: Any) -> None:
    """Also if a generated function has half of the memory for its values."""
    right = Program.size

    def half(program: Program, block: str) -> int:
        return right(program, block) // (2 if block == "values" else 1)

    def run(side: Side) -> Any:
        with patch.object(Program, "size", half):
            return train(task, CompiledEngine, side)

    assert found(run) != ""


READ, WRITE = (lambda at: ctypes.string_at(at, 1)), (lambda at: ctypes.memset(at, 0, 1))


@pytest.mark.parametrize(("side", "distance"), [("end", 80), ("start", -1)])
@pytest.mark.parametrize("touch", [READ, WRITE])
def test_a_touched_page_is_named(side: Side, distance: int, touch: Any) -> None:
    """The array nearest to it is named, and the byte."""

    def run() -> None:
        with guarded(side):
            name = "theirs"
            array = allocation.unwritten(10, "float64")
            assert name
            touch(array.ctypes.data + distance)

    with pytest.raises(GuardError, match=rf"SIGSEGV: touched byte {distance} of the 80.* theirs"):
        apart(run)


@pytest.mark.parametrize(("side", "distance"), [("end", -1), ("start", 80)])
def test_what_is_written_without_a_page_is_found(side: Side, distance: int) -> None:
    """In the rest of an array's own pages, whether it is still there in the end or not."""

    def run(keep: bool) -> None:
        with guarded(side):
            array = allocation.unwritten(10, "float64")
            WRITE(array.ctypes.data + distance)
            if not keep:
                del array

    for keep in (True, False):
        with pytest.raises(GuardError, match=rf"bytes \[{distance}\] beside the 80"):
            run(keep)


@pytest.mark.parametrize("side", SIDES)
def test_what_is_not_written_is_nan(side: Side) -> None:
    """Arrays begin as NaN, whole numbers as -1; only zeros that are asked for are there."""
    with guarded(side):
        for dtype in ("float32", "float64"):
            assert np.isnan(allocation.unwritten(5, dtype)).all()
        assert [-1] * 5 == allocation.unwritten(5, "int64").tolist()
        assert [0.0] * 5 == allocation.zeros(5, "float64").tolist()
        assert [[1.0, 2.0]] == allocation.given(np.array([[1, 2]]), "float64").tolist()


def test_a_function_apart() -> None:
    """What it returns and raises comes back."""
    assert apart(lambda: {"a": 1}) == {"a": 1}
    with pytest.raises(ValueError, match="so it is"):
        apart(lambda: int("so it is"))


# The memory of machine code.


def read_only():
    array = np.arange(5.0)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "array",
    [np.arange(5.0), np.arange(5.0)[2:], np.arange(6.0).reshape(2, 3).T, np.empty(0), read_only()],
    ids=["whole", "part", "transposed", "empty", "read-only"],
)
def test_an_address_is_that_of_the_first_number(array):
    """Also of arrays that cannot be written, or have no numbers."""
    assert array.ctypes.data == address(array)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8"])
def test_arrays_begin_with_a_cache_line(dtype):
    """Whatever their size and type."""
    for size in (1, 7, 64, 1000):
        array = unwritten(size, dtype)
        assert (0, size) == (address(array) % CACHE_LINE, len(array))
