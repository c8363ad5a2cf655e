"""Comparing held-out rows with training rows: duplicates, and categories not seen in training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nnrun.characters import escaped
from nnrun.data.columns.column import Column, Fitted, TrainingRows
from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.layout import Columns
from nnrun.data.splits.parts import Split, Unseen
from nnrun.nn.signature import Array, Rng


def with_training_categories(
    dataset: Dataset, split: Split, rng: Rng | None = None
) -> tuple[Dataset, Split]:
    """Fit columns to the training rows: to the categories that these have, and means of the target.

    The new set has the original as `whole`; if nothing changes, the arguments are returned. `rng`
    draws the folds for means.

    Raises: DatasetProblem if a held-out row has a category that `unknown: error` forbids.
    """
    columns = dataset.columns
    if columns is None or columns.plain:
        return dataset, split
    rng = rng or np.random.default_rng(0)
    training = TrainingRows(split.train.y, dataset.classes, lambda: int(rng.integers(2**31)))
    fits = [column.fitted(part, training) for column, part in columns.parts(split.train.x)]
    if not any(fits):
        return dataset, split
    every = [fit.column if fit else column for column, fit in zip(columns, fits, strict=True)]
    unseen = tuple(_unseen(split, columns, fits))
    _refuse_unknown(every, unseen)
    after = replace(columns, every=tuple(every))

    def converted(x: Array, *, trained: bool = False) -> Array:
        # By columns, as NumPy's `x[:, kept]` is: sums over rows have their bits.
        converted = np.empty((len(x), sum(column.width for column in every)), order="F")
        for (_, part), place, fit in zip(
            columns.parts(x), after.places.values(), fits, strict=True
        ):
            own = fit.training if fit and trained else None
            found = own if own is not None else fit.convert(part) if fit else part
            converted[:, place.start : place.stop] = found
        return converted

    narrow = replace(
        dataset,
        x=converted(dataset.x),
        columns=after,
        feature_names=after.feature_names,
        whole=dataset,
    )
    parts: dict[str, Any] = {
        name: replace(part, x=converted(part.x)) for name, part in split.held_out.items()
    }
    train = replace(split.train, x=converted(split.train.x, trained=True))
    return narrow, replace(split, train=train, **parts, unseen=unseen)


def _refuse_unknown(every: Sequence[Column], unseen: Sequence[Unseen]) -> None:
    forbids = {column.name for column in every if getattr(column, "unknown", "") == "error"}
    for one in unseen:
        if one.column in forbids:
            rows = f"{one.rows} rows" if one.rows > 1 else "a row"
            verb = "have" if one.rows > 1 else "has"
            names = ", ".join(f"'{name}'" for name in one.categories[:3])
            more = ", …" * (len(one.categories) > 3)
            message = (
                f"{rows} of the {one.part} split {verb} a category of '{one.column}' that no "
                f"training row has: {names}{more}; `unknown: ignore` predicts it as none of them"
            )
            raise DatasetProblem([(("dataset", "unknown"), escaped(message, kept=""))])


def _unseen(split: Split, columns: Columns, fits: Sequence[Fitted | None]) -> Iterator[Unseen]:
    for name, part in split.held_out.items():
        for (column, features), fit in zip(columns.parts(part.x), fits, strict=True):
            rows, categories = fit.unseen(features) if fit else (0, ())
            if categories:
                yield Unseen(name, column.name, rows, categories)


def duplicates(dataset: Dataset, split: Split) -> dict[str, int]:
    """The number of rows of each held-out split that equal a training row, target included."""
    held_out = split.held_out
    numbers = (dataset.whole or dataset).equal_rows if held_out else None
    if numbers is None:
        return dict.fromkeys(held_out, 0)
    seen = np.zeros(numbers.max() + 1, np.bool_)
    seen[numbers[split.train.rows]] = True
    return {name: int(seen[numbers[part.rows]].sum()) for name, part in held_out.items()}
