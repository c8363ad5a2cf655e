"""Mistakes in text files: a line of input, and indented below it what must be said about it."""

from __future__ import annotations

from pathlib import Path


def pairs(name: str) -> list[tuple[str, str]]:
    """All (input, message) of a file beside this one; a message may end in `…` to leave a rest."""
    found: list[tuple[str, str]] = []
    planted = ""
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("    "):
            found.append((planted, line.strip()))
        elif not line.startswith("#"):
            planted = line
    return found


def says(message: str, said: str) -> bool:
    """Whether this is the message."""
    first, dots, last = message.partition("…")
    return said.startswith(first) and said.endswith(last) if dots else message == said
