"""Kernels of convolutions and pools, called alone: the same bits however they are cut.

Whether they are right is seen by random networks (`test_random_architectures.py`).
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nnrun.compiler import machine
from nnrun.engines.allocation import zeros
from nnrun.engines.kernels import KERNELS, build, load, members, sizes, unit_of

SCRATCH = 1 << 21
Kernels = Callable[..., None]


@dataclass(frozen=True)
class Case:
    """Sizes of a convolution, of this many rows, and rows of a task."""

    rows: int
    inputs: int
    units: int
    kernel: tuple[int, int]
    padding: int
    sides: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    together: int = 2
    bias: str = "channel"


DIRECT = [
    Case(1, 1, 1, (1, 1), 0, (1, 1)),
    Case(3, 1, 6, (5, 5), 2, (7, 7)),
    Case(2, 6, 16, (5, 5), 0, (9, 9), bias="position"),
    Case(3, 20, 40, (5, 5), 0, (8, 12), bias="none"),
    Case(2, 9, 7, (3, 3), 1, (7, 1)),
    Case(5, 3, 8, (2, 3), 0, (9, 16), stride=(2, 1), together=3),
    Case(1, 17, 56, (3, 3), 1, (15, 15), stride=(1, 3)),
    Case(4, 8, 9, (3, 2), 2, (6, 5), stride=(2, 2), bias="position"),
]
WINOGRAD = [
    Case(5, 16, 16, (3, 3), 1, (7, 7)),
    Case(2, 20, 40, (3, 3), 0, (8, 9), bias="position"),
    Case(3, 17, 24, (3, 3), 2, (4, 7), bias="none"),
    Case(3, 32, 64, (3, 3), 1, (14, 14), together=3),
    Case(2, 1, 1, (3, 3), 1, (1, 1)),
]


def numbers(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Zeros at a cache line."""
    return zeros(int(np.prod(shape)), dtype).reshape(shape)


def filled(shape: tuple[int, ...], dtype: str, stored: int, seed: int) -> np.ndarray:
    """Random numbers, and zeros in the channels that are there for the registers only."""
    array = numbers((*shape[:-1], stored), dtype)
    array[..., : shape[-1]] = np.random.default_rng(seed).standard_normal(shape)
    return array


def image(name: str, x: np.ndarray) -> dict[str, int]:
    """The parameters that describe a map."""
    row, line, pixel = (step // x.itemsize for step in x.strides[:3])
    place = int(x.ctypes.data)
    return {name: place, f"{name}_row": row, f"{name}_line": line, f"{name}_pixel": pixel}


def stored(channels: int) -> int:
    """Channels of a map in memory."""
    return -(-channels // 8) * 8


def compiled(dtype: str) -> Kernels:
    """Calls a kernel for all tasks of a batch: `f(name, tasks, rows, parameters)`."""
    scratch = numbers((SCRATCH,), dtype)

    def call(name: str, tasks: int, rows: int, parameters: dict[str, Any]) -> None:
        place = load.addresses([name], dtype)[name]
        _call(place, name, tasks, rows, parameters, scratch)

    return call


def _call(
    place: int, name: str, tasks: int, rows: int, parameters: dict[str, Any], scratch: np.ndarray
) -> None:
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 5, ctypes.c_double, ctypes.c_int64)(place)
    values = np.array([parameters[key] for key in KERNELS[name].parameters], np.int64)
    for task in range(tasks):
        function(values.ctypes.data, task, rows, 0, 0, 0.0, scratch.ctypes.data)


def convolved(call: Kernels, case: Case, dtype: str, winograd: bool) -> dict[str, np.ndarray]:
    """y, dx and dw by kernels, and what they were made of."""
    (height, width), (kh, kw), (sh, sw), pad = case.sides, case.kernel, case.stride, case.padding
    oh, ow = (height + 2 * pad - kh) // sh + 1, (width + 2 * pad - kw) // sw + 1
    units, rows, tasks = stored(case.units), case.rows, -(-case.rows // case.together)
    exact = case.inputs if case.inputs < 8 and not winograd else stored(case.inputs)
    x = numbers((rows, height + 2 * pad, width + 2 * pad, exact), dtype)
    inside = np.s_[:, pad : pad + height, pad : pad + width, :]
    x[inside] = filled((rows, height, width, case.inputs), dtype, exact, 1)
    w = filled((kh, kw, case.inputs, case.units), dtype, units, 2)
    by_position = case.bias == "position"
    b = filled((oh, ow, case.units) if by_position else (1, 1, case.units), dtype, units, 3)
    dy = filled((rows, oh, ow, case.units), dtype, units, 4)
    y, dw = numbers((rows, oh, ow, units), dtype), numbers((tasks, w.size), dtype)
    dx = numbers((rows, height + 2, width + 1, stored(case.inputs)), dtype)[:, 1:-1, 1:]
    by_turns = numbers((2, w.size), dtype)
    # Whatever is there is overwritten; of a single row there is no second sum.
    dw[...] = dx[...] = y[...] = by_turns[: min(2, rows)] = 7
    sizes = {"channels": case.inputs, "units": units, "rows": case.together, "oh": oh, "ow": ow}
    sizes |= {"kh": kh, "kw": kw, "sh": sh, "sw": sw, "dw": dw.ctypes.data, "dw_task": w.size}
    sizes |= {"groups": tasks, "strip": kh * kw * case.inputs}
    place = 0 if case.bias == "none" else b.ctypes.data
    bias = {"b": place, "b_line": ow * units * by_position, "b_pixel": units * by_position}
    weights = {"w": w.ctypes.data, "channels": case.inputs, "channels_stored": dx.shape[3]}
    weights |= {"units": case.units, "units_stored": units, "taps": kh * kw, "rows": 3}
    turned = numbers((max(16, kh * kw), case.units, dx.shape[3]), dtype)
    forward = {**image("x", x), **image("y", y), **bias, **sizes}
    if winograd:
        u = numbers((16, case.inputs, units), dtype)
        shapes = {"height": oh + 2, "width": ow + 2, "top": 0, "left": 0}
        steps = -(-case.inputs // 3)
        call("transform_weights", steps, rows, {**weights, "units": units, "u": u.ctypes.data})
        call("winograd", tasks, rows, {**forward, **shapes, "u": u.ctypes.data})
        place = turned.ctypes.data
        call("transform_turned", -(-case.units // 3), rows, {**weights, "u": place})
        back = {**image("x", dy), **image("y", dx), "u": place, "b": 0, "b_line": 0, "b_pixel": 0}
        back |= {"channels": case.units, "units": dx.shape[3], "rows": case.together}
        back |= {"height": oh, "width": ow, "oh": height, "ow": width}
        call("winograd", tasks, rows, {**back, "top": 2 - pad, "left": 2 - pad})
        call("winograd_weights", tasks, rows, {**image("x", x), **image("dy", dy), **sizes})
    else:
        call("convolve", tasks, rows, {**forward, "w": w.ctypes.data})
        call("turn_weights", -(-kh * kw // 3), rows, {**weights, "turned": turned.ctypes.data})
        back = {**sizes, "channels": dx.shape[3], "units": case.units, "w": turned.ctypes.data}
        back |= {"top": pad, "left": pad, "height": height, "width": width}
        call("convolve_back", tasks, rows, {**back, **image("dy", dy), **image("dx", dx)})
        last = {**image("x", x), **image("dy", dy), **sizes}
        call("convolve_weights", tasks, rows, last)
        # The same by strips of 6, over the even rows and over the odd ones.
        last |= {"rows": 0, "groups": 2, "strip": 6, "dw": by_turns.ctypes.data}
        call("convolve_weights", 2 * -(-kh * kw * case.inputs // 6), rows, last)
    made = {"y": y, "dx": np.ascontiguousarray(dx), "dw": dw.reshape(tasks, *w.shape)}
    made["strips"] = made["dw"] if winograd else by_turns.reshape(2, *w.shape)
    return {**made, "x": x[inside], "w": w, "b": b, "dy": dy}


@pytest.fixture
def for_registers(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, str, str], Kernels]:
    """Kernels compiled for registers of this many bytes, and for another processor if so wanted."""

    def prepare(register: int, processor: str, dtype: str) -> Kernels:
        if register == machine.register() and not processor:
            return compiled(dtype)  # the code would be the same
        monkeypatch.setattr(machine, "register", lambda: register)
        if processor:
            monkeypatch.setattr(machine, "processor", lambda: machine.Processor(processor))
        places: dict[str, int] = {}
        scratch = numbers((SCRATCH,), dtype)

        def call(name: str, tasks: int, rows: int, parameters: dict[str, Any]) -> None:
            if name not in places:
                unit = unit_of(name)
                places.update(machine.symbols(build.build(unit, dtype), members(unit)))
            _call(places[name], name, tasks, rows, parameters, scratch)

        return call

    return prepare


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("register", [16, 32, 64])
def test_bits_do_not_depend_on_the_registers(
    dtype: str, register: int, for_registers: Callable[[int, str, str], Kernels]
) -> None:
    """Whatever is as wide as the registers, each number is summed in the same order.

    The code for the narrower ones is compiled for a processor that has AVX2 and nothing beyond.
    """
    is_old = register < 64 and platform.machine() in ("x86_64", "AMD64")
    other = for_registers(register, "haswell" if is_old else "", dtype)
    for case, winograd in [(one, False) for one in DIRECT] + [(one, True) for one in WINOGRAD]:
        expected = convolved(compiled(dtype), case, dtype, winograd)
        actual = convolved(other, case, dtype, winograd)
        for name in ("y", "dx", "dw", "strips"):
            assert expected[name].tobytes() == actual[name].tobytes(), (case, name)


@pytest.mark.parametrize("case", [DIRECT[4], WINOGRAD[0]])
def test_rows_do_not_depend_on_their_tasks(case: Case) -> None:
    """y and dx of a row are the same bits, with which others it may be in a task."""
    winograd = case is WINOGRAD[0]
    one, two = (
        convolved(
            compiled("float32"), Case(**{**vars(case), "together": together}), "float32", winograd
        )
        for together in (1, 4)
    )
    assert [one[name].tobytes() for name in ("y", "dx")] == [
        two[name].tobytes() for name in ("y", "dx")
    ]


@pytest.mark.parametrize(
    ("kernel", "stride", "inputs", "units", "expected"),
    [
        ((3, 3), (1, 1), 16, 16, True),
        ((3, 3), (1, 1), 24, 100, True),
        ((3, 3), (1, 1), 8, 64, False),
        ((3, 3), (1, 1), 17, 64, False),
        ((3, 3), (2, 1), 32, 32, False),
        ((5, 5), (1, 1), 32, 32, False),
    ],
)
def test_sizes_decide(kernel: Any, stride: Any, inputs: int, units: int, expected: bool) -> None:
    """Winograd's transforms are for 3×3 at every pixel, with channels enough to pay for them."""
    assert expected == sizes.uses_winograd(kernel, stride, inputs, units)


def test_max_pool_keeps_nan() -> None:
    """NaN is larger than anything, wherever in its window it stands."""
    x = filled((1, 4, 4, 1), "float64", 8, 1)
    x[0, [0, 0, 3], [0, 3, 2], 0] = np.nan
    y = np.zeros((1, 2, 2, 8))
    shapes = {"kh": 2, "kw": 2, "sh": 2, "sw": 2, "oh": 2, "ow": 2, "rows": 1, "place": 0}
    compiled("float64")("max_pool", 1, 1, {**image("x", x), **image("y", y), **shapes})
    assert [[True, True], [False, True]] == np.isnan(y[0, :, :, 0]).tolist()
