"""The form of rows that a trained network takes, and rows of this form made of columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.columns.cells import NumberCells
from nnrun.data.columns.column import Column, Number
from nnrun.data.columns.kinds import from_json, to_json
from nnrun.data.columns.missing_words import MissingValues
from nnrun.data.columns.number_formats import NumberFormat
from nnrun.data.columns.table import Cells
from nnrun.data.encodings import UTF_8, checked_encoding
from nnrun.data.labels import all_numbers, canonical
from nnrun.data.rows import kept, refuse_if_too_big
from nnrun.nn.signature import Array

# The most rows and numbers that are joined at once.
_ROWS, _NUMBERS = 1 << 12, 1 << 20


@dataclass(frozen=True)
class Columns:
    """The columns of a table that make up x, in order.

    `separator`, `decimal`, `encoding` and `missing_values` are those of the file; a separator of
    None is detected.
    """

    every: tuple[Column, ...]
    separator: str | None = None
    decimal: str = "."
    encoding: str = UTF_8
    missing_values: MissingValues = field(default_factory=dict, hash=False)

    @classmethod
    def numbers(cls, names: Sequence[str]) -> Columns:
        """Columns of numbers."""
        return cls(_numbers(tuple(names)))

    def __iter__(self) -> Iterator[Column]:
        return iter(self.every)

    def stored(self) -> dict[str, Any]:
        """What most files do not have, as JSON-able values."""
        found: dict[str, Any] = {}
        found |= {} if self.encoding == UTF_8 else {"encoding": self.encoding}
        return found | ({"missing_values": self.missing_values} if self.missing_values else {})

    def parts(self, x: Array) -> Iterator[tuple[Column, Array]]:
        """Each column with its features of x: (rows, width)."""
        for column, place in zip(self.every, self.places.values(), strict=True):
            yield column, x[:, place.start : place.stop]

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The names of the columns of the file, each once."""
        return tuple(dict.fromkeys(column.source for column in self.every))

    @cached_property
    def places(self) -> dict[str, range]:
        """The places in x of each column."""
        places: dict[str, range] = {}
        start = 0
        for column in self.every:
            places[column.name] = range(start, start + column.width)
            start = places[column.name].stop
        return places

    @cached_property
    def plain(self) -> bool:
        """Whether all are numbers, so that x has the numbers of the file."""
        return all(isinstance(column, Number) and column.form is None for column in self.every)

    @cached_property
    def categories(self) -> dict[str, tuple[str, ...]]:
        """The categories of each column that has some."""
        found = {column.name: column.categories for column in self.every}
        return {name: known for name, known in found.items() if known is not None}

    @cached_property
    def imputed(self) -> dict[int, str]:
        """The places in x where missing numbers are filled in, each with its statistic."""
        return {
            place[index]: statistic
            for column, place in zip(self.every, self.places.values(), strict=True)
            for index, statistic in column.imputed.items()
        }

    @cached_property
    def codes(self) -> dict[int, str]:
        """The places in x of numbers of categories, each with the column's name."""
        places = zip(self.every, self.places.values(), strict=True)
        return {place.start: column.name for column, place in places if column.coded}

    @cached_property
    def one_hot(self) -> list[int]:
        """The places in x of one-hot features."""
        places = zip(self.every, self.places.values(), strict=True)
        return [place for column, each in places if column.kind == "one_hot" for place in each]

    @cached_property
    def sources(self) -> dict[str, str]:
        """The column of the file by the name of a feature."""
        return {name: column.source for column in self.every for name in column.feature_names}

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features of x."""
        return tuple(name for column in self.every for name in column.feature_names)


# Images have hundreds, and every use of a data set asks for them.
@lru_cache(maxsize=16)
def _numbers(names: tuple[str, ...]) -> tuple[Column, ...]:
    return tuple(map(Number, names))


@dataclass(frozen=True)
class Layout:
    """The task, the shape of a row, its columns, and the meaning of outputs.

    With `text_labels` classes are texts, even those that look like numbers; with `bool_labels` they
    are False and True. `target_form` is how a file writes numbers to predict, if not plainly. With
    `from_images` rows are the bytes of files of images.
    """

    task: str
    shape: tuple[int, ...]
    columns: Columns
    classes: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    text_labels: bool = False
    bool_labels: bool = False
    target_form: NumberFormat | None = None
    from_images: bool = False

    @property
    def numeric_labels(self) -> bool:
        """Whether classes are numbers, such as 7, which may also be written 7.0."""
        return not self.text_labels and all_numbers(self.classes)

    @property
    def is_drawn(self) -> bool:
        """Whether rows are one or two numbers of the file, which pictures show as a grid."""
        return self.shape in ((1,), (2,)) and self.columns.plain

    def label(self, text: str) -> str:
        """The name that a class with this label has."""
        return canonical(text) if self.numeric_labels else text

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether rows of this shape fit.

        Images may be flat, without their only channel, or with their channels last.
        """
        plain = self.shape[1:] if len(self.shape) == 3 and self.shape[0] == 1 else self.shape
        return shape in (self.shape, plain, (prod(self.shape),), self._channels_last)

    def arranged(self, x: Any) -> Any:
        """An array of rows that fit, as (rows, *shape)."""
        if x.shape[1:] == self._channels_last != self.shape:
            x = x.transpose(0, 3, 1, 2)
        return x.reshape(len(x), *self.shape)

    @property
    def _channels_last(self) -> tuple[int, ...]:
        return (*self.shape[1:], self.shape[0]) if len(self.shape) == 3 else self.shape

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON-able values."""
        return {
            "task": self.task,
            "shape": list(self.shape),
            "columns": [to_json(column) for column in self.columns],
            "separator": self.columns.separator,
            "decimal": self.columns.decimal,
            **self.columns.stored(),
            "classes": list(self.classes),
            "target_names": list(self.target_names),
            "text_labels": self.text_labels,
            "bool_labels": self.bool_labels,
            **({} if self.target_form is None else {"target_form": self.target_form.stored()}),
            **({"from_images": True} if self.from_images else {}),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Layout:
        """The layout that `to_dict` described."""
        missing = stored.get("missing_values", {})
        form, every = stored.get("target_form"), map(from_json, stored["columns"])
        return cls(
            task=stored["task"],
            shape=tuple(stored["shape"]),
            columns=Columns(
                tuple(every),
                stored["separator"],
                stored["decimal"],
                checked_encoding(stored.get("encoding", UTF_8)),
                {name: [*map(str, words)] for name, words in missing.items()},
            ),
            classes=tuple(stored["classes"]),
            target_names=tuple(stored["target_names"]),
            text_labels=bool(stored["text_labels"]),
            bool_labels=bool(stored["bool_labels"]),
            target_form=form and NumberFormat.from_example(form),
            from_images=bool(stored.get("from_images", False)),
        )


def joined(
    columns: Sequence[Column],
    cells: Sequence[Cells],
    rows: int,
    path: Path,
    *,
    using_up: bool = False,
) -> npt.NDArray[np.float64]:
    """The features of columns, from the cells of each, joined to x: (rows, features).

    Cells of numbers may be used up, so that they and x are never in memory both. A large x is
    read-only.
    """
    width = sum(column.width for column in columns)
    refuse_if_too_big(rows * width * 8, f"{path}, one-hot encoded,")
    if not width:
        return np.empty((rows, 0))
    features = [_features(*pair, using_up=using_up) for pair in zip(columns, cells, strict=True)]
    step = max(1, min(_ROWS, _NUMBERS // width))
    starts = range(0, rows, step)
    blocks = (
        np.concatenate([of(slice(start, min(rows, start + step))) for of in features], axis=1)
        for start in starts
    )
    return kept((rows, width), np.float64, blocks)


def _features(column: Column, cells: Any, *, using_up: bool) -> Callable[[slice], Array]:
    """The features of rows, which are asked for one after the other."""
    if using_up and column.kind == Number.kind and isinstance(cells, NumberCells):
        return lambda rows: cells.taken(rows.stop - rows.start)
    return column.encoder(cells)
