"""The form of rows that a trained network takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from nnrun.data.labels import all_numbers, canonical


@dataclass(frozen=True)
class Columns:
    """The columns of a table that make up x, in order.

    A column in `categories` becomes one 0/1 feature per category (one-hot), in the order given
    there; any other column is one number. `by_value` names the columns whose categories were all
    numbers in the training file, so that 7 and 7.0 are the same category; in other columns
    categories are text. `imputed` has the statistic that replaces missing numbers of a column.
    `separator` and `decimal` are those of the file; a separator of None is detected.
    """

    features: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    imputed: Mapping[str, str] = field(default_factory=dict)
    separator: str | None = None
    decimal: str = "."
    by_value: tuple[str, ...] = ()

    @property
    def places(self) -> dict[str, range]:
        """The places in x of each column."""
        places: dict[str, range] = {}
        start = 0
        for column in self.features:
            places[column] = range(start, start + len(self.categories.get(column, (column,))))
            start = places[column].stop
        return places

    @property
    def imputed_features(self) -> dict[int, str]:
        """The places in x where missing numbers are filled in, each with its statistic."""
        places = self.places
        return {places[column].start: statistic for column, statistic in self.imputed.items()}

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features of x; a category's is `column=category`."""
        names: list[str] = []
        for column in self.features:
            if column in self.categories:
                names += [
                    f"{column}={category or '(missing)'}" for category in self.categories[column]
                ]
            else:
                names.append(column)
        return tuple(names)


@dataclass(frozen=True)
class Layout:
    """The task, the shape of a row, its columns, and the meaning of outputs.

    With `text_labels` classes are texts, even those that look like numbers; with `bool_labels` they
    are False and True. With `from_images` rows are the bytes of files of images.
    """

    task: str
    shape: tuple[int, ...]
    columns: Columns
    classes: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    text_labels: bool = False
    bool_labels: bool = False
    from_images: bool = False

    @property
    def numeric_labels(self) -> bool:
        """Whether classes are numbers, such as 7, which may also be written 7.0."""
        return not self.text_labels and all_numbers(self.classes)

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
        categories = {name: list(values) for name, values in self.columns.categories.items()}
        return {
            "task": self.task,
            "shape": list(self.shape),
            "columns": list(self.columns.features),
            "categories": categories,
            "imputed": dict(self.columns.imputed),
            "separator": self.columns.separator,
            "decimal": self.columns.decimal,
            "by_value": list(self.columns.by_value),
            "classes": list(self.classes),
            "target_names": list(self.target_names),
            "text_labels": self.text_labels,
            "bool_labels": self.bool_labels,
            **({"from_images": True} if self.from_images else {}),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Layout:
        """The layout that `to_dict` described."""
        categories = {name: tuple(values) for name, values in stored["categories"].items()}
        # Older models do not have `by_value`.
        by_value = [name for name, known in categories.items() if all_numbers(filter(None, known))]
        return cls(
            task=stored["task"],
            shape=tuple(stored["shape"]),
            columns=Columns(
                tuple(stored["columns"]),
                categories,
                dict(stored.get("imputed", {})),
                stored.get("separator"),
                stored.get("decimal", "."),
                tuple(stored.get("by_value", by_value)),
            ),
            classes=tuple(stored["classes"]),
            target_names=tuple(stored["target_names"]),
            text_labels=bool(stored.get("text_labels", False)),
            bool_labels=bool(stored.get("bool_labels", False)),
            from_images=bool(stored.get("from_images", False)),
        )
