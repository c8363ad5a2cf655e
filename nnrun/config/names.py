"""The names in configs that are not in a table of `nnrun.nn`."""

from __future__ import annotations

import re

from nnrun.systems import system

SPLITS = ("train", "validation", "test")
CHOOSING = ("validation", "test", "train")
"""Splits in the order in which they are used for choosing, the best first."""
BESIDE = ("linear", "neighbors", "forest", "boosting", "mlp")
"""Models of scikit-learn that a sweep trains beside its networks."""

BOARD, BOARD_SUFFIXES = "leaderboard", (".csv", ".json", ".md")
"""The files of the last sweep's leaderboard, in the results folder."""
BOARD_OF_KEY = f"{BOARD}-", ".json"
"""The start and the end of the name of each sweep's own leaderboard."""
REPLICATION = "REPLICATION.md"
"""Published numbers beside ours, likewise in the results folder."""
NOTES = "notes.json"
"""Notes on runs, likewise in the results folder."""

NAME_PATTERN = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
NAME_RULE = (
    "1 to 100 letters, digits, '.', '_' or '-', the first a letter or digit"
    f"{system.AND_NOT_RESERVED}, and no name of nnrun's own files, such as {BOARD}.json"
)


def is_name(name: str) -> bool:
    """Whether a run may have this name, which becomes the name of a folder."""
    allowed = re.fullmatch(NAME_PATTERN, name) and not system.is_reserved(name)
    return bool(allowed) and not is_written(name)


def is_written(name: str) -> bool:
    """Whether nnrun writes files of this name in the results folder.

    Upper and lower case are the same, as on some file systems.
    """
    name = name.casefold()
    start, end = BOARD_OF_KEY
    of_last = {f"{BOARD}{suffix}" for suffix in BOARD_SUFFIXES}
    of_key = name.startswith(start) and name.endswith(end)
    return of_key or name in of_last or name in (REPLICATION.casefold(), NOTES)


CHANGE_NOTHING = frozenset({"name", "description", "metrics", "published", "search", "sweep"})
"""The keys of a config that do not change what a run computes; `training.watch` is another."""


def changes_nothing(key: str) -> bool:
    """Whether a dotted key does not change what a run computes."""
    return key.partition(".")[0] in CHANGE_NOTHING or key == "training.watch"


def naive_words(steps: str) -> str:
    """What a naive baseline predicts: `last value`, `24 steps before`."""
    return "last value" if steps == "1" else f"{steps} steps before"
