"""The machine code of `cells.scan`, and its calls."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FunctionType

import numpy as np
import numpy.typing as npt

from nnrun.compiler.llvm import cache as object_files
from nnrun.data.readers.text.scan.kinds import NUMBER, TEXT


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
    """Reads the cells of lines, in several threads if wanted.

    Args:
        separator: of cells, one byte.
        point: before decimals, one byte.
    """

    def __init__(self, kinds: Sequence[int], separator: str, point: str) -> None:
        self._kinds = np.array(kinds, dtype=np.int64)
        self._signs = ord(separator), ord(point)
        self._function, self._powers = _function(), _powers()
        self._of_numbers, self._of_texts = (kinds.count(kind) for kind in (NUMBER, TEXT))

    def scan(self, text: bytes, start: int, size: int) -> Scanned:
        """The rows of this many bytes, which are whole lines, up to one of another form."""
        rows = text.count(b"\n", start, start + size)
        numbers = _apart(self._of_numbers, rows)
        spans = np.empty((self._of_texts, 2, rows), dtype=np.int64)
        odd = np.empty((rows * self._of_numbers + len(self._kinds), 4), dtype=np.int64)
        out = np.zeros(3, dtype=np.int64)
        held = np.frombuffer(text, dtype=np.uint8)
        self._function(
            held.ctypes.data + start, size, *self._signs, self._powers.ctypes.data,
            self._kinds.ctypes.data, len(self._kinds), rows, numbers.ctypes.data,
            spans.ctypes.data, odd.ctypes.data, len(odd), out.ctypes.data,
        )  # fmt: skip
        found, read, strange = out.tolist()
        return Scanned(
            found, read, numbers[:, :found], odd[:strange].copy(), spans[:, :, :found].copy()
        )


def _apart(columns: int, rows: int) -> npt.NDArray[np.float64]:
    """An array in pages of its own, which are free as soon as the array is.

    Between blocks of text, single arrays would leave holes.
    """
    size = 8 * columns * rows
    memory = mmap.mmap(-1, size, access=mmap.ACCESS_COPY) if size else b""
    return np.frombuffer(memory, np.float64).reshape(columns, rows)


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
