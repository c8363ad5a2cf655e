"""What comparing configs needs to know of each, whether its runs are planned or stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from nnrun.config.settings import choice_words
from nnrun.sweeps.progress import RunScore


class Comparable(Protocol):
    """One config; `Variant` says what each of these is."""

    @property
    def number(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def choice(self) -> dict[str, Any]: ...

    @property
    def planned(self) -> int: ...

    @property
    def dataset(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def target(self) -> str | None: ...

    @property
    def splits(self) -> tuple[str, ...]: ...

    @property
    def division(self) -> str: ...

    @property
    def metric(self) -> str: ...

    @property
    def larger_is_better(self) -> bool: ...

    @property
    def published(self) -> dict[str, float]: ...

    @property
    def parameters(self) -> int: ...

    @property
    def rows(self) -> Mapping[str, float]: ...

    @property
    def overlap(self) -> Mapping[str, float]: ...

    @property
    def drawn(self) -> bool: ...

    @property
    def folds(self) -> int | None: ...

    @property
    def split_by(self) -> str: ...

    @property
    def data_note(self) -> str: ...


Member = tuple[Comparable, list[RunScore]]


def label_of(variant: Comparable) -> str:
    """Name and choice in one line."""
    return " ".join([variant.name, *choice_words(variant.choice)])
