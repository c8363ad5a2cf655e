"""Writing predictions to files, batch by batch, so that any number of them fits into memory."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import IO, Any, BinaryIO, Protocol, Self

import numpy as np
from numpy.lib import format as npy

from nnrun.characters import escaped
from nnrun.data.labels import number
from nnrun.models.model import Model
from nnrun.nn.signature import Array
from nnrun.spreadsheet import cell

# A fixed time stamp: the same predictions are always the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Writer(Protocol):
    """Takes the network's outputs, batch by batch; a context manager, whose exit closes it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def add(self, outputs: Array) -> None:
        """Write the predictions for more rows."""


class CsvWriter:
    """A column `prediction`; with probabilities, a column `p_<class>` for each class.

    If several values are predicted, the columns are `prediction_<target>`.
    """

    def __init__(self, model: Model, file: BinaryIO) -> None:
        self.model = model
        self.file = file
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Write the header if there were no rows; nothing else is buffered."""
        if kind is None:
            self._begin()

    def _begin(self) -> None:
        """Write the header, with the first rows: if these cannot be read, nothing is written."""
        if self._begun:
            return
        self._begun = True
        layout = self.model.layout
        targets = layout.target_names
        header = ["prediction"]
        if layout.task == "regression" and len(targets) > 1:
            header = [f"prediction_{escaped(target)}" for target in targets]
        if self.model.probabilistic:
            header += [f"p_{escaped(name)}" for name in layout.classes]
        self._write([header])

    def add(self, outputs: Array) -> None:
        self._begin()
        predictions = self.model.decode(outputs)
        columns: list[Array] = list(predictions.T) if predictions.ndim > 1 else [predictions]
        if self.model.probabilistic:
            columns += list(self.model.probabilities(outputs).T)
        self._write(zip(*map(cells, columns), strict=True))

    def _write(self, rows: Iterable[Iterable[Any]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self.file.write(text.getvalue().encode())


def cells(column: Array) -> list[Any]:
    """Numbers in their shortest exact form; labels that spreadsheets do not run as formulas."""
    if column.dtype.kind in "OUS":
        shown = {label: label if _is_number(label) else cell(label) for label in {*column.tolist()}}
        return [shown[label] for label in column.tolist()]
    return list(map(str, column)) if column.dtype == np.float32 else column.tolist()


def _is_number(label: Any) -> bool:
    return not isinstance(label, str) or number(label) is not None


class NpzWriter:
    """The array `prediction` and, with probabilities, `probability`."""

    def __init__(self, model: Model, file: BinaryIO) -> None:
        self.model = model
        self.file = file
        self._parts: dict[str, tuple[Array, IO[bytes]]] = {}  # an empty array, and all bytes
        self._closing = ExitStack()
        self._rows = 0

    def __enter__(self) -> Self:
        self.add(np.empty((0, *self.model.network.output_shape), self.model.network.dtype))
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._closing:
            if kind is None:
                self._assemble()

    def add(self, outputs: Array) -> None:
        arrays = {"prediction": self.model.decode(outputs)}
        if self.model.probabilistic:
            arrays["probability"] = self.model.probabilities(outputs)
        for name, array in arrays.items():
            if name not in self._parts:
                content = self._closing.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # closed with the others
                self._parts[name] = (array[:0], content)
            self._parts[name][1].write(np.ascontiguousarray(array).tobytes())
        self._rows += len(outputs)

    def _assemble(self) -> None:
        """Write the archive: its headers hold the number of rows, which is now known."""
        with zipfile.ZipFile(self.file, "w") as archive:
            for name, (empty, content) in self._parts.items():
                entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
                with archive.open(entry, "w", force_zip64=True) as stream:
                    header = npy.header_data_from_array_1_0(empty)
                    header |= {"shape": (self._rows, *empty.shape[1:]), "fortran_order": False}
                    npy.write_array_header_1_0(stream, header)
                    content.seek(0)
                    shutil.copyfileobj(content, stream)


WRITERS: dict[str, type[CsvWriter] | type[NpzWriter]] = {"csv": CsvWriter, "npz": NpzWriter}
