"""The machine code of `cells.scan`, and its calls."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FunctionType

import numpy as np
import numpy.typing as npt

from nnrun.compiler.llvm import cache as object_files
from nnrun.data.readers.text.scan.kinds import NUMBER, TEXT

_MOST_ROWS, _BLOCK, _ROOM = 1 << 14, 1 << 19, 1 << 20


@dataclass(frozen=True)
class Scanned:
    """Rows of cells from the start of a text.

    `numbers` is (columns of numbers, rows); `odd` (cells, 4) has the row, the column of numbers,
    the start and the end of cells whose number is not certain, or that hold none. `spans` is
    (columns of texts, 2, rows), the starts and ends of cells.
    """

    rows: int
    size: int
    numbers: npt.NDArray[np.float64]
    odd: npt.NDArray[np.int64]
    spans: npt.NDArray[np.int64]


class Scanner:
    """Reads the cells of lines.

    Args:
        kinds: of the columns.
        separator: of cells, one byte.
        point: before decimals, one byte.
    """

    def __init__(self, kinds: Sequence[int], separator: str, point: str) -> None:
        self._kinds = np.array(kinds, dtype=np.int64)
        self._signs = ord(separator), ord(point)
        self._function, self._powers = _function(), _powers()
        of_numbers, of_texts = (int((self._kinds == kind).sum()) for kind in (NUMBER, TEXT))
        # Used for all blocks: only what is read of each stays in memory.
        self._rows = rows = min(_BLOCK // len(kinds) + 1, _MOST_ROWS)
        self._numbers = np.empty((of_numbers, rows))
        self._spans = np.empty((of_texts, 2, rows), dtype=np.int64)
        self._room: npt.NDArray[np.float64] = np.empty(0)
        self._odd = np.empty((rows * of_numbers + len(kinds), 4), dtype=np.int64)

    def scan(self, text: bytes, start: int, size: int) -> Scanned:
        """The rows of so many bytes, which are whole lines, up to one of another form."""
        out = np.zeros(3, dtype=np.int64)
        held = np.frombuffer(text, dtype=np.uint8)
        arrays = (self._kinds, self._numbers, self._spans, self._odd, out, self._powers)
        kinds, numbers, spans, odd, out_, powers = (array.ctypes.data for array in arrays)
        self._function(
            held.ctypes.data + start, size, *self._signs, powers, kinds, len(self._kinds),
            self._rows, numbers, spans, odd, len(self._odd), out_,
        )  # fmt: skip
        rows, read, strange = out.tolist()
        return Scanned(
            rows,
            read,
            self._kept(self._numbers[:, :rows]),
            self._odd[:strange].copy(),
            self._spans[:, :, :rows].copy(),
        )

    def _kept(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """A copy beside others: blocks of text would leave holes between single copies."""
        if numbers.size > len(self._room):
            self._room = np.empty(max(_ROOM, numbers.size))
        copy, self._room = self._room[: numbers.size], self._room[numbers.size :]
        copy = copy.reshape(numbers.shape)
        copy[:] = numbers
        return copy


@cache
def _powers() -> npt.NDArray[np.int64]:
    from nnrun.data.readers.text.scan.decimals import powers  # noqa: PLC0415 - imports LLVM

    return powers()


@cache
def _function() -> Callable[..., None]:
    """`scan`, from the cache or compiled now."""
    from nnrun.compiler.llvm import machine  # noqa: PLC0415 - imports LLVM

    room = Path(__file__).parent
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted(room.glob("*.py")))
    code = object_files.kept(object_files.digest(source), _compiled, lambda text: None, "")
    address = machine.symbols(code, ["scan"])["scan"]
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 13)(address)


def _compiled() -> bytes:
    from nnrun.compiler.language.kinds import I64  # noqa: PLC0415 - imports LLVM
    from nnrun.compiler.language.translator import Translator  # noqa: PLC0415 - likewise
    from nnrun.compiler.llvm.machine import object_file  # noqa: PLC0415 - likewise
    from nnrun.data.readers.text.scan.cells import scan  # noqa: PLC0415 - likewise

    assert isinstance(scan, FunctionType)
    return object_file(str(Translator(scan, "scan", [I64] * 13, "float64").module))
