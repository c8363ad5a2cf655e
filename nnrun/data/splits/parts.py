"""The rows of each split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.rows.raw import RawRows

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class SplitData:
    """Rows of a data set: `raw` has their features, y (rows, ...) their targets.

    `weight` (rows,) is None where rows have no weights.
    """

    raw: RawRows
    y: npt.NDArray[Any]
    weight: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.raw)

    @property
    def rows(self) -> Rows:
        """The numbers of the rows in the data set, with the set's own test rows last."""
        return self.raw.rows

    @property
    def x(self) -> npt.NDArray[Any]:
        """The raw rows as a new array; `raw` reads them in blocks."""
        return self.raw.all()

    def take(self, places: npt.NDArray[np.intp]) -> SplitData:
        """The rows at these places."""
        weight = None if self.weight is None else self.weight[places]
        return SplitData(self.raw.take(places), self.y[places], weight)


@dataclass(frozen=True)
class Unseen:
    """Categories of a column in a held-out split that no training row has, and in how many rows.

    `first` is the number of the first of these rows in the data, from 1 on.
    """

    part: str
    column: str
    rows: int
    categories: tuple[str, ...]
    first: int


@dataclass(frozen=True, eq=False)
class Split:
    """The splits of a data set.

    `test_size` is the size used, with defaults resolved; None with folds. `stratified` says whether
    classes were kept in proportion. `planned` is the number of training rows that the sizes ask
    for: whole groups may be more or fewer, as the seed draws them. `left_out` counts rows in no
    split: the set's own test rows if the config wants no test split, hidden ones, and with folds by
    time what comes later. `unseen` lists categories of held-out rows that no training row has.
    """

    train: SplitData
    validation: SplitData | None
    test: SplitData | None
    test_size: float | int | str | None
    stratified: bool = False
    planned: int = 0
    left_out: int = 0
    unseen: tuple[Unseen, ...] = ()

    @property
    def held_out(self) -> dict[str, SplitData]:
        """The validation and test splits that exist, by name."""
        parts = {"validation": self.validation, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}

    def in_file_order(self) -> Split:
        """The same split with the training rows in the order of the file."""
        return replace(self, train=self.train.take(np.argsort(self.train.rows)))
