"""The files of lessons, which come with the package."""

from __future__ import annotations

from pathlib import Path

import nnrun

NUMBERS = range(1, 12)
OWN_GRADIENT = 2
"""The lesson about the backward pass, whose hand-in is no config but numbers."""
OWN_LAYER = 11
"""The lesson about a layer of one's own, which `nnrun check FILE.py` grades."""

_FOLDER = Path(nnrun.__file__).parent / "docs" / "course"


def exercise_file(number: int) -> Path:
    """The start of a lesson's exercise."""
    return _FOLDER / f"exercise-{number}.yaml"


def hand_in_name(number: int) -> str:
    """The name of the file that is changed in a lesson, as `nnrun init --lesson` writes it."""
    return "mylayer.py" if number == OWN_LAYER else exercise_file(number).name


def configs(number: int) -> dict[str, str]:
    """The contents of a lesson's configs by their names."""
    files = (_FOLDER / f"lesson-{number}.yaml", exercise_file(number))
    return {file.name: file.read_text(encoding="utf-8") for file in files if file.is_file()}
