"""Problems of held-out rows: duplicates of training rows, and unseen categories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nnrun.data.columns.categorical import NONE
from nnrun.runs.diagnosis.inputs import Diagnostic

_SHOWN = 3


def about_held_out(dataset: dict[str, Any]) -> list[Diagnostic]:
    """About duplicates and unseen categories of a data set, as a record describes it."""
    return [*_unseen(dataset), *_duplicates(dataset)]


def _unseen(dataset: dict[str, Any]) -> Iterator[Diagnostic]:
    for split in dict.fromkeys(found["split"] for found in dataset["unseen"]):
        columns = [found for found in dataset["unseen"] if found["split"] == split]
        which = "; ".join(map(_categories, columns[:_SHOWN])) + "; …" * (len(columns) > _SHOWN)
        text = (
            f"of {dataset[f'n_{split}']:,} {split} rows some have a category that no training row "
            f"has ({which}): they are predicted as {_stand_ins(columns)}; "
            "give rare categories one name, or leave such rows out"
        )
        yield Diagnostic("unseen_category", text, split=split)


def _stand_ins(columns: Sequence[dict[str, Any]]) -> str:
    """What such categories are predicted as."""
    return " or ".join(dict.fromkeys(found.get("as", NONE) for found in columns))


def _categories(found: dict[str, Any]) -> str:
    names = [f"'{name}'" if name else "a blank cell" for name in found["categories"]]
    more = ", …" * (len(names) > _SHOWN)
    return f"{found['rows']:,} in '{found['column']}': {', '.join(names[:_SHOWN])}{more}"


def _duplicates(dataset: dict[str, Any]) -> Iterator[Diagnostic]:
    """Duplicates that may change an accuracy by more than chance does.

    Two standard errors of an accuracy on n rows are at most 1 / √n; d copies change it by up to
    d / n.
    """
    for split, copies in dataset["duplicates"].items():
        rows = dataset[f"n_{split}"]
        if copies**2 > rows:
            text = (
                f"{copies:,} of {rows:,} {split} rows are training rows too, target included: if "
                f"they are copies and not different cases, the {split} numbers flatter the network"
            )
            yield Diagnostic("duplicates", text, split=split)
