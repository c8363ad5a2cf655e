"""Variants of exercises: other data, rates and sizes for each student, drawn from a name.

The first line of a variant has the name, from which a grade makes the same numbers again.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from nnrun.config.load import Content, Experiment, load_content, read_config
from nnrun.config.source_map import Source
from nnrun.config.yaml import Text, parse
from nnrun.course.files import OWN_LAYER, exercise_file
from nnrun.data.readers.opening import open_named
from nnrun.errors import NnrunError, UsageError

_LONGEST = 100
_HEAD = re.compile(rf"# For (.{{1,{_LONGEST}}})\r?\n")
_SEEDS = range(43, 10_000)  # of the student's own runs; grades have theirs
_ADDED = (1, 1.5, 2, 2.5, 3, 4, 5, 6)  # to |x|, in the layer that is written


@cache
def _draws() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read_config(Path(__file__).with_suffix(".yaml")).source.data
    return found


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
    for old, draw in _draws().get(str(lesson), {}).items():
        values = draw.get("of") or range(draw["range"][0], draw["range"][1] + 1)
        number, which = divmod(number, len(values))
        text = text.replace(old, draw["to"].format(values[which]))
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
            match = _HEAD.match(stream.readline(8 * _LONGEST).decode().removeprefix("\ufeff"))
        return checked_name(match[1]) if match else ""
    except (OSError, ValueError, NnrunError):
        return ""  # as reading it all says


def added(name: str) -> float:
    """What is added to |x| in the layer of the last lesson: y = g x / (added + |x|)."""
    return _ADDED[_digest(OWN_LAYER, name) % len(_ADDED)] if name else _ADDED[0]


def _digest(lesson: int, name: str) -> int:
    return int(hashlib.sha256(f"{lesson} {name.casefold()}".encode()).hexdigest(), 16)
