"""npz files as data sets: arrays x and y, and x_test and y_test if there is a test split.

`x_train` and `y_train` are read as x and y. A config may name an array that rows are split by.
"""

from __future__ import annotations

import io
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from nnrun.data.dataset import Dataset, DatasetProblem, pixel_names
from nnrun.data.labels import check_classes, ordered_classes
from nnrun.data.protocols import SplitSettings
from nnrun.data.readers.opening import damage_errors, file_sha256, open_data, refuse_bytes_before
from nnrun.data.rows import LARGE, all_finite, block_rows, kept, map_array, refuse_if_too_big
from nnrun.errors import DataError, first_of
from nnrun.nn.signature import Array

# The arrays of an npz file. Nothing is unpickled; large ones are mapped and not read.
#
# An array is allocated only if the archive really has as many bytes as its header says.

_LONGEST_HEADER, _DEEPEST_HEADER = 10_000, 100
# Smaller arrays are read, so that nothing depends on the file any more.
_MAPPED = 1 << 24
_LOCAL_HEADER, _MAGIC = "<4s22xHH", b"PK\x03\x04"
_ENCRYPTED = 1
_NESTING = (b"(", b"[", b"{", b"-", b"+", b"~")

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    KeyError,
    OverflowError,
    RuntimeError,  # encrypted, or a compression method that is not known
    ValueError,
)
npz_errors = partial(damage_errors, what="npz", kinds=_DAMAGE)
"""Turns the errors of a damaged archive into a DataError with its name."""


def held_names(path: Path) -> str:
    """The end of a message: the arrays of the file, and how to name them."""
    with open_data(path) as file:
        names = names_in(path, file)
    if not names:
        return "; it holds no arrays at all"
    return f"; its arrays are {', '.join(first_of(names))}: np.savez(file, x=…, y=…) names them"


def names_in(path: Path, file: BinaryIO) -> list[str]:
    """The names of all arrays of an open file."""
    with npz_errors(path), zipfile.ZipFile(file) as archive:
        refuse_bytes_before(path, archive)
        return [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, Array]:
    """Arrays of these names that the file has; large uncompressed ones are mapped, read-only."""
    with open_data(path) as file:
        return arrays_in(path, file, names)


def arrays_in(path: Path, file: BinaryIO, names: Sequence[str]) -> dict[str, Array]:
    """The same of an open file, which its path names in errors."""
    found: dict[str, Array] = {}
    with npz_errors(path), zipfile.ZipFile(file) as archive:
        refuse_bytes_before(path, archive)
        _check_doubles(path, archive)
        held = [n for n in names if f"{n}.npy" in archive.namelist()]
        headers = {name: checked_header(path, archive, name) for name in held}
        for name, header in headers.items():
            mapped = _map(path, file, archive, name, header)
            if mapped is not None:
                found[name] = mapped
        rest = [name for name in held if name not in found]
        refuse_if_too_big(sum(headers[name].size for name in rest), str(path))
        return found | {name: _read(archive, name, headers[name]) for name in rest}


def _check_doubles(path: Path, archive: zipfile.ZipFile) -> None:
    """Raise a DataError if two entries are one array: readers differ in which of them counts."""
    counts = Counter(name.removesuffix(".npy") for name in archive.namelist())
    for name, count in counts.items():
        if count > 1:
            message = f"the archive has {count} entries of this name; save the arrays again"
            raise DataError(f"{path}: {name}: {message}")


def _map(
    path: Path, file: BinaryIO, archive: zipfile.ZipFile, name: str, header: Header
) -> Array | None:
    """An array mapped from the archive, checked against its CRC; None for one to be read."""
    member = archive.getinfo(f"{name}.npy")
    stored = member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & _ENCRYPTED
    if not stored or header.by_columns or header.size < _MAPPED or header.dtype.kind not in "buif":
        return None
    with archive.open(member) as stream:
        read_header(stream)
        start = stream.tell()
        while stream.read(1 << 20):  # at the end zipfile compares the CRC
            pass
    place = file.tell()
    file.seek(member.header_offset)
    magic, named, extra = struct.unpack(_LOCAL_HEADER, file.read(struct.calcsize(_LOCAL_HEADER)))
    file.seek(place)
    if magic != _MAGIC:
        return None
    begin = member.header_offset + struct.calcsize(_LOCAL_HEADER) + named + extra
    return map_array(path, file, begin + start, header.shape, header.dtype)


def _read(archive: zipfile.ZipFile, name: str, header: Header) -> Array:
    """A whole array; nothing is unpickled."""
    with archive.open(f"{name}.npy") as stream:
        if header.size < LARGE or header.by_columns or header.dtype.kind not in "buif":
            array: Array = npy.read_array(stream, allow_pickle=False)
            return array
        read_header(stream)
        rows = (np.frombuffer(block, header.dtype) for block in _blocks(stream, header))
        shape = header.shape[1:]
        return kept(header.shape, header.dtype, (row.reshape(-1, *shape) for row in rows))


def _blocks(stream: IO[bytes], header: Header) -> Iterator[bytes]:
    """The bytes of the rows, some at a time."""
    step = block_rows(header.shape[1:])
    width = header.size // header.shape[0]
    for start in range(0, header.shape[0], step):
        size = width * min(step, header.shape[0] - start)
        block = stream.read(size)
        while len(block) < size:  # at the end zipfile compares the CRC
            more = stream.read(size - len(block))
            if not more:
                raise EOFError("an array ends too early")
            block += more
        yield block


class Header(NamedTuple):
    """What an archive says of an array; by columns is in Fortran order."""

    shape: tuple[int, ...]
    by_columns: bool
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Size in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


def checked_header(path: Path, archive: zipfile.ZipFile, name: str) -> Header:
    """The header of an array; raises a DataError unless the archive has as many bytes."""
    member = archive.getinfo(f"{name}.npy")
    with archive.open(member) as stream:
        header = read_header(stream)
        there = member.file_size - stream.tell()
    if header.dtype.hasobject:
        message = "holds Python objects, which would have to be unpickled; save it as numbers"
        raise DataError(f"{path}: {name}: {message}")
    if there != header.size:
        message = f"says it has shape {header.shape}, {header.size} bytes, and has {there}"
        raise DataError(f"{path}: {name}: {message}")
    return header


def read_header(stream: IO[bytes]) -> Header:
    """The header of the array that follows in a stream."""
    version = npy.read_magic(stream)
    width, form = (2, "<H") if version == (1, 0) else (4, "<I")
    length = stream.read(width)
    (size,) = struct.unpack(form, length)
    content = stream.read(min(size, _LONGEST_HEADER))
    # Python's parser recurses for each of these, and headers need only a few.
    if size > _LONGEST_HEADER or sum(map(content.count, _NESTING)) > _DEEPEST_HEADER:
        raise ValueError("a header is no array's")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, fortran, dtype = read(io.BytesIO(length + content))
    except (SyntaxError, TypeError, tokenize.TokenError) as error:
        raise ValueError(f"a header is no array's: {error}") from error
    if any(isinstance(side, bool) or side < 0 for side in shape):
        raise ValueError(f"an array cannot have the shape {shape}")
    return Header(shape, fortran, dtype)


# Where an array of images has its channels.

CHANNELS = ("first", "last")
# Grey, in colours, in colours with a transparent part; and the shortest side of an image.
_COUNTS, _SHORTEST = (1, 3, 4), 8


def channels_of(shape: tuple[int, ...]) -> str:
    """Whether images of this shape, with the rows, have their channels `first` or `last`.

    They are last if the last axis could count channels, the first of an image could not, and the
    other two are at least 8 pixels; else first.
    """
    if len(shape) != 4:
        return "first"
    _, one, two, three = shape
    last = three in _COUNTS and one not in _COUNTS and min(one, two) >= _SHORTEST
    return "last" if last else "first"


def channels_first(x: npt.NDArray[Any], channels: str) -> npt.NDArray[Any]:
    """The same images as (rows, channels, height, width); other rows as they are."""
    if channels == "first" or x.ndim != 4:
        return x
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


# The largest numbers that are kept as they are.
_WIDEST = 8


def read_npz(path: Path, *, task: str | None = None, channels: str | None = None) -> Dataset:
    """An npz file as a data set.

    x is (rows, features), (rows, height, width) or (rows, channels, height, width); with `channels`
    of `last` it is (rows, height, width, channels), by default what `channels_of` says. Unless
    `task` is given, a one-dimensional y of integers or text holds classes, any other y is
    regression.

    Raises: DataError with path: array: what is wrong.
    """
    dataset = dataset_of(path, _named_arrays(path), task, channels)
    return replace(dataset, sha256=file_sha256(path))


def dataset_of(
    path: Path, arrays: dict[str, Array], task: str | None = None, channels: str | None = None
) -> Dataset:
    """Arrays as a data set, but for its digest; `path` names them in errors. Raises as above."""
    where = channels or channels_of(arrays["x"].shape)
    arrays = dict(arrays)
    for name in {"x", "x_test"} & arrays.keys():
        arrays[name] = channels_first(arrays[name], where)
    x, y = _features(path, "x", arrays["x"]), arrays["y"]
    x_test, y_test = None, None
    targets = {"y": y}
    _check_rows(path, "x", x, "y", y)
    if "x_test" in arrays:
        x_test, y_test = _features(path, "x_test", arrays["x_test"]), arrays["y_test"]
        _check_rows(path, "x_test", x_test, "y_test", y_test)
        if x_test.shape[1:] != x.shape[1:]:
            shapes = f"{x_test.shape[1:]} where x's are {x.shape[1:]}"
            raise DataError(f"{path}: x_test: has rows of shape {shapes}")
        targets["y_test"] = y_test
    encoded, classes = _targets(path, targets, task)
    text = bool(classes) and any(array.dtype.kind == "U" for array in targets.values())
    shape = x.shape[1:]
    names = pixel_names(shape) if len(shape) == 3 else tuple(f"x{i}" for i in range(shape[0]))
    outputs = 1 if classes else encoded["y"].shape[1]
    return Dataset(
        name=path.stem,
        task="classification" if classes else "regression",
        x=x,
        y=encoded["y"],
        classes=classes,
        text_labels=text,
        bool_labels=bool(classes) and all(array.dtype.kind == "b" for array in targets.values()),
        feature_names=names,
        target_names=("y",) if outputs == 1 else tuple(f"y{i}" for i in range(outputs)),
        x_test=x_test,
        y_test=encoded.get("y_test"),
        description=f"{path.name}: {len(x)} rows of shape {shape}",
    )


def _named_arrays(path: Path) -> dict[str, Array]:
    """x and y, and either both or none of x_test and y_test."""
    arrays = read_arrays(path, ("x", "y", "x_train", "y_train", "x_test", "y_test"))
    for name in ("x", "y"):
        if f"{name}_train" in arrays:
            if name in arrays:
                raise DataError(f"{path}: has both {name} and {name}_train; which one is meant?")
            arrays[name] = arrays.pop(f"{name}_train")
    missing = [name for name in ("x", "y") if name not in arrays]
    if missing or ("x_test" in arrays) != ("y_test" in arrays):
        missing = missing or [name for name in ("x_test", "y_test") if name not in arrays]
        raise DataError(f"{path}: has no array {' and no '.join(missing)}{held_names(path)}")
    return arrays


def _features(path: Path, name: str, x: Array) -> Array:
    if x.dtype.kind not in "buif":
        raise DataError(f"{path}: {name}: holds {x.dtype}, not real numbers")
    if not 2 <= x.ndim <= 4 or 0 in x.shape:
        needed = "(rows, features), (rows, height, width) or (rows, channels, height, width)"
        raise DataError(f"{path}: {name}: has shape {x.shape}; expected {needed}")
    if x.ndim == 3:
        x = x[:, None]
    if x.dtype.itemsize > _WIDEST:
        x = x.astype(np.float64)
    check_finite(path, name, x)
    return x


def check_finite(path: Path, name: str, values: Array, first: int = 0) -> None:
    """Raise a DataError with the first number that is not finite; rows count from `first`."""
    if values.dtype.kind == "f" and not all_finite(values):
        wrong = np.argwhere(~np.isfinite(values))
        place = ", ".join(str(index) for index in (first + wrong[0][0], *wrong[0][1:]))
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        value = values[tuple(wrong[0])]
        raise DataError(f"{path}: {name}[{place}]: {value} is not a finite number{more}")


def _check_rows(path: Path, x_name: str, x: Array, y_name: str, y: Array) -> None:
    rows = len(y) if y.ndim else 1
    if len(x) != rows:
        raise DataError(f"{path}: {x_name} has {len(x)} rows, {y_name} has {rows}")


def _targets(
    path: Path, targets: dict[str, Array], task: str | None
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Class numbers and the classes, or values (rows, outputs) and no classes."""
    y = targets["y"]
    if task is None:
        labels = y.ndim == 1 and y.dtype.kind in "buiU"
        task = "classification" if labels else "regression"
    if task == "classification":
        return _classes(path, targets)
    values = {}
    for name, array in targets.items():
        if array.dtype.kind not in "buif":
            raise DataError(f"{path}: {name}: holds {array.dtype}, not numbers to predict")
        if array.ndim not in (1, 2) or 0 in array.shape:
            message = f"has shape {array.shape}; expected (rows,) or (rows, outputs)"
            raise DataError(f"{path}: {name}: {message}")
        values[name] = array.astype(np.float64).reshape(len(array), -1)
        check_finite(path, name, values[name])
        if values[name].shape[1] != values["y"].shape[1]:
            raise DataError(f"{path}: {name}: has another number of outputs than y")
    return values, ()


def check_text(path: Path, name: str, labels: Array) -> None:
    """Raise a DataError if a code point is not a character, which Python strings cannot hold."""
    width = labels.dtype.itemsize // 4
    if not width:
        return
    points = np.ascontiguousarray(labels).view(labels.dtype.byteorder + "u4").reshape(-1, width)
    wrong = (points > 0x10FFFF) | ((points >= 0xD800) & (points <= 0xDFFF))
    if wrong.any():
        row, place = np.argwhere(wrong)[0]
        raise DataError(f"{path}: {name}[{row}]: U+{points[row, place]:04X} is no character")


def _classes(path: Path, targets: dict[str, Array]) -> tuple[dict[str, Array], tuple[str, ...]]:
    known: dict[str, Array] = {}
    places: dict[str, Array] = {}
    for name, given in targets.items():
        array = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
        if array.ndim != 1:
            message = f"has shape {array.shape}; classes are one label a row (use y.argmax(axis=1))"
            raise DatasetProblem([(("dataset", "task"), f"{path}: {name}: {message}")])
        values, places[name] = _distinct(path, name, array)
        known[name] = values.astype(str)
    seen = np.unique(np.concatenate(list(known.values())))
    if any(array.dtype.kind == "U" for array in targets.values()):
        classes = tuple(str(text) for text in seen)
        names = {text: text for text in classes}
    else:
        classes, names = ordered_classes(str(text) for text in seen)
    if "" in classes:
        raise DataError(f"{path}: y: a label is blank")
    check_classes(classes, sum(map(len, places.values())), f"{path}: y")
    number = {name: position for position, name in enumerate(classes)}
    return {
        name: np.array([number[names[str(text)]] for text in known[name]], np.int64)[places[name]]
        for name in targets
    }, classes


def read_split_values(path: Path, split: SplitSettings, rows: int) -> Array | None:
    """A number for the group of each row, or the times of rows; None if a split needs neither.

    Raises: DatasetProblem if there is no such array, DataError if it holds something else.
    """
    name = split.column
    if name is None:
        return None
    found = read_arrays(path, (name,))
    if name not in found:
        message = f"there is no array '{name}'{held_names(path)}"
        raise DatasetProblem([(("dataset", "split", "column"), message)])
    values = found[name]
    if values.shape != (rows,):
        raise DataError(f"{path}: {name}: has shape {values.shape}; expected ({rows},)")
    return _times(path, name, values) if split.by == "time" else _distinct(path, name, values)[1]


def _distinct(path: Path, name: str, values: Array) -> tuple[Array, Array]:
    """The sorted different labels, and the place of each row's among them."""
    if values.dtype.kind not in "buifU":
        raise DataError(f"{path}: {name}: holds {values.dtype}, neither numbers nor text")
    if values.dtype.kind == "f":
        check_finite(path, name, values)
    if values.dtype.kind == "U":
        check_text(path, name, values)
    return np.unique(values, return_inverse=True)


def _times(path: Path, name: str, values: Array) -> Array:
    if values.dtype.kind in "uif":
        values = values.astype(np.float64)
        check_finite(path, name, values)
        return values
    if values.dtype.kind != "M":
        what = "neither numbers nor dates; save dates as np.array(…, dtype='datetime64[s]')"
        raise DataError(f"{path}: {name}: holds {values.dtype}, {what}")
    if np.isnat(values).any():
        raise DataError(f"{path}: {name}[{np.isnat(values).argmax()}]: the time is missing")
    return values.astype("datetime64[us]")
