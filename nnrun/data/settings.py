"""What the data floor has to be told: the `dataset` block of a config, as it is seen from here.

A config reads the table of data sets, whose signatures are its schema, and not the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class ColumnSettings(Protocol):
    """The columns of a CSV file: which one is predicted, and what the others are."""

    @property
    def target(self) -> str: ...
    @property
    def features(self) -> Sequence[str] | None: ...
    @property
    def drop(self) -> Sequence[str]: ...
    @property
    def categorical(self) -> Sequence[str]: ...


class SourceSettings(Protocol):
    """Where data come from: a built-in set by its name, with its options, or else a file."""

    @property
    def name(self) -> str | None: ...
    @property
    def path(self) -> str | None: ...
    @property
    def columns(self) -> ColumnSettings | None: ...
    @property
    def task(self) -> str | None: ...
    @property
    def separator(self) -> str | None: ...
    @property
    def decimal(self) -> str: ...

    def missing_rule(self) -> str:
        """What is done about missing values: `error`, `drop_rows`, or the statistic to fill in."""

    def missing_rules(self) -> Mapping[str, str]:
        """The same for the columns that have a rule of their own."""

    def arguments(self) -> Mapping[str, Any]:
        """What the loader of a built-in set is called with."""


class PreparationSettings(Protocol):
    """How data are divided, and scaled."""

    @property
    def test_size(self) -> float | int | str | None: ...
    @property
    def validation_size(self) -> float | int: ...
    @property
    def stratify(self) -> bool: ...
    @property
    def features(self) -> Sequence[Any]: ...
    @property
    def target(self) -> str: ...


class DatasetSettings(SourceSettings, PreparationSettings, Protocol):
    """The whole block."""
