"""What comparing configs needs to know of each, whether its runs are planned or stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nnrun.config.setting_words import choice_words


@dataclass(frozen=True, kw_only=True)
class Comparable:
    """One config with one choice of its settings; its runs differ only in seeds and folds.

    Args:
        number: its place among the others.
        name: of the experiment.
        choice: in what it differs from others of its name, by dotted keys; a model of scikit-learn
            is always named in it.
        dataset: the name of its data set.
        sha256: the digest of the data's file or arrays.
        target: the target column, if the config names one.
        splits: `train`, and `validation` and `test` if they have rows.
        division: the settings of the split. Configs with equal data, seed, fold and division have
            the same rows in their splits.
        metric: that its runs are ordered by.
        larger_is_better: whether larger values of the metric are better.
        published: published numbers, by `<split>_<metric>`.
        rows: the size of each split; with folds, the mean.
        overlap: for each split that a seed draws, or a fold is, the ratio of its rows to training
            rows; else 0.
        drawn: whether the seed decides which rows are in which split.
        folds: of cross-validation; None without.
        split_by: the groups or the times that rows are split by, in words; "" at random.
        data_note: what a reader should know about the data.
    """

    number: int
    name: str
    choice: dict[str, Any]
    dataset: str
    sha256: str
    target: str | None
    splits: tuple[str, ...]
    division: str
    metric: str
    larger_is_better: bool
    published: dict[str, float]
    rows: dict[str, float] = field(default_factory=dict)
    overlap: dict[str, float] = field(default_factory=dict)
    drawn: bool = True
    folds: int | None = None
    split_by: str = ""
    data_note: str = ""

    @property
    def label(self) -> str:
        """Name and choice in one line."""
        return " ".join([self.name, *choice_words(self.choice)])

    @property
    def planned(self) -> int:
        """The number of its runs."""
        raise NotImplementedError

    @property
    def parameters(self) -> int:
        """Of its network."""
        raise NotImplementedError
