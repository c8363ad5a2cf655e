"""Rows of the common form in CSV text: one on each line, with quotes around whole cells only.

A cell of a number is one that `float` reads, or a common word for a missing one. `numpy.loadtxt`
reads them with the same bits as `float`, some thousand rows at once.
"""

from __future__ import annotations

import csv
import io
import mmap
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.columns.table import Numbers, Texts

_KINDS = {True: "f8", False: "O", None: "U1"}  # what is not wanted is cut
_LONGEST = 100_000
"""A cell with more bytes is left to the module csv, which has a limit."""
_STAND_INS = {b"": b"nAn", b"NA": b"nAN", b"?": b"NAn"}
"""What is read in place of missing values: NaN as a number, and no words that files have."""
_MISSING = {word.decode(): cell.decode() for cell, word in _STAND_INS.items()}


class CommonRows:
    """The rows of whole lines.

    Args:
        content: the lines.
        wanted: for each column, whether its cells are numbers or texts; None if nobody needs them.

    Raises: ValueError if some lines are not of the common form.
    """

    def __init__(
        self, content: bytes, wanted: Sequence[bool | None], delimiter: str, decimal: str
    ) -> None:
        self._content, self._delimiter, self._decimal = content, delimiter, decimal
        ends = np.frombuffer(content, np.uint8) == ord("\n")
        self.count = int(np.count_nonzero(ends))
        self._check(ends)
        if decimal == ",":
            content = content.replace(b",", b".")
        self._wanted = wanted
        self._has_stand_ins = False
        try:
            self._columns = self._loaded(content)
        except ValueError:
            if any(word in content for word in _STAND_INS.values()):
                raise
            self._has_stand_ins = True
            self._columns = self._loaded(_without_missing(content, delimiter.encode()))

    def _check(self, ends: npt.NDArray[np.bool_]) -> None:
        """Raise a ValueError where `numpy.loadtxt` would read another thing than the module csv."""
        content = self._content
        if _longest(ends) > _LONGEST and b'"' not in content:  # of lines; of cells it may not be
            ends |= np.frombuffer(content, np.uint8) == ord(self._delimiter)
        lone = b"\r" in content and content.count(b"\r") != content.count(b"\r\n")
        if not content or content.isspace() or _longest(ends) > _LONGEST or lone:
            raise ValueError("there are blank, endless or old lines")
        if self._delimiter in (" ", self._decimal) or (self._decimal == "," and b"." in content):
            raise ValueError("signs may have two meanings")
        if b'"' in content:
            sign = re.escape(self._delimiter).encode()
            whole = rb'"(?<=[%b\n]")[^"\r\n]*"(?=[%b\r\n])' % (sign, sign)
            if b'" ' in content or b'"' in re.sub(whole, b"", b"\n" + content):
                raise ValueError("a quote is not at an end of a cell")

    def _loaded(self, content: bytes) -> Any:
        """The columns; raises as above."""
        single = set(self._wanted) == {True}  # in one array, since a table may have thousands
        fields = [(str(place), _KINDS[kind]) for place, kind in enumerate(self._wanted)]
        form = {"delimiter": self._delimiter, "quotechar": '"', "comments": None}
        load: Callable[..., npt.NDArray[Any]] = np.loadtxt
        dtype = np.float64 if single else fields
        rows = load(io.BytesIO(content), dtype, ndmin=1 + single, encoding="utf-8", **form)
        if len(rows) != self.count or (single and rows.shape[1] != len(fields)):
            raise ValueError("some lines are blank, or all are of another length")
        return _apart(rows.T) if single else [rows[name].copy() for name, _ in fields]

    @cached_property
    def _is_finite(self) -> bool:
        return isinstance(self._columns, np.ndarray) and bool(np.isfinite(self._columns).all())

    def column(self, place: int) -> Numbers | Texts:
        """The cells of a column that is wanted; raises as above."""
        cells = self._columns[place]
        if cells.dtype.kind == "O":
            return Texts.of(cells.tolist(), self._text)
        odd = [] if self._is_finite else np.flatnonzero(~np.isfinite(cells)).tolist()
        return Numbers(cells, {row: self._cells(row)[place] for row in odd})

    def _text(self, cell: str) -> str:
        if self._has_stand_ins:
            if cell in _MISSING:
                return _MISSING[cell]
            if any(word in cell for word in _MISSING):
                raise ValueError("a stand-in is within quotes")
        text = cell.lstrip(" ")
        return text.replace(".", ",") if self._decimal == "," else text

    def _cells(self, row: int) -> list[str]:
        """The cells of a row as the file has them."""
        if row not in self._split:
            line = [self._lines[row].decode()]
            (self._split[row],) = csv.reader(
                line, delimiter=self._delimiter, skipinitialspace=True, strict=True
            )
        return self._split[row]

    @cached_property
    def _lines(self) -> list[bytes]:
        return self._content.split(b"\n")

    @cached_property
    def _split(self) -> dict[int, list[str]]:
        return {}


def _apart(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A copy in pages of its own, which are free as soon as the array is.

    In the heap, arrays that are given up from the first on leave holes.
    """
    memory = mmap.mmap(-1, values.nbytes, access=mmap.ACCESS_COPY)
    copy = np.frombuffer(memory, np.float64).reshape(values.shape)
    copy[:] = values
    return copy


def _longest(ends: npt.NDArray[np.bool_]) -> int:
    """The bytes of the longest piece, with its end."""
    return int(np.diff(np.flatnonzero(ends), prepend=-1).max(initial=0))


def _without_missing(content: bytes, sign: bytes) -> bytes:
    """The same lines with their stand-ins for cells without a value."""
    content = b"\n" + content.replace(b"\r\n", b"\n")
    for cell, word in _STAND_INS.items():
        for before, behind in ((sign, sign), (sign, sign), (sign, b"\n"), (b"\n", sign)):
            content = content.replace(before + cell + behind, before + word + behind)
    return content[1:]
