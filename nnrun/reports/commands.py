"""Commands for the shell, to be copied from what is shown."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path


def command_line(
    command: str, arguments: Sequence[str], results: Path, options: Mapping[str, object]
) -> str:
    """A command for the shell: options that are None or false are left out, tuples are repeated."""
    words = ["nnrun", command, *arguments]
    for option, value in options.items():
        if isinstance(value, tuple):
            words += [word for each in value for word in (option, str(each))]
        elif value is True:
            words.append(option)
        elif value is not None and value is not False:
            words += [option, str(value)]
    return shlex.join([*words, *_folder(results)])


def in_folder(command: str, results: Path) -> str:
    """A command of `command_line`, for another results folder."""
    words = shlex.split(command)
    if len(words) > 1 and words[-2] == "--results":
        del words[-2:]
    return shlex.join([*words, *_folder(results)])


def _folder(results: Path) -> list[str]:
    # The environment variable may not be set in the shell that this is copied to.
    if results != Path("results") or "NNRUN_RESULTS" in os.environ:
        return ["--results", str(results)]
    return []
