"""`nnrun init --lesson`: the files of a lesson."""

from __future__ import annotations

from pathlib import Path

from nnrun.cli.init_layer import write_layer
from nnrun.course.files import OWN_LAYER, configs
from nnrun.errors import UsageError

_LAYER = Path("mylayer.py")


def write_lesson(lesson: int) -> list[str]:
    """Write the configs of a lesson here, and return the names of its files.

    Raises:
        UsageError: one of them is there already; then nothing is written.
    """
    files = configs(lesson)
    names = [*files, *([_LAYER.name] if lesson == OWN_LAYER else [])]
    there = [name for name in names if Path(name).exists()]
    if there:
        raise UsageError(
            f"--lesson {lesson}: {there[0]} exists already, and nothing is overwritten"
        )
    for name, text in files.items():
        with Path(name).open("x", encoding="utf-8") as file:
            file.write(text)
    if lesson == OWN_LAYER:
        write_layer(_LAYER)
    return names
