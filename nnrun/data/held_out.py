"""Comparing held-out rows with training rows: duplicates, and categories not seen in training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.dataset import Dataset
from nnrun.data.splits.parts import Split, SplitData, Unseen

Kept = npt.NDArray[np.bool_]


def with_training_categories(dataset: Dataset, split: Split) -> tuple[Dataset, Split]:
    """Remove the categories that no training row has from the data set and its splits.

    Held-out rows with such a category have 0 in all one-hot columns of the column. The narrower set
    has the original as `whole`; if nothing has to be removed, the arguments are returned.
    """
    columns = dataset.columns
    if columns is None or not columns.categories:
        return dataset, split
    places = {name: place for name, place in columns.places.items() if name in columns.categories}
    kept: Kept = np.ones(dataset.x.shape[1], np.bool_)
    kept[[at for place in places.values() for at in place]] = False
    for _, x in split.train.raw.blocks():
        kept |= x.any(axis=0)
    if kept.all():
        return dataset, split
    unseen = tuple(_unseen(split, columns.categories, places, kept))
    categories = {
        name: tuple(np.array(known)[kept[places[name]]].tolist())
        for name, known in columns.categories.items()
    }
    columns = replace(columns, categories=categories)

    def narrowed(part: SplitData | None) -> Any:
        return part and replace(part, raw=replace(part.raw, view=_Chosen(kept)))

    narrow = replace(
        dataset,
        columns=columns,
        feature_names=columns.feature_names,
        whole=dataset,
    )
    parts = {name: narrowed(getattr(split, name)) for name in ("train", "validation", "test")}
    return narrow, replace(split, **parts, unseen=unseen)


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Some of the features."""

    kept: Kept

    @property
    def features(self) -> int:
        return int(self.kept.sum())

    def __call__(self, x: npt.NDArray[Any], rows: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        return x[:, self.kept]


def _unseen(
    split: Split,
    categories: Mapping[str, tuple[str, ...]],
    places: Mapping[str, range],
    kept: Kept,
) -> Iterator[Unseen]:
    for name, part in split.held_out.items():
        rows = sum(np.count_nonzero(x, axis=0) for _, x in part.raw.blocks())
        for column, place in places.items():
            lost = [p for p in place if not kept[p]]
            which = tuple(categories[column][p - place.start] for p in lost if rows[p])
            if which:
                yield Unseen(name, column, int(sum(rows[p] for p in lost)), which)


def duplicates(dataset: Dataset, split: Split) -> dict[str, int]:
    """The number of rows of each held-out split that equal a training row, target included."""
    held_out = split.held_out
    numbers = (dataset.whole or dataset).equal_rows if held_out else None
    if numbers is None:
        return dict.fromkeys(held_out, 0)
    seen = np.zeros(numbers.max() + 1, np.bool_)
    seen[numbers[split.train.rows]] = True
    return {name: int(seen[numbers[part.rows]].sum()) for name, part in held_out.items()}
