"""The names in configs that are not in a table of `nnrun.nn`."""

from __future__ import annotations

import re

from nnrun.systems import system

SPLITS = ("train", "validation", "test")
CHOOSING = ("validation", "test", "train")
"""Splits in the order in which they are used for choosing, the best first."""
BESIDE = ("linear", "neighbors", "forest", "boosting", "mlp")
"""Models of scikit-learn that a sweep trains beside its networks."""

NAME_PATTERN = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
NAME_RULE = "1 to 100 letters, digits, '.', '_' or '-', the first a letter or digit" + (
    system.AND_NOT_RESERVED
)


def is_name(name: str) -> bool:
    """Whether a run may have this name, which becomes the name of a folder."""
    return re.fullmatch(NAME_PATTERN, name) is not None and not system.is_reserved(name)


CHANGE_NOTHING = frozenset({"name", "description", "metrics", "published", "search", "sweep"})
"""The keys of a config that do not change what a run computes; `training.watch` is another."""


def changes_nothing(key: str) -> bool:
    """Whether a dotted key does not change what a run computes."""
    return key.partition(".")[0] in CHANGE_NOTHING or key == "training.watch"
