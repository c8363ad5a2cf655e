"""The text of a config file, with places for errors to point at."""

from __future__ import annotations

import re
from bisect import bisect_right
from pathlib import Path

from nnrun.config.files import SUFFIXES, init_hint
from nnrun.config.names import is_name
from nnrun.data.readers.formats import is_data_file
from nnrun.data.readers.opening import open_named
from nnrun.errors import ConfigError, DataError, Place, Problem
from nnrun.suggestions import nearest

MAX_BYTES = 2**20
MAX_SHOWN = 300  # characters of a line; longer ones are not shown

_LINE_END = re.compile(r"\r\n|\r|\n")


class Text:
    """Text with line and column for every offset."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text.removeprefix("\ufeff")
        self.file = file
        self.starts = [0, *(end.end() for end in _LINE_END.finditer(self.text))]
        self.lines = _LINE_END.split(self.text)

    def place(self, start: int, end: int | None = None) -> Place:
        """The place from one offset to another; of several lines, only the start is marked."""
        line = bisect_right(self.starts, start) - 1
        column = start - self.starts[line]
        content = self.lines[line]
        within = end is not None and end <= self.starts[line] + len(content)
        width = end - start if within and end is not None else 1
        shown = content if len(content) <= MAX_SHOWN else ""
        return Place(self.file, line + 1, column + 1, shown, max(width, 1))


def read_text(file: Path) -> Text:
    """The text of a config file.

    Raises:
        ConfigError: it does not exist, cannot be read, is far too large, or is not UTF-8.
    """
    name = str(file)
    try:
        with open_named(file) as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = f"for data, {init_hint(name)}" if is_data_file(name) else _advice(file)
        hint = f"; {hint}" if hint else ""
        raise ConfigError([Problem(f"there is no such file{hint}", name)]) from None
    except IsADirectoryError:
        raise ConfigError([Problem("is a folder, not a config file", name)]) from None
    except DataError as error:
        raise ConfigError([Problem(str(error).removeprefix(f"{name}: "), name)]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError([Problem(f"cannot be read: {reason}", name)]) from error
    if is_data_file(name):
        raise ConfigError([Problem(f"is data and not a config; {init_hint(name)}", name)])
    if len(content) > MAX_BYTES:
        raise ConfigError([Problem("is larger than 1 MiB, so it is not a config", name)])
    try:
        return Text(content.decode("utf-8"), name)
    except UnicodeDecodeError as error:
        readable = Text(content[: error.start].decode() + "\ufffd", name)
        message = (
            f"byte 0x{content[error.start]:02x} is not UTF-8; save the file with UTF-8 encoding"
        )
        place = readable.place(len(readable.text) - 1)
        raise ConfigError([Problem(message, place=place)]) from None


def _advice(file: Path) -> str:
    """The config with nearly this name, or how to write one: for data of this name, if there is."""
    try:
        files = [entry for entry in file.parent.iterdir() if entry.is_file()]
    except OSError:
        return ""
    data = [e for e in files if e.stem == file.stem and is_data_file(e)]
    if data:
        return f"for {min(data)}, {init_hint(str(min(data)))}"
    configs = {entry.stem: entry for entry in files if entry.suffix in SUFFIXES}
    near = nearest(file.stem, configs)
    if near:
        return f"did you mean '{configs[near]}'?"
    plain = str(file) == file.name and is_name(file.stem) and file.suffix in ("", *SUFFIXES)
    return f"`nnrun init {file.stem}` writes {file.stem}{SUFFIXES[0]}" if plain else ""
