"""The data of a run as a record describes them: sizes, splits, weights."""

from __future__ import annotations

from math import prod
from typing import Any

from nnrun.data.columns.categorical import NONE, Categorical
from nnrun.data.held_out import duplicates
from nnrun.data.splits.make import describe_split, describe_weights
from nnrun.runs.preparation.prepared import Prepared

Description = dict[str, Any]


def describe_dataset(prepared: Prepared) -> Description:
    """The data set and the sizes of its splits."""
    dataset, split = prepared.dataset, prepared.split
    return {
        "name": dataset.name,
        "sha256": dataset.sha256,
        "n_train": len(split.train),
        "n_validation": len(split.validation) if split.validation else 0,
        "n_test": len(split.test) if split.test else 0,
        "n_features": prod(dataset.shape),
        "classes": list(dataset.classes) or None,
        "description": dataset.description,
        "note": dataset.note,
        "task": dataset.task,
        "task_from": prepared.task_from,
        **describe_held_out(prepared),
    }


def describe_held_out(prepared: Prepared) -> Description:
    """How rows were split, and counts of unusual held-out rows.

    By split, `duplicates` counts those that are training rows too, and `unseen` those with a
    category of a column that no training row has. `left_out` counts rows that are in no split:
    `dropped` ones, with missing values, and own test rows of the set, or `hidden` test rows.
    """
    split, weights = prepared.split, _described_weights(prepared)
    how = describe_split(prepared.dataset, prepared.config.dataset, split)
    columns = prepared.dataset.columns or ()
    stand_ins = {one.name: one.stands_for for one in columns if isinstance(one, Categorical)}
    unseen = [
        {
            "split": found.part,
            "column": found.column,
            "rows": found.rows,
            "categories": list(found.categories),
            **({} if stand_ins[found.column] == NONE else {"as": stand_ins[found.column]}),
        }
        for found in split.unseen
    ]
    return {
        **({"hidden": True} if prepared.config.dataset.hide_test else {}),
        "left_out": split.left_out + len(prepared.dataset.dropped),
        "dropped": len(prepared.dataset.dropped),
        "duplicates": duplicates(prepared.dataset, split),
        "unseen": unseen,
        **({} if how is None else {"split": how}),
        **weights,
    }


def _described_weights(prepared: Prepared) -> Description:
    """The weights of rows and of classes, by split and by class, where there are any."""
    columns, factors = prepared.config.dataset.columns, prepared.class_factors
    rows = describe_weights(prepared.split, None if columns is None else columns.weight)
    found: Description = {} if rows is None else {"weights": rows}
    if factors is not None:
        classes = prepared.dataset.classes
        found["class_weight"] = dict(zip(classes, factors.tolist(), strict=True))
    return found
