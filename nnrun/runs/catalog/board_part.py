"""What leaderboards take of a run besides its summary, as the index keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from sys import intern
from typing import Any, NamedTuple, Self

from nnrun.config.names import SPLITS
from nnrun.runs.record import RunRecord

DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError)
"""Errors that the values of a damaged report can raise."""
_SOUND = {int, float, bool, type(None)}

Numbers = tuple[float | None, ...]


class BoardPart(NamedTuple):
    """Values of a run's report; runs with equal ones share an object.

    Args:
        dataset: the name of its data.
        sha256: the digest of its data.
        rows: of each split.
        parameters: of its network.
        baseline: the main metric of the baseline on each split.
        published: numbers from elsewhere, by `<split>_<metric>`.
        ours: our value for each of them, ordered by name.
        warning: the kind of the first warning, empty without any.
        arithmetic: the numeric backend.
    """

    dataset: str
    sha256: str
    rows: tuple[int, ...]
    parameters: int
    baseline: Numbers
    published: Mapping[str, float]
    ours: Numbers
    warning: str
    arithmetic: str

    @classmethod
    def of(cls, record: RunRecord) -> Self:
        """The part of a record.

        Raises: KeyError, TypeError, ValueError, AttributeError if it does not hold what it should.
        """
        ours = {row["metric"]: row["ours"] for row in record.published}
        published = record.config.get("published") or {}
        return cls(
            dataset=intern(record.dataset["name"]),
            sha256=intern(record.dataset["sha256"]),
            rows=tuple(record.dataset[f"n_{split}"] for split in SPLITS),
            parameters=int(record.network["parameters"]),
            baseline=by_split(record.baseline, record.main_metric),
            published={key: value for key, value in published.items() if key != "source"},
            ours=tuple(ours[metric] for metric in sorted(ours)),
            warning=intern(str(record.warnings[0]["kind"])) if record.warnings else "",
            arithmetic=intern(record.numeric_backend),
        )

    @classmethod
    def restored(cls, text: str) -> Self:
        """The part that `text_of` wrote."""
        dataset, sha256, rows, parameters, baseline, published, ours, *rest = json.loads(text)
        return cls(
            dataset, sha256, tuple(rows), parameters, tuple(baseline), published, tuple(ours), *rest
        )


def text_of(record: RunRecord) -> str:
    """The part of a record as text; empty if the record does not hold what it should."""
    try:
        part, metrics = BoardPart.of(record), by_split(record.metrics, record.main_metric)
        sound = are_sound(*metrics, *part.baseline, record.timing["train_seconds"])
        return json.dumps(part) if sound else ""
    except DAMAGE:
        return ""


def are_sound(*numbers: Any) -> bool:
    """Whether these can be numbers of a sound report, or are not known."""
    return _SOUND.issuperset(map(type, numbers))


def by_split(numbers: Mapping[str, Mapping[str, Any] | None], metric: str) -> Numbers:
    """A metric on each split."""
    found = [numbers[split] for split in SPLITS]
    return tuple([None if one is None else one.get(metric) for one in found])
