"""Variants of exercises: other data, rates and sizes for each student, drawn from a name.

The first line of a variant has the name, from which a grade makes the same numbers again.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from nnrun.config.load import Content, Experiment, load_content
from nnrun.config.source_map import Source
from nnrun.config.yaml import Text, parse
from nnrun.course.files import OWN_LAYER, exercise_file
from nnrun.data.readers.opening import open_named
from nnrun.errors import NnrunError, UsageError

_LONGEST = 100
_HEAD = re.compile(rf"# For (.{{1,{_LONGEST}}})\r?\n")
_SEEDS = range(43, 10_000)  # of the student's own runs; grades have theirs
_DRAWN = range(1, 10_000)  # seeds of data that are drawn
_ADDED = (1, 1.5, 2, 2.5, 3, 4, 5, 6)  # to |x|, in the layer that is written

Draw = tuple[str, str, Sequence[Any]]
"""A text of an exercise's file, what replaces it wherever it stands, and values to draw from."""

_DRAWS: dict[int, Sequence[Draw]] = {
    1: [
        ("batch_size: 16", "batch_size: {}", range(16, 22)),
        ("epochs: 40", "epochs: {}", range(50, 71, 2)),
    ],
    3: [
        ("circles, rows: 400", "circles, seed: {}, rows: 400", _DRAWN),
        ("rows: 400", "rows: {}", range(400, 481, 10)),
        ("learning_rate: 0.02", "learning_rate: {}", (0.02, 0.022, 0.024, 0.026)),
    ],
    4: [
        ("32, 32, 32, 32, 32, 32, 32, 32, 32", "{0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}",
         range(32, 41)),
        ("learning_rate: 0.05", "learning_rate: {}", (0.05, 0.055, 0.06)),
    ],
    5: [("features: standard", "features: standard, test_size: {}", range(60, 91))],
    6: [
        ("features: standard", "features: standard, test_size: {}", range(340, 381)),
        ("learning_rate: 0.01", "learning_rate: {}", (0.009, 0.01, 0.011, 0.012)),
    ],
    7: [
        ("moons, rows", "moons, seed: {}, rows", _DRAWN),
        ("units: 64", "units: {}", range(56, 73, 4)),
    ],
    8: [
        ("units: 32", "units: {}", range(30, 39)),
        ("learning_rate: 0.05", "learning_rate: {}", (0.05, 0.055, 0.06)),
    ],
    9: [
        ("moons, rows", "moons, seed: {}, rows", _DRAWN),
        ("[64, 64, 2]", "[{0}, {0}, 2]", range(56, 73, 4)),
        ("learning_rate: 0.002", "learning_rate: {}", (0.0016, 0.002, 0.0024)),
    ],
    10: [
        ("features: standard", "features: standard, test_size: {}", range(30, 41)),
        ("0.15, 0.2]", "{}, 0.2]", (0.12, 0.13, 0.14, 0.15, 0.16)),
    ],
}  # fmt: skip


def checked_name(name: str) -> str:
    """The name of a student, in one form however it is typed.

    Raises:
        UsageError: it cannot stand in the first line of a file.
    """
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not name.isprintable() or not 0 < len(name) <= _LONGEST:
        raise UsageError(f"--for: a name has 1 to {_LONGEST} printable characters, like 'Ada L.'")
    return name


def varied(lesson: int, name: str, text: str) -> str:
    """A text of an exercise with the numbers of a student."""
    number = _digest(lesson, name) // len(_SEEDS)
    for old, new, values in _DRAWS.get(lesson, ()):
        number, which = divmod(number, len(values))
        text = text.replace(old, new.format(values[which]))
    return text


def start_text(lesson: int, name: str) -> str:
    """The start of a lesson's exercise, for a student if there is a name."""
    text = exercise_file(lesson).read_text(encoding="utf-8")
    if not name:
        return text
    seed = _SEEDS[_digest(lesson, name) % len(_SEEDS)]
    return f"{head(name)}{varied(lesson, name, text)}seed: {seed}\n"


def head(name: str) -> str:
    """The first line of a variant."""
    return f"# For {name}\n" if name else ""


@lru_cache(maxsize=64)
def start(lesson: int, name: str) -> Experiment:
    """The start of a lesson's exercise as a config."""
    file = exercise_file(lesson)
    parsed = parse(Text(start_text(lesson, name), str(file)))
    return load_content(Content(Source(**vars(parsed)), file), ())


def name_in(file: Path) -> str:
    """The name that the first line of a hand-in has; empty if there is none."""
    try:
        with open_named(file) as stream:
            line = stream.readline(8 * _LONGEST).decode()
    except (OSError, ValueError, NnrunError):
        return ""  # as reading it all says
    match = _HEAD.match(line.removeprefix("\ufeff"))
    return checked_name(match[1]) if match else ""


def added(name: str) -> float:
    """What is added to |x| in the layer of the last lesson: y = g x / (added + |x|)."""
    return _ADDED[_digest(OWN_LAYER, name) % len(_ADDED)] if name else _ADDED[0]


def _digest(lesson: int, name: str) -> int:
    return int(hashlib.sha256(f"{lesson} {name.casefold()}".encode()).hexdigest(), 16)
