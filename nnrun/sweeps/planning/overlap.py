"""How data are divided, and what that means for the results of several seeds or folds.

Each `block` is the resolved `dataset` block of a config, as plain values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from nnrun.config.names import SPLITS

_DIVISION = ("test_size", "validation_size", "stratify", "folds")


def division_of(block: Mapping[str, Any]) -> str:
    """The settings by which data are divided, of the resolved `dataset` block of a config."""
    split = block.get("split") or {}
    settings = [block.get(key) for key in _DIVISION]
    drawn = [split[key] for key in ("test_seed",) if split.get(key) is not None]
    return " ".join(map(str, [*settings, split.get("by", "random"), split.get("column"), *drawn]))


def mean_rows(sizes: Iterable[Sequence[int]]) -> dict[str, float]:
    """The mean size of each split over runs, without splits that have no rows.

    `sizes` are those of the training, validation and test split of each run; they vary with the
    seed where whole groups are drawn.
    """
    means = zip(SPLITS, map(fmean, zip(*sizes, strict=True)), strict=False)
    return {split: mean for split, mean in means if mean}


def split_by_of(block: Mapping[str, Any]) -> str:
    """By what rows are kept together or in order, `patient_id`, `time in day`; "" at random."""
    split = block.get("split") or {}
    by, column = split.get("by", "random"), split.get("column")
    return {"random": "", "time": f"time in {column}"}.get(by, str(column))


def is_drawn(rows: Mapping[str, float], block: Mapping[str, Any]) -> bool:
    """Whether a seed decides which rows are in which split, of these sizes."""
    if (block.get("split") or {}).get("by") == "time":
        return False
    return "validation" in rows or ("test" in rows and not _is_fixed(block))


def _is_fixed(block: Mapping[str, Any]) -> bool:
    """Whether the test rows are the same for all seeds."""
    own = (block.get("split") or {}).get("test_seed") is not None
    return own or block.get("test_size") == "given"


def overlap_of(rows: Mapping[str, float], block: Mapping[str, Any]) -> dict[str, float]:
    """For each split, the ratio of its rows to training rows, as far as seeds or folds vary it.

    `rows` has the size of each split.
    """
    varied = {"validation"} if is_drawn(rows, block) else set()
    if block.get("folds") or (varied and not _is_fixed(block)):
        varied.add("test")
    if block.get("folds"):
        varied.add("validation")
    # On fixed rows, runs differ in the rows held out of their training.
    held_out = sum(rows[name] for name in rows if name in varied)
    tested = {name: count if name in varied else held_out for name, count in rows.items()}
    return {name: count / rows["train"] for name, count in tested.items()}
