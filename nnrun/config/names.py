"""The names that configs use for what does not stand in a table of `nnrun.nn`."""

from __future__ import annotations

import re

SPLITS = ("train", "validation", "test")
CHOOSING = ("validation", "test", "train")
"""Splits by how honest a choice by them is, the most honest first."""
METRICS = ("loss", "accuracy", "log_loss", "mse", "rmse", "mae", "r2")
PUBLISHED = tuple(f"{split}_{metric}" for split in SPLITS for metric in METRICS)
MONITORS = tuple(f"validation_{metric}" for metric in METRICS)

NAME_PATTERN = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
NAME_RULE = "1 to 100 letters, digits, '.', '_' or '-', the first a letter or digit"


def is_name(name: str) -> bool:
    """Whether a run may be called this; names are folders, so that only plain ones will do."""
    return re.fullmatch(NAME_PATTERN, name) is not None


CHANGE_NOTHING = frozenset({"name", "description", "published", "sweep"})
"""The keys of a config that have no say in what a run computes."""


def changes_nothing(key: str) -> bool:
    """Whether a dotted key has no say in what a run computes."""
    return key.partition(".")[0] in CHANGE_NOTHING
