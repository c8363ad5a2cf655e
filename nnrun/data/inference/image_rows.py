"""New rows from files of images, decoded as those of training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from nnrun.data.cells.cell_errors import about_unknown
from nnrun.data.images.decode import CHANNELS, is_image, read_image
from nnrun.data.images.folder import images_within
from nnrun.data.inference.columns import RowBatch, Rows, texts
from nnrun.data.inference.put_aside import BadRows
from nnrun.data.layout import Layout
from nnrun.errors import DataError, UsageError, first_of
from nnrun.nn.signature import Array

FILE = "file"


def are_images(inputs: Sequence[Path]) -> bool:
    """Whether these are images, by their names, or folders of them, and no table or arrays."""
    return len(inputs) > 1 or any(map(_holds_images, inputs))


def _holds_images(path: Path) -> bool:
    return path.is_dir() or is_image(path.name)


class ImageRows(Rows):
    """`Rows` of files and folders of images; batches come with the paths of the files.

    Args:
        inputs: the files and folders.
        with_target: whether the names of the files' folders are read as their classes.
    """

    def __init__(self, inputs: Sequence[Path], layout: Layout, *, with_target: bool) -> None:
        if not layout.from_images:
            image = next(filter(_holds_images, inputs), None)
            if image is None:
                message = "one file of rows is predicted at a time; run the command for each"
                raise UsageError(f"{inputs[1]}: is a second input: {message}")
            raise UsageError(
                f"{image}: is not a file of rows: this run was not trained on a folder of "
                "images; give it a CSV or npz file like that which it was trained on"
            )
        self.files = [file for path in inputs for file in images_within(path)]
        super().__init__(layout, BadRows(inputs[0]), with_target=with_target)
        self.mode = next(mode for mode, n in CHANNELS.items() if n == layout.shape[0])

    def batches(self, rows: int) -> Iterator[RowBatch]:
        wrong: list[str] = []
        for start in range(0, len(self.files), rows):
            files = self.files[start : start + rows]
            x = np.empty((len(files), *self.layout.shape), np.uint8)
            for row, file in enumerate(files):
                try:
                    x[row] = read_image(file, self.mode, self.layout.shape[1:])  # type: ignore[arg-type]
                except DataError as error:
                    wrong.append(str(error))
            if not wrong:  # else the rest is only checked for further mistakes
                y = self._classes(files) if self.with_target else None
                yield RowBatch(x, y, (texts([str(file) for file in files]),))
        if wrong:
            raise DataError("\n".join(first_of(wrong)))

    def _classes(self, files: Sequence[Path]) -> Array:
        numbers = {name: number for number, name in enumerate(self.layout.classes)}
        found = [numbers.get(self.layout.label(file.absolute().parent.name), -1) for file in files]
        if -1 in found:
            file = files[found.index(-1)]
            unknown = about_unknown(file.absolute().parent.name, self.layout.classes, "classes")
            raise DataError(f"{file}: its folder {unknown.text}")
        return np.array(found, np.int64)
