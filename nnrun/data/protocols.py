"""The `dataset` block of a config as protocols, so that this package need not import configs.

(Configs import the table of data sets, whose signatures are part of their schema.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class EmbeddingSettings(Protocol):
    """The length of a column's vectors, and the training rows that a category must have."""

    @property
    def dimensions(self) -> int: ...
    @property
    def min_count(self) -> int | None: ...


class LagSettings(Protocol):
    """Which earlier rows of a column are features."""

    @property
    def steps(self) -> Sequence[int]: ...
    @property
    def group(self) -> str | None: ...


class ColumnSettings(Protocol):
    """The columns of a CSV file: the target, the features and their kinds."""

    @property
    def target(self) -> str: ...
    @property
    def features(self) -> Sequence[str] | None: ...
    @property
    def drop(self) -> Sequence[str]: ...
    @property
    def categorical(self) -> Sequence[str]: ...
    @property
    def embedding(self) -> Mapping[str, EmbeddingSettings]: ...
    @property
    def target_mean(self) -> Sequence[str]: ...
    @property
    def min_count(self) -> int: ...
    @property
    def weight(self) -> str | None: ...
    @property
    def formats(self) -> Mapping[str, str | Sequence[str]]: ...


class ImageSettings(Protocol):
    """A folder of images, and what each becomes."""

    @property
    def folder(self) -> str: ...
    @property
    def size(self) -> int | Sequence[int] | None: ...
    @property
    def mode(self) -> str: ...


class SplitSettings(Protocol):
    """What rows are split by, with the column of the groups or times."""

    @property
    def by(self) -> str: ...
    @property
    def column(self) -> str | None: ...


class DatasetSettings(Protocol):
    """Where data come from (a built-in set by name, or a file), their splits and preprocessing."""

    @property
    def name(self) -> str | None: ...
    @property
    def path(self) -> str | None: ...
    @property
    def columns(self) -> ColumnSettings | None: ...
    @property
    def images(self) -> ImageSettings | None: ...
    @property
    def channel_axis(self) -> str | None: ...
    @property
    def task(self) -> str | None: ...
    @property
    def separator(self) -> str | None: ...
    @property
    def decimal(self) -> str: ...
    @property
    def encoding(self) -> str: ...
    @property
    def unknown(self) -> str: ...
    @property
    def split(self) -> SplitSettings: ...
    @property
    def dates(self) -> Mapping[str, Sequence[str]]: ...
    @property
    def lags(self) -> Mapping[str, LagSettings]: ...
    @property
    def test_size(self) -> float | int | str | None: ...
    @property
    def folds(self) -> int | None: ...
    @property
    def fold(self) -> int | None: ...
    @property
    def validation_size(self) -> float | int: ...
    @property
    def train_size(self) -> float | int | None: ...
    @property
    def hide_test(self) -> bool: ...
    @property
    def stratify(self) -> bool | None: ...
    @property
    def features(self) -> Sequence[Any]: ...
    @property
    def target(self) -> str: ...

    def missing_rule(self) -> str:
        """The handling of missing values: `error`, `drop_rows`, or the statistic to fill in."""

    def missing_rules(self) -> Mapping[str, str]:
        """The same for columns with rules of their own."""

    def words_for_missing(self) -> Mapping[str, Sequence[str]]:
        """Words for missing values by column; under "" those of every column."""

    def indicators(self) -> Mapping[str, bool]:
        """By column with a rule of its own whether blanks have an indicator; "" for all others."""

    def arguments(self) -> Mapping[str, Any]:
        """The arguments for the loader of a built-in set."""
