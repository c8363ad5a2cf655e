"""The files of lessons, which come with the package."""

from __future__ import annotations

import re
from pathlib import Path

import nnrun

NUMBERS = range(1, 12)
OWN_GRADIENT = 2
"""The lesson about the backward pass, whose hand-in is no config but numbers."""
OWN_LAYER = 11
"""The lesson about a layer of one's own, which `nnrun check FILE.py` grades."""

OWN_EXERCISE = 0
"""In place of a lesson's number: an exercise from a file of a teacher's own."""

_NUMBERED = re.compile(r"exercise-(\d+)(?!\d).*\.ya?ml$")
_FOLDER = Path(nnrun.__file__).parent / "docs" / "course"


def exercise_file(number: int) -> Path:
    """The start of a lesson's exercise."""
    return _FOLDER / f"exercise-{number}.yaml"


def hand_in_name(number: int) -> str:
    """The name of the file that is changed in a lesson, as `nnrun init --lesson` writes it."""
    return "mylayer.py" if number == OWN_LAYER else exercise_file(number).name


def lesson_of(file: Path) -> int | None:
    """The lesson that a name says: `exercise-3.yaml`, also with more before and after it."""
    if file.suffix == ".py":
        return OWN_LAYER if Path(hand_in_name(OWN_LAYER)).stem in file.stem else None
    match = _NUMBERED.search(file.name)
    number = int(match[1]) if match else None
    return number if number in NUMBERS and number != OWN_LAYER else None


def configs(number: int) -> dict[str, str]:
    """The contents of a lesson's configs by their names."""
    files = (_FOLDER / f"lesson-{number}.yaml", exercise_file(number))
    return {file.name: file.read_text(encoding="utf-8") for file in files if file.is_file()}
