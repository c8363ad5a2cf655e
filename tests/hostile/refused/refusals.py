"""A table of hostile inputs: what is given, and what has to be said about it.

A case is a folder of files, and a command on them which is refused: exit code 2, nothing written,
no traceback, no internal error. `said` must stand in the answer, word for word.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CONFIG = """\
dataset: {name: iris}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 10}
"""
REGRESSION = """\
dataset: {path: DATA, columns: {target: y}, task: regression}
network: {sizes: [1], activations: [linear]}
loss: mean_squared
training: {learning_rate: 0.1, iterations: 10}
"""
NPZ = REGRESSION.replace(", columns: {target: y}, task: regression", "")


@dataclass(frozen=True)
class Case:
    """One input.

    Args:
        name: of the test.
        make: puts files into the working folder.
        words: the command.
        said: what the answer holds.
    """

    name: str
    make: Callable[[], object]
    words: tuple[str, ...]
    said: str


def text(name: str, content: str | bytes) -> Callable[[], object]:
    """Writes one file."""
    return lambda: Path(name).write_bytes(content.encode() if isinstance(content, str) else content)


def both(*makers: Callable[[], object]) -> Callable[[], object]:
    """Does several things."""
    return lambda: [make() for make in makers]


def config(name: str, added: str, said: str, content: str = CONFIG) -> Case:
    """A config with something added."""
    return Case(name, text("a.yaml", content + added), ("check", "a.yaml"), said)


def whole(name: str, content: str | bytes, said: str) -> Case:
    """A config that is nothing but this."""
    return Case(name, text("a.yaml", content), ("check", "a.yaml"), said)


def argument(name: str, word: str, said: str, command: str = "check") -> Case:
    """A sound config with an argument."""
    return Case(name, text("a.yaml", CONFIG), (command, "a.yaml", word), said)


def csv(name: str, content: str | bytes, said: str) -> Case:
    """A CSV file with `y` as its target."""
    make = both(text("x.csv", content), text("a.yaml", REGRESSION.replace("DATA", "x.csv")))
    return Case(name, make, ("check", "a.yaml"), said)


def npy(header: str, content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """The bytes of an array's file."""
    encoded = header.encode("latin1")
    width = 2 if version[:1] == b"\x01" else 4
    encoded += b" " * (-(len(encoded) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + version + len(encoded).to_bytes(width, "little") + encoded + content


def described(descr: str, shape: str, fortran: str = "False") -> str:
    """An array's header."""
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"


X = npy(described("'<f8'", "(4, 1)"), bytes(32))
Y = npy(described("'<f8'", "(4,)"), bytes(32))


def npz(name: str, said: str, **members: bytes) -> Case:
    """An archive with these members, and sound ones for those that are not given."""

    def make() -> None:
        Path("a.yaml").write_text(NPZ.replace("DATA", "x.npz"))
        with zipfile.ZipFile("x.npz", "w") as archive:
            for member, content in {"x": X, "y": Y, **members}.items():
                archive.writestr(f"{member}.npy", content)

    return Case(name, make, ("check", "a.yaml"), said)


def path(name: str, place: str, said: str, make: Callable[[], object] = lambda: None) -> Case:
    """A path of a data file, with what stands there."""
    content = (NPZ if place.endswith(".npz") else REGRESSION).replace("DATA", f"'{place}'")
    return Case(name, both(make, text("a.yaml", content)), ("check", "a.yaml"), said)


def link(name: str, target: str) -> Callable[[], object]:
    """Makes a link."""
    return lambda: os.symlink(target, name)
